# shellcheck shell=sh
# The command of a container of one step, which something like Slurm starts on another
# machine.
#
# Any POSIX shell runs it. It runs the stub (internal/step/stub.sh) with its arguments, and like
# the stub sets no variables. It reports the script's exit code by a file, since launchers use
# exit codes for failures that are not the script's.

(: >@REPORT@/started) || exit 125
# Name the job of Slurm if there is one.
[ ! "$SLURM_JOB_ID" ] || echo "Slurm job $SLURM_JOB_ID runs on $SLURMD_NODENAME"
trap : TERM
(step "$@")
set -- $?
echo "$1" >@REPORT@/status
exit "$1"
