package podman

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"podman-executor/internal/process"
)

// ErrElsewhere is the error of a directory on the machine of a podman service.
var ErrElsewhere = errors.New("its files are on another machine, behind service_url")

// DiskUsage returns the disk space that directories take, in bytes, by their paths:
// also where they hold files of other ids of podman's user namespace. One that
// cannot be read is left out.
//
// (`podman system df` has it for volumes, in a table that only people can read,
// and it fails when a container is removed meanwhile, 4.3.1.)
func (p *Podman) DiskUsage(ctx context.Context, dirs ...string) (map[string]int64, error) {
	if len(dirs) == 0 {
		return nil, nil
	}
	out, err := p.unshare(ctx, append([]string{"du", "--summarize", "--block-size=1", "--null", "--"}, dirs...)...)
	var exit *ExitError
	if err != nil && !(errors.As(err, &exit) && exit.Code == 1) { // 1: something has gone meanwhile
		return nil, err
	}
	sizes := map[string]int64{}
	for line := range strings.SplitSeq(string(out), "\x00") {
		if number, dir, ok := strings.Cut(line, "\t"); ok {
			n, err := strconv.ParseInt(number, 10, 64)
			if err != nil {
				return nil, fmt.Errorf("du: reading its answer: %w", err)
			}
			sizes[dir] = n
		}
	}
	return sizes, nil
}

// RemoveTree removes a directory with everything in it, files of other ids of
// podman's user namespace included. It follows no link.
func (p *Podman) RemoveTree(ctx context.Context, dir string) error {
	_, err := p.unshare(ctx, "rm", "-rf", "--one-file-system", "--", dir)
	return err
}

// unshare runs a program in podman's user namespace, without a namespace for root,
// and returns its standard output, also where it fails.
func (p *Podman) unshare(ctx context.Context, words ...string) ([]byte, error) {
	if p.Elsewhere {
		return nil, ErrElsewhere
	}
	local := *p
	local.URL = ""
	args := append([]string{"unshare"}, words...)
	if os.Getuid() == 0 {
		program, err := process.LookPath(Path, words[0])
		if err != nil {
			return nil, fmt.Errorf("finding %s: %w", words[0], err)
		}
		local.Program, args = program, words[1:]
	}
	var stdout bounded
	var stderr tail
	cmd := local.command(ctx, args)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	started := time.Now()
	err := local.ended(process.Run(cmd), append([]string{"unshare"}, words...), &stderr)
	p.observe(append([]string{"unshare"}, words...), started, err)
	return stdout.buffer.Bytes(), err
}

// RunInNamespace runs a program where podman sees the host's files: for rootless
// podman in its user and mount namespaces, which last from command to command; as
// root right here. Of a podman service there is no such place.
func (p *Podman) RunInNamespace(ctx context.Context, program string, args ...string) error {
	local := *p
	local.URL = ""
	_, err := local.Output(ctx, append([]string{"unshare", "--", program}, args...)...)
	if stderrHas(err, notRootless) {
		local.Program = program
		_, err = local.Output(ctx, args...)
	}
	return err
}
