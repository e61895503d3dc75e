package spec

import (
	"cmp"
	"encoding/json"
	"path"
	"slices"

	"podman-executor/internal/plan"
	"podman-executor/pkg/podman"
	"podman-executor/pkg/policy"
)

// Service returns the container of the service with that number, without its variables. hosts
// are more lines of its /etc/hosts, ALIAS:ADDRESS.
func Service(f Facts, p plan.Plan, number int, image podman.Image, hosts []string) podman.Create {
	service := f.Grant.Services[number]
	c := podman.Create{
		Name: p.Services[number].Container, Labels: Labels(f, "service"), Mode: podman.Service,
		Timeout: lifetime(f.Job), Network: cmp.Or(p.Network, f.Grant.Network.Mode),
		Workdir: imageWorkdir(image), User: service.User, Platform: podman.Platform(service.Platform), Image: image.ID, Command: service.Command,
		// As docker's services have it (gitlab-runner
		// executors/docker/services.go, docker.go:680): one may serve what the
		// job builds.
		Volumes: []string{f.Data().Builds.String()},
	}
	c = confine(c, f.Job, service.Container)
	if f.Grant.Network.Aliases {
		c.Aliases = service.Aliases
	}
	c.Names.Hosts = slices.Concat(c.Names.Hosts, hosts)
	c.Entrypoint = entrypoint(service.Entrypoint)
	return reachServer(f, c)
}

// entrypoint returns the words as `podman create --entrypoint` takes them; one empty word
// means none.
func entrypoint(words []string) string {
	switch {
	case len(words) == 0:
		return ""
	case len(words) == 1 && words[0] == "":
		return "[]"
	}
	text, _ := json.Marshal(words) // a list of strings always has a JSON form
	return string(text)
}

// imageWorkdir returns the WORKDIR of a service's image; empty if it has none. podman does not
// create a missing directory if it is named explicitly, see podman.Create.
func imageWorkdir(image podman.Image) string {
	if image.Config.WorkingDir == "" {
		return ""
	}
	return path.Join("/", image.Config.WorkingDir)
}

// Hosts returns the lines of /etc/hosts, ALIAS:ADDRESS, for a service at its addresses.
func Hosts(service policy.ServiceGrant, addresses []string) []string {
	var lines []string
	for _, alias := range service.Aliases {
		for _, a := range addresses {
			lines = append(lines, alias+":"+a)
		}
	}
	return lines
}
