package register

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	policyFile = "etc/podman-executor/policy.toml"
	settings   = "run/podman-executor/settings.env"
)

// withInit has an init to start.
func withInit(t *testing.T) *image {
	t.Helper()
	i := newImage(t)
	i.write("sbin/init", "#!/bin/sh\necho booted \"$#\"\n")
	if err := os.Chmod(i.path("sbin/init"), 0o755); err != nil {
		t.Fatal(err)
	}
	return i
}

func settingsOf(runner, podman, address string) string {
	return "RUNNER_LOG_LEVEL=" + runner + "\nPODMAN_LOG_LEVEL=" + podman + "\nRUNNER_LISTEN_ADDRESS=" + address + "\n"
}

func TestEntrypointRun(t *testing.T) {
	const usual = "127.0.0.1:9252"
	tests := []struct {
		name      string
		env, args []string
		settings  string
		driver    string // its level; "" is that of the image's policy
	}{
		{"by itself", nil, nil, settingsOf("info", "warn", usual), ""},
		{"run", nil, []string{"run"}, settingsOf("info", "warn", usual), ""},
		{"debug", nil, []string{"run", "--log-level", "debug"}, settingsOf("debug", "debug", usual), "debug"},
		{"warning", nil, []string{"run", "--log-level=warning"}, settingsOf("warn", "warn", usual), "warning"},
		{"error", []string{"LOG_LEVEL=error"}, nil, settingsOf("error", "error", usual), "error"},
		{"the option wins", []string{"LOG_LEVEL=error"}, []string{"run", "--log-level", "info"}, settingsOf("info", "info", usual), "info"},
		{"metrics", nil, []string{"run", "--metrics-address", "[::]:80", "--log-level", "info"}, settingsOf("info", "info", "[::]:80"), "info"},
		{"pruning", []string{"PRUNE_ABOVE=70", "PRUNE_IMAGES_AFTER=12h"}, nil, settingsOf("info", "warn", usual) + "PRUNE_ABOVE=70\nPRUNE_IMAGES_AFTER=12h\n", ""},
		{"metrics as a variable", []string{"METRICS_ADDRESS=:9252"}, nil, settingsOf("info", "warn", ":9252"), ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			i := withInit(t)
			i.env = append(i.env, tt.env...)
			policy := i.read(policyFile)
			r := i.mustRun("entrypoint", tt.args...)
			if diff := cmp.Diff(result{stdout: "booted 0\n"}, r, cmp.AllowUnexported(result{})); diff != "" {
				t.Errorf("output (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.settings, i.read(settings)); diff != "" {
				t.Errorf("settings (-want +got):\n%s", diff)
			}
			if tt.driver != "" {
				policy = levelled(policy, tt.driver)
			}
			if diff := cmp.Diff(policy, i.read(policyFile)); diff != "" {
				t.Errorf("policy (-want +got):\n%s", diff)
			}
		})
	}
}

// levelled is a policy with another level, the first key of [general].
func levelled(policy, level string) string {
	var lines strings.Builder
	for line := range strings.Lines(policy) {
		if !strings.HasPrefix(line, "log_level =") {
			lines.WriteString(line)
		}
		if line == "[general]\n" {
			lines.WriteString("log_level = \"" + level + "\"\n")
		}
	}
	return lines.String()
}

// TestEntrypointMountedPolicy: the administrator's own policy is not written to.
func TestEntrypointMountedPolicy(t *testing.T) {
	i := withInit(t)
	elsewhere, err := os.MkdirTemp("/dev/shm", "policy") // another file system, as a mounted file is
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(elsewhere) })
	mounted := filepath.Join(elsewhere, "policy.toml")
	before := i.read(policyFile)
	if err := os.WriteFile(mounted, []byte(before), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(i.path(policyFile)); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(mounted, i.path(policyFile)); err != nil {
		t.Fatal(err)
	}
	r := i.mustRun("entrypoint", "run", "--log-level", "debug")
	if !strings.Contains(r.stderr, `hint: set log_level = "debug" in [general] of /etc/podman-executor/policy.toml`) {
		t.Errorf("nobody is told:\n%s", r.stderr)
	}
	if after, err := os.ReadFile(mounted); err != nil || string(after) != before {
		t.Errorf("the administrator's policy, %v:\n%s", err, after)
	}
}

func TestEntrypointRefuses(t *testing.T) {
	const commands = "hint: the commands are run, register, dumpconfig, doctor and help"
	tests := []struct {
		name      string
		env, args []string
		words     []string
	}{
		{"unknown command", nil, []string{"/bin/sh"}, []string{"error: /bin/sh is not a command of this image", commands}},
		{"a program of the image", nil, []string{"prepare-config"}, []string{"error: prepare-config is not a command", commands}},
		{"empty command", nil, []string{""}, []string{"error: '' is not a command", commands}},
		{"unknown option", nil, []string{"run", "--debug"}, []string{"run: --debug is not an option", "hint: the options are --log-level LEVEL"}},
		{"no value", nil, []string{"run", "--log-level"}, []string{"error: --log-level has no value"}},
		{"unknown level", nil, []string{"run", "--log-level", "trace"}, []string{"unknown log level trace", "hint: want error, warning, info or debug"}},
		{"level of two lines", []string{"LOG_LEVEL=info\nX=y"}, nil, []string{`unknown log level $'info\nX=y'`}},
		{"no port", nil, []string{"run", "--metrics-address", "127.0.0.1"}, []string{"invalid metrics address 127.0.0.1"}},
		{"port too high", nil, []string{"run", "--metrics-address=:65536"}, []string{"invalid metrics address :65536"}},
		{"port 0", nil, []string{"run", "--metrics-address=:0"}, []string{"invalid metrics address", "want HOST:PORT"}},
		{"no percentage", []string{"PRUNE_ABOVE=100"}, nil, []string{"error: invalid PRUNE_ABOVE: 100", "hint: want a percentage from 1 to 99"}},
		{"no time", []string{"PRUNE_BUILDS_AFTER=soon --dry-run"}, nil, []string{"error: invalid PRUNE_BUILDS_AFTER: soon", "want a time such as 12h or 30d"}},
		{"address of two lines", []string{"METRICS_ADDRESS=a\nX=y:80"}, nil, []string{"invalid metrics address", "want HOST:PORT"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			i := withInit(t)
			i.env = append(i.env, tt.env...)
			r := i.run("entrypoint", tt.args...)
			wantFailure(t, r, tt.words...)
			if r.stdout != "" {
				t.Errorf("stdout is %q", r.stdout)
			}
			if _, err := os.Stat(i.path(settings)); err == nil {
				t.Error("settings were written")
			}
		})
	}
}

func TestEntrypointHelp(t *testing.T) {
	r := newImage(t).mustRun("entrypoint", "help")
	for _, want := range []string{"usage: podman run", "\n  run [--log-level LEVEL]", "\n  register ", "\n  dumpconfig ", "\n  doctor ", "METRICS_ADDRESS"} {
		if !strings.Contains(r.stdout, want) {
			t.Errorf("help is without %q:\n%s", want, r.stdout)
		}
	}
	if strings.Contains(r.stdout, "#") || strings.Contains(r.stdout, "IMAGE_ROOT") {
		t.Errorf("help has what is not for users:\n%s", r.stdout)
	}
}

func TestDumpconfig(t *testing.T) {
	for name, content := range map[string]string{
		"without a newline at the end": "concurrent = 1",
		"with carriage returns":        "concurrent = 1\r\n# \r\n",
		"with more than ASCII":         "name = \"läufer ✓\"\n\n\n",
		"with any byte":                "\x00\xff\xfe\n",
		"empty":                        "",
	} {
		t.Run(name, func(t *testing.T) {
			i := newImage(t)
			i.write("run/secrets/config.toml", content)
			if diff := cmp.Diff(result{stdout: content}, i.mustRun("entrypoint", "dumpconfig"), cmp.AllowUnexported(result{})); diff != "" {
				t.Errorf("output (-want +got):\n%s", diff)
			}
		})
	}
	wantFailure(t, newImage(t).run("dumpconfig"), "error: there is no secret config.toml", "hint: create it: podman secret create config.toml")
}
