// Package debian13 has no code: its scripts run the tests on podman 5, in a Debian 13 beside the machine's own system. README.md
// beside this file tells more.
package debian13
