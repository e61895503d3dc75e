package podman

import (
	"context"
	"strconv"
	"time"
)

// probeTime is how long a probe's script may take.
const probeTime = time.Minute

// Probe is `podman run` of a short shell script, in a container that is gone after
// it: it shows that containers of an image start.
type Probe struct {
	// Options are the administrator's, appended as they stand.
	Options []string
	// Image is an image ID, or a fully qualified name. It is not pulled.
	Image  string
	Script string
	// Words are the script's arguments.
	Words []string
}

// Args returns the command line.
func (p Probe) Args() []string {
	a := []string{"run", "--rm", "--pull=never", "--http-proxy=false", "--timeout", strconv.Itoa(int(probeTime / time.Second)), "--entrypoint", "sh"}
	a = append(a, p.Options...)
	a = append(a, "--", p.Image, "-c", p.Script, "sh")
	return append(a, p.Words...)
}

// Probe runs the script and returns what it prints.
func (p *Podman) Probe(ctx context.Context, probe Probe) (string, error) {
	out, err := p.Output(ctx, probe.Args()...)
	return string(out), err
}
