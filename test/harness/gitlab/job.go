package gitlab

// Job is what POST jobs/request answers: the fields of common/spec/spec.go:542
// that GitLab fills today. Left out are inputs, secrets, run, policy_options and
// suspend_options, which have no use here ("run": null does not even decode,
// spec.go:572).
type Job struct {
	ID            int64        `json:"id"`    // set by [Server.Submit]
	Token         string       `json:"token"` // set by [Server.Submit]
	AllowGitFetch bool         `json:"allow_git_fetch"`
	Info          JobInfo      `json:"job_info"`
	Git           GitInfo      `json:"git_info"`
	Runner        RunnerInfo   `json:"runner_info"`
	Variables     []Variable   `json:"variables"` // [Server.Submit] puts the predefined ones before these
	Steps         []Step       `json:"steps"`
	Image         Image        `json:"image,omitzero"`
	Services      []Image      `json:"services"`
	Artifacts     []Artifact   `json:"artifacts"`
	Cache         []Cache      `json:"cache"`
	Credentials   []Credential `json:"credentials"`
	Dependencies  []Dependency `json:"dependencies"`
	Features      Features     `json:"features"`
	Hooks         []Hook       `json:"hooks,omitempty"`

	// FinalReplies are the HTTP statuses of the first final updates; after
	// them the server judges the trace itself. 412 makes the runner send the
	// whole trace again, 202 makes it ask again later (network/trace.go:244).
	FinalReplies []int `json:"-"`

	// Edit, when set, is the last to see the job before it is queued: with id,
	// token and predefined variables in place. It may change anything but ID
	// and Token.
	Edit func(*Job) `json:"-"`
}

// JobInfo names the job, its pipeline and its project.
type JobInfo struct {
	Name            string  `json:"name"`
	Stage           string  `json:"stage"`
	PipelineID      int64   `json:"pipeline_id"`
	ProjectID       int64   `json:"project_id"`
	ProjectName     string  `json:"project_name"`
	ProjectFullPath string  `json:"project_full_path"`
	NamespaceID     int64   `json:"namespace_id"`
	RootNamespaceID int64   `json:"root_namespace_id"`
	OrganizationID  int64   `json:"organization_id"`
	InstanceID      string  `json:"instance_id"`
	InstanceUUID    string  `json:"instance_uuid"`
	UserID          int64   `json:"user_id"`
	TimeInQueue     float64 `json:"time_in_queue_seconds"`
	ProjectJobs     string  `json:"project_jobs_running_on_instance_runners_count"`
}

// GitInfo says what to check out; see [Repository.Checkout]. With an empty
// RepoURL the job gets GIT_STRATEGY=none. SHA needs 8 characters at least.
type GitInfo struct {
	RepoURL   string   `json:"repo_url"` // [Server.Submit] adds the job's credentials
	Ref       string   `json:"ref"`
	SHA       string   `json:"sha"`
	BeforeSHA string   `json:"before_sha"`
	RefType   string   `json:"ref_type"` // "branch" or "tag"
	Refspecs  []string `json:"refspecs"`
	Depth     int      `json:"depth"`     // 0 fetches everything
	Protected *bool    `json:"protected"` // nil is what a GitLab too old to tell sends
}

// RunnerInfo carries the job's timeout in seconds; 0 means two hours.
type RunnerInfo struct {
	Timeout int `json:"timeout"`
}

// Variable is one CI/CD variable. Raw ones are not expanded; of File ones the
// script sees a path.
type Variable struct {
	Key    string `json:"key"`
	Value  string `json:"value"`
	Public bool   `json:"public"`
	File   bool   `json:"file"`
	Masked bool   `json:"masked"`
	Raw    bool   `json:"raw"`
}

// Step is a list of commands of the job's author: "script" or "after_script",
// any other name becomes the stage step_NAME.
type Step struct {
	Name         string   `json:"name"`
	Script       []string `json:"script"`
	Timeout      int      `json:"timeout"`
	When         string   `json:"when"`
	AllowFailure bool     `json:"allow_failure"`
}

// Image is the job's image or a service. Alias may hold several names, split by
// spaces or commas.
type Image struct {
	Name            string          `json:"name"`
	Alias           string          `json:"alias,omitempty"`
	Entrypoint      []string        `json:"entrypoint,omitempty"`
	Command         []string        `json:"command,omitempty"`
	Variables       []Variable      `json:"variables,omitempty"`
	PullPolicy      []string        `json:"pull_policy,omitempty"`
	ExecutorOptions ExecutorOptions `json:"executor_opts,omitzero"`
}

// ExecutorOptions are the image's settings for one executor only. The runner
// fails a job at pickup that has keys it does not know here.
type ExecutorOptions struct {
	Docker DockerOptions `json:"docker,omitzero"`
}

// DockerOptions are image:docker of .gitlab-ci.yml.
type DockerOptions struct {
	Platform string `json:"platform,omitempty"`
	User     string `json:"user,omitempty"`
}

// Artifact asks for an upload after the script; what arrives is an [Upload].
type Artifact struct {
	Name      string   `json:"name"`
	Untracked bool     `json:"untracked"`
	Paths     []string `json:"paths"`
	Exclude   []string `json:"exclude"`
	When      string   `json:"when"`            // on_success (also when empty), on_failure, always
	Type      string   `json:"artifact_type"`   // "archive", or a report's type such as "junit"
	Format    string   `json:"artifact_format"` // "zip"; "gzip" for reports
	ExpireIn  string   `json:"expire_in"`
}

// Cache is restored before the script and saved after it.
type Cache struct {
	Key          string   `json:"key"`
	Untracked    bool     `json:"untracked"`
	Policy       string   `json:"policy"` // pull-push, pull, push
	Paths        []string `json:"paths"`
	When         string   `json:"when"`
	FallbackKeys []string `json:"fallback_keys"`
}

// Credential is a registry login. The runner heeds only Type "registry", in
// lower case (helpers/docker/auth/auth.go:230).
type Credential struct {
	Type     string `json:"type"`
	URL      string `json:"url"`
	Username string `json:"username"`
	Password string `json:"password"`
}

// Dependency is an earlier job whose archive is downloaded first; see
// [Run.Dependency].
type Dependency struct {
	ID            int64         `json:"id"`
	Token         string        `json:"token"`
	Name          string        `json:"name"`
	ArtifactsFile ArtifactsFile `json:"artifacts_file"`
}

// ArtifactsFile describes a dependency's archive; without Filename the runner
// downloads nothing.
type ArtifactsFile struct {
	Filename string `json:"filename"`
	Size     int64  `json:"size"`
}

// Features is what the server can do. The runner translates failure reasons
// that are not listed here (common/failure_reason_mapper.go).
type Features struct {
	TraceSections     bool     `json:"trace_sections"`
	TokenMaskPrefixes []string `json:"token_mask_prefixes"`
	FailureReasons    []string `json:"failure_reasons"`
}

// Hook is a script around get_sources: pre_get_sources_script or
// post_get_sources_script.
type Hook struct {
	Name   string   `json:"name"`
	Script []string `json:"script"`
}
