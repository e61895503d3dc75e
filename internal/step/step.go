// Package step defines the steps of a job: which container each belongs to, and how its script
// gets there and runs.
//
// The script travels on standard input. A container's command is a short stub that saves it to
// a tmpfs and runs it with the entry point. So nothing is shared with the host, nothing is
// written to a disk, and the script is readable even if the image's user is not root.
package step

// Where is where a step runs.
type Where int

const (
	// User is the user container. Every step belongs there unless it is known to be the
	// runner's own, and so do the steps of future runners.
	User Where = iota
	// Runner is the runner container, or the host with step_script_only.
	Runner
)

// runnerSteps are the steps that gitlab-runner makes itself, as the docker
// executor maps them to its helper container (gitlab-runner common/build.go:751).
var runnerSteps = map[string]bool{
	"prepare_script":              true,
	"get_sources":                 true,
	"clear_worktree":              true,
	"boot_verify_probes":          true,
	"restore_cache":               true,
	"download_artifacts":          true,
	"archive_cache":               true,
	"archive_cache_on_failure":    true,
	"upload_artifacts_on_success": true,
	"upload_artifacts_on_failure": true,
	Last:                          true,
}

// Last is the last step of a job, unless the job is stopped before it (gitlab-runner
// common/build.go:1061).
const Last = "cleanup_file_variables"

// WhereOf returns where the step with that name runs.
func WhereOf(name string) Where {
	if runnerSteps[name] {
		return Runner
	}
	return User
}

// IsScript reports whether the step with that name is the job's script: its before_script and
// script together.
func IsScript(name string) bool { return name == "build_script" || name == "step_script" }

// Dir is the mount point, in both containers, of the tmpfs that holds the
// script while it runs. Nothing else may be mounted there.
const Dir = "/run/podman-executor"

// Tmpfs is that mount, for `podman create --tmpfs`: every user of the image may
// write there, and run what is there.
const Tmpfs = Dir + ":rw,exec,nosuid,nodev,size=64m,mode=1777,notmpcopyup"

// pwsh is PowerShell's command line before a script's name, as in the runner's own shell
// executor (gitlab-runner shells/powershell.go:190).
const pwsh = "pwsh -NoProfile -NonInteractive -ExecutionPolicy Bypass -File"

// ExitNoShell is the exit code of a container, by stub.sh, if the script is for PowerShell
// and the image has none.
const ExitNoShell = 127

// Private is the directory in [Dir] for pipes and files that the container shares with the
// driver. If the container's user is root, no other user can enter it.
const Private = Dir + "/private"

// EntryPoint is what comes before the script file on the command line.
type EntryPoint struct {
	Words []string
	// Shell means that the image's best shell comes after the words, Login that this is a login
	// shell, which reads the image's profile.
	Shell, Login bool
}
