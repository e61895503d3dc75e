//go:build e2e

package e2e

import (
	"context"
	"strings"
	"testing"

	"podman-executor/test/harness/runner"
)

// bootVerify is a config.toml whose runner runs a job of its own before it asks
// for others, with lines for the section and what follows it.
func bootVerify(lines ...string) func(runner.Config) string {
	return func(c runner.Config) string {
		return runner.Usual(c) + "\n  [runners.experimental.boot_verify]\n    enabled = true\n    " + strings.Join(lines, "\n    ") + "\n"
	}
}

// All of the runner's checks pass: the program of the same version in the runner
// container, or on the host, the way from there to GitLab, S3, and the
// administrator's commands in the user container. Then the runner serves.
func TestBootVerify(t *testing.T) {
	t.Parallel()
	policies := map[string]func(string) string{"containers": defaults()}
	if !overService() { // ssh:// has no data_dir
		policies["step_script_only"], _ = dataDir(t, "step_script_only = true", "-runner_image", "-runner_options")
	}
	for name, policy := range policies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startS3(t)
			m := startConfigured(t, 1, policy, bootVerify("verify_auth = true", "verify_server_url = true", "verify_cache = true",
				"verify_helper_version = true", `verify_commands = ["cat /etc/debian_version", "test ! -e /usr/bin/gitlab-runner"]`, s.config()))
			succeeded(t, m.run(job("served", "echo ran")))
			for _, want := range []string{
				"boot-verify: verifying helper version matches 19.4", "boot-verify: probing server URL " + m.server.URL(),
				"boot-verify: verifying cache access", "$ cat /etc/debian_version", "Boot-verify runner finished", "Boot-verify canary complete",
			} {
				if !strings.Contains(m.runner.Log(), want) {
					t.Errorf("the runner's log lacks %q", want)
				}
			}
			if keys := s.objects(); len(keys) != 1 || !strings.Contains(keys[0], "boot-verify/"+m.token) {
				t.Errorf("S3 has %q, want the canary's object", keys)
			}
			if strings.Contains(m.runner.Log(), s.secret) {
				t.Error("S3's secret key stands in the runner's log")
			}
		})
	}
}

// A runner whose jobs cannot work does not start, and says why in its log.
func TestBootVerifyFails(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		policy []string
		config []string
		want   []string
	}{
		{"podman that fails", []string{`application_path = "/bin/false"`}, nil, []string{"podman-executor-prepare: error: ", "podman-executor-prepare: hint: "}},
		{
			"default_image that is not there",
			[]string{`default_image = "localhost/podman-executor/no-such-image:1"`, `image_pull_policy = "never"`},
			nil,
			[]string{"podman-executor-prepare: error: getting the image", "no-such-image:1", "podman-executor-prepare: hint: "},
		},
		{"no default_image", []string{"-default_image"}, nil, []string{"podman-executor-prepare: error: ", "set default_image in "}},
		{"runner_image without gitlab-runner", []string{`runner_image = "` + gitImage + `"`, `runner_binary = "none"`}, []string{"verify_helper_version = true"}, []string{"gitlab-runner: command not found"}},
		{"command that fails", nil, []string{`verify_commands = ["nvidia-smi"]`}, []string{"nvidia-smi: command not found"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			m := startConfigured(t, 1, defaults(row.policy...), bootVerify(row.config...))
			never := m.server.Submit(job("never", "echo never"))
			ctx, cancel := context.WithTimeout(t.Context(), jobTime)
			defer cancel()
			if code, err := m.runner.Wait(ctx); err != nil || code == 0 {
				t.Errorf("the runner has ended with %d, %v", code, err)
			}
			for _, want := range append(row.want, "boot-verify failed") {
				if !strings.Contains(m.runner.Log(), want) {
					t.Errorf("the runner's log lacks %q", want)
				}
			}
			if !never.Times().PickedUp.IsZero() {
				t.Error("the runner has asked for a job")
			}
			m.nothingLeft()
		})
	}
}
