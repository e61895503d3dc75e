package gitlab

import (
	"fmt"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
)

// defaultTimeout is the timeout in seconds of a job that names none: short, so
// that a hanging test ends.
const defaultTimeout = 300

// FailureReasons is every reason the runner may give (common/network.go:77).
// Jobs announce them all, so that a test sees the true one; real GitLab never
// lists job_canceled.
var FailureReasons = []string{
	"unknown_failure", "script_failure", "runner_system_failure", "job_execution_timeout", "image_pull_failure",
	"runner_configuration_error", "runner_external_dependency_failure", "runner_interrupted", "job_canceled",
}

// NewJob returns a job of project group/project on branch main that runs script
// without sources: every field may be changed before [Server.Submit], which adds
// what only the server knows.
func NewJob(name string, script ...string) Job {
	protected := false
	return Job{
		AllowGitFetch: true,
		Info: JobInfo{
			Name: name, Stage: "test", PipelineID: 1, ProjectID: 7, ProjectName: "project", ProjectFullPath: "group/project",
			NamespaceID: 3, RootNamespaceID: 3, OrganizationID: 1, UserID: 2, ProjectJobs: "0",
		},
		Git: GitInfo{
			Ref: "main", SHA: "0123456789abcdef0123456789abcdef01234567",
			BeforeSHA: strings.Repeat("0", 40), RefType: "branch", Protected: &protected,
		},
		Runner:   RunnerInfo{Timeout: defaultTimeout},
		Steps:    []Step{{Name: "script", Script: script, Timeout: defaultTimeout, When: "on_success"}},
		Features: Features{TraceSections: true, FailureReasons: slices.Clone(FailureReasons)},
	}
}

// AddAfterScript appends an after_script as GitLab does: it always runs and its
// result does not matter.
func (j *Job) AddAfterScript(script ...string) {
	j.Steps = append(j.Steps, Step{Name: "after_script", Script: script, Timeout: j.Runner.Timeout, When: "always", AllowFailure: true})
}

// SetTimeout gives job and steps a timeout in seconds.
func (j *Job) SetTimeout(seconds int) {
	j.Runner.Timeout = seconds
	j.Steps = slices.Clone(j.Steps)
	for i := range j.Steps {
		j.Steps[i].Timeout = seconds
	}
}

// SetVariable adds a public variable of the job's author, or changes it.
func (j *Job) SetVariable(key, value string) {
	j.Variables = slices.Clone(j.Variables)
	for i := range j.Variables {
		if j.Variables[i].Key == key {
			j.Variables[i].Value = value
			return
		}
	}
	j.Variables = append(j.Variables, Variable{Key: key, Value: value, Public: true})
}

// complete fills what depends on the server: identity, credentials and
// predefined variables.
func (j *Job) complete(id int64, base *url.URL) {
	j.ID = id
	j.Token = fmt.Sprintf("job-token-%d", id)
	if u, err := url.Parse(j.Git.RepoURL); err == nil && u.Host == base.Host && u.User == nil {
		u.User = url.UserPassword(gitUser, j.Token)
		j.Git.RepoURL = u.String()
	}
	j.Variables = withDefaults(j.predefined(base), j.Variables)
	j.FinalReplies = slices.Clone(j.FinalReplies)
	if j.Edit != nil {
		j.Edit(j)
	}
}

// withDefaults puts defaults before vars, less those that vars names itself:
// GitLab too lets a project's variables replace predefined ones.
func withDefaults(defaults, vars []Variable) []Variable {
	named := make(map[string]bool, len(vars))
	for _, v := range vars {
		named[v.Key] = true
	}
	kept := slices.DeleteFunc(defaults, func(v Variable) bool { return named[v.Key] })
	return append(kept, vars...)
}

// predefined is the ordinary set of GitLab's predefined variables, in a fixed
// order. Those of the runner (such as CI_PROJECT_DIR) are not among them.
func (j *Job) predefined(base *url.URL) []Variable {
	var vars []Variable
	public := func(pairs ...string) {
		for i := 0; i < len(pairs); i += 2 {
			vars = append(vars, Variable{Key: pairs[i], Value: pairs[i+1], Public: true})
		}
	}
	server := base.String()
	id, projectID := strconv.FormatInt(j.ID, 10), strconv.FormatInt(j.Info.ProjectID, 10)
	pipeline := strconv.FormatInt(j.Info.PipelineID, 10)
	project := server + "/" + j.Info.ProjectFullPath
	namespace := path.Dir(j.Info.ProjectFullPath)

	public("CI", "true", "GITLAB_CI", "true",
		"CI_JOB_ID", id, "CI_JOB_URL", project+"/-/jobs/"+id, "CI_JOB_NAME", j.Info.Name, "CI_JOB_NAME_SLUG", slug(j.Info.Name), "CI_JOB_STAGE", j.Info.Stage,
		"CI_PIPELINE_ID", pipeline, "CI_PIPELINE_IID", pipeline, "CI_PIPELINE_URL", project+"/-/pipelines/"+pipeline, "CI_PIPELINE_SOURCE", "push",
		"CI_PROJECT_ID", projectID, "CI_PROJECT_NAME", j.Info.ProjectName, "CI_PROJECT_PATH", j.Info.ProjectFullPath,
		"CI_PROJECT_PATH_SLUG", slug(j.Info.ProjectFullPath), "CI_PROJECT_NAMESPACE", namespace, "CI_PROJECT_URL", project, "CI_PROJECT_VISIBILITY", "private",
		"CI_SERVER_URL", server, "CI_SERVER_HOST", base.Hostname(), "CI_SERVER_PORT", base.Port(), "CI_SERVER_PROTOCOL", base.Scheme,
		"CI_SERVER_NAME", "GitLab", "CI_API_V4_URL", server+apiPrefix,
		"CI_DEFAULT_BRANCH", "main", "CI_COMMIT_SHA", j.Git.SHA, "CI_COMMIT_SHORT_SHA", j.Git.SHA[:min(8, len(j.Git.SHA))],
		"CI_COMMIT_BEFORE_SHA", j.Git.BeforeSHA, "CI_COMMIT_REF_NAME", j.Git.Ref, "CI_COMMIT_REF_SLUG", slug(j.Git.Ref),
		"CI_COMMIT_REF_PROTECTED", strconv.FormatBool(j.protected()),
		"GITLAB_USER_ID", strconv.FormatInt(j.Info.UserID, 10), "GITLAB_USER_LOGIN", "tester")
	if j.Git.RefType == "tag" {
		public("CI_COMMIT_TAG", j.Git.Ref)
	} else {
		public("CI_COMMIT_BRANCH", j.Git.Ref)
	}
	vars = append(vars, Variable{Key: "CI_JOB_TOKEN", Value: j.Token, Masked: true})
	if j.Git.RepoURL == "" {
		public("GIT_STRATEGY", "none")
	} else {
		vars = append(vars, Variable{Key: "CI_REPOSITORY_URL", Value: j.Git.RepoURL})
		public("GIT_DEPTH", strconv.Itoa(j.Git.Depth))
	}
	return vars
}

// protected is the ref's protection, false where it is not known.
func (j *Job) protected() bool { return j.Git.Protected != nil && *j.Git.Protected }

// slug is GitLab's form of a name for host names: lower case, at most 63
// characters, everything but letters and digits replaced by "-".
func slug(s string) string {
	s = strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(s))
	return strings.Trim(s[:min(63, len(s))], "-")
}
