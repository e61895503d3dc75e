package main

import (
	"cmp"
	"os"
	"slices"
	"strings"

	"podman-executor/pkg/podman"
)

// userNamespace returns the user namespace of a user container whose policy names
// none. With step_script_only the runner's own steps work on the host with what
// the job has written, as gitlab-runner's user: so the container's user has to be
// that one, whatever its number is in the container. root is, with rootless
// podman; every other is one of the subordinate ids, whose directories are closed
// to the runner (docs/decisions/0013).
func (s *preparation) userNamespace(image podman.Image) string {
	pm := s.policy.General.Podman
	if !pm.StepScriptOnly || pm.UsesEndpoint() || os.Getuid() == 0 {
		return ""
	}
	user := cmp.Or(s.grant.User, image.Config.User)
	mode, ok := keepID(user)
	if !ok {
		s.call.Warn("the job's user %q has a name: with step_script_only what it writes may be missing from artifacts and caches, and fail the next job; give its number in `image:docker:user`", user)
	}
	return mode
}

// isAnotherOnHost tells whether the container's user is, or may be, another on the host than
// this one, so that steps on the host have to write what everybody can write.
func (s *preparation) isAnotherOnHost(c podman.Create, image podman.Image) bool {
	pm := s.policy.General.Podman
	if !pm.StepScriptOnly {
		return false
	}
	ofUser := func(option string) bool {
		return strings.HasPrefix(option, "--user") || strings.HasPrefix(option, "-u") || strings.HasPrefix(option, "--uidmap")
	}
	// What comes before the script may become another user: a shell of the policy's does not.
	entry := s.userEntry(image)
	if len(entry.Words) > 0 && (entry.Shell || !strings.HasSuffix(entry.Words[0], "sh")) {
		return true
	}
	if s.grant.Container.UsernsMode != "" || slices.ContainsFunc(c.Options, ofUser) {
		return true
	}
	mode, ok := keepID(cmp.Or(s.grant.User, image.Config.User))
	return !ok || mode != c.Isolation.UserNS
}

// keepID returns the mode of podman's --userns in which a container's user,
// USER[:GROUP], is the user who runs podman; empty for root, who is so anyway. It
// cannot for the name of another user: what number it has stands in the image.
func keepID(user string) (mode string, ok bool) {
	uid, gid, _ := strings.Cut(user, ":")
	switch {
	case uid == "root" || strings.Trim(uid, "0") == "":
		return "", true
	case strings.Trim(uid, "0123456789") != "":
		return "", false
	}
	mode = "keep-id:uid=" + uid
	if gid != "" && strings.Trim(gid, "0123456789") == "" {
		mode += ",gid=" + gid
	}
	return mode, true
}
