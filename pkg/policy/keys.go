package policy

import (
	"strings"
	"time"
)

// NoRunnerBinary is the value of runner_binary that leaves the runner image as
// it is.
const NoRunnerBinary = "none"

// General is the table [general]: settings of the driver as a whole.
type General struct {
	// RunMechanism must be "podman". It is required, so that a Jacamar file in which the
	// mechanism is off is not taken for a policy.
	RunMechanism string `toml:"run_mechanism" required:"true"`
	// DataDir is the host directory for builds and cache, absolute. Empty: builds and cache
	// are podman volumes.
	//
	// `step_script_only` requires it. Nobody else must be able to replace it; it may be in a
	// sticky directory.
	DataDir string `toml:"data_dir"`
	// StateDir is the host directory, absolute, for records that must outlive jobs.
	//
	// The records are: which local images only some projects may read, when builds, caches
	// and images were last used, and which podman secrets the services of jobs have. Keep
	// the directory as long as podman's storage. Nobody else must be able to replace it.
	// Policies whose podmans have different storages each need a separate directory.
	StateDir string `toml:"state_dir" default:"podman-executor in $XDG_STATE_HOME, else in $HOME/.local/state, else in /var/lib"`
	// MinFreeSpace is how much space must be free before a job starts, in podman's storage
	// and in `data_dir`: a number with b, k, m, g or t, such as "5g".
	//
	// With less, the job fails as a system failure. Absent: jobs start until the disk is
	// full. The storage of a podman service (`service_url`) is not checked.
	MinFreeSpace Size `toml:"min_free_space" default:"none"`
	// LogLevel is the level of the administrator's log: "error", "warning", "info" or
	// "debug". "debug" records each podman command line.
	LogLevel string `toml:"log_level" default:"info"`
	// LogFile is the file for the administrator's log, absolute. Empty: no log.
	//
	// The driver appends to it and creates it with mode 0600. Nobody else must be able to
	// write to it or replace it.
	LogFile string `toml:"log_file"`
	// LogFormat is "text" or "json".
	LogFormat string `toml:"log_format" default:"text"`

	Podman Podman `toml:"podman"`
}

// Podman is the table [general.podman]: which podman runs the jobs, and what jobs may
// request.
type Podman struct {
	// ApplicationPath is the podman program, an absolute path. Empty: `podman` on the fixed
	// PATH.
	//
	// The fixed PATH is /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin.
	// Neither the program's group nor others must be able to write to it or replace it.
	ApplicationPath string `toml:"application_path" default:"podman on the fixed PATH"`
	// RunnerImage is the image of the runner container, which runs gitlab-runner's own steps
	// (clone, cache, artifacts). Required unless `step_script_only` is set.
	//
	// The image must contain bash and git. It must also contain gitlab-runner if
	// `runner_binary` does not provide it.
	RunnerImage string `toml:"runner_image" podman:"create IMAGE"`
	// RunnerOptions are more options of `podman create` for the runner container, one word
	// an entry, appended unchanged.
	RunnerOptions []string `toml:"runner_options" podman:"create OPTIONS"`
	// RunnerEntryPoint are the words before the script file in the runner container. Empty:
	// `bash`, or `sh` if the image has no bash.
	RunnerEntryPoint []string `toml:"runner_entry_point" default:"bash, or sh"`
	// RunnerBinary is the gitlab-runner program on this host that is mounted into the runner
	// container: an absolute path, or "none" to use the image's.
	//
	// It takes precedence over the image's gitlab-runner, so that the versions match. Empty:
	// the gitlab-runner that calls the driver, if it is statically linked, as GitLab's
	// packages are, and `service_url` is not set. Steps on the host (`step_script_only`)
	// find it under the name gitlab-runner. Nobody else must be able to write to it or
	// replace it.
	RunnerBinary string `toml:"runner_binary" default:"the running gitlab-runner" podman:"create --volume"`
	// DefaultImage is the image for jobs without `image:`. Absent: such a job is refused.
	DefaultImage string `toml:"default_image" podman:"create IMAGE"`
	// CustomOptions are more options of `podman create` for the user container, one word an
	// entry, appended unchanged.
	CustomOptions []string `toml:"custom_options" podman:"create OPTIONS"`
	// UserEntryPoint are the words before the script file in the user container. They
	// override the job's `image:entrypoint`.
	//
	// Empty: the job's `image:entrypoint` followed by the shell. Without an
	// `image:entrypoint`: `bash`, or `sh` if the image has no bash.
	UserEntryPoint []string `toml:"user_entry_point" default:"bash, or sh"`
	// LoginShell runs scripts in a login shell (`bash -l`), as Jacamar CI does: it reads the
	// image's /etc/profile, and ~/.bash_profile, ~/.bash_login or ~/.profile. It applies to both
	// containers.
	//
	// A profile may set other variables, another umask or another directory than the image,
	// or end the script. The image's `PATH` comes before what the profile sets. In an image
	// without bash, `sh` runs the script, and reads no profile.
	LoginShell bool `toml:"login_shell"`
	// ShortProjectDir leaves TOKEN/SLOT out of `CI_PROJECT_DIR`: it is /builds/GROUP/PROJECT, as
	// with the docker executor, and with `data_dir` the same below the project's builds there.
	//
	// Then the path is the same for all jobs of a project, and what has it inside, such as a
	// Python virtual environment, works from a cache. Jobs that run at the same time still have
	// separate builds, unless one sets `CI_CONCURRENT_PROJECT_ID` itself: then it works in the
	// builds of another job of its own project. Not with `step_script_only`.
	ShortProjectDir bool `toml:"short_project_dir"`
	// StepScriptOnly runs only the job's own scripts in a container. bash runs
	// gitlab-runner's own steps on the host, as the runner's user, in `data_dir`.
	//
	// These steps include hooks of the job's author (`hooks:pre_get_sources_script`): set it
	// only if you trust job authors with that user. A job's user is also that user, whatever
	// its uid in the container.
	StepScriptOnly bool `toml:"step_script_only"`
	// Launcher are the words of a command that runs podman on another machine, such as
	// ["srun", "--quiet"]. They come before the podman command.
	//
	// Each script of the job's author gets its own podman command, whose container lives as
	// long as the script. The program is an absolute path, or found on the PATH that podman
	// gets. It requires `step_script_only`, and a `data_dir` that is the same directory on
	// both machines. See [clusters.md](clusters.md).
	//
	// In a word, `{job_id}`, `{job_name}`, `{project_id}` and `{project}` are replaced by
	// the job's values. Of a name only letters, digits, `.`, `_` and `-` are kept.
	// `{project}` is the project's path with `+` for each slash; a path of more than 100
	// bytes is cut and ends with a hash. No two projects have the same word. But people who
	// can create groups choose the path, so use `{project_id}` for accounts.
	Launcher []string `toml:"launcher" default:"none"`
	// LauncherMode is "attached" for a launcher such as srun, which passes standard input
	// and output on and exits with podman's exit code, or "batch" for `sbatch`, which gets a
	// job script.
	LauncherMode string `toml:"launcher_mode" default:"attached"`
	// SchedulerVariable is the name of the CI variable with which a job adds options to the
	// launcher, separated by blanks; in Jacamar CI it is SCHEDULER_PARAMETERS. Empty: jobs
	// cannot.
	SchedulerVariable string `toml:"scheduler_variable"`
	// SchedulerAllowList are regular expressions. Each option that a job adds must begin
	// with `-` and match one of them completely. Absent or empty: no option is allowed.
	SchedulerAllowList []Rule `toml:"scheduler_allow_list"`
	// StartPerStep starts a container for each step. Otherwise each container is started
	// once and runs one step after the other, which makes a short job twice as fast.
	//
	// With `service_url`, or a `runtime` that is set here or in containers.conf and may have
	// another kernel, containers are always started for each step.
	StartPerStep bool `toml:"start_per_step"`
	// DisableContainerRemoval keeps the job's containers for inspection: `podman ps -a
	// --filter label=io.podman-executor.job=ID`.
	DisableContainerRemoval bool `toml:"disable_container_removal"`
	// ImageEntryPoint runs the image's ENTRYPOINT before the shell in the user container, as
	// docker does. A job whose entry point does not run its script fails.
	//
	// `user_entry_point` and the job's `image:entrypoint` take precedence; `entrypoint:
	// [""]` clears it.
	ImageEntryPoint bool `toml:"image_entry_point"`
	// ImagePullPolicy says when images are pulled: podman's "always", "missing", "never",
	// "newer", or GitLab's "if-not-present" (the same as "missing"). It applies to all
	// images.
	//
	// The policies of a list are tried in order until one finds the image. Without the key,
	// a job's own image is always pulled, so that the registry decides who may read it, and
	// the administrator's images are pulled if they are missing.
	ImagePullPolicy PullPolicies `toml:"image_pull_policy" default:"always; missing for runner_image and default_image" podman:"pull"`
	// AllowedPullPolicies are the pull policies that a job may choose with
	// `image:pull_policy` and `services:pull_policy`, in its own order. Absent: only those
	// of `image_pull_policy`.
	AllowedPullPolicies PullPolicies `toml:"allowed_pull_policies" default:"those of image_pull_policy"`
	// RegistryAuthFile is the file with credentials for registries that every job may pull
	// with, absolute: docker's config.json, or the output of `podman login --authfile`.
	//
	// Its helpers (`credHelpers`, `credsStore`) run as the runner's user. A job's
	// DOCKER_AUTH_CONFIG takes precedence over it, and it takes precedence over the
	// credentials that GitLab sends; the longest matching path of a registry wins. Others
	// must not be able to read the file. Nobody else must be able to write to it or replace
	// it.
	RegistryAuthFile string `toml:"registry_auth_file" podman:"pull --authfile"`
	// ImageAllowList are regular expressions. The fully qualified name of a job's image must
	// match one of them completely. Absent or empty: every image is allowed.
	//
	// `debian:12` is docker.io/library/debian:12, and so are the other names of Docker Hub's
	// registry. A dot matches any character: write `registry\.example\.com/.*`, or
	// registry-example.com is also allowed. The administrator's own images are never
	// checked.
	ImageAllowList []Rule `toml:"image_allow_list"`
	// AllowedUsers are the users, USER or USER:GROUP, that a job may name with
	// `image:docker:user`. The image's own user is always allowed. Absent or empty: any
	// user.
	//
	// Numbers are compared as numbers: 00 is 0. A number without a group has the group of
	// the same number and no others: 1000 is 1000:1000. If the list is absent or empty, the
	// image decides which groups a number without a group has. A name, of a user or a group,
	// means what the image's /etc/passwd and /etc/group say, which may be root: list numbers
	// if it matters.
	AllowedUsers []string `toml:"allowed_users" podman:"create --user"`
	// AllowedServiceUsers are the same for `services:docker:user`. Absent or empty:
	// `allowed_users` also applies to services.
	AllowedServiceUsers []string `toml:"allowed_service_users" podman:"create --user"`
	// ServiceAllowList are regular expressions like those of `image_allow_list`, for the
	// images of a job's `services:`. Absent or empty: `image_allow_list` also applies to
	// services.
	ServiceAllowList []Rule `toml:"service_allow_list"`
	// ServicesLimit is the largest number of services that a job may have, including those
	// of the policy; -1: no limit.
	ServicesLimit Integer `toml:"services_limit" default:"16"`
	// WaitForServicesTimeout is how long a job waits until its services are ready, in
	// seconds. A negative number: it does not wait.
	WaitForServicesTimeout Integer `toml:"wait_for_services_timeout" default:"30"`
	// EnableIPv6 also gives IPv6 to the network of a job with services.
	EnableIPv6 bool `toml:"enable_ipv6" podman:"network create --ipv6"`
	// NetworkMTU is the largest packet on that network, in bytes.
	NetworkMTU Integer `toml:"network_mtu" default:"podman's" podman:"network create --opt mtu"`
	// Services are services that every job gets, before its own: tables
	// `[[general.podman.services]]`.
	//
	// The keys of such a table are `name` (the image), `alias` (a list; the last part of the
	// image's path is also an alias), `entrypoint`, `command` and `environment`
	// (NAME=value).
	Services []AddedService `toml:"services"`
	// RequireLimits refuses jobs, as a system failure, if the machine does not enforce a
	// limit of the tables below or of the job. Otherwise the job log has a warning.
	//
	// A limit is not enforced if podman lacks its cgroup controller.
	RequireLimits bool `toml:"require_limits"`
	// UserVolumeVariable is the name of the CI variable with which a job requests a mount,
	// SRC:DST[:OPTS]. Empty: jobs cannot request mounts.
	//
	// For more mounts, a job sets variables with this name, `_` and a suffix.
	UserVolumeVariable string `toml:"user_volume_variable" podman:"create --volume"`
	// VolumeAllowList are regular expressions. The source of a user's mount, with symbolic
	// links resolved, must match one of them completely. Absent or empty: no user volumes.
	//
	// Never allowed are: what the driver, the runner, podman or other jobs keep on the host;
	// a directory around it; the files of a home directory, and names there that begin with
	// a dot. On a network or automounted file system, only paths that an entry may match are
	// looked at, and only links at such paths are followed.
	VolumeAllowList []Rule `toml:"volume_allow_list"`
	// ServiceURL is the podman service to use: "unix:///PATH", a socket on this machine, or
	// "ssh://USER@HOST[:PORT]/PATH", a socket on another one. Empty: podman on this machine.
	//
	// OpenSSH's `ssh` forwards the socket of another machine. With ssh:// no key may name
	// files of this host for jobs: `data_dir`, `step_script_only`, `user_volume_variable`
	// and similar keys are refused.
	ServiceURL string `toml:"service_url" podman:"--url"`
	// ServiceURLs are podman services, one of which each job gets, instead of `service_url`.
	//
	// The jobs of one project in one slot of a runner always get the same service, so that
	// its builds, caches and images are there. If it does not answer, the job log says so,
	// and the job gets the next one.
	ServiceURLs []string `toml:"service_urls" podman:"--url"`
	// Identity is the file with the private key for ssh://, absolute, without a passphrase.
	// Required with ssh://.
	//
	// Only gitlab-runner's user must be able to read it, and nobody else must be able to
	// replace it. No agent is used, and no password is asked for.
	Identity string `toml:"identity" podman:"ssh -i"`
	// KnownHosts is the file with the host keys for ssh://, absolute, in the format of
	// sshd(8). Required with ssh://.
	//
	// Only root and gitlab-runner's user must be able to write to it or replace it. A host
	// whose key is not in it is refused.
	KnownHosts string `toml:"known_hosts" podman:"ssh -o UserKnownHostsFile"`
	// Environment are variables, NAME=value, added to podman's environment, which is
	// otherwise built from scratch.
	Environment []string `toml:"environment"`

	Timeouts         Timeouts      `toml:"timeouts"`
	Volumes          Volumes       `toml:"volumes"`
	Container        UserContainer `toml:"container"`
	ServiceContainer Container     `toml:"service_container"`
}

// Timeouts is the table [general.podman.timeouts]: how long podman commands may take. A
// command that takes longer is stopped, and the job fails as a system failure.
type Timeouts struct {
	// Pull is for the pull of one image, in seconds. Other jobs that pull from the same
	// repository wait for it.
	Pull Integer `toml:"pull" default:"3600" podman:"pull"`
	// Command is for every other podman command, in seconds.
	//
	// A step's container may take twice as long to start; the running step has no limit
	// here.
	Command Integer `toml:"command" default:"120"`
}

// Volumes is the table [general.podman.volumes]: how users' volumes are mounted.
type Volumes struct {
	// ReadOnly mounts every user volume read-only; a job that requests `rw` is refused.
	ReadOnly bool `toml:"read_only" podman:"create --volume …:ro"`
	// AllowedOptions are mount options that jobs may use besides `ro` and `rw`, such as "z"
	// or "noexec".
	//
	// Options that change the host's files or reach other host paths ("U", "O", "idmap",
	// "dev", "suid" and any with a value) cannot be allowed.
	AllowedOptions []string `toml:"allowed_options" podman:"create --volume …:OPTS"`
}

// AddedService is a service that the policy adds to every job.
type AddedService struct {
	Name                string
	Aliases             []string
	Entrypoint, Command []string
	Environment         []string
}

// Integer is a whole number. Set reports whether the file has it.
type Integer struct {
	Value int
	Set   bool
}

// The defaults, and the longest time that the file may have, in seconds: a week.
const (
	defaultPullTimeout    = 3600
	defaultCommandTimeout = 120
	maxTimeout            = 7 * 24 * 3600
)

// PullTime is how long a pull may take.
func (t Timeouts) PullTime() time.Duration { return t.Pull.seconds(defaultPullTimeout) }

// CommandTime is how long any other command may take.
func (t Timeouts) CommandTime() time.Duration { return t.Command.seconds(defaultCommandTimeout) }

// seconds returns the number as a duration, or absent if the file does not have the key.
func (n Integer) seconds(absent int) time.Duration {
	if !n.Set {
		n.Value = absent
	}
	return time.Duration(n.Value) * time.Second
}

// The modes of a launcher.
const (
	LauncherAttached = "attached"
	LauncherBatch    = "batch"
)

// LauncherPlaceholders may be part of a word of the launcher, and stand for values of the
// job.
var LauncherPlaceholders = []string{"{job_id}", "{job_name}", "{project_id}", "{project}"}

// defaultAlias returns the last part of the image's path.
func (s AddedService) defaultAlias() string {
	name := mustParseImage(s.Name).String()
	name, _, _ = strings.Cut(name[strings.LastIndex(name, "/")+1:], "@")
	name, _, _ = strings.Cut(name, ":")
	return name
}

// defaultServicesLimit is more than usual jobs have. A job with that many busy services
// still leaves something of the machine to others.
const defaultServicesLimit = 16

const servicesLimitKey = "general.podman.services_limit"

// servicesLimit returns how many services a job may have. Negative: any number.
func (pm Podman) servicesLimit() int {
	if pm.ServicesLimit.Set {
		return pm.ServicesLimit.Value
	}
	return defaultServicesLimit
}
