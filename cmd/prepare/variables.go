package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"podman-executor/internal/driver"
	"podman-executor/internal/job"
	"podman-executor/internal/leftovers"
	"podman-executor/internal/secret"
	"podman-executor/pkg/podman"
	"podman-executor/pkg/policy"
)

const (
	// longestLine is what podman reads as a line of a file of variables, in bytes
	// (bufio.MaxScanTokenSize).
	longestLine = 60 << 10
	// mostSecrets bounds the podman secrets of a job, each of which costs a command, and
	// mostSecretBytes their values.
	mostSecrets     = 100
	mostSecretBytes = 4 << 20
)

// secrets are the podman secrets of the job's services.
type secrets struct {
	// names are those that were made, by a hash of the value: services often have the same
	// variables of the job.
	names map[[sha256.Size]byte]string
	bytes int
}

// addVariables gives a service its variables.
func (s *preparation) addVariables(ctx context.Context, c *podman.Create, i int, service policy.ServiceGrant) error {
	variables := service.Environment
	if !service.Added {
		var tooLong []string
		var err error
		if variables, tooLong, err = s.job.ServiceEnv(s.job.Services[service.Index], s.expanded); err != nil {
			return err
		}
		for _, name := range tooLong {
			s.call.Warn("a service does not get the variable %s: it is longer than %d KiB", policy.ShownVariable(name), (job.LongestVariable+1)>>10)
		}
	}
	return s.serviceEnv(ctx, c, i, variables)
}

// serviceEnv brings variables to podman without a command line, and never in podman's own
// environment: in a file, and those of several lines or a very long one, which podman's
// files cannot have, by podman secrets.
func (s *preparation) serviceEnv(ctx context.Context, c *podman.Create, i int, variables []string) error {
	var lines strings.Builder
	for _, v := range variables {
		name, value, _ := strings.Cut(v, "=")
		switch {
		case !policy.IsVariableName(name):
			s.call.Warn("a service does not get the variable %s: that is not a valid name", policy.ShownVariable(name))
		case strings.Contains(value, "\x00"):
			s.call.Warn("a service does not get the variable %s: it has a zero byte, which no variable can have", policy.ShownVariable(name))
		case !strings.ContainsAny(value, "\r\n") && len(v) < longestLine:
			lines.WriteString(v + "\n")
		default:
			secret, err := s.secretOf(ctx, value)
			if err != nil {
				return err
			}
			if secret == "" {
				s.call.Warn("a service does not get the variable %s: the job's services have more than %d variables with line breaks or of more than 60 KiB, or more than %d MiB of them", policy.ShownVariable(name), mostSecrets, mostSecretBytes>>20)
				continue
			}
			c.Secrets = append(c.Secrets, podman.SecretVariable{Variable: name, Secret: secret})
		}
	}
	c.EnvFile = filepath.Join(s.authDir(), "service-"+strconv.Itoa(i)+".env")
	if err := os.WriteFile(c.EnvFile, []byte(lines.String()), 0o600); err != nil {
		return fmt.Errorf("writing the service's variables: %w", err)
	}
	return nil
}

// secretsDir is the directory of the job's podman secrets, empty for a job without services.
func (s *preparation) secretsDir() string {
	if len(s.grant.Services) == 0 {
		return ""
	}
	return filepath.Join(s.places().SecretsDir, s.job.Name("secrets"))
}

// secretOf returns the name of a podman secret with a value; empty where the job has as
// many as it may.
func (s *preparation) secretOf(ctx context.Context, value string) (string, error) {
	hash := sha256.Sum256([]byte(value))
	if name, ok := s.secrets.names[hash]; ok {
		return name, nil
	}
	number := len(s.secrets.names)
	if number == mostSecrets || s.secrets.bytes+len(value) > mostSecretBytes {
		return "", nil
	}
	dir := s.secretsDir()
	if number == 0 {
		s.secrets.names = map[[sha256.Size]byte]string{}
		if err := s.makeSecretsDir(dir); err != nil {
			return "", s.recordsFault(err)
		}
	}
	name := secretName(s.job, number)
	s.secrets.names[hash] = name
	s.secrets.bytes += len(value)
	err := secret.Create(ctx, s.podman, dir, podman.NewSecret{Name: name, Labels: s.labels("secret", time.Now()), Value: []byte(value)})
	if err != nil {
		return "", &driver.Fault{
			Err:  fmt.Errorf("making a podman secret for a variable: %w", err),
			Hint: "run `" + s.podman.Program + " secret ls` as the user that gitlab-runner runs as, and check its disk space",
		}
	}
	return name, nil
}

// makeSecretsDir makes the directory before the first secret. Those of containers that stay
// after the job stay, too: without the mark nobody takes them for leftovers.
func (s *preparation) makeSecretsDir(dir string) error {
	if err := secret.Make(dir, s.host.URL); err != nil {
		return err
	}
	if s.policy.General.Podman.DisableContainerRemoval {
		return nil
	}
	return leftovers.Mark(dir, s.owner, s.attempt)
}

// secretName is the name of one of a job's secrets: as unique as those of its containers,
// and not longer than such a name may be.
func secretName(j *job.Job, number int) string {
	hash := sha256.Sum256([]byte(j.Name("secret-" + strconv.Itoa(number))))
	return "podman-executor-" + hex.EncodeToString(hash[:16])
}
