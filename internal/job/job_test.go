package job

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// full is a job response with every key that is read, and some that are not, in
// the shape that gitlab-runner writes (common/spec/spec.go:542).
const full = `{
 "id": 4711, "token": "secret-token", "allow_git_fetch": true,
 "job_info": {"name": "build", "stage": "test", "pipeline_id": 9, "project_id": 42, "project_jobs_running_on_instance_runners_count": "+Inf"},
 "git_info": {"repo_url": "https://gitlab-ci-token:secret-token@gitlab.example.org/g/p.git", "protected": true},
 "runner_info": {"uuid": "x", "timeout": 3600},
 "inputs": {}, "run": [], "variables": [{"key": "CI_JOB_IMAGE", "value": "forged"}], "secrets": {"S": {}},
 "image": {"name": "debian:12", "alias": "", "entrypoint": ["/e", ""], "pull_policy": ["always", "never"],
  "executor_opts": {"docker": {"user": "1000:1000", "platform": "linux/arm64"}, "kubernetes": {"user": "7"}}},
 "services": [{"name": "postgres:16", "alias": "db,pg  x", "entrypoint": null, "command": ["x"],
  "variables": [{"key": "A", "value": "$B", "public": true, "file": true, "raw": true, "masked": true}]}, {"name": "redis"}],
 "credentials": [
  {"type": "registry", "url": "registry.example.org", "username": "u", "password": "p"},
  {"type": "Registry", "url": "other.example.org", "username": "u", "password": "p"},
  {"type": "index", "url": "other.example.org", "username": "u", "password": "p"}]
}
`

func TestDecode(t *testing.T) {
	j, err := decode(strings.NewReader(full))
	want := &Job{
		ID: 4711, ProjectID: 42, JobName: "build", Protected: true, Timeout: time.Hour,
		Image: Image{Name: "debian:12", Entrypoint: []string{"/e", ""}, PullPolicies: []string{"always", "never"}, User: "1000:1000", Platform: "linux/arm64"},
		Services: []Service{
			{
				Image: Image{Name: "postgres:16"}, Aliases: []string{"db", "pg", "x"}, Command: []string{"x"},
				Variables: []Variable{{Key: "A", Value: "$B", Public: true, File: true, Raw: true}},
			},
			{Image: Image{Name: "redis"}, Aliases: []string{}},
		},
		Variables:   []Variable{{Key: "CI_JOB_IMAGE", Value: "forged"}},
		Secrets:     []string{"S"},
		GitHost:     "gitlab.example.org",
		GitLab:      "6f9bff861aa2",
		Credentials: []Credential{{URL: "registry.example.org", Username: "u", Password: "p"}},
	}
	if diff := cmp.Diff(want, j); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

// Each GitLab has its own name, which is the same for all of its projects.
func TestGitLab(t *testing.T) {
	of := func(url, project string) string {
		t.Helper()
		j, err := decode(strings.NewReader(fmt.Sprintf(`{"id": 1, "job_info": {"project_full_path": %q}, "git_info": {"repo_url": %q}}`, project, url)))
		if err != nil {
			t.Fatal(err)
		}
		return j.GitLab
	}
	want := of("https://gitlab-ci-token:secret@gitlab.example.org/g/p.git", "g/p")
	for _, same := range []struct{ url, project string }{
		{"https://gitlab-ci-token:other@gitlab.example.org/g/sub/q.git", "g/sub/q"},
		{"http://GitLab.example.org/g/p.git", "g/p"},
		{"https://gitlab.example.org/g/p.git", ""},
	} {
		if got := of(same.url, same.project); got != want {
			t.Errorf("%+v: %q, want %q", same, got, want)
		}
	}
	seen := map[string]bool{want: true, "": true}
	for _, other := range []string{
		"https://gitlab.example.com/g/p.git", "https://gitlab.example.org:8443/g/p.git", "https://gitlab.example.org/second/g/p.git",
	} {
		if got := of(other, "g/p"); seen[got] || len(got) != len(want) {
			t.Errorf("%s: %q", other, got)
		} else {
			seen[got] = true
		}
	}
	for _, none := range []string{"", "/srv/git/g/p.git", ":"} {
		if got := of(none, "g/p"); got != "" {
			t.Errorf("%q: %q", none, got)
		}
	}
}

func TestDecodeSparse(t *testing.T) {
	base := Job{ID: 1, ProjectID: 2, Timeout: 2 * time.Hour}
	with := func(change func(*Job)) Job {
		j := base
		change(&j)
		return j
	}
	tests := []struct {
		text string
		want Job
	}{
		{`{"id": 1, "job_info": {"project_id": 2}}`, base},
		{`{"id": 1, "job_info": {"project_id": 2}, "git_info": null, "runner_info": null, "image": null, "services": null, "credentials": null}`, base},
		{`{"id": 1, "job_info": {"project_id": 2}, "git_info": {"protected": null}, "runner_info": {"timeout": null}, "services": [], "credentials": []}`, base},
		{`{"id": 1, "job_info": {"project_id": 2}, "image": {"name": null, "entrypoint": null, "pull_policy": null, "executor_opts": null}}`, base},
		{`{"id": 1, "job_info": {"project_id": 2}, "image": {"executor_opts": {"docker": null}}}`, base},
		{`{"id": 1, "job_info": {"project_id": 2}, "image": {"executor_opts": {"docker": {"user": null, "platform": null}}}}`, base},
		{`{"id": 1, "job_info": {"project_id": 2}, "services": [null], "credentials": [null]}`, with(func(j *Job) { j.Services = []Service{{Aliases: []string{}}} })},
		{`{"id": 1, "job_info": {"project_id": 2}, "services": [], "variables": [null], "git_info": {"repo_url": null}}`, with(func(j *Job) { j.Variables = []Variable{{}} })},
		{`{"id": 1, "job_info": {"project_id": 2}, "artifacts": null, "cache": null, "dependencies": []}`, base},
		{`{"id": 1, "job_info": {"project_id": 2}, "artifacts": [{"paths": ["x"]}]}`, with(func(j *Job) { j.MovesFiles = true })},
		{`{"id": 1, "job_info": {"project_id": 2}, "cache": [{}]}`, with(func(j *Job) { j.MovesFiles = true })},
		{`{"id": 1, "job_info": {"project_id": 2}, "dependencies": [{"id": 1}]}`, with(func(j *Job) { j.MovesFiles = true })},
		{`{"id": 1, "job_info": {"project_id": 2}, "git_info": {"protected": false}, "runner_info": {"timeout": 0}}`, base},
		{`{"id": 1, "job_info": {"project_id": 2}, "runner_info": {"timeout": -5}}`, base},
		{`{"id": 1, "job_info": {"project_id": 2}, "runner_info": {"timeout": -9000000000000000001}}`, base},
		{`{"id": 1, "job_info": {"project_id": 2}, "runner_info": {"timeout": 9223372036854775807}}`, with(func(j *Job) { j.Timeout = maxTimeout })},
		{`{"id": 1, "job_info": {"project_id": 2}, "runner_info": {"timeout": 1}}`, with(func(j *Job) { j.Timeout = time.Second })},
		// The canary job of gitlab-runner's own (commands/boot_verify.go:196) has no project.
		{`{"id": 9223372036854710273, "job_info": null}`, with(func(j *Job) { j.ID, j.ProjectID = 9223372036854710273, 0 })},
		{`{"id": 9223372036854775807, "job_info": {"project_id": 9223372036854775807}}`, with(func(j *Job) { j.ID, j.ProjectID = math.MaxInt64, math.MaxInt64 })},
	}
	for _, test := range tests {
		j, err := decode(strings.NewReader(test.text))
		if err != nil {
			t.Errorf("%s: %v", test.text, err)
			continue
		}
		if diff := cmp.Diff(test.want, *j); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.text, diff)
		}
	}
}

func TestDecodeBad(t *testing.T) {
	const shape = "reading the job response: not the JSON that gitlab-runner 17.9 or later writes"
	tests := []struct{ text, want string }{
		{``, shape},
		{`{`, shape},
		{`[]`, shape},
		{`"secret"`, shape},
		{full[:len(full)/2], shape},
		{`{"id": "secret"}`, shape},
		{`{"id": 1.5}`, shape},
		{`{"id": 1e3}`, shape},
		{`{"id": 9223372036854775808}`, shape},
		{`{"id": 1, "credentials": "secret"}`, shape},
		{`null`, "reading the job response: invalid job id 0 or project id 0"},
		{`{"id": null}`, "reading the job response: invalid job id 0 or project id 0"},
		{`{"id": -3, "job_info": {"project_id": 2}}`, "reading the job response: invalid job id -3 or project id 2"},
		{`{"id": 3, "job_info": {"project_id": -2}}`, "reading the job response: invalid job id 3 or project id -2"},
	}
	for _, test := range tests {
		if j, err := decode(strings.NewReader(test.text)); j != nil || err == nil || err.Error() != test.want {
			t.Errorf("%.80s: %v, %v, want %s", test.text, j, err, test.want)
		}
	}
}

func TestRead(t *testing.T) {
	name := filepath.Join(t.TempDir(), "response.json")
	if _, err := Read(name); err == nil || !errors.Is(err, fs.ErrNotExist) || !strings.HasPrefix(err.Error(), "opening the job response: ") {
		t.Errorf("a missing file: %v", err)
	}
	if err := os.WriteFile(name, []byte(full), 0o600); err != nil {
		t.Fatal(err)
	}
	if j, err := Read(name); err != nil || j.ID != 4711 {
		t.Errorf("%+v, %v", j, err)
	}
}

func none(string) string { return "" }

// With GIT_CLONE_PATH the place is in the job's variables.
func TestLocateCloneOfTheJobsChoice(t *testing.T) {
	for _, test := range []struct{ temp, token, slot string }{
		{"/builds/mine.tmp", "t1", "2"},
		{"/builds/group/project.tmp", "t1", "2"},
		{"/builds/go/src/example.org/x.tmp", "t1", "2"},
		{"/builds/t9/7/x.tmp", "t9", "7"},
	} {
		var j Job
		want := Job{BuildsDir: "/builds", RunnerToken: test.token, Slot: test.slot, ProjectDir: strings.TrimSuffix(test.temp, ".tmp")}
		got, err := j.Locate(test.temp, "/builds", false, func(name string) string {
			return map[string]string{"CI_RUNNER_SHORT_TOKEN": "t1", "CI_CONCURRENT_PROJECT_ID": "2"}[name]
		})
		if err != nil || !cmp.Equal(&want, got) || !cmp.Equal(j, Job{}) {
			t.Errorf("%q: %+v, %v", test.temp, got, err)
		}
	}
	// Short: the group and the project may look like a token and a slot.
	got, err := new(Job).Locate("/builds/team/42/app.tmp", "/builds", true, func(name string) string {
		return map[string]string{"CI_RUNNER_SHORT_TOKEN": "t1", "CI_CONCURRENT_PROJECT_ID": "2"}[name]
	})
	want := &Job{BuildsDir: "/builds", RunnerToken: "t1", Slot: "2", ProjectDir: "/builds/team/42/app", Short: true}
	if err != nil || !cmp.Equal(want, got) {
		t.Errorf("short: %+v, %v", got, err)
	}
	for _, forged := range []struct{ token, slot string }{{"../x", "0"}, {"t", "-1"}, {"t", ""}, {"", "0"}, {"t:ro", "0"}, {"t", "0/.."}} {
		var j Job
		if got, err := j.Locate("/builds/mine.tmp", "/builds", false, func(name string) string {
			return map[string]string{"CI_RUNNER_SHORT_TOKEN": forged.token, "CI_CONCURRENT_PROJECT_ID": forged.slot}[name]
		}); err == nil || got != nil {
			t.Errorf("%+v: %+v", forged, got)
		}
	}
}

func TestLocate(t *testing.T) {
	tests := []struct{ temp, builds, token, slot, project string }{
		{"/builds/glrt-abc_D/0/group/project.tmp", "/builds", "glrt-abc_D", "0", "/builds/glrt-abc_D/0/group/project"},
		{"/data/builds/project-7/t1/12/a/b/c/d.tmp", "/data/builds/project-7", "t1", "12", "/data/builds/project-7/t1/12/a/b/c/d"},
		{"/builds/t/0/group/.tmp.tmp", "/builds", "t", "0", "/builds/t/0/group/.tmp"},
		{"/builds/-t/000000001/g/p x.tmp", "/builds", "-t", "000000001", "/builds/-t/000000001/g/p x"},
	}
	for _, test := range tests {
		var j Job
		want := Job{BuildsDir: test.builds, RunnerToken: test.token, Slot: test.slot, ProjectDir: test.project}
		if got, err := j.Locate(test.temp, test.builds, false, none); err != nil || !cmp.Equal(&want, got) {
			t.Errorf("%q: %+v, %v", test.temp, got, err)
		}
	}
}

func TestLocateHostile(t *testing.T) {
	const builds = "/builds"
	tests := []string{
		"", ".tmp", "/.tmp", "/builds.tmp", "/builds/t.tmp", "/builds/t/0.tmp",
		"/builds/t/0/g/p", "builds/t/0/g/p.tmp", "./builds/t/0/g/p.tmp",
		"/builds/t/0/g/../../../1/g/p.tmp", "/builds/t/0/g/p/.tmp", "/builds//t/0/g/p.tmp", "/builds/./t/0/g/p.tmp",
		"/etc/t/0/g/p.tmp", "/buildsx/t/0/g/p.tmp", "/builds/../etc/t/0/g/p.tmp", "/",
		"/builds/../t/0/g/p.tmp", "/builds/t/x/g/p.tmp", "/builds/t/-1/g/p.tmp", "/builds/t/1.0/g/p.tmp", "/builds/t/1234567890/g/p.tmp",
		"/builds/t.x/0/g/p.tmp", "/builds/t t/0/g/p.tmp", "/builds/t\n/0/g/p.tmp", "/builds/t/0\n/g/p.tmp", "/builds/ä/0/g/p.tmp", "/builds/t:ro/0/g/p.tmp",
		"/builds/" + strings.Repeat("t", 65) + "/0/g/p.tmp",
	}
	for _, temp := range tests {
		var j Job
		if got, err := j.Locate(temp, builds, false, none); err == nil || got != nil {
			t.Errorf("%q: %+v", temp, got)
		} else if strings.ContainsAny(err.Error(), "\n") {
			t.Errorf("%q: %q has a line break", temp, err)
		}
	}
}

func TestLocateErrors(t *testing.T) {
	var j Job
	tests := []struct{ temp, want string }{
		{"x", `locating the job: "x" is not a temporary project directory`},
		{"/old/t/0/g/p.tmp", `locating the job: the project directory "/old/t/0/g/p" is not below /builds: did the policy change after the job started?`},
		{"/builds/mine/p.tmp", `locating the job: the project directory "/builds/mine/p" is not /builds/TOKEN/SLOT/…, and CI_RUNNER_SHORT_TOKEN and CI_CONCURRENT_PROJECT_ID are not a valid token and slot`},
	}
	for _, test := range tests {
		if _, err := j.Locate(test.temp, "/builds", false, none); err == nil || err.Error() != test.want {
			t.Errorf("%q: %v, want %s", test.temp, err, test.want)
		}
	}
}

// FuzzJobResponse: any text is a job whose names podman takes, with a time that
// containers can have, or an error that shows nothing of it.
func FuzzJobResponse(f *testing.F) {
	for _, seed := range []string{full, `{"id": 1}`, `{"id": 1, "services": [{"name": "a/b:c@d", "alias": "x,,y"}]}`, `{"id": 1, "git_info": {"repo_url": "https://h:1/g/p.git"}}`, `null`, `{"id": 1e3}`, `{"id": 1}{"id": 2}`} {
		f.Add(seed)
	}
	gitLab := regexp.MustCompile(`\A([0-9a-f]{12})?\z`)
	f.Fuzz(func(t *testing.T, text string) {
		j, err := decode(strings.NewReader(text))
		if err != nil {
			if j != nil || len(err.Error()) > 120 || strings.ContainsAny(err.Error(), "\n\x1b\"") {
				t.Errorf("%q: %v, %q", text, j, err)
			}
			return
		}
		if j.ID <= 0 || j.ProjectID < 0 || j.Timeout <= 0 || j.Timeout > maxTimeout || !gitLab.MatchString(j.GitLab) {
			t.Errorf("%q: %+v", text, j)
		}
		if j, err = j.Locate("/builds/t/0/g/p.tmp", "/builds", false, none); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{j.Name("service-0"), j.VolumeName("builds"), j.VolumeName(VolumeRole("/x"))} {
			if !podmanName.MatchString(name) || len(name) > 255 {
				t.Errorf("%q: the name %q", text, name)
			}
		}
		for _, s := range j.Services {
			DefaultAliases(s.Name)
			env, _, _ := j.ServiceEnv(s, none)
			for _, v := range env {
				if !strings.Contains(v, "=") {
					t.Errorf("%q: the variable %q", text, v)
				}
			}
		}
	})
}

func FuzzLocate(f *testing.F) {
	f.Add("/builds/t/0/g/p.tmp")
	f.Add("/builds/../t/0/g/p.tmp")
	f.Add("/builds/t/0\n/g.tmp")
	f.Add("/builds/mine.tmp")
	f.Fuzz(func(t *testing.T, temp string) {
		j, err := new(Job).Locate(temp, "/builds", false, func(name string) string {
			return map[string]string{"CI_RUNNER_SHORT_TOKEN": "t", "CI_CONCURRENT_PROJECT_ID": "0"}[name]
		})
		if err != nil {
			return
		}
		if !strings.HasPrefix(j.ProjectDir, "/builds/") || strings.Contains(j.ProjectDir, "/../") {
			t.Errorf("%q: %+v", temp, j)
		}
		j.ID = 1
		if !podmanName.MatchString(j.Name("user")) || !podmanName.MatchString(j.VolumeName("builds")) || !hostname.MatchString(j.Hostname()) {
			t.Errorf("%q: %q, %q, %q", temp, j.Name("user"), j.VolumeName("builds"), j.Hostname())
		}
	})
}
