package podman

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"
)

// probeTime is how long a probe's script may take.
const probeTime = time.Minute

// Probe is `podman run` of a short shell script, in a container that is removed afterwards. It
// shows that containers of an image start.
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
	a := []string{"run", "--rm", "--pull=never", "--http-proxy=false", "--timeout", strconv.Itoa(int(probeTime / time.Second)), "--workdir", "/", "--entrypoint", "sh"}
	a = append(a, p.Options...)
	a = append(a, "--", p.Image, "-c", p.Script, "sh")
	return append(a, p.Words...)
}

const (
	// probeEnd is the last line of a probe's output.
	probeEnd = "end of the probe\n"
	// probeTries is how often a probe is run while its output is incomplete.
	probeTries = 3
)

// Probe runs the script and returns what it prints. podman 4.3.1 may lose the output of a
// container that ends at once, and still exit with 0 (seen once in 231 runs on a busy machine),
// so the script is run again then. Steps do not have this problem (none of 542), because they
// read their script first.
func (p *Podman) Probe(ctx context.Context, probe Probe) (string, error) {
	probe.Script += "; echo " + strings.TrimSpace(probeEnd)
	for range probeTries {
		out, err := p.Output(ctx, probe.Args()...)
		if err != nil {
			return string(out), err
		}
		if said, whole := strings.CutSuffix(string(out), probeEnd); whole {
			return said, nil
		}
	}
	return "", errors.New("podman run: its output is incomplete")
}
