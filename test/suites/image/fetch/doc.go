// Package fetch tests image/build/install-gitlab-runner, with the real programs, against a server that plays
// GitLab's bucket and API with a key of the test's own.
package fetch
