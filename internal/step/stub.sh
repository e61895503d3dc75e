# shellcheck shell=sh
# The stub: the command of a container, behind hide.sh and clean.sh. It saves a script to the
# tmpfs and runs it.
#
# Any POSIX shell runs it. Its arguments are a mode, a number n, n words for the runner
# container, and the words of the entry point. The mode says what comes after those words:
# "shell" the image's best shell, "login" that shell as a login shell, "file" the script itself.
# The n words are a umask or "-", the directory of builds, the project's directory, and directories of
# volumes; n is 0 in the user container.
#
# The first line of its input has the script's size in bytes, its shell, and a Clean
# (clean.go). The shell is "sh" for bash or sh, whichever the image has, or "pwsh". A script
# for sh writes a line to the file `started` first: a job must not be green if its script did
# not arrive whole, or if an entry point or a profile ended well without running it.
#
# A shell exports a variable again that it got from its environment, with a new value: if this
# one set `dir`, the script would see that instead of the image's ENV dir. So variables are set
# in subshells only.
# shellcheck disable=SC2015 # A && B || C: C is also for a B that fails
# shellcheck disable=SC2030,SC2031 # yes, in subshells only

say() { echo "podman-executor: error: $1" >&2; }
advise() { echo "podman-executor: hint: $1" >&2; }
swallower() { echo 'the entry point'; }

# The runner container works for any user that the job's image may have. So a new volume, which
# belongs to root, is opened to everybody, as docker's helper does (gitlab-runner
# commands/helpers/cache_init.go:34), and git works in a repository that such a user has made:
# see docs/decisions/0012. These variables are those of `git -c`: the GIT_CONFIG_COUNT of a job
# does not replace them.
if [ "$2" -gt 0 ]; then
	export GIT_CONFIG_PARAMETERS="'safe.directory=*' 'core.fsmonitor=false'" GIT_CEILING_DIRECTORIES="${5%/*}"
fi

# receive saves the script, and removes what former jobs left. It returns 3 if the script is for
# PowerShell.
receive() (
	mode=$1 umask=- open=$(($2 - 3)) root=$4 project=$5
	[ "$2" -eq 0 ] || umask=$3
	[ "$2" -eq 0 ] && shift 2 || shift 5
	while [ "$open" -gt 0 ]; do
		chmod 777 "$1"
		open=$((open - 1))
		shift
	done
	# The script is for the container's user alone. If an entry point's words come before it,
	# another user may have to read it and write to `started`; which one is not known.
	words=$#
	script=@DIR@/script
	umask 022
	[ "$words" -gt 0 ] || umask 077
	# shellcheck disable=SC2046 # some wc print blanks before the number
	IFS=' ' read -r size shell clean && { [ "$shell" != pwsh ] || script=$script.ps1; } &&
		head -c "$size" >"$script" && [ $(wc -c <"$script") -eq "$size" ] || {
		say 'the script did not arrive completely; the image needs head and wc'
		exit 125
	}
	[ "$words" -gt 0 ] || true >@DIR@/started
	umask 022
	# The input stays open after the script. Its end tells the script to stop, or means that the
	# driver is dead: then a watcher sends SIGTERM to every process but the first, which ends when
	# they do. It does so only in a PID namespace that the container does not share, where the
	# stub's shell is the first process, or the second below an init: elsewhere it would signal
	# processes that are not the job's.
	exec 3<&0 </dev/null
	if [ $$ -le 2 ]; then
		{ while read -r _; do :; done <&3; @STOP@; } >/dev/null 2>&1 &
	fi
	exec 3<&-
	[ ! "$clean" ] || clean_or_say "$clean" "$root" "$project" || exit 1
	[ "$words" -eq 0 ] || ! chmod 711 @DIR@ 2>/dev/null || { true >@DIR@/started && chmod 666 @DIR@/started; }
	[ "$shell" != pwsh ] || usable_pwsh "$mode" "$@"
	if [ "$mode" = file ]; then
		[ "$words" -gt 0 ] && chmod 755 "$script" || chmod 700 "$script"
	else
		write_start "$mode" "$shell"
	fi || exit 125
	[ "$shell" = pwsh ] || exit 0
	# A script for PowerShell does not write to this file itself.
	echo >@DIR@/started
	exit 3
)

# usable_pwsh ends the subshell if nothing here can run a script for PowerShell.
usable_pwsh() {
	if [ "$1" != file ]; then
		command -v pwsh >/dev/null 2>&1 && return
		say 'the script is for PowerShell, and the image has no pwsh'
		advise 'use an image with PowerShell: shell is "pwsh" in the config.toml of this runner'
		exit 127
	fi
	shift
	for word in "$@"; do
		case ${word##*/} in
		pwsh) ;;
		*sh | busybox)
			say "the script is for PowerShell, and the entry point of the policy runs $word"
			advise 'shell is "pwsh" in the config.toml of this runner: change user_entry_point or runner_entry_point'
			exit 127
			;;
		esac
	done
}

# write_start makes the program that comes after the words of an entry point. It is one word, so
# that it runs also after `sh -c`, and begins with #!, so that anything runs it that runs its
# arguments. It looks for the shell: an entry point may have set the PATH.
write_start() {
	sh=$(command -v sh)
	case $sh in
	/*) ;;
	*) sh=/bin/sh ;;
	esac
	bash=bash
	if [ "$1" = login ]; then
		bash="bash -l @DIR@/login \"\$PATH\" $umask"
		echo '@LOGIN@' >@DIR@/login || return
	fi
	case $2 in
	pwsh) echo "#!$sh
exec @PWSH@ @DIR@/script.ps1" ;;
	*) echo "#!$sh
command -v bash >/dev/null 2>&1 && exec $bash @DIR@/script
exec sh @DIR@/script" ;;
	esac >@DIR@/start && chmod 755 @DIR@/start
}

# PowerShell, and what may end without running the script, are children of this shell and do not
# take its place. PowerShell, as the container's first process, would not get SIGTERM.
receive "$@"
case $?,$1 in
0,shell)
	[ $# -gt $(($2 + 2)) ] || {
		[ "$2" -eq 0 ] || [ "$3" = - ] || umask "$3"
		exec </dev/null
		! command -v bash >/dev/null 2>&1 || exec bash @DIR@/script
		exec sh @DIR@/script
	}
	set -- "$@" @DIR@/start
	;;
0,file) set -- "$@" @DIR@/script ;;
3,file) set -- "$@" @DIR@/script.ps1 ;;
0,login)
	swallower() { echo 'the entry point, or the profile of the login shell,'; }
	set -- "$@" @DIR@/start
	;;
3,*) set -- "$@" @DIR@/start ;;
*) exit ;;
esac
[ "$2" -eq 0 ] || [ "$3" = - ] || umask "$3"
shift $(($2 + 2))
trap : TERM
"$@" </dev/null
set -- $?
if [ ! -s @DIR@/started ] && [ "$1" -lt 128 ]; then
	say "$(swallower) ended without running the script"
	# shellcheck disable=SC2016 # for the author's eyes
	advise 'an entry point has to run its arguments, as ["/bin/sh", "-c", "setup && exec \"$0\" \"$@\""] does: change image:entrypoint in .gitlab-ci.yml, or the policy'
	[ "$1" -ne 0 ] || exit 1
fi
exit "$1"
