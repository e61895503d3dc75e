package spec

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"podman-executor/internal/plan"
	"podman-executor/internal/step"
	"podman-executor/pkg/podman"
	"podman-executor/pkg/policy"
)

// User returns the user container: mounts are those that the job asks for, hosts more
// lines of its /etc/hosts, ALIAS:ADDRESS.
func User(f Facts, p plan.Plan, image podman.Image, mounts []policy.Mount, hosts []string) podman.Create {
	c := author(f, p, image)
	c.Network, c.Aliases = cmp.Or(p.Network, f.Grant.Network.Mode), buildAliases(f)
	c.Names.Hosts = slices.Concat(c.Names.Hosts, hosts)
	for _, m := range mounts {
		c.Volumes = append(c.Volumes, m.Source+":"+m.Destination+":"+strings.Join(m.Options, ","))
	}
	return reachServer(f, c)
}

// author returns a container for the author's steps with what was granted, wherever it runs.
func author(f Facts, p plan.Plan, image podman.Image) podman.Create {
	c := stepContainer(f, p, step.User, image, userEntry(f.Grant, image), f.Policy.General.Podman.CustomOptions)
	c.User, c.Platform = f.Grant.User, podman.Platform(f.Grant.Platform)
	c = confine(c, f.Job, f.Grant.Container)
	if c.Isolation.UserNS == "" {
		c.Isolation.UserNS, _ = userNamespace(f, image)
	}
	return c
}

// userEntry returns what comes before the script in the user container.
func userEntry(g policy.Grant, image podman.Image) policy.EntryPoint {
	entry := g.UserEntry
	if g.ImageEntry && !slices.Equal(image.Config.Entrypoint, []string{""}) {
		entry.Words = image.Config.Entrypoint
	}
	return entry
}

// UnusedEntryPoint returns the image's ENTRYPOINT, unless it runs, or the job or the policy name
// another.
func UnusedEntryPoint(f Facts, image podman.Image) []string {
	pm := f.Policy.General.Podman
	if pm.ImageEntryPoint || len(pm.UserEntryPoint) > 0 || len(f.Job.Image.Entrypoint) > 0 {
		return nil
	}
	return image.Config.Entrypoint
}

// buildAliases returns the names under which services reach the user container: "build", as in
// docker (gitlab-runner executors/docker/docker.go:962), unless a service has that name.
func buildAliases(f Facts) []string {
	const build = "build"
	taken := func(service policy.ServiceGrant) bool {
		return slices.ContainsFunc(service.Aliases, func(alias string) bool { return strings.EqualFold(alias, build) })
	}
	if !f.Grant.Network.Own || slices.ContainsFunc(f.Grant.Services, taken) {
		return nil
	}
	return []string{build}
}

// Warnings returns warnings for the job's author about the user container.
func Warnings(f Facts, image podman.Image) []string {
	if f.Grant.Container.UsernsMode != "" {
		return nil
	}
	if _, ok := userNamespace(f, image); !ok {
		return []string{fmt.Sprintf("the job's user %q is a name, not a number: with step_script_only its files may be missing from artifacts and caches, and make the next job fail; use its number in `image:docker:user`", user(f, image))}
	}
	return nil
}

// user returns the user of the user container.
func user(f Facts, image podman.Image) string { return cmp.Or(f.Grant.User, image.Config.User) }

// userNamespace returns the user namespace of a user container if the policy sets none. With
// step_script_only the runner's own steps work on the host, as gitlab-runner's user, with what
// the job has written. So the container's user must be that user, whatever its number in the
// container. With rootless podman, root is; any other user is one of the subordinate ids, whose
// directories are closed to the runner (docs/decisions/0013). ok is false for a user with a
// name, see keepID.
func userNamespace(f Facts, image podman.Image) (mode string, ok bool) {
	pm := f.Policy.General.Podman
	if !pm.StepScriptOnly || pm.UsesEndpoint() || f.UID == 0 {
		return "", true
	}
	return keepID(user(f, image))
}

// HostOpen reports whether the container's user is, or may be, another user on the host than
// this one. Then files that steps on the host write must be writable for everybody. c is the
// user container.
func HostOpen(f Facts, c podman.Create, image podman.Image) bool {
	if !f.Policy.General.Podman.StepScriptOnly {
		return false
	}
	ofUser := func(option string) bool {
		return strings.HasPrefix(option, "--user") || strings.HasPrefix(option, "-u") || strings.HasPrefix(option, "--uidmap")
	}
	// The entry point may switch to another user; a shell set by the policy does not.
	entry := userEntry(f.Grant, image)
	if len(entry.Words) > 0 && (entry.Shell || !strings.HasSuffix(entry.Words[0], "sh")) {
		return true
	}
	if f.Grant.Container.UsernsMode != "" || slices.ContainsFunc(c.Options, ofUser) {
		return true
	}
	if c.Isolation.UserNS == "" && f.Defaults.OtherUser() {
		return true
	}
	mode, ok := keepID(user(f, image))
	return !ok || mode != c.Isolation.UserNS
}

// keepID returns the mode of podman's --userns in which a container's user, USER[:GROUP], is
// the user who runs podman; empty for root, who is that user anyway. ok is false for any other
// user's name, because its number is only known from the image.
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
