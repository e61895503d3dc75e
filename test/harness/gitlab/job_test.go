package gitlab

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func variable(job *Job, key string) (Variable, int) {
	var found Variable
	count := 0
	for _, v := range job.Variables {
		if v.Key == key {
			found = v
			count++
		}
	}
	return found, count
}

func TestSubmitCompletesJob(t *testing.T) {
	server, c := start(t)
	job := NewJob("unit tests", "make test")
	job.SetVariable("CI_JOB_ID", "forged")
	job.SetVariable("MINE", "1")
	job.SetVariable("MINE", "2")
	job.Edit = func(j *Job) { j.Variables = append(j.Variables, Variable{Key: "LAST", Value: j.Token, Masked: true}) }
	run := server.Submit(job)
	again := server.Submit(job)
	got := c.mustRequest()
	if got.ID != run.Job.ID || got.ID == again.Job.ID || len(job.Variables) != 2 {
		t.Errorf("ids %d, %d, %d; %d variables in the template", got.ID, run.Job.ID, again.Job.ID, len(job.Variables))
	}
	tests := []Variable{
		{Key: "CI_JOB_ID", Value: "forged", Public: true},
		{Key: "MINE", Value: "2", Public: true},
		{Key: "LAST", Value: got.Token, Masked: true},
		{Key: "CI_JOB_TOKEN", Value: got.Token, Masked: true},
		{Key: "CI_SERVER_URL", Value: server.URL(), Public: true},
		{Key: "CI_PROJECT_ID", Value: "7", Public: true},
		{Key: "CI_PROJECT_PATH", Value: "group/project", Public: true},
		{Key: "CI_PIPELINE_ID", Value: "1", Public: true},
		{Key: "CI_JOB_NAME", Value: "unit tests", Public: true},
		{Key: "CI_JOB_NAME_SLUG", Value: "unit-tests", Public: true},
		{Key: "CI_COMMIT_SHORT_SHA", Value: "01234567", Public: true},
		{Key: "CI_COMMIT_BRANCH", Value: "main", Public: true},
		{Key: "GIT_STRATEGY", Value: "none", Public: true},
		{Key: "CI_JOB_URL", Value: fmt.Sprintf("%s/group/project/-/jobs/%d", server.URL(), got.ID), Public: true},
	}
	for _, want := range tests {
		v, count := variable(got, want.Key)
		if diff := cmp.Diff(want, v); diff != "" || count != 1 {
			t.Errorf("%s, %d times (-want +got):\n%s", want.Key, count, diff)
		}
	}
}

// The names are those of common/spec/spec.go; lists that need a value that is
// not there would be mistaken for it.
func TestJobJSON(t *testing.T) {
	job := NewJob("j", "echo hello")
	job.AddAfterScript("echo bye")
	job.SetTimeout(60)
	job.Variables = []Variable{{Key: "V", Value: "1", File: true, Raw: true}}
	job.Image = Image{
		Name: "i", Entrypoint: []string{""}, PullPolicy: []string{"never"},
		ExecutorOptions: ExecutorOptions{Docker: DockerOptions{User: "1000"}},
	}
	job.Services = []Image{{Name: "s", Alias: "a b", Command: []string{"c"}}}
	job.Artifacts = []Artifact{{Paths: []string{"out"}, Type: "archive", Format: "zip"}}
	job.Features.FailureReasons = nil
	data, err := json.Marshal(job)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	want := `{
		"id": 0, "token": "", "allow_git_fetch": true,
		"git_info": {"repo_url": "", "ref": "main", "sha": "0123456789abcdef0123456789abcdef01234567",
			"before_sha": "0000000000000000000000000000000000000000", "ref_type": "branch", "refspecs": null, "depth": 0, "protected": false},
		"runner_info": {"timeout": 60},
		"variables": [{"key": "V", "value": "1", "public": false, "file": true, "masked": false, "raw": true}],
		"steps": [
			{"name": "script", "script": ["echo hello"], "timeout": 60, "when": "on_success", "allow_failure": false},
			{"name": "after_script", "script": ["echo bye"], "timeout": 60, "when": "always", "allow_failure": true}],
		"image": {"name": "i", "entrypoint": [""], "pull_policy": ["never"], "executor_opts": {"docker": {"user": "1000"}}},
		"services": [{"name": "s", "alias": "a b", "command": ["c"]}],
		"artifacts": [{"name": "", "untracked": false, "paths": ["out"], "exclude": null, "when": "", "artifact_type": "archive",
			"artifact_format": "zip", "expire_in": ""}],
		"cache": null, "credentials": null, "dependencies": null,
		"features": {"trace_sections": true, "token_mask_prefixes": null, "failure_reasons": null}
	}`
	var wanted map[string]any
	if err := json.Unmarshal([]byte(want), &wanted); err != nil {
		t.Fatal(err)
	}
	delete(got, "job_info")
	if diff := cmp.Diff(wanted, got); diff != "" {
		t.Errorf("job JSON (-want +got):\n%s", diff)
	}
}

func TestSlug(t *testing.T) {
	tests := []struct{ in, want string }{
		{"main", "main"},
		{"Feature/New_Thing!", "feature-new-thing"},
		{"é", ""},
		{"a123456789b123456789c123456789d123456789e123456789f123456789g12/4", "a123456789b123456789c123456789d123456789e123456789f123456789g12"},
	}
	for _, test := range tests {
		if got := slug(test.in); got != test.want {
			t.Errorf("slug(%q) is %q, want %q", test.in, got, test.want)
		}
	}
}
