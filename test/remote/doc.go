// Package remote runs jobs on podman services of other hosts: of another user of this
// machine, by ssh to loopback and by a socket. See run for what the tests find, and
// cases.txt for the end-to-end tests that run there, too.
package remote
