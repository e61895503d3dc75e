// Package ci has no code: its test compares .gitlab-ci.yml with .ci/run and the Makefile.
package ci
