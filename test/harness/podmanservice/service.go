// Package podmanservice runs the API of docker over the rootless podman of the tests,
// for gitlab-runner's docker executor.
package podmanservice

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"
)

// Service is a `podman system service`: the API of docker, over the same
// rootless podman and storage that the driver uses.
type Service struct {
	url string
	cmd *exec.Cmd
	log *strings.Builder
}

// Start starts the service, with further variables in its environment, and waits until
// it listens. A wrapper, if there is one, is a command that runs podman.
func Start(ctx context.Context, socket string, env []string, wrapper ...string) (*Service, error) {
	s := &Service{url: "unix://" + socket, log: &strings.Builder{}}
	command := append(slices.Clone(wrapper), "podman", "system", "service", "--time=0", s.url)
	s.cmd = exec.Command(command[0], command[1:]...)
	s.cmd.Dir = "/"
	s.cmd.Env = append(os.Environ(), env...)
	s.cmd.Stdout, s.cmd.Stderr = s.log, s.log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// podman's pause process may hold the log.
	s.cmd.WaitDelay = time.Second
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the podman service: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		connection, err := net.Dial("unix", socket)
		if err == nil {
			_ = connection.Close()
			return s, nil
		}
		select {
		case <-ctx.Done():
			s.Stop()
			return nil, fmt.Errorf("starting the podman service: %w\n%s", err, s.log)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// URL is where the service listens.
func (s *Service) URL() string { return s.url }

// PID is the process id of the service, or of its wrapper.
func (s *Service) PID() int { return s.cmd.Process.Pid }

// Log is what the service has printed; it is whole when the service has stopped.
func (s *Service) Log() string { return s.log.String() }

// Stop ends the service.
func (s *Service) Stop() {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	_ = s.cmd.Wait()
}

// RemoveVolumes removes the volumes that the jobs of a runner have left, by any
// executor: they are kept for the next job of the project. They have the runner's short
// token in their names, or in a label.
func RemoveVolumes(ctx context.Context, token string) error {
	short := strings.TrimPrefix(token, "glrt-")[:9] // gitlab-runner helpers/shorten_token.go
	list, err := listVolumes(ctx)
	if err != nil {
		return err
	}
	args := []string{"volume", "rm", "--force"}
	for line := range strings.Lines(list) {
		name, runner, _ := strings.Cut(strings.TrimSpace(line), " ")
		if runner == short || strings.Contains(name, "-"+short+"-") {
			args = append(args, name)
		}
	}
	if len(args) == 3 {
		return nil
	}
	cmd := exec.CommandContext(ctx, "podman", args...)
	cmd.Dir = "/" // the caller's own may be gone at its end
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("removing the volumes: %w\n%s", err, out)
	}
	return nil
}

// listVolumes prints the volumes' names, each with the runner of the docker
// executor that it is of. podman fails when another process removes a volume
// while it lists them: then it is asked again.
func listVolumes(ctx context.Context) (string, error) {
	for {
		format := `{{.Name}} {{index .Labels "com.gitlab.gitlab-runner.runner.id"}}`
		cmd := exec.CommandContext(ctx, "podman", "volume", "ls", "--format", format)
		cmd.Dir = "/"
		var complaint strings.Builder
		cmd.Stderr = &complaint
		list, err := cmd.Output()
		if err == nil {
			return string(list), nil
		}
		if !strings.Contains(complaint.String(), "no such ") {
			return "", fmt.Errorf("listing the volumes: %w\n%s", err, complaint.String())
		}
	}
}
