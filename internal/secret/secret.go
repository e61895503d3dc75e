// Package secret passes variables to containers by podman secrets, and removes those secrets.
// podman is not asked which secrets exist: each job has a directory below the policy's
// state_dir with a file for each secret, which is made before the secret and removed after it.
// So the secrets can be found through that directory and removed, even after a power failure:
// see docs/decisions/0030.
package secret

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"podman-executor/internal/trust"
	"podman-executor/pkg/podman"
)

const (
	// namesDir has a file with the name of each secret.
	namesDir = "names"
	// serviceFile has the address of the podman service that has the secrets.
	serviceFile = "service"
	// dataDir is where podman on this machine keeps the values.
	dataDir = "values"
)

// Parent is the directory of the directories of all jobs.
func Parent(stateDir string) string { return filepath.Join(stateDir, "secrets") }

// Make makes a job's directory. service is the address of the podman service that gets the
// secrets, as the policy has it; empty for podman on this machine.
func Make(dir, service string) error {
	err := trust.MakeDir(filepath.Join(dir, namesDir), trust.Self())
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, serviceFile), []byte(service), 0o600)
	}
	if err != nil {
		return fmt.Errorf("creating the directory for the job's podman secrets: %w", err)
	}
	return nil
}

// Service returns the address of the service that has the secrets of a job's directory.
func Service(dir string) string {
	text, _ := os.ReadFile(filepath.Join(dir, serviceFile))
	return strings.TrimSpace(string(text))
}

// Create makes a secret, and before that its file in the job's directory. podman on this
// machine also keeps its value there, apart from the administrator's secrets; a service keeps
// it where it keeps all secrets.
func Create(ctx context.Context, p *podman.Podman, dir string, s podman.NewSecret) error {
	if err := os.WriteFile(filepath.Join(dir, namesDir, s.Name), nil, 0o600); err != nil {
		return fmt.Errorf("recording the secret %s: %w", s.Name, err)
	}
	// podman reads the option as a line of CSV.
	if data := filepath.Join(dir, dataDir); p.URL == "" && !strings.ContainsAny(data, ",\"\r\n") {
		s.Dir = data
	}
	return p.CreateSecret(ctx, s)
}

// Remove removes the secrets of a job's directory, and the directory. If it does not exist,
// there is nothing to do.
func Remove(ctx context.Context, p *podman.Podman, dir string) error {
	entries, err := os.ReadDir(filepath.Join(dir, namesDir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("looking for the job's podman secrets: %w", err)
	}
	var names []string
	for _, entry := range entries {
		names = append(names, entry.Name())
	}
	if err := p.RemoveSecrets(ctx, names...); err != nil {
		return fmt.Errorf("removing the job's podman secrets: %w", err)
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("removing the directory of the job's podman secrets: %w", err)
	}
	return nil
}
