#!/bin/sh
# The job script that sbatch gets.
#
# sbatch reads options in lines that begin with #PBS or #BSUB, wherever they stand among the
# first 100 (Slurm src/sbatch/opt.c, _opt_wrpr_batch_script). So podman's command line, some
# words of which the job has chosen, is one line: a line break in it is $n.
# shellcheck disable=SC2034 # @PODMAN@ uses n

n='
'
cd @DIR@ && exec 3<input && rm -f input && mkfifo -m 600 pipe said || exit 125
# The output goes through a pipe to a writer. The shell's limit for the size of a file, in
# blocks of 512 bytes, keeps it from writing more than the file may have; it then says so, and
# drops the rest, since the script must not end for that. Signals that are for the job do not
# end the writer. Neither does the container's end if something else holds the pipe; then it
# gets 5 s.
{
	trap '' TERM USR1 XFSZ
	( ulimit -f @BLOCKS@; exec cat ) >>output 2>/dev/null || {
		printf '\n%s\n' '@DROPPED@' >>output
		cat >/dev/null
	}
} <said 3<&- >/dev/null 2>&1 &
writer=$!
# The container's standard input stays open after the script, as with an attached launcher:
# its end tells the script to stop. It ends when the feeder is killed, by this shell or by
# Slurm, which sends SIGTERM to all processes of the job.
{ cat <&3; exec 3<&- sleep 2147483647; } >pipe &
feeder=$!
trap 'kill "$feeder"' TERM USR1
exec 3<&-
@PODMAN@ <pipe >said 2>&1 &
podman=$!
wait "$podman"
status=$?
while kill -s 0 "$podman" 2>/dev/null; do
	wait "$podman"
	status=$?
done
kill "$feeder" 2>/dev/null
tries=0
while kill -s 0 "$writer" 2>/dev/null && [ "$tries" -lt 50 ]; do
	tries=$((tries + 1))
	sleep 0.1 || sleep 1
done
rm -f pipe said
echo "$status" >end
exit "$status"
