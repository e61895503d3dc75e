# shellcheck shell=sh
# The command of a container of one step, which something like Slurm starts on another
# machine.
#
# Any POSIX shell runs it. Its arguments are the stub (internal/step/stub.sh) and those of
# the stub. It reports the script's exit code by a file, since launchers use exit codes for
# failures that are not the script's.

report=@REPORT@ stub=$1
shift
(: >"$report/started") || exit 125
# Name the job of Slurm if there is one.
[ ! "$SLURM_JOB_ID" ] || echo "Slurm job $SLURM_JOB_ID runs on $SLURMD_NODENAME"
trap : TERM
(eval "$stub")
status=$?
echo "$status" >"$report/status"
exit "$status"
