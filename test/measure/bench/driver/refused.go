package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"podman-executor/test/harness/gitlab"
)

// refusal is a job that the policy refuses at the very end of what is measured.
type refusal struct {
	what string
	// images and volumes are the numbers of entries of the policy's list of images,
	// and of volumes of the job; response is the size of the job response in bytes.
	images, volumes, response int
	// says is part of the refusal.
	says string
}

var refusals = []refusal{
	{what: "a small one", images: 1, says: `policy denies image`},
	{what: "10,000 images are allowed", images: 10_000, says: `policy denies image`},
	{what: "its response has 5 MB", images: 1, response: 5_000_000, says: `policy denies image`},
	{what: "it has 1,000 volumes", volumes: 1_000, says: `policy denies USER_VOLUMES_999`},
}

const (
	pathVolumes = "USER_VOLUMES"
	buildFailed = 1
)

func (r refusal) measure(bin string) (s samples, err error) {
	dir, err := os.MkdirTemp("", "podman-executor-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	env, err := r.write(dir)
	if err != nil {
		return nil, err
	}
	for i := range rounds {
		cmd := exec.Command(filepath.Join(bin, "podman-executor-prepare"), "--policy", filepath.Join(dir, "policy.toml"))
		cmd.Env = env
		one, err := take(cmd, i == 0)
		refused := new(ended)
		if !errors.As(err, &refused) || cmd.ProcessState.ExitCode() != buildFailed || !strings.Contains(refused.stderr, r.says) {
			return nil, fmt.Errorf("it was to be refused (%s), but: %w", r.says, err)
		}
		s = append(s, one)
	}
	return s, nil
}

// write writes policy and job response, and returns the environment of prepare, as the
// runner makes it.
func (r refusal) write(dir string) (env []string, err error) {
	attempt := filepath.Join(dir, "attempt")
	allowed := filepath.Join(dir, "allowed")
	for _, d := range []string{attempt, allowed} {
		if err := os.Mkdir(d, 0o700); err != nil {
			return nil, err
		}
	}
	var policy strings.Builder
	fmt.Fprintf(&policy, "[general]\nrun_mechanism = \"podman\"\nstate_dir = %q\n[general.podman]\n", filepath.Join(dir, "state"))
	fmt.Fprintf(&policy, "runner_image = %q\nuser_volume_variable = %q\nvolume_allow_list = ['%s']\nimage_allow_list = [\n", image, pathVolumes, allowed)
	for i := range r.images {
		fmt.Fprintf(&policy, "  'registry\\.example\\.org/group-%d/[a-z]+:.*',\n", i)
	}
	policy.WriteString("]\n")
	if err := os.WriteFile(filepath.Join(dir, "policy.toml"), []byte(policy.String()), 0o600); err != nil {
		return nil, err
	}
	response := filepath.Join(attempt, "response.json")
	if err := r.writeResponse(response); err != nil {
		return nil, err
	}
	env = []string{
		"PATH=/usr/local/bin:/usr/bin:/bin", "HOME=" + dir, "USER=nobody", "XDG_RUNTIME_DIR=" + os.Getenv("XDG_RUNTIME_DIR"), "TMPDIR=" + attempt,
		"JOB_RESPONSE_FILE=" + response, "BUILD_EXIT_CODE_FILE=" + filepath.Join(attempt, "code"),
		"BUILD_FAILURE_EXIT_CODE=1", "SYSTEM_FAILURE_EXIT_CODE=2",
		"CUSTOM_ENV_RUNNER_TEMP_PROJECT_DIR=/builds/glrt-abc_12/0/group/project.tmp",
	}
	for i := range r.volumes {
		source := allowed
		if i == r.volumes-1 {
			source = "/usr" // the last one is refused
		}
		env = append(env, fmt.Sprintf("CUSTOM_ENV_%s_%03d=%s:/mnt/%d", pathVolumes, i, source, i))
	}
	return env, nil
}

func (r refusal) writeResponse(file string) error {
	job := gitlab.NewJob("refused", "true")
	job.ID = 1
	job.Image.Name = "registry.example.org/elsewhere/image:latest"
	for i := range r.response / 10_000 {
		job.SetVariable(fmt.Sprintf("VARIABLE_%d", i), strings.Repeat("x", 9_900))
	}
	text, err := json.Marshal(job)
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o600)
}
