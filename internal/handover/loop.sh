# shellcheck shell=sh
# The command of a container that stays for the whole job.
#
# Any POSIX shell runs it. It waits for the name of a step, and runs the stub
# (internal/step/stub.sh), its first argument, with the step's pipes and the other arguments.
# An empty line ends it.

umask 077
dir=@DIR@ steps=@PIPES@ stub=$1 last=
shift
# A pipe that is opened for both directions opens at once, and its reader never sees an end.
# Who opens `alive` can see by it whether this shell lives.
exec 8<>"$steps/alive" 9<>"$steps/next" || exit 125
trap : TERM
while [ ! "$last" ] && IFS= read -r step <&9 && [ "$step" ]; do
	pipes=$steps/$step
	(
		# The step's pipes are opened for both directions first, since the program that made
		# them may be gone, and then for one: the end of `in` tells the step to stop.
		exec 8>&- 9>&- 3<>"$pipes/in" 4<>"$pipes/out" 5<>"$pipes/err" &&
			exec <"$pipes/in" >"$pipes/out" 2>"$pipes/err" 3>&- 4>&- 5>&- && eval "$stub"
	)
	status=$?
	# Kill what the step leaves behind before its status is reported, as when a container
	# ended with the step. `kill` fails when no process is left; the empty subshell lets
	# the shell wait for children that it inherited from dead processes.
	#
	# The container ends, and is started again for the next step, if a process survives
	# (such as one of sudo's, if the image's user is not root), if what the step wrote beside
	# the script cannot be emptied, or if processes outside the container are visible. Then
	# it stops taking steps before it reports the status of its last one.
	n=0
	[ $$ -le 2 ] || last=1
	while [ ! "$last" ] && kill -s KILL -- -1; do
		n=$((n + 1))
		[ $n -lt 1000 ] || last=1
		(:)
	done
	(: >"$dir/script" && : >"$dir/script.ps1" && : >"$dir/started") || last=1
	[ ! "$last" ] || exec 8>&- 9>&-
	echo "$status" 1<>"$pipes/status"
done 2>/dev/null
