// Package policy reads the administrator's policy file and decides, for one
// job at a time, what the job may have.
//
// The file is TOML with the keys of Jacamar CI's podman run mechanism and a few
// more; types.go says what each means. [Parse] is strict: a key that it does
// not know, a duplicate, a wrong type or a bad value makes the whole file
// unusable, and all problems are reported at once with their lines. A policy
// that cannot be read allows nothing.
//
// [Policy.Decide] is pure: the same request gets the same [Grant] or the same
// [Denial]. The package runs nothing, touches no file but the one that [Load]
// is given, and has never heard of the podman program.
package policy

//go:generate go run podman-executor/internal/docs policy ../../docs/policy.md
