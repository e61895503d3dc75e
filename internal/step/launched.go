package step

import (
	"slices"
	"strconv"
	"time"
)

// Report is where a container that was launched elsewhere has the directory in which it
// tells of itself: `started`, an empty file, and `status`, the script's exit code.
const Report = Dir + "/report"

// The files in [Report].
const (
	StartedFile = "started"
	StatusFile  = "status"
)

// launched is the command of a container of one step, which something like Slurm runs on
// another machine, for any POSIX shell. Its arguments are a grace period in seconds, the
// stub, and the stub's. The exit code comes back by a file: launchers use codes of
// their own. There is nobody to kill a script that does not stop, so the stub's watcher
// does it.
const launched = `report=` + Report + ` stop="kill -s TERM -- -1; sleep $1; kill -s KILL -- -1" stub=$2
shift 2
(: >"$report/` + StartedFile + `") || exit 125
[ ! "$SLURM_JOB_ID" ] || echo "Slurm job $SLURM_JOB_ID runs on $SLURMD_NODENAME"
trap : TERM
(eval "$stub")
status=$?
echo "$status" >"$report/` + StatusFile + `"
exit "$status"
`

// LaunchedCommand returns the arguments of `sh` for a container that is launched
// elsewhere for one step, see [Command].
func LaunchedCommand(entry EntryPoint, grace time.Duration) []string {
	once := Command(User, entry)
	return slices.Concat([]string{"-c", launched, once[2], strconv.Itoa(int(grace / time.Second)), once[1]}, once[3:])
}
