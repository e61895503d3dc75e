package policy

import (
	"strings"
	"time"
)

// NoRunnerBinary is the value of runner_binary that leaves the runner image as
// it is.
const NoRunnerBinary = "none"

// General is the table [general]: what holds for the driver as a whole.
type General struct {
	// RunMechanism must be "podman". The key is required, so that a Jacamar
	// file in which the mechanism is off is not taken for a policy.
	RunMechanism string `toml:"run_mechanism" required:"true"`
	// DataDir is the host directory for builds and cache, absolute. Empty:
	// they are podman volumes. `step_script_only` needs it. Nobody else may be able to
	// put something in its place; it may lie in a sticky directory.
	DataDir string `toml:"data_dir"`
	// StateDir is the host directory, absolute, of what has to outlive jobs: which
	// images of the local storage only some projects may read, when builds, caches and
	// images were last used, and which podman secrets the services of jobs have. It must
	// live as long as podman's storage does, and nobody else may be able to put something
	// in its place. Policies whose podmans have different storages need a directory each.
	StateDir string `toml:"state_dir" default:"podman-executor in $XDG_STATE_HOME, else in $HOME/.local/state, else in /var/lib"`
	// MinFreeSpace is how much space must be free before a job starts, in podman's
	// storage and in `data_dir`: a number with b, k, m, g or t, such as "5g". With
	// less, the job fails as a failure of the system. Absent: jobs start until the
	// disk is full. The storage of a podman service (`service_url`) is not looked at.
	MinFreeSpace Size `toml:"min_free_space" default:"none"`
	// LogLevel is the level of the administrator's own log: "error",
	// "warning", "info" or "debug". "debug" records each podman command line.
	LogLevel string `toml:"log_level" default:"info"`
	// LogFile is the file that the administrator's own log is appended to,
	// absolute; it is created with mode 0600. Nobody else may be able to write to it, or
	// to put something in its place. Empty: there is no such log.
	LogFile string `toml:"log_file"`
	// LogFormat is "text" or "json".
	LogFormat string `toml:"log_format" default:"text"`

	Podman Podman `toml:"podman"`
}

// Podman is the table [general.podman]: which podman runs the jobs, and what
// jobs may ask of it.
type Podman struct {
	// ApplicationPath is the podman program, an absolute path. Neither its
	// group nor others may be able to write to it, or to put something in its place.
	// Empty: `podman` found on
	// /usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin.
	ApplicationPath string `toml:"application_path" default:"podman on the fixed PATH"`
	// RunnerImage is the image of the runner container, in which the steps
	// that gitlab-runner makes itself run (clone, cache, artifacts). It must
	// hold bash and git, and gitlab-runner where `runner_binary` brings none.
	// Required unless `step_script_only`.
	RunnerImage string `toml:"runner_image" podman:"create IMAGE"`
	// RunnerOptions are further options of `podman create` for the runner
	// container, one word an entry, appended as they stand.
	RunnerOptions []string `toml:"runner_options" podman:"create OPTIONS"`
	// RunnerEntryPoint are the words put before the script file in the runner
	// container. Empty: `bash -l -c`, or `sh` where the image has no bash.
	RunnerEntryPoint []string `toml:"runner_entry_point" default:"bash -l -c"`
	// RunnerBinary is the gitlab-runner program of this host that the runner
	// container gets in front of its image's own, so that both are of one
	// version: an absolute path, or "none" for the image's own. Empty: the
	// gitlab-runner that calls the driver, where it is statically linked, as
	// GitLab's packages are, and there is no `service_url`. Steps on the host
	// (`step_script_only`) find it by its name, gitlab-runner. Nobody else may be able to
	// write to it, or to put something in its place.
	RunnerBinary string `toml:"runner_binary" default:"the running gitlab-runner" podman:"create --volume"`
	// DefaultImage is the image of jobs without `image:`. There is no default:
	// without the key such a job is refused.
	DefaultImage string `toml:"default_image" podman:"create IMAGE"`
	// CustomOptions are further options of `podman create` for the user
	// container, one word an entry, appended as they stand.
	CustomOptions []string `toml:"custom_options" podman:"create OPTIONS"`
	// UserEntryPoint are the words put before the script file in the user
	// container, whatever the job's `image:entrypoint` says. Empty: the job's
	// `image:entrypoint` followed by the shell, else `bash -l -c`, or `sh`
	// where the image has no bash.
	UserEntryPoint []string `toml:"user_entry_point" default:"bash -l -c"`
	// StepScriptOnly runs only the job's own scripts in a container; the steps
	// that gitlab-runner makes itself are run by bash on the host, as the
	// runner's own user, in `data_dir`. Hooks that the job's author writes
	// (`hooks:pre_get_sources_script`) are part of those steps: set it only
	// where job authors are trusted with that user. A job's user is that user, too,
	// whatever its number in the container.
	StepScriptOnly bool `toml:"step_script_only"`
	// Launcher are the words of a command that runs podman somewhere else, such as
	// ["srun", "--quiet"]: it comes before the podman command of each script of the
	// job's author, whose container lives as long as the script. In a word,
	// `{job_id}`, `{job_name}`, `{project_id}` and `{project}` stand for the job's
	// own. Of a name only letters, digits, `.`, `_` and `-` are left. `{project}` is the
	// project's path with `+` for each slash; one of more than 100 bytes is cut, and ends with a
	// hash. No two projects have the same word, but who may make groups chooses the path: for
	// accounts take `{project_id}`. The program is an absolute path, or
	// found on the PATH that podman gets. Needs `step_script_only`, and a `data_dir` that is the
	// same directory on both sides. See docs/clusters.md.
	Launcher []string `toml:"launcher" default:"none"`
	// LauncherMode is "attached" for a launcher that hands standard input and output
	// on and ends with podman's exit code, as srun does, or "batch" for `sbatch`,
	// which gets a job script.
	LauncherMode string `toml:"launcher_mode" default:"attached"`
	// SchedulerVariable is the name of the CI variable with which a job adds options
	// to the launcher, separated by blanks; Jacamar's users know
	// SCHEDULER_PARAMETERS. Empty: jobs cannot.
	SchedulerVariable string `toml:"scheduler_variable"`
	// SchedulerAllowList are regular expressions; each of those options must begin with
	// `-`, and match one of them whole. Absent or empty: none is allowed.
	SchedulerAllowList []Rule `toml:"scheduler_allow_list"`
	// StartPerStep starts a container anew for each step that it has. Else each is started
	// once, and runs one step after the other, which makes a short job twice as fast.
	// With `service_url` or another `runtime` they are always started anew.
	StartPerStep bool `toml:"start_per_step"`
	// DisableContainerRemoval keeps the job's containers after the job, for a
	// look at them: `podman ps -a --filter label=io.podman-executor.job=ID`.
	DisableContainerRemoval bool `toml:"disable_container_removal"`
	// ImageEntryPoint runs an image's own ENTRYPOINT, as docker does: it comes
	// before the shell in the user container, unless `user_entry_point` or the
	// job's `image:entrypoint` say otherwise; `entrypoint: [""]` clears it. A
	// job whose entry point does not run its script fails.
	ImageEntryPoint bool `toml:"image_entry_point"`
	// ImagePullPolicy says when images are pulled: podman's "always",
	// "missing", "never", "newer", or GitLab's "if-not-present" (= "missing");
	// of a list each is tried until one gives the image. It holds for all
	// images. Without the key a job's own image is always pulled, so that the
	// registry decides who may read it, and the administrator's images are
	// pulled when they are missing.
	ImagePullPolicy PullPolicies `toml:"image_pull_policy" default:"always; missing for runner_image and default_image" podman:"pull"`
	// AllowedPullPolicies are those that a job may choose by
	// `image:pull_policy` and `services:pull_policy`, in its own order. Absent:
	// a job may only name what is in force.
	AllowedPullPolicies PullPolicies `toml:"allowed_pull_policies" default:"those of image_pull_policy"`
	// RegistryAuthFile has credentials for registries that every job may pull
	// with, absolute: docker's config.json, or what `podman login --authfile`
	// writes. Its helpers (`credHelpers`, `credsStore`) run as the runner's
	// user. A job's DOCKER_AUTH_CONFIG comes before it, the credentials that
	// GitLab sends behind it; the longest path of a registry wins. Others may
	// not be able to read the file, nor anybody else to write to it, or to put something
	// in its place.
	RegistryAuthFile string `toml:"registry_auth_file" podman:"pull --authfile"`
	// ImageAllowList are regular expressions; a job's image must match one of
	// them whole, by its fully qualified name: `debian:12` is
	// docker.io/library/debian:12, and so are the other names of Docker Hub's registry.
	// A dot is any character: write `registry\.example\.com/.*`, or
	// registry-example.com is allowed, too. Absent or empty: every image is allowed.
	// The administrator's own images are never checked.
	ImageAllowList []Rule `toml:"image_allow_list"`
	// AllowedUsers are the users, USER or USER:GROUP, that a job may name with
	// `image:docker:user`; numbers are compared as numbers, 00 is 0. A number
	// without a group has the group of the same number, and no others: 1000 is
	// 1000:1000. A name, of a user or a group, means what the image's /etc/passwd
	// and /etc/group say, and may be root there: list numbers where it matters.
	// Absent or empty: any, and then the image says, too, which groups a number
	// without a group has. The image's own user is always allowed.
	AllowedUsers []string `toml:"allowed_users" podman:"create --user"`
	// AllowedServiceUsers are the same for `services:docker:user`. Absent or empty:
	// `allowed_users` holds for services, too.
	AllowedServiceUsers []string `toml:"allowed_service_users" podman:"create --user"`
	// ServiceAllowList are regular expressions like those of `image_allow_list`,
	// for the images of a job's `services:`. Absent or empty:
	// `image_allow_list` holds for them, too.
	ServiceAllowList []Rule `toml:"service_allow_list"`
	// ServicesLimit is the largest number of services that a job may have, those
	// of the policy counted; -1: any number.
	ServicesLimit Integer `toml:"services_limit" default:"16"`
	// WaitForServicesTimeout is how long a job waits until its services are
	// ready, in seconds. A negative number: it does not wait.
	WaitForServicesTimeout Integer `toml:"wait_for_services_timeout" default:"30"`
	// EnableIPv6 gives the network of a job with services IPv6, too.
	EnableIPv6 bool `toml:"enable_ipv6" podman:"network create --ipv6"`
	// NetworkMTU is the largest packet on that network, in bytes.
	NetworkMTU Integer `toml:"network_mtu" default:"podman's" podman:"network create --opt mtu"`
	// Services are services that every job gets, before its own: tables
	// `[[general.podman.services]]` with the keys `name` (the image), `alias`
	// (a list; the last part of the image's path is one, too), `entrypoint`,
	// `command` and `environment` (NAME=value).
	Services []AddedService `toml:"services"`
	// RequireLimits refuses jobs, as a failure of the system, where the machine
	// does not enforce a limit that the tables below, or the job, ask for: a
	// cgroup controller is missing. Without it that is a warning in the job log.
	RequireLimits bool `toml:"require_limits"`
	// UserVolumeVariable is the name of the CI variable with which a job asks
	// for a mount, SRC:DST[:OPTS], and the prefix of further ones: the name,
	// `_`, a suffix. Empty: jobs cannot ask for mounts.
	UserVolumeVariable string `toml:"user_volume_variable" podman:"create --volume"`
	// VolumeAllowList are regular expressions; the source of a user's mount,
	// symbolic links resolved, must match one of them whole. Absent or empty:
	// no user volume at all. What the driver, the runner, podman or other jobs keep on
	// the host is never a source, nor a directory around it, nor the files of a home and what begins
	// with a dot there. On a network or automounted file system only paths that an entry may
	// match are looked at, and only links at such paths are followed.
	VolumeAllowList []Rule `toml:"volume_allow_list"`
	// ServiceURL makes podman talk to a podman service: "unix:///PATH", a socket of
	// this machine, or "ssh://USER@HOST[:PORT]/PATH", the socket PATH of another one,
	// which OpenSSH's `ssh` brings here. Empty: podman works on this machine itself.
	// With ssh:// no key may name files of this host for jobs: `data_dir`,
	// `step_script_only`, `user_volume_variable` and the like are refused.
	ServiceURL string `toml:"service_url" podman:"--url"`
	// ServiceURLs are podman services of which each job gets one, instead of
	// `service_url`. The jobs of one project in one slot of a runner always get the
	// same, so that its builds, caches and images are there, unless it does not answer:
	// then the job log says so, and the job gets the next.
	ServiceURLs []string `toml:"service_urls" podman:"--url"`
	// Identity is the file with the private key for ssh://, absolute, without a
	// passphrase; only gitlab-runner's user may be able to read it, and nobody else to put
	// something in its place. No agent is asked, and nobody for a password. Required with
	// ssh://.
	Identity string `toml:"identity" podman:"ssh -i"`
	// KnownHosts is the file with the keys of the hosts of ssh://, absolute, as
	// sshd(8) describes it. Only root and gitlab-runner's user may be able to write to
	// it, or to put something in its place. A host with a key that it does not have is refused. Required with ssh://.
	KnownHosts string `toml:"known_hosts" podman:"ssh -o UserKnownHostsFile"`
	// Environment are variables, NAME=value, added to podman's own
	// environment, which is otherwise built from nothing.
	Environment []string `toml:"environment"`

	Timeouts         Timeouts      `toml:"timeouts"`
	Volumes          Volumes       `toml:"volumes"`
	Container        UserContainer `toml:"container"`
	ServiceContainer Container     `toml:"service_container"`
}

// Timeouts is the table [general.podman.timeouts]: how long podman's commands may
// take. One that takes longer hangs: it is stopped, and the job fails as a failure
// of the system.
type Timeouts struct {
	// Pull is for the pull of one image, in seconds. It holds other jobs up that
	// pull from the same repository.
	Pull Integer `toml:"pull" default:"3600" podman:"pull"`
	// Command is for every other command of podman, in seconds. A step's
	// container may take twice as long until it runs; how long it runs then is the
	// job's affair.
	Command Integer `toml:"command" default:"120"`
}

// Volumes is the table [general.podman.volumes]: how users' mounts are made.
type Volumes struct {
	// ReadOnly mounts every user volume read-only; a job that asks for `rw`
	// is refused.
	ReadOnly bool `toml:"read_only" podman:"create --volume …:ro"`
	// AllowedOptions are mount options that jobs may use beside `ro` and
	// `rw`, such as "z" or "noexec". Those that change the host's files or
	// reach other host paths ("U", "O", "idmap", "dev", "suid" and any with a
	// value) cannot be allowed.
	AllowedOptions []string `toml:"allowed_options" podman:"create --volume …:OPTS"`
}

// AddedService is a service that the policy adds to every job.
type AddedService struct {
	Name                string
	Aliases             []string
	Entrypoint, Command []string
	Environment         []string
}

// Integer is a whole number that the file may have.
type Integer struct {
	Value int
	Set   bool
}

// What the file does not say, and the longest that it may, in seconds: a week.
const (
	defaultPullTimeout    = 3600
	defaultCommandTimeout = 120
	maxTimeout            = 7 * 24 * 3600
)

// PullTime is how long a pull may take.
func (t Timeouts) PullTime() time.Duration { return t.Pull.seconds(defaultPullTimeout) }

// CommandTime is how long any other command may take.
func (t Timeouts) CommandTime() time.Duration { return t.Command.seconds(defaultCommandTimeout) }

// seconds returns the number, or the one for a file that does not have it.
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

// LauncherPlaceholders are what a word of the launcher may have of the job.
var LauncherPlaceholders = []string{"{job_id}", "{job_name}", "{project_id}", "{project}"}

// defaultAlias is the last part of the image's path.
func (s AddedService) defaultAlias() string {
	name := mustParseImage(s.Name).String()
	name, _, _ = strings.Cut(name[strings.LastIndex(name, "/")+1:], "@")
	name, _, _ = strings.Cut(name, ":")
	return name
}

// defaultServicesLimit is more than jobs are seen to have, and few enough that a job of
// busy services does not take the machine from all others.
const defaultServicesLimit = 16

const servicesLimitKey = "general.podman.services_limit"

// servicesLimit is how many services a job may have, negative for any number.
func (pm Podman) servicesLimit() int {
	if pm.ServicesLimit.Set {
		return pm.ServicesLimit.Value
	}
	return defaultServicesLimit
}
