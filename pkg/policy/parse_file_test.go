package policy

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/containers/common/pkg/config"
	"github.com/google/go-cmp/cmp"
)

func TestAllProblemsAtOnce(t *testing.T) {
	wantProblems(t, `[general]
run_mechanism = "shell"
log_levle = "info"
log_format = 7

[general.podman]
application_path = "bin/podman"
runner_image = "registry.example.org/runner:1"
image_pull_policy = "sometimes"
image_allow_list = [
  "docker\\.io/.*", # fine
  "registry.example.org/(.*",
  42,
]
image_allow_list = [
  "second",
]
step_script_only = "yes"
step_script_only = false

[general.podman.volumes]
read_onyl = true

[general.podman]
default_image = "x"

[general.docker]
privileged = true

[runners]
`,
		`p.toml:2: general.run_mechanism: unknown value "shell": want podman`,
		`p.toml:3: general.log_levle: unknown key (did you mean "log_level"?)`,
		`p.toml:4: general.log_format: want a string, got the number 7`,
		`p.toml:7: general.podman.application_path: want an absolute path, got "bin/podman"`,
		`p.toml:9: general.podman.image_pull_policy: unknown pull policy "sometimes": want always, missing, never, newer or if-not-present`,
		"p.toml:10: general.podman.image_allow_list: entry 2: invalid regular expression: missing closing ): `registry.example.org/(.*`",
		`p.toml:10: general.podman.image_allow_list: entry 3: want a string, got the number 42`,
		`p.toml:15: general.podman.image_allow_list: duplicate: the file already has this key`,
		`p.toml:18: general.podman.step_script_only: want true or false, got a string`,
		`p.toml:19: general.podman.step_script_only: duplicate: the file already has this key`,
		`p.toml:22: general.podman.volumes.read_onyl: unknown key (did you mean "read_only"?)`,
		`p.toml:24: general.podman: duplicate: the file already has this key`,
		`p.toml:27: general.docker: unknown key`,
		`p.toml:30: runners: unknown key`,
	)
}

func TestTables(t *testing.T) {
	const rest = "[general.podman]\nrunner_image = \"r\"\n"
	const head = "[general]\nrun_mechanism = \"podman\"\n"
	wantProblems(t, "", "p.toml:1: general.podman.runner_image: missing: the image for gitlab-runner's own steps; it must contain bash and git",
		"p.toml:1: general.run_mechanism: missing: the key is required")
	wantProblems(t, rest, "p.toml:1: general.run_mechanism: missing: the key is required")
	wantProblems(t, rest+head)
	wantProblems(t, head+rest+"[generall]\nx = 1\n", `p.toml:5: generall: unknown key (did you mean "general"?)`)
	wantProblems(t, head+rest+"[general.podman.volume]\nx = 1\n", `p.toml:5: general.podman.volume: unknown key (did you mean "volumes"?)`)
	wantProblems(t, head+rest+"[general.podman.runner_image]\nx = 1\n", `p.toml:5: general.podman.runner_image: duplicate: the file already has this key`)
	wantProblems(t, "general = 5\n", `p.toml:1: general: want a table, got the number 5`)
	wantProblems(t, "[[general]]\nrun_mechanism = \"podman\"\n", `p.toml:1: general: want a table, got a list`)
	wantProblems(t, head+"podman = []\n", `p.toml:3: general.podman: want a table, got a list`)
	wantProblems(t, head+rest+"volumes = \"x\"\n", `p.toml:5: general.podman.volumes: want a table, got a string`)
	wantProblems(t, head+rest+"\"a.b\" = 1\n\"forged\\nline\" = 2\n", `p.toml:5: general.podman."a.b": unknown key`, `p.toml:6: general.podman."forged\nline": unknown key`)
	wantProblems(t, `general = { run_mechanism = "podman", podman = { runner_image = "R", bogus = 1 } }`,
		`p.toml:1: general.podman.bogus: unknown key`, `p.toml:1: general.podman.runner_image: invalid image name "R": the path must be lower case`)
	wantProblems(t, "general.run_mechanism = \"podman\"\ngeneral.podman.runner_image = \"R\"\n",
		`p.toml:2: general.podman.runner_image: invalid image name "R": the path must be lower case`)
}

func TestSyntax(t *testing.T) {
	tests := []struct{ text, want string }{
		{"[general]\nrun_mechanism podman\n", "p.toml:2: expected '.' or '=', but got 'p' instead"},
		{"[general]\n\nrun_mechanism = podman\n", "p.toml:3: expected value but found \"podman\" instead"},
		{"[general]\nrun_mechanism =\n", "p.toml:2: expected value but found '\\n' instead"},
		{"[general]\nrun_mechanism = \"podman\n", "p.toml:2: strings cannot contain newlines"},
		{"[general]\nrun_mechanism = \"\xff\"\n", "p.toml:2: invalid UTF-8 byte: 0xff"},
		{"a = 1\na = 2\n]", "p.toml:2: a: duplicate: the file already has this key\np.toml:3: expected '.' or '=', but got ']' instead"},
		{"a = { b = 1, b = 2 }\n", "p.toml:1: a.b: duplicate: the file already has this key"},
	}
	for _, test := range tests {
		wantProblems(t, test.text, strings.Split(test.want, "\n")...)
	}
}

func TestSize(t *testing.T) {
	head, _ := write(every)
	comment := func(size int) io.Reader {
		return io.MultiReader(strings.NewReader(head), strings.NewReader("#"+strings.Repeat(" ", size-len(head)-1)))
	}
	if _, err := Parse("p.toml", comment(maxFileSize)); err != nil {
		t.Errorf("a policy of %d bytes: %v", maxFileSize, err)
	}
	_, err := Parse("p.toml", comment(maxFileSize+1))
	var ps Problems
	if !errors.As(err, &ps) || err.Error() != "p.toml: larger than 16 MiB" {
		t.Errorf("a policy that is too large: %v", err)
	}
}

func TestUnreadable(t *testing.T) {
	_, err := Parse("p.toml", iotest.ErrReader(errors.New("the disk is broken")))
	var ps Problems
	if err == nil || errors.As(err, &ps) || err.Error() != "reading the policy p.toml: the disk is broken" {
		t.Errorf("got %v", err)
	}
	p, err := Load(filepath.Join(t.TempDir(), "none.toml"))
	if p != nil || !errors.Is(err, fs.ErrNotExist) || errors.As(err, &ps) {
		t.Errorf("a missing file: %v, %v", p, err)
	}
}

func TestLoad(t *testing.T) {
	name := filepath.Join(t.TempDir(), "policy.toml")
	text, _ := write(every)
	if err := os.WriteFile(name, []byte(text+"[x]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Load(name)
	if want := fmt.Sprintf("%s:%d: x: unknown key", name, strings.Count(text, "\n")+1); err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	var ps Problems
	if errors.As(err, &ps) && ps.Hint() != "no job runs until the policy is fixed; docs/policy.md lists every key" {
		t.Errorf("Hint() = %q", ps.Hint())
	}
}

// The two policies of the merge request that brought podman to Jacamar CI, word
// for word: the list of its keys, and its "Test Deployment".
func TestJacamarPolicies(t *testing.T) {
	for _, name := range []string{"jacamar-keys.toml", "jacamar-deployment.toml"} {
		p, err := Load(filepath.Join("testdata", name))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		want := Podman{
			ApplicationPath: "/usr/bin/podman",
			RunnerImage:     "registry.gitlab.com/ecp-ci/jacamar-ci/alpine-runner:latest",
			DefaultImage:    "docker.io/library/debian:latest",
		}
		if name == "jacamar-keys.toml" {
			want.UserVolumeVariable = "USER_VOLUMES"
			want.ImagePullPolicy = PullPolicies{config.PullPolicyAlways}
		}
		if diff := cmp.Diff(General{RunMechanism: "podman", Podman: want}, p.General); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		g, err := p.Decide(Request{})
		if err != nil || g.UserImage.String() != "docker.io/library/debian:latest" {
			t.Errorf("%s: a job without an image: %v, %v", name, g, err)
		}
	}
}
