package policy

import (
	"slices"
	"strings"
)

// checkEndpoints checks the keys of podman's endpoints, and those that need a remote one.
func (c *checker) checkEndpoints(pm Podman) {
	const single, list = "general.podman.service_url", "general.podman.service_urls"
	c.checkEndpoint(single, pm.ServiceURL)
	for i, endpoint := range pm.ServiceURLs {
		if endpoint == "" || slices.Index(pm.ServiceURLs, endpoint) < i {
			c.at(list, "entry %d: empty or duplicate: want unix:///… or ssh://…", i+1)
			continue
		}
		c.checkEndpoint(list, endpoint)
	}
	key := single
	if len(pm.ServiceURLs) > 0 {
		key = list
		if pm.ServiceURL != "" {
			c.at(list, "want either service_url or service_urls, not both")
		}
	}
	if slices.ContainsFunc(pm.Endpoints(), IsRemote) {
		c.checkRemote(key, pm)
		return
	}
	const needless = "only used with ssh://, and neither service_url nor service_urls has an ssh:// address"
	if pm.Identity != "" {
		c.at("general.podman.identity", needless)
	}
	if pm.KnownHosts != "" {
		c.at("general.podman.known_hosts", needless)
	}
}

// checkEndpoint checks one endpoint. A message never shows it: it may have a password.
func (c *checker) checkEndpoint(key, endpoint string) {
	if !c.given(key) || endpoint == "" || strings.HasPrefix(endpoint, unixScheme+"/") {
		return
	}
	if !IsRemote(endpoint) {
		c.at(key, "want unix:///… or ssh://…")
		return
	}
	user, host, hasUser := strings.Cut(strings.TrimPrefix(endpoint, sshScheme), "@")
	if !hasUser {
		user, host = "", user
	}
	parts := sshEndpoint.FindStringSubmatch(endpoint)
	switch {
	case strings.Contains(user, ":"):
		c.at(key, "an address must not contain a password: set identity to a private key")
	case !strings.Contains(strings.TrimSuffix(host, "/"), "/"):
		c.at(key, "want the path of podman's socket after the host: `podman info --format '{{.Host.RemoteSocket.Path}}'` on that host prints it")
	case parts == nil || !isPort(parts[3]):
		c.at(key, "want ssh://USER@HOST[:PORT]/PATH, of letters, digits and . _ - (in PATH also @ + , =)")
	}
}

// checkRemote checks what a policy with a remote endpoint must have, and what it cannot
// have. key is the key of the endpoint.
func (c *checker) checkRemote(key string, pm Podman) {
	for _, file := range []struct{ key, value, what string }{
		{"identity", pm.Identity, "the file with the private key for ssh://"},
		{"known_hosts", pm.KnownHosts, "the file with the host keys for ssh://"},
	} {
		name := "general.podman." + file.key
		switch {
		case file.value == "" && !c.wrong(name):
			c.missing(name, file.what)
		case strings.ContainsAny(file.value, " \t\"'\\%$"):
			c.at(name, "ssh cannot use a path with blanks, quotes or any of \\ %% $")
		default:
			c.checkAbsolute(name, file.value)
		}
	}
	for _, k := range []struct {
		key string
		bad bool
		why string
	}{
		{"general.data_dir", c.policy.General.DataDir != "", "builds and cache are volumes on that machine, which does not have this one's directories"},
		{"general.min_free_space", c.policy.General.MinFreeSpace > 0, "the free space there cannot be checked"},
		{"general.podman.step_script_only", pm.StepScriptOnly, "it does not have the files that steps on this host create"},
		{"general.podman.runner_binary", pm.RunnerBinary != "" && pm.RunnerBinary != NoRunnerBinary, "it does not have this one's programs: put gitlab-runner into runner_image"},
		{"general.podman.user_volume_variable", pm.UserVolumeVariable != "", "paths there cannot be checked from here"},
		{"general.podman.container.volumes", pm.Container.Volumes.hasPath(), "it does not have this one's paths: use a podman volume, or a destination alone"},
		{"general.podman.service_container.volumes", pm.ServiceContainer.Volumes.hasPath(), "it does not have this one's paths: use a podman volume, or a destination alone"},
	} {
		if k.bad && !c.wrong(k.key) {
			c.at(k.key, "podman is on another machine (ssh:// in %s, line %d): %s", strings.TrimPrefix(key, "general.podman."), c.lines[key], k.why)
		}
	}
}
