// Package job holds what the runner says about one job, taken from sources that the job's
// author cannot forge, and the names derived from it.
//
// Ids, image, credentials and timeout come from the file that JOB_RESPONSE_FILE
// names; the runner's token and slot from RUNNER_TEMP_PROJECT_DIR, which the
// runner sets after all of the job's variables (gitlab-runner
// common/build.go:1985). The job's author can choose the values of most
// other CUSTOM_ENV_ variables.
package job

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	// maxResponse bounds the job response, in bytes. GitLab's own limits keep
	// it well below.
	maxResponse = 64 << 20
	// defaultTimeout is the runner's own default (gitlab-runner common/consts.go,
	// DefaultTimeout).
	defaultTimeout = 2 * time.Hour
	// maxTimeout keeps absurd timeouts within what time.Duration can hold.
	maxTimeout = 10 * 365 * 24 * time.Hour
)

// Job is one job.
type Job struct {
	ID        int64
	ProjectID int64
	// JobName and ProjectPath are names that the job's author, or the owner of the
	// group, has chosen.
	JobName, ProjectPath string
	// Protected reports whether the job's ref is protected; its builds and cache
	// are kept apart from those of other refs.
	Protected bool
	// Timeout is the time limit of the whole job.
	Timeout time.Duration
	Image   Image
	// MovesFiles reports whether the job has artifacts, caches or dependencies, which
	// the runner moves with its own program.
	MovesFiles bool
	// Services are the containers that the job asks for beside its own.
	Services []Service
	// Variables are the job's variables as GitLab sent them, not expanded.
	Variables []Variable
	// Secrets are the names of the job's `secrets:`. The runner fetches their values, and
	// puts them behind all other variables (gitlab-runner common/build.go:1991).
	Secrets []string
	// GitHost is the host name of the repository's URL; empty if there is none.
	GitHost string
	// GitLab identifies the job's GitLab: a hash of its host, port and path
	// in lower case hexadecimal digits, empty where the repository has no URL.
	GitLab string
	// Credentials are those of type "registry".
	Credentials []Credential
	// BuildsDir, RunnerToken, Slot and ProjectDir are where the runner has put
	// the job: ProjectDir is BuildsDir/RunnerToken/Slot/GROUP/PROJECT.
	BuildsDir, RunnerToken, Slot, ProjectDir string
	// Short means that ProjectDir is BuildsDir/GROUP/PROJECT.
	Short bool
}

// Image is an `image:` or an entry of `services:`.
type Image struct {
	Name         string
	Entrypoint   []string
	PullPolicies []string
	User         string
	Platform     string
}

// Credential is a user and password for one registry.
type Credential struct{ URL, Username, Password string }

// response is the part of the job response that the driver needs. The runner's
// own types cannot read the file that the runner writes (inputs and run differ
// between its encoder and decoder, gitlab-runner common/spec/spec.go:572).
type response struct {
	ID      int64 `json:"id"`
	JobInfo struct {
		Name            string `json:"name"`
		ProjectID       int64  `json:"project_id"`
		ProjectFullPath string `json:"project_full_path"`
	} `json:"job_info"`
	GitInfo struct {
		RepoURL   string `json:"repo_url"`
		Protected *bool  `json:"protected"`
	} `json:"git_info"`
	RunnerInfo struct {
		Timeout int64 `json:"timeout"`
	} `json:"runner_info"`
	Image     imageResponse   `json:"image"`
	Services  []imageResponse `json:"services"`
	Variables []Variable      `json:"variables"`
	// The driver needs only the names of these.
	Secrets map[string]json.RawMessage `json:"secrets"`
	// Only the runner needs the contents of these.
	Artifacts    []json.RawMessage `json:"artifacts"`
	Cache        []json.RawMessage `json:"cache"`
	Dependencies []json.RawMessage `json:"dependencies"`
	Credentials  []struct {
		Type     string `json:"type"`
		URL      string `json:"url"`
		Username string `json:"username"`
		Password string `json:"password"`
	} `json:"credentials"`
}

type imageResponse struct {
	Name         string     `json:"name"`
	Entrypoint   []string   `json:"entrypoint"`
	PullPolicy   []string   `json:"pull_policy"`
	Alias        string     `json:"alias"`
	Command      []string   `json:"command"`
	Variables    []Variable `json:"variables"`
	ExecutorOpts struct {
		Docker struct {
			User     string `json:"user"`
			Platform string `json:"platform"`
		} `json:"docker"`
	} `json:"executor_opts"`
}

func (r imageResponse) image() Image {
	return Image{
		Name: r.Name, Entrypoint: r.Entrypoint, PullPolicies: r.PullPolicy,
		User: r.ExecutorOpts.Docker.User, Platform: r.ExecutorOpts.Docker.Platform,
	}
}

// Read reads the job response file of that name. It does not say where the job is on the
// runner's disk: see [Job.Locate].
func Read(name string) (*Job, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("opening the job response: %w", err)
	}
	defer f.Close()
	return decode(io.LimitReader(f, maxResponse))
}

func decode(r io.Reader) (*Job, error) {
	var in response
	// The decoder's error would show parts of the file, which holds secrets.
	if err := json.NewDecoder(r).Decode(&in); err != nil {
		return nil, errors.New("reading the job response: not the JSON that gitlab-runner 17.9 or later writes")
	}
	if in.ID <= 0 || in.JobInfo.ProjectID < 0 {
		return nil, fmt.Errorf("reading the job response: invalid job id %d or project id %d", in.ID, in.JobInfo.ProjectID)
	}
	j := &Job{
		ID: in.ID, ProjectID: in.JobInfo.ProjectID, JobName: in.JobInfo.Name, ProjectPath: in.JobInfo.ProjectFullPath,
		Protected: in.GitInfo.Protected != nil && *in.GitInfo.Protected,
		Timeout:   time.Duration(min(max(in.RunnerInfo.Timeout, 0), int64(maxTimeout/time.Second))) * time.Second,
		Image:     in.Image.image(),
	}
	if j.Timeout == 0 {
		j.Timeout = defaultTimeout
	}
	for _, s := range in.Services {
		j.Services = append(j.Services, s.service())
	}
	j.Variables, j.Secrets = in.Variables, slices.Sorted(maps.Keys(in.Secrets))
	j.MovesFiles = len(in.Artifacts)+len(in.Cache)+len(in.Dependencies) > 0
	if u, err := url.Parse(in.GitInfo.RepoURL); err == nil {
		j.GitHost = u.Hostname()
		j.GitLab = gitLabOf(u, in.JobInfo.ProjectFullPath)
	}
	for _, c := range in.Credentials {
		// Exactly this spelling (gitlab-runner helpers/docker/auth/auth.go:230).
		if c.Type == "registry" {
			j.Credentials = append(j.Credentials, Credential{URL: c.URL, Username: c.Username, Password: c.Password})
		}
	}
	return j, nil
}

// gitLabOf identifies the GitLab that a repository's URL belongs to. The URL up to the
// project's path counts, because several GitLabs may share a host name.
func gitLabOf(repository *url.URL, projectPath string) string {
	if repository.Host == "" {
		return ""
	}
	root, ok := strings.CutSuffix(repository.Path, "/"+projectPath+".git")
	if !ok {
		root = ""
	}
	hash := sha256.Sum256([]byte(strings.ToLower(repository.Host) + root))
	return hex.EncodeToString(hash[:6])
}

var (
	tokenPart = regexp.MustCompile(`\A[A-Za-z0-9_-]{1,64}\z`)
	slotPart  = regexp.MustCompile(`\A[0-9]{1,9}\z`)
)

// Locate returns a copy of the job with its directories, token and slot set. It takes them from
// RUNNER_TEMP_PROJECT_DIR, which is the project directory plus ".tmp" (gitlab-runner
// common/build.go:463). With the shared builds directory that config asks for, the project
// directory is BUILDS_DIR/TOKEN/SLOT/GROUP/PROJECT (common/build.go:439).
//
// If the administrator allows it ([runners.custom_build_dir]), a job can choose another
// directory below BUILDS_DIR. Then token and slot come from its variables, or from that
// directory, and the job can forge them. That only lets it choose among the volumes of its own
// project, which [Job.VolumeName] keeps apart from those of other GitLabs. It is the same with a
// short project directory, BUILDS_DIR/GROUP/PROJECT.
func (j *Job) Locate(tempProjectDir, buildsDir string, short bool, variable func(string) string) (*Job, error) {
	projectDir, ok := strings.CutSuffix(tempProjectDir, ".tmp")
	if !ok || !path.IsAbs(projectDir) || path.Clean(projectDir) != projectDir {
		return nil, fmt.Errorf("locating the job: %q is not a temporary project directory", tempProjectDir)
	}
	below, err := filepath.Rel(buildsDir, projectDir)
	if err != nil || below == "." || below == ".." || strings.HasPrefix(below, "../") {
		return nil, fmt.Errorf("locating the job: the project directory %q is not below %s: did the policy change after the job started?", projectDir, buildsDir)
	}
	token, slot := variable("CI_RUNNER_SHORT_TOKEN"), variable("CI_CONCURRENT_PROJECT_ID")
	if parts := strings.Split(below, "/"); !short && len(parts) > 2 && isTokenAndSlot(parts[0], parts[1]) {
		token, slot = parts[0], parts[1]
	}
	if !isTokenAndSlot(token, slot) {
		return nil, fmt.Errorf("locating the job: the project directory %q is not %s/TOKEN/SLOT/…, and CI_RUNNER_SHORT_TOKEN and CI_CONCURRENT_PROJECT_ID are not a valid token and slot", projectDir, buildsDir)
	}
	located := *j
	located.BuildsDir, located.RunnerToken, located.Slot, located.ProjectDir = buildsDir, token, slot, projectDir
	located.Short = short
	return &located, nil
}

func isTokenAndSlot(token, slot string) bool {
	return tokenPart.MatchString(token) && slotPart.MatchString(slot)
}
