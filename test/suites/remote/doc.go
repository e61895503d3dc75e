// Package remote has what the end-to-end tests (test/suites/e2e) need to run jobs on podman of
// other hosts: of another user of this machine, by ssh to loopback and by a socket. See
// run for what the tests find, and cases.txt for which run there.
package remote
