package step

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Report is where a container that was launched elsewhere has the directory in which it
// tells of itself: `started`, an empty file, and `status`, the script's exit code.
const Report = Private + "/report"

// The files in [Report].
const (
	StartedFile = "started"
	StatusFile  = "status"
)

// launched is the command of a container of one step, which something like Slurm runs on
// another machine, for any POSIX shell. Its arguments are the stub, and the stub's. The exit
// code comes back by a file: launchers use codes of their own. Slurm's job is named where it
// is one.
const launched = hide + `report=` + Report + ` stub=$1
shift
(: >"$report/` + StartedFile + `") || exit 125
[ ! "$SLURM_JOB_ID" ] || echo "Slurm job $SLURM_JOB_ID runs on $SLURMD_NODENAME"
trap : TERM
(eval "$stub")
status=$?
echo "$status" >"$report/` + StatusFile + `"
exit "$status"
`

// LaunchedCommand returns the arguments of `sh` for a container that is launched
// elsewhere for one step, see [Command]. There is nobody to kill a script that does not
// stop, so the stub's watcher does it, after the grace period, in whole seconds.
func LaunchedCommand(entry EntryPoint, grace time.Duration) []string {
	kill := fmt.Sprintf("%s; sleep %d; kill -s KILL -- -1", tellAll, int(grace/time.Second))
	return slices.Concat([]string{"-c", launched, "podman-executor", strings.Replace(stub, tellAll, kill, 1)}, arguments(User, entry, Sources{}, nil))
}
