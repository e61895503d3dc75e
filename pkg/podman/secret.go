package podman

import (
	"context"
	"slices"
)

// SecretVariable is a variable of a container whose value is a podman secret. podman reads it
// at each start of the container, and for each `podman exec` in it
// (libpod/container_internal_common.go, oci_conmon_exec_common.go): the secret must exist for
// as long as the container is used.
type SecretVariable struct {
	// Variable is the variable's name, Secret the secret's.
	Variable, Secret string
}

// NewSecret is `podman secret create`. The value is passed on standard input, and reaches a
// container byte for byte.
type NewSecret struct {
	// Name has 64 bytes at most (containers/common pkg/secrets/secrets.go,
	// validateSecretName).
	Name string
	// Labels are public.
	Labels map[string]string
	// Dir is where podman on this machine keeps the value; podman creates it if it is missing.
	// Empty: with the values of all other secrets. The value must stay there as long as the
	// secret exists, or podman does not remove the secret.
	Dir string
	// Value has 1 to 511999 bytes.
	Value []byte
}

// Args returns the command line. It names the secret driver, since containers.conf may set
// another.
func (s NewSecret) Args() []string {
	o := options{"secret", "create", "--driver", "file"}
	if s.Dir != "" {
		o.add("--driver-opts", "path="+s.Dir)
	}
	o.addLabels(s.Labels)
	return append(o, "--", s.Name, "-")
}

// CreateSecret makes a secret. It replaces one with the same name that an earlier attempt has
// left.
func (p *Podman) CreateSecret(ctx context.Context, s NewSecret) error {
	_, err := p.outputOf(ctx, streams{stdin: s.Value}, s.Args()...)
	if !stderrHas(err, secretThere) {
		return err
	}
	if err := p.RemoveSecrets(ctx, s.Name); err != nil {
		return err
	}
	_, err = p.outputOf(ctx, streams{stdin: s.Value}, s.Args()...)
	return err
}

// secretsAtOnce bounds the names in one `podman secret rm`, so that its whole error message is
// kept.
const secretsAtOnce = 24

// RemoveSecrets removes secrets. Those that do not exist are not an error.
func (p *Podman) RemoveSecrets(ctx context.Context, names ...string) error {
	for some := range slices.Chunk(names, secretsAtOnce) {
		_, err := p.Output(ctx, append([]string{"secret", "rm", "--"}, some...)...)
		if err != nil && !onlyGoneSecrets(err) {
			return err
		}
	}
	return nil
}
