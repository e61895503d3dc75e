# shellcheck shell=sh
# The command of a container that stays for the whole job.
#
# Any POSIX shell runs it. It waits for the name of a step, and runs the stub
# (internal/step/stub.sh) with the step's pipes and its own arguments. An empty line ends it.
#
# As the stub, it sets variables in subshells only: what else it keeps is in the positional
# parameters. In front of the stub's arguments they are the name of the step, and then its status.

# settle kills what the step leaves behind before its status is reported, as when a container
# ended with the step. `kill` fails when no process is left; the empty subshell lets the shell
# wait for children that it inherited from dead processes. It fails if a process survives (such
# as one of sudo's, if the image's user is not root), if what the step wrote beside the script
# cannot be emptied, or if processes outside the container are visible.
settle() {
	[ $$ -le 2 ] || return
	while kill -s KILL -- -1; do
		(:)
		[ $# -lt 1000 ] || return
		set -- "$@" again
	done
	(umask 077 && for file in script script.ps1 start login started; do : >"@DIR@/$file" || exit; done)
}

# A pipe that is opened for both directions opens at once, and its reader never sees an end.
# Who opens `alive` can see by it whether this shell lives.
exec 8<>@PIPES@/alive 9<>@PIPES@/next || exit 125
trap : TERM
while set -- "$(exec 8>&- && IFS= read -r name <&9 && echo "$name")" "$@" && [ "$1" ]; do
	(
		# The step's pipes are opened for both directions first, since the program that made
		# them may be gone, and then for one: the end of `in` tells the step to stop.
		exec 8>&- 9>&- 3<>"@PIPES@/$1/in" 4<>"@PIPES@/$1/out" 5<>"@PIPES@/$1/err" &&
			exec <"@PIPES@/$1/in" >"@PIPES@/$1/out" 2>"@PIPES@/$1/err" 3>&- 4>&- 5>&- && shift && step "$@"
	)
	set -- $? "$@"
	if settle; then
		echo "$1" 1<>"@PIPES@/$2/status"
		shift 2
		continue
	fi
	# The container ends, and is started again for the next step. It stops taking steps before it
	# reports the status of its last one.
	exec 8>&- 9>&-
	echo "$1" 1<>"@PIPES@/$2/status"
	exit
done 2>/dev/null
