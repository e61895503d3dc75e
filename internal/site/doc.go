// Package site is what the four programs share about the machine that they run on and its
// policy: where the policy is, where podman is, which paths must be nobody else's, and
// where the administrator's log goes.
package site
