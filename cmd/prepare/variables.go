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

	"podman-executor/internal/driver"
	"podman-executor/internal/job"
	"podman-executor/internal/leftovers"
	"podman-executor/internal/plan"
	"podman-executor/internal/secret"
	"podman-executor/internal/spec"
	"podman-executor/pkg/podman"
	"podman-executor/pkg/policy"
)

const (
	// longestLine bounds a line in a file of variables, in bytes, below what podman can read
	// (bufio.MaxScanTokenSize).
	longestLine = 60 << 10
	// mostSecrets bounds the podman secrets of a job, each of which costs a command, and
	// mostSecretBytes their values.
	mostSecrets     = 100
	mostSecretBytes = 4 << 20
)

// variables passes variables to the job's services, one service after the other.
type variables struct {
	in     inputs
	podman *podman.Podman
	facts  spec.Facts
	plan   plan.Plan
	// secrets are the podman secrets that were made, by a hash of the value: services often
	// have the same variables of the job.
	secrets map[[sha256.Size]byte]string
	// bytes is the size of their values.
	bytes int
}

// add returns the service with that number, with its variables.
func (v *variables) add(ctx context.Context, c podman.Create, number int) (podman.Create, error) {
	service := v.facts.Grant.Services[number]
	if service.Added {
		return v.bring(ctx, c, number, service.Environment)
	}
	list, tooLong, err := v.facts.Job.ServiceEnv(v.facts.Job.Services[service.Index], v.in.variable)
	if err != nil {
		return c, err
	}
	for _, name := range tooLong {
		v.in.call.Warn("variable %s is not passed to the service: it is longer than %d KiB", policy.ShownVariable(name), (job.LongestVariable+1)>>10)
	}
	return v.bring(ctx, c, number, list)
}

// bring passes variables to podman, never on its command line or in its environment: in a file,
// or as podman secrets if they have several lines or a very long one, which podman's files
// cannot hold.
func (v *variables) bring(ctx context.Context, c podman.Create, number int, list []string) (podman.Create, error) {
	var lines strings.Builder
	for _, variable := range list {
		name, value, _ := strings.Cut(variable, "=")
		switch {
		case !policy.IsVariableName(name):
			v.in.call.Warn("variable %s is not passed to the service: invalid name", policy.ShownVariable(name))
		case strings.Contains(value, "\x00"):
			v.in.call.Warn("variable %s is not passed to the service: it contains a zero byte", policy.ShownVariable(name))
		case !strings.ContainsAny(value, "\r\n") && len(variable) < longestLine:
			lines.WriteString(variable + "\n")
		default:
			secret, err := v.secretOf(ctx, value)
			if err != nil {
				return c, err
			}
			if secret == "" {
				v.in.call.Warn("variable %s is not passed to the service: the job's services have too many variables with line breaks or over 60 KiB (at most %d, %d MiB in total)", policy.ShownVariable(name), mostSecrets, mostSecretBytes>>20)
				continue
			}
			c.Secrets = append(c.Secrets, podman.SecretVariable{Variable: name, Secret: secret})
		}
	}
	c.EnvFile = filepath.Join(v.plan.AuthDir, "service-"+strconv.Itoa(number)+".env")
	if err := os.WriteFile(c.EnvFile, []byte(lines.String()), 0o600); err != nil {
		return c, fmt.Errorf("writing the service's variables: %w", err)
	}
	return c, nil
}

// secretOf returns the name of a podman secret with a value; empty if the job has reached its
// limit.
func (v *variables) secretOf(ctx context.Context, value string) (string, error) {
	hash := sha256.Sum256([]byte(value))
	if name, ok := v.secrets[hash]; ok {
		return name, nil
	}
	number, dir := len(v.secrets), v.plan.SecretsDir
	if number == mostSecrets || v.bytes+len(value) > mostSecretBytes {
		return "", nil
	}
	if number == 0 {
		v.secrets = map[[sha256.Size]byte]string{}
		if err := v.makeSecretsDir(dir); err != nil {
			return "", recordsFault(v.in.policy, err)
		}
	}
	name := secretName(v.facts.Job, number)
	v.secrets[hash] = name
	v.bytes += len(value)
	err := secret.Create(ctx, v.podman, dir, podman.NewSecret{Name: name, Labels: spec.Labels(v.facts, "secret"), Value: []byte(value)})
	if err != nil {
		return "", &driver.Fault{
			Err:  fmt.Errorf("creating a podman secret for a variable: %w", err),
			Hint: runAsRunner(v.podman, "secret ls"),
		}
	}
	return name, nil
}

// makeSecretsDir makes the directory before the first secret. Secrets of containers that stay
// after the job stay as well: without the mark they do not count as leftovers.
func (v *variables) makeSecretsDir(dir string) error {
	if err := secret.Make(dir, v.plan.Podman.URL); err != nil {
		return err
	}
	if v.plan.Keep {
		return nil
	}
	return leftovers.Mark(dir, v.in.runner, v.in.attempt)
}

// secretName returns the name of one of a job's secrets. It is as unique as those of the job's
// containers, and not too long for a secret.
func secretName(j *job.Job, number int) string {
	hash := sha256.Sum256([]byte(j.Name("secret-" + strconv.Itoa(number))))
	return "podman-executor-" + hex.EncodeToString(hash[:16])
}
