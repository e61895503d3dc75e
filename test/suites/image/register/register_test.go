package register

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"podman-executor/test/harness/gitlab"
)

const tokenFile = "run/secrets/REGISTRATION_TOKEN"

// made is what differs from one registration to the next.
var made = regexp.MustCompile(`(token_obtained_at = | id = |url = |runner_system_id = ).*`)

// registered is config.toml after the first registration of an empty file.
const registered = `# runner_system_id = …
concurrent = 1
shutdown_timeout = 60 # as long as graceful_kill_timeout

[[runners]]
  name = "podman-executor"
  request_concurrency = 2
  url = …
  id = …
  token = "TOKEN"
  token_obtained_at = …
  token_expires_at = 0001-01-01T00:00:00Z
  executor = "custom"
  shell = "bash"
  [runners.cache]
    MaxUploadedArchiveSize = 0
    [runners.cache.s3]
      AssumeRoleMaxConcurrency = 0
    [runners.cache.gcs]
    [runners.cache.azure]
  [runners.custom]
    config_exec = "/usr/libexec/podman-executor/config"
    prepare_exec = "/usr/libexec/podman-executor/prepare"
    run_exec = "/usr/libexec/podman-executor/run"
    cleanup_exec = "/usr/libexec/podman-executor/cleanup"
    graceful_kill_timeout = 60
    force_kill_timeout = 10
`

// No other test's processes have these tokens on their command lines.
const auth, legacy = "glrt-register_0123456789", "GR1348941aB-registration_1"

const verify, register = "POST /api/v4/runners/verify", "POST /api/v4/runners"

type registerTest struct {
	name, secret string
	env, options []string
	path         string
	parts        []string // of the call's body
	token        string   // in config.toml
}

func TestRegister(t *testing.T) {
	tests := []registerTest{
		{"authentication token", auth, nil, nil, verify, []string{`"token":"` + auth + `"`}, auth},
		{"with white space around it", " \t" + auth + "\r\n\n", nil, nil, verify, []string{`"token":"` + auth + `"`}, auth},
		{"as a variable", "", []string{"REGISTRATION_TOKEN=" + auth + "\n"}, nil, verify, []string{`"token":"` + auth + `"`}, auth},
		{"of a runner that was registered", "glrtr-testtoken1\n", nil, nil, verify, []string{`"token":"glrtr-testtoken1"`}, "glrtr-testtoken1"},
		{
			"registration token", legacy, nil, nil, register,
			[]string{`"token":"` + legacy + `"`, `"description":"podman-executor"`, `"run_untagged":true`},
			"registered-runner-token-1",
		},
		{
			"registration token with options", legacy + "\n", nil,
			[]string{"--tag-list", "a,b", "--maximum-timeout=3600"},
			register,
			[]string{`"tag_list":"a,b"`, `"run_untagged":false`, `"maximum_timeout":3600`},
			"registered-runner-token-1",
		},
		{
			"registration token with variables", legacy + "\n",
			[]string{"RUNNER_TAG_LIST=c", "REGISTER_ACCESS_LEVEL=ref_protected"},
			nil, register,
			[]string{`"tag_list":"c"`, `"access_level":"ref_protected"`},
			"registered-runner-token-1",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tt.run(t)
		})
	}
}

func (tt registerTest) run(t *testing.T) {
	t.Helper()
	o := gitlab.Options{RegistrationToken: legacy}
	if tt.path == verify {
		o.RunnerToken = tt.token
	}
	i, g := newImage(t), newGitLab(t, o)
	i.env = append(i.env, tt.env...)
	i.env = append(i.env, "CI_SERVER_URL="+g.address)
	i.write("config.toml", "")
	if tt.secret != "" {
		i.write(tokenFile, tt.secret)
	}
	r := i.mustRun("register", tt.options...)

	body := g.call(t, tt.path)
	for _, p := range tt.parts {
		if !strings.Contains(body, p) {
			t.Errorf("GitLab was not told %s: %s", p, body)
		}
	}
	got := strings.Replace(i.read("config.toml"), tt.token, "TOKEN", 1)
	if diff := cmp.Diff(registered, made.ReplaceAllString(got, "$1…")); diff != "" {
		t.Errorf("config.toml (-want +got):\n%s", diff)
	}
	wantMode(t, i.path("config.toml"), 0o600)
	if !strings.Contains(g.commands, "gitlab-runner register --non-interactive") {
		t.Errorf("gitlab-runner is not among the processes:\n%s", g.commands)
	}
	wantSecret(t, tt.token, r, g)
	wantSecret(t, legacy, r, g)
	wantEmpty(t, i.path("tmp"))
}

// wantSecret checks that a token is neither in a program's output nor in what ps
// shows.
func wantSecret(t *testing.T, token string, r result, g *watched) {
	t.Helper()
	if strings.Contains(r.stdout+r.stderr, token) {
		t.Errorf("the output has the token:\n%s%s", r.stdout, r.stderr)
	}
	if strings.Contains(g.commands, token) {
		t.Errorf("a command line has the token:\n%s", g.commands)
	}
}

func wantMode(t *testing.T, path string, want os.FileMode) {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != want {
		t.Errorf("%s has mode %v, want %v", path, info.Mode().Perm(), want)
	}
}

func wantEmpty(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 0 {
		t.Errorf("%s has %v", dir, entries)
	}
}

func TestRegisterAgain(t *testing.T) {
	i, g := newImage(t), newGitLab(t, gitlab.Options{})
	i.write("config.toml", "\n")
	i.write(tokenFile, gitlab.DefaultRunnerToken)
	i.mustRun("register", "--url", g.address, "--name", "first")
	once := i.read("config.toml")
	i.write(tokenFile, gitlab.DefaultRegistrationToken)
	r := i.mustRun("register", "--url", g.address, "--name", "second")

	twice := i.read("config.toml")
	if !strings.HasPrefix(twice, strings.Replace(once, "concurrent = 1", "concurrent = 2", 1)) {
		t.Errorf("after the second registration:\n%s\nbefore:\n%s", twice, once)
	}
	if want := "register: ./config.toml has 2 runner(s) now\n"; r.stdout != want {
		t.Errorf("stdout is %q, want %q", r.stdout, want)
	}
	if r := i.command(i.path("bin/gitlab-runner"), "lint", "--config", i.path("config.toml")); r.status != 0 {
		t.Errorf("gitlab-runner does not like it: %s", r.stderr)
	}
	list := i.command(i.path("bin/gitlab-runner"), "list", "--config", i.path("config.toml")).stderr
	for _, name := range []string{"first", "second"} {
		if !strings.Contains(list, name) {
			t.Errorf("gitlab-runner does not list %q:\n%s", name, list)
		}
	}
}

func TestRegisterKeepsTheFile(t *testing.T) {
	const old = `
[[runners]]
  name = "old" # mine
  url = "https://gitlab.example.com"
  token = "${OLD_TOKEN}"
  executor = "docker"
  [runners.docker]
    image = "debian"`
	const id = `# runner_system_id = "s_0123456789ab"` + "\n"
	tests := []struct{ name, before, after string }{
		{"concurrent is enough", id + "# ours\nconcurrent = 8\n" + old, id + "# ours\nconcurrent = 8\n" + old},
		{"concurrent is raised", id + "check_interval = 5\nconcurrent=1 # for now\n" + old, id + "check_interval = 5\nconcurrent=2 # for now\n" + old},
		{"there is none", id + "log_level = \"warn\"" + old, id + "concurrent = 2\nlog_level = \"warn\"" + old},
		{"lines end as on Windows", id + "concurrent = 1\r\n" + old, id + "concurrent = 2\r\n" + old},
		{"the id is not on top", "concurrent = 8\n" + id + old, id + "concurrent = 8\n" + old},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			i, g := newImage(t), newGitLab(t, gitlab.Options{})
			i.write(tokenFile, gitlab.DefaultRunnerToken)
			i.write("config.toml", tt.before)
			before, err := os.Stat(i.path("config.toml"))
			if err != nil {
				t.Fatal(err)
			}
			i.mustRun("register", "--url", g.address)
			got, section, _ := strings.Cut(i.read("config.toml"), "\n\n[[runners]]\n  name = \"podman-executor\"")
			if diff := cmp.Diff(tt.after, got); diff != "" {
				t.Errorf("before the new section (-want +got):\n%s", diff)
			}
			if !strings.Contains(section, gitlab.DefaultRunnerToken) {
				t.Errorf("no new section:\n%s", section)
			}
			if diff := cmp.Diff([]string{"s_0123456789ab"}, g.systemIDs()); diff != "" {
				t.Errorf("system ids (-want +got):\n%s", diff)
			}
			if after, err := os.Stat(i.path("config.toml")); err != nil || !os.SameFile(before, after) {
				t.Errorf("config.toml is another file now, which a mounted one cannot become: %v", err)
			}
		})
	}
}

func TestRegisterFails(t *testing.T) {
	const wrong = "glrt-this-is-the-wrong-token"
	tests := []struct {
		name, token, config string
		options             []string
		words               []string
	}{
		{"wrong token", wrong, "", nil, []string{"Verifying runner... is not valid", "error: gitlab-runner could not register", "hint: "}},
		{"wrong registration token", "wrong-registration-token", "", nil, []string{"forbidden (check registration token)", "error: "}},
		{"unreachable", wrong, "", []string{"--url", "http://127.0.0.1:1"}, []string{"127.0.0.1:1: connect: connection refused", "error: "}},
		{"tags are GitLab's", gitlab.DefaultRunnerToken, "", []string{"--tag-list", "a"}, []string{"specified on the GitLab server", "error: "}},
		{"no token", "\n", "", nil, []string{"error: there is no registration token", "hint: printf %s TOKEN | podman secret create REGISTRATION_TOKEN -"}},
		{"two words", wrong + " x", "", nil, []string{"error: the secret REGISTRATION_TOKEN is more than one word"}},
		{"two lines", wrong + "\nx\n", "", nil, []string{"error: the secret REGISTRATION_TOKEN is more than one word"}},
		{"token for all to see", wrong, "", []string{"--token", "x"}, []string{"error: --token would show the token", "hint: give it as the podman secret"}},
		{"another file", wrong, "", []string{"-c=/x"}, []string{"error: -c: the runner is always appended to /config.toml"}},
		{"another executor", wrong, "", []string{"--executor", "shell"}, []string{"error: --executor: the executor is always", "hint: mount another template"}},
		{"broken file", wrong, "concurrent = \n[[runners]]\n", nil, []string{"warning: /config.toml: decoding config", "line 1", "error: gitlab-runner cannot read /config.toml"}},
		{
			"runners of another form", gitlab.DefaultRunnerToken, "runners = [{name = \"a\", url = \"http://a\", token = \"t\", executor = \"shell\"}]\n", nil,
			[]string{"gitlab-runner cannot read the new config.toml", "hint: runners must be [[runners]] sections"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			i, g := newImage(t), newGitLab(t, gitlab.Options{})
			i.write(tokenFile, tt.token)
			i.write("config.toml", tt.config)
			r := i.run("register", append([]string{"--url", g.address}, tt.options...)...)
			wantFailure(t, r, tt.words...)
			if diff := cmp.Diff(tt.config, i.read("config.toml")); diff != "" {
				t.Errorf("config.toml (-want +got):\n%s", diff)
			}
			wantMode(t, i.path("config.toml"), 0o644)
			wantSecret(t, wrong, r, g)
			wantEmpty(t, i.path("tmp"))
		})
	}
}

func TestRegisterWithoutFile(t *testing.T) {
	i := newImage(t)
	i.write(tokenFile, gitlab.DefaultRunnerToken)
	wantFailure(t, i.run("register"), "error: there is no /config.toml", "hint: create a file, even an empty one, and mount it")
	i.mkdir("config.toml")
	wantFailure(t, i.run("register"), "error: /config.toml is a directory", "hint: some engines make one where the mounted file is missing")
}

func TestRegisterHelp(t *testing.T) {
	if r := newImage(t).mustRun("register", "--help"); !strings.Contains(r.stdout, "--tag-list") {
		t.Errorf("the options of gitlab-runner are not shown:\n%s", r.stdout)
	}
}
