package podman

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Create is `podman create`, for a container that is started later, once for each script; or
// `podman run`.
type Create struct {
	Name string
	// Labels are public, such as "io.podman-executor.job".
	Labels map[string]string
	// Hostname is the container's host name; empty: podman chooses.
	Hostname string
	// Timeout is how long the container may run after each start until it is killed, in whole
	// seconds; 0: no limit. It ends a container that outlives its caller.
	Timeout time.Duration
	// Tmpfs are mount points with options, such as "/run/x:exec,mode=1777".
	Tmpfs []string
	// Volumes are "SOURCE:DESTINATION:OPTIONS" of host paths or named volumes.
	Volumes []string
	// Mode is how the container starts, and where its output goes.
	Mode Mode `json:"Attached"`
	// PullPolicy is podman's; empty: the image is in the local storage. AuthFile has the
	// credentials for a pull.
	PullPolicy, AuthFile string
	// Network is the network to join, under the aliases; empty: podman's default.
	Network string
	Aliases []string
	// Limits, Names and Isolation are what the container is limited to, how it
	// looks up names, and what it may do.
	Limits    Limits
	Names     Names
	Isolation Isolation
	// EnvFile has variables for the container, one NAME=value per line; Secrets are variables
	// whose values are podman secrets. EnvNames are variables whose values are taken from
	// podman's own environment: their names are the caller's own, never a job's.
	EnvFile  string
	Secrets  []SecretVariable
	EnvNames []string
	// User is the user of the process, USER[:GROUP]; empty: the image's.
	User string
	// Workdir is the directory that the process starts in; empty: the image's, which podman
	// creates if it is missing. Releases before 5.7.1 create it on the host if a link in the
	// image leads there. A directory named here is never created.
	Workdir string
	// Platform is the image's; the zero Platform: the machine's own.
	Platform Platform
	// Entrypoint replaces the image's: one program, or a JSON list of words.
	Entrypoint string
	// Options are the administrator's, appended as they stand.
	Options []string
	// Image is an image ID, or a fully qualified name.
	Image string
	// Command is the entry point's arguments.
	Command []string
}

// Args returns the command line. Only PullPolicy decides whether the image is pulled. podman
// keeps no log if the output goes to whoever attaches, and does not pass on the proxy variables
// of its own environment. podman does not run an image's health check: it would create systemd
// timers on the host for it, at the interval that the image sets.
func (c Create) Args() []string {
	o := c.Mode.command()
	o = append(o, "--name", c.Name, "--pull="+cmp.Or(c.PullPolicy, "never"))
	o.add("--authfile", c.AuthFile)
	o = append(o, c.Mode.streams()...)
	o = append(o, "--no-healthcheck", "--http-proxy=false")
	o.addLabels(c.Labels)
	o.add("--hostname", c.Hostname)
	if c.Timeout > 0 {
		o.add("--timeout", strconv.FormatInt(int64(c.Timeout/time.Second), 10))
	}
	o.add("--tmpfs", c.Tmpfs...)
	o.add("--volume", c.Volumes...)
	o.add("--network", c.Network)
	o.add("--network-alias", c.Aliases...)
	o = slices.Concat(o, c.Limits.args(), c.Names.args(), c.Isolation.args())
	o.add("--env-file", c.EnvFile)
	for _, s := range c.Secrets {
		o.add("--secret", s.Secret+",type=env,target="+s.Variable)
	}
	o.add("--env", c.EnvNames...)
	o.add("--user", c.User)
	o.add("--workdir", c.Workdir)
	o.add("--platform", c.Platform.String())
	o.add("--entrypoint", c.Entrypoint)
	o = append(o, c.Options...)
	return append(append(o, "--", c.Image), c.Command...)
}

// Create makes a container and returns its ID.
func (p *Podman) Create(ctx context.Context, c Create) (string, error) {
	out, err := p.Output(ctx, c.Args()...)
	if err != nil {
		return "", err
	}
	return lastID(verb(c.Args()), out)
}

// Remove removes containers with their anonymous volumes, running or not.
// Those that do not exist are not an error.
func (p *Podman) Remove(ctx context.Context, names ...string) error {
	if len(names) == 0 {
		return nil
	}
	args := []string{"rm", "--force", "--ignore", "--volumes", "--time", "0", "--"}
	_, err := p.Output(ctx, append(args, names...)...)
	return err
}

// Container is one line of `podman ps`.
type Container struct {
	ID    string
	Names []string
	// Labels are the requested ones.
	Labels map[string]string
	// Created is when it was made, in seconds since 1970.
	Created int64
}

// Containers lists the containers that have a label, `KEY` or `KEY=VALUE`, in
// whatever state, with some of their labels. A container also has the labels of its image.
func (p *Podman) Containers(ctx context.Context, label string, labels ...string) ([]Container, error) {
	format := `{"ID": {{json .ListContainer.ID}}, "Names": {{json .ListContainer.Names}}, "Created": {{.ListContainer.Created.Unix}}, "Labels": ` +
		labelsOf(".ListContainer.Labels", labels) + `}`
	rows, err := listed[struct {
		ID      string
		Names   []string
		Created int64
		Labels  []string
	}](ctx, p, "ps", "--all", "--no-trunc", "--filter", "label="+label, "--format", format)
	var list []Container
	for _, r := range rows {
		list = append(list, Container{ID: r.ID, Names: r.Names, Created: r.Created, Labels: labelValues(labels, r.Labels)})
	}
	return list, err
}

// MountsIn lists the mount points below a directory, in all containers that have a label. It
// includes the image's own volumes.
func (p *Podman) MountsIn(ctx context.Context, label, dir string) ([]string, error) {
	dir = strings.TrimSuffix(dir, "/") + "/"
	inDir, end := "", ""
	if strconv.CanBackquote(dir) && !strings.Contains(dir, `\`) {
		inDir, end = fmt.Sprintf("{{if eq (printf `%%.%ds` .) `%s`}}", len([]rune(dir)), dir), "{{end}}"
	}
	format := "{{range .ListContainer.Mounts}}" + inDir + text(".") + "\n" + end + "{{end}}"
	rows, err := listed[string](ctx, p, "ps", "--all", "--no-trunc", "--filter", "label="+label, "--format", format)
	return slices.DeleteFunc(rows, func(mount string) bool { return !strings.HasPrefix(mount, dir) }), err
}
