package step

import "slices"

// Pipes is where a container that stays has the directory of [handover.Make],
// read-only: it may open what is there, and put nothing in its place.
const Pipes = Private + "/steps"

// loop is the command of a container that stays for the whole job, for any POSIX shell:
// it waits for the name of a step, and runs the stub, its first argument, with the
// step's pipes and the other arguments. An empty line ends it.
//
// A pipe that is opened for both directions is there at once, and has no end: so
// opened, `alive` shows whoever looks that this shell lives. The pipes of a step are
// opened for both directions first, since who made them may be gone, and only then
// for one: the end of `in` is the word to stop.
//
// What a step leaves behind is dead before its status is told, as it was when the
// container ended with the step: `kill` fails where nobody is left. (The empty subshell
// gives shells the occasion to wait for those whose parents have died.) Where a process
// resists, such as one of sudo's where the image's user is not root; where what the step
// wrote beside the script cannot be emptied; and where other processes than the
// container's can be seen, the container ends, and its next step starts it again: so it
// takes no step any more before it tells the status of its last.
const loop = hide + `umask 077
dir=` + Dir + ` steps=` + Pipes + ` stub=$1 last=
shift
exec 8<>"$steps/alive" 9<>"$steps/next" || exit 125
trap : TERM
while [ ! "$last" ] && IFS= read -r step <&9 && [ "$step" ]; do
	pipes=$steps/$step
	(
		exec 8>&- 9>&- 3<>"$pipes/in" 4<>"$pipes/out" 5<>"$pipes/err" &&
			exec <"$pipes/in" >"$pipes/out" 2>"$pipes/err" 3>&- 4>&- 5>&- && eval "$stub"
	)
	status=$?
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
`

// StayingCommand returns the arguments of `sh` for a container that stays for the whole
// job, see [Command].
func StayingCommand(place Place, entry EntryPoint, sources Sources, open ...string) []string {
	return slices.Concat([]string{"-c", loop, "podman-executor", stub}, arguments(place, entry, sources, open))
}
