package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"podman-executor/internal/driver"
)

// hostileJob is a policy that lets a job ask for much, and refuses at last.
const hostilePolicy = `[general]
run_mechanism = "podman"
data_dir = "/nonexistent/data"
[general.podman]
application_path = "/nonexistent/podman"
default_image = "registry.example.com/ops/default:1"
runner_image = "registry.example.com/ops/runner:1"
image_allow_list = ["registry\\.example\\.com/.*"]
user_volume_variable = "USER_VOLUMES"
volume_allow_list = ["/nonexistent/.*"]
`

// fields are the places where a job's string can occur; each returns the job response, or adds
// to the environment.
var fields = map[string]func(s string) (response map[string]any, environ []string){
	"nothing": func(string) (map[string]any, []string) { return nil, nil },
	"image": func(s string) (map[string]any, []string) {
		return map[string]any{"image": map[string]any{"name": s}}, nil
	},
	"entry point": func(s string) (map[string]any, []string) {
		return map[string]any{"image": map[string]any{"name": "x", "entrypoint": []string{"", s}}}, nil
	},
	"pull policy": func(s string) (map[string]any, []string) {
		return map[string]any{"image": map[string]any{"name": "x", "pull_policy": []string{s}}}, nil
	},
	"user": func(s string) (map[string]any, []string) {
		return map[string]any{"image": map[string]any{"name": "x", "executor_opts": map[string]any{"docker": map[string]any{"user": s, "platform": s}}}}, nil
	},
	"service": func(s string) (map[string]any, []string) {
		return map[string]any{"services": []any{map[string]any{"name": s, "alias": s}}}, nil
	},
	"alias": func(s string) (map[string]any, []string) {
		return map[string]any{"services": []any{map[string]any{"name": "registry.example.com/x:1", "alias": s + ",a b"}, map[string]any{"name": "registry.example.com/x:1", "alias": s}}}, nil
	},
	"name of a volume": func(s string) (map[string]any, []string) {
		return nil, []string{"CUSTOM_ENV_USER_VOLUMES_" + s + "=/nonexistent/a:/b"}
	},
	"two names of a volume": func(s string) (map[string]any, []string) {
		return nil, []string{"CUSTOM_ENV_USER_VOLUMES_" + s + "=bad", "CUSTOM_ENV_USER_VOLUMES=" + s + ":" + s}
	},
	"volume": func(s string) (map[string]any, []string) {
		return nil, []string{"CUSTOM_ENV_USER_VOLUMES=/" + s + ":/b:" + s}
	},
	"limit": func(s string) (map[string]any, []string) {
		return nil, []string{"CUSTOM_ENV_PODMAN_MEMORY=" + s, "CUSTOM_ENV_PODMAN_CPUS=" + s}
	},
	"credentials": func(s string) (map[string]any, []string) {
		text, _ := json.Marshal(map[string]any{"auths": map[string]any{s: map[string]any{"auth": s}}})
		return nil, []string{"CUSTOM_ENV_DOCKER_AUTH_CONFIG=" + string(text)}
	},
	"directory": func(s string) (map[string]any, []string) {
		return nil, []string{"CUSTOM_ENV_RUNNER_TEMP_PROJECT_DIR=/builds/" + s + ".tmp", "CUSTOM_ENV_CI_RUNNER_SHORT_TOKEN=" + s}
	},
}

// ownLine matches a line that prepare may print. Only its end can come from a job.
var ownLine = regexp.MustCompile(`\Apodman-executor-prepare: (error|warning|hint): [^\x00-\x1f\x7f]*\z`)

// FuzzMessages: whatever a job's strings are, it cannot forge a line that prepare prints: each
// line has the driver's own beginning, there is at most one hint, and nothing moves the cursor.
func FuzzMessages(f *testing.F) {
	for _, s := range []string{"x", "x\nfoo", "x\npodman-executor-prepare: error: forged", "\r\x1b[2Kx", "x\u2028y", "section_start:0:x\r\x1b[0K", "\xff", "$A$A", "a:b:c", "${X:-\n}"} {
		f.Add(s)
	}
	dir := f.TempDir()
	policyFile := filepath.Join(dir, "policy.toml")
	if err := os.WriteFile(policyFile, []byte(hostilePolicy), 0o600); err != nil {
		f.Fatal(err)
	}
	response := filepath.Join(dir, "response.json")
	f.Fuzz(func(t *testing.T, s string) {
		if strings.ContainsRune(s, 0) {
			return // no environment has it
		}
		for where, put := range fields {
			job, environ := put(s)
			if job == nil {
				job = map[string]any{}
			}
			job["id"], job["job_info"] = 42, map[string]any{"project_id": 7, "name": s, "project_full_path": s}
			text, err := json.Marshal(job)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(response, text, 0o600); err != nil {
				t.Fatal(err)
			}
			environ = append([]string{
				"TMPDIR=" + dir, "JOB_RESPONSE_FILE=" + response, "HOME=" + dir,
				"CUSTOM_ENV_CI_RUNNER_SHORT_TOKEN=abc", "CUSTOM_ENV_CI_CONCURRENT_PROJECT_ID=0",
				"CUSTOM_ENV_RUNNER_TEMP_PROJECT_DIR=/nonexistent/data/builds/project-7/abc/0/x.tmp",
			}, environ...)
			var out, errs bytes.Buffer
			if status := driver.Run(t.Context(), program, []string{"--policy", policyFile}, environ, &out, &errs); status == 0 {
				t.Fatalf("%s: it ends with 0", where)
			}
			lines := strings.Split(strings.TrimSuffix(errs.String(), "\n"), "\n")
			hints, problems := 0, 0
			for _, line := range lines {
				if !ownLine.MatchString(line) || line != driver.Printable(line) {
					t.Errorf("%s %q: the line %q", where, s, line)
				}
				if strings.HasPrefix(line, "podman-executor-prepare: hint: ") {
					hints++
				}
				if strings.HasPrefix(line, "podman-executor-prepare: error: ") {
					problems++
				}
			}
			if hints != 1 || problems != 1 || out.Len() > 0 {
				t.Errorf("%s %q: it says\n%s%s", where, s, &out, &errs)
			}
		}
	})
}

// An invalid name of a variable is quoted.
func TestVariableNamesAreQuoted(t *testing.T) {
	dir := t.TempDir()
	policyFile, response := filepath.Join(dir, "policy.toml"), filepath.Join(dir, "response.json")
	for name, text := range map[string]string{policyFile: hostilePolicy, response: `{"id": 42, "job_info": {"project_id": 7}}`} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for variable, want := range map[string]string{
		"USER_VOLUMES_x=bad":           "error: USER_VOLUMES_x: want SRC:DST",
		"USER_VOLUMES_x\nfoo=bad":      `error: "USER_VOLUMES_x\nfoo": want SRC:DST`,
		"USER_VOLUMES_x: foo=/a:/b":    `error: policy denies "USER_VOLUMES_x: foo": volume "/a:/b": `,
		"USER_VOLUMES_x\x1b[2K=/a:/b":  `error: policy denies "USER_VOLUMES_x\x1b[2K": volume "/a:/b": `,
		"USER_VOLUMES_x=/a\n/b:/c\x1b": "error: USER_VOLUMES_x: contains a control character",
	} {
		environ := []string{
			"TMPDIR=" + dir, "JOB_RESPONSE_FILE=" + response, "HOME=" + dir, "CUSTOM_ENV_" + variable,
			"CUSTOM_ENV_RUNNER_TEMP_PROJECT_DIR=/nonexistent/data/builds/project-7/abc/0/x.tmp",
		}
		var errs bytes.Buffer
		driver.Run(t.Context(), program, []string{"--policy", policyFile}, environ, &errs, &errs)
		if !strings.HasPrefix(errs.String(), "podman-executor-prepare: "+want) || strings.Count(errs.String(), "\n") != 2 {
			t.Errorf("%q: it says %q, want %q", variable, &errs, want)
		}
	}
}
