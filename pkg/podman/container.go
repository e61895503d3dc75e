package podman

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Create is `podman create`: a container that is started later, as often as
// there are scripts for it; or `podman run`.
type Create struct {
	Name string
	// Labels are "io.podman-executor.job" and kin. Public.
	Labels map[string]string
	// Hostname is the container's host name; empty: podman chooses.
	Hostname string
	// Timeout is how long the container may run after each start until it is
	// killed, in whole seconds; 0: no limit. It ends what outlived its caller.
	Timeout time.Duration
	// Tmpfs are mount points with options, such as "/run/x:exec,mode=1777".
	Tmpfs []string
	// Volumes are "SOURCE:DESTINATION:OPTIONS" of host paths or named volumes.
	Volumes []string
	// Service makes a container that runs by itself: without standard input, with
	// a log that podman keeps.
	Service bool
	// Detached starts the container, too, without standard input and output.
	Detached bool
	// Attached starts the container, too, with this process's standard input and
	// output, waits for its end and removes it.
	Attached bool
	// PullPolicy is podman's; empty: the image is there. AuthFile has the credentials
	// of a pull.
	PullPolicy, AuthFile string
	// Network is the network to join, under the aliases; empty: podman's default.
	Network string
	Aliases []string
	// Limits, Names and Isolation are what the container is limited to, how it
	// looks up names, and what it may do.
	Limits    Limits
	Names     Names
	Isolation Isolation
	// EnvFile has variables for the container, a NAME=value a line; Secrets are
	// variables whose values are podman secrets. EnvNames are variables whose values
	// are taken from podman's own environment: their names are the caller's own, never
	// a job's.
	EnvFile  string
	Secrets  []SecretVariable
	EnvNames []string
	// User is the user of the process, USER[:GROUP]; empty: the image's.
	User string
	// Workdir is the directory that the process starts in; empty: the image's, which podman makes where
	// it is missing, with releases before 5.7.1 on the host, where a link of the image leads there. One that
	// is named is never made.
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

// maxLog bounds the log of a service on disk. It is for the last lines of a service that
// does not start, and for those of each step with CI_DEBUG_SERVICES; GitLab shows 100 MB
// of a job. conmon begins the file anew when it is full (4.3.1 and 5.4.2, conmon 2.1.6 and 2.1.12:
// `podman logs` has the lines since then).
const maxLog = "50m"

// Args returns the command line. The image is pulled by PullPolicy alone. podman keeps no
// log of a container whose output goes to who attaches, and passes the proxy
// variables of its own environment to none. An image's health check is not podman's
// to run: it makes systemd timers of the host for it, as often as the image says.
func (c Create) Args() []string {
	a := c.verb()
	a = append(a, "--name", c.Name, "--pull="+cmp.Or(c.PullPolicy, "never"))
	if c.AuthFile != "" {
		a = append(a, "--authfile", c.AuthFile)
	}
	switch {
	case c.Service:
		a = append(a, "--log-driver", "k8s-file", "--log-opt", "max-size="+maxLog)
	case c.Detached:
		a = append(a, "--log-driver", "none")
	default:
		a = append(a, "--interactive", "--log-driver", "none")
	}
	a = append(a, "--no-healthcheck", "--http-proxy=false")
	for _, k := range slices.Sorted(maps.Keys(c.Labels)) {
		a = append(a, "--label", k+"="+c.Labels[k])
	}
	if c.Hostname != "" {
		a = append(a, "--hostname", c.Hostname)
	}
	if c.Timeout > 0 {
		a = append(a, "--timeout", strconv.FormatInt(int64(c.Timeout/time.Second), 10))
	}
	for _, t := range c.Tmpfs {
		a = append(a, "--tmpfs", t)
	}
	for _, v := range c.Volumes {
		a = append(a, "--volume", v)
	}
	if c.Network != "" {
		a = append(a, "--network", c.Network)
	}
	for _, alias := range c.Aliases {
		a = append(a, "--network-alias", alias)
	}
	a = slices.Concat(a, c.Limits.args(), c.Names.args(), c.Isolation.args())
	if c.EnvFile != "" {
		a = append(a, "--env-file", c.EnvFile)
	}
	for _, s := range c.Secrets {
		a = append(a, "--secret", s.Secret+",type=env,target="+s.Variable)
	}
	for _, name := range c.EnvNames {
		a = append(a, "--env", name)
	}
	if c.User != "" {
		a = append(a, "--user", c.User)
	}
	if c.Workdir != "" {
		a = append(a, "--workdir", c.Workdir)
	}
	if c.Platform != (Platform{}) {
		a = append(a, "--platform", c.Platform.String())
	}
	if c.Entrypoint != "" {
		a = append(a, "--entrypoint", c.Entrypoint)
	}
	a = append(a, c.Options...)
	return append(append(a, "--", c.Image), c.Command...)
}

// verb is the command, with what is the same for each container of it.
func (c Create) verb() []string {
	switch {
	case c.Detached:
		return []string{"run", "--detach"}
	case c.Attached:
		return []string{"run", "--rm", "--sig-proxy=false", "--detach-keys", detachKeys}
	}
	return []string{"create"}
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
// Those that do not exist are no error.
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
	// Labels are those that were asked for.
	Labels map[string]string
	// Created is when it was made, in seconds since 1970.
	Created int64
}

// Containers lists the containers that have a label, `KEY` or `KEY=VALUE`, in
// whatever state, with some of their labels. A container has the labels of its image, too.
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

// MountsIn lists the paths in containers at which something is mounted: those in a
// directory, of all containers that have a label. An image's own volumes are among them.
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
