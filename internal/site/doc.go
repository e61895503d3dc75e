// Package site is what the four programs share about their machine and its policy: where the
// policy is, where podman is, which paths nobody else may control, and where the
// administrator's log goes.
package site
