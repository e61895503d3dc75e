package podman

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"podman-executor/internal/process"
)

// ErrRemote is the error of a directory on the machine of a podman service.
var ErrRemote = errors.New("its files are on another machine (service_url)")

// DiskUsage returns the disk space that directories take, in bytes, by path. It includes files
// owned by other ids of podman's user namespace. A directory that cannot be read is left out.
//
// (`podman system df` reports it for volumes, but only in a table for people, and fails if a
// container is removed meanwhile, 4.3.1.)
func (p *Podman) DiskUsage(ctx context.Context, dirs ...string) (map[string]int64, error) {
	if len(dirs) == 0 {
		return nil, nil
	}
	if p.Remote {
		return nil, ErrRemote
	}
	out, err := p.patient().unshare(ctx, append([]string{"du", "--summarize", "--block-size=1", "--null", "--"}, dirs...)...)
	var exit *ExitError
	if err != nil && !(errors.As(err, &exit) && exit.Code == 1) { // 1: something was removed meanwhile
		return nil, err
	}
	sizes := map[string]int64{}
	for line := range strings.SplitSeq(string(out), "\x00") {
		if number, dir, ok := strings.Cut(line, "\t"); ok {
			n, err := strconv.ParseInt(number, 10, 64)
			if err != nil {
				return nil, fmt.Errorf("du: reading its output: %w", err)
			}
			sizes[dir] = n
		}
	}
	return sizes, nil
}

// RemoveTree removes a directory with everything in it, including files owned by other ids of
// podman's user namespace. It follows no links.
func (p *Podman) RemoveTree(ctx context.Context, dir string) error {
	if p.Remote {
		return ErrRemote
	}
	_, err := p.patient().unshare(ctx, "rm", "-rf", "--one-file-system", "--", dir)
	return err
}

// RunInNamespace runs a program, an absolute path, where podman sees the host's files. For
// rootless podman this is in its user and mount namespaces, which persist between commands; as
// root there are none, and the program runs directly. It always uses podman on this machine,
// never a podman service.
func (p *Podman) RunInNamespace(ctx context.Context, program string, args ...string) error {
	_, err := p.unshare(ctx, append([]string{"--", program}, args...)...)
	return err
}

// unshare runs a program in podman's namespaces with `podman unshare`, and returns its standard
// output, even if it fails. podman as root has no namespaces, and says so: then the program is
// run directly.
func (p *Podman) unshare(ctx context.Context, words ...string) ([]byte, error) {
	local := *p
	local.URL = ""
	args := append([]string{"unshare"}, words...)
	out, err := local.Output(ctx, args...)
	if !refusesRoot(err) {
		return out, err
	}
	if words[0] == "--" {
		words = words[1:]
	}
	local.Program = words[0]
	if !filepath.IsAbs(local.Program) {
		if local.Program, err = process.LookPath(Path, words[0]); err != nil {
			return nil, fmt.Errorf("finding %s: %w", words[0], err)
		}
	}
	out, err = local.Output(ctx, words[1:]...)
	var exit *ExitError
	if errors.As(err, &exit) {
		exit.Verb = "unshare"
	}
	return out, err
}
