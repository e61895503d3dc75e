# shellcheck shell=sh
# The stub: the command of a container, behind hide.sh and clean.sh. It saves a script to the
# tmpfs and runs it.
#
# Any POSIX shell runs it. Its arguments are a umask or "-", "shell" or "file", and the words
# of the entry point. After a umask, which the runner container has, the directory of builds,
# the project's directory, directories of volumes and "--" come before those words.
#
# The first line of its input has the script's size in bytes, its shell, and a Clean
# (clean.go). The shell is "sh" for bash or sh, whichever the image has, or "pwsh". A script
# for sh writes a line to the file `started` first: a job must not be green if its script did
# not arrive whole, or if an entry point or a profile ended well without running it.
# shellcheck disable=SC2015 # A && B || C: C is also for a B that fails
# shellcheck disable=SC2154 # hide.sh sets closed

dir=@DIR@
say() { echo "podman-executor: error: $1" >&2; }
advise() { echo "podman-executor: hint: $1" >&2; }
umask=$1 mode=$2 root=$3 project=$4
shift 2
# The runner container works for any user that the job's image may have. So a new volume, which
# belongs to root, is opened to everybody, as docker's helper does (gitlab-runner
# commands/helpers/cache_init.go:34), and git works in a repository that such a user has made:
# see docs/decisions/0012.
if [ "$umask" != - ]; then
	shift 2
	while [ "$1" != -- ]; do
		chmod 777 "$1"
		shift
	done
	shift
	export GIT_CONFIG_COUNT=2 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*' GIT_CONFIG_KEY_1=core.fsmonitor GIT_CONFIG_VALUE_1=false
	export GIT_CEILING_DIRECTORIES="${project%/*}"
fi
# The script is for the container's user alone. If an entry point's words come before it,
# another user may have to read it and write to `started`; which one is not known.
words=$#
script=$dir/script
umask 022
[ "$words" -gt 0 ] || umask 077
# shellcheck disable=SC2046 # some wc print blanks before the number
IFS=' ' read -r size shell clean && { [ "$shell" != pwsh ] || script=$script.ps1; } &&
	head -c "$size" >"$script" && [ $(wc -c <"$script") -eq "$size" ] || {
	say 'the script did not arrive completely; the image needs head and wc'
	exit 125
}
[ "$words" -gt 0 ] || true >"$dir/started"
umask 022
exec 3<&0 </dev/null
# The input stays open after the script. Its end tells the script to stop, or means that the
# driver is dead: then a watcher sends SIGTERM to every process but the first, which ends when
# they do. It does so only in a PID namespace that the container does not share, where this
# shell is the first process, or the second below an init: elsewhere it would signal processes
# that are not the job's.
if [ $$ -le 2 ]; then
	{ while read -r _; do :; done <&3; @STOP@; } >/dev/null 2>&1 &
fi
exec 3<&-
[ ! "$clean" ] || clean_or_say "$clean" "$root" "$project" || exit 1
[ "$umask" = - ] || umask "$umask"
[ "$words" -eq 0 ] || [ ! "$closed" ] || { true >"$dir/started" && chmod 666 "$dir/started"; }
if [ "$mode" = file ]; then
	[ "$shell" != pwsh ] || for word in "$@"; do
		case ${word##*/} in
		pwsh) ;;
		*sh | busybox)
			say "the script is for PowerShell, and the entry point of the policy runs $word"
			advise 'shell is "pwsh" in the config.toml of this runner: change user_entry_point or runner_entry_point'
			exit 127
			;;
		esac
	done
	[ "$words" -gt 0 ] && chmod 755 "$script" || chmod 700 "$script"
	set -- "$@" "$script"
# PowerShell runs as a child of this shell and not in its place: as the container's first
# process it would not get SIGTERM.
elif [ "$shell" = pwsh ]; then
	command -v pwsh >/dev/null 2>&1 || {
		say 'the script is for PowerShell, and the image has no pwsh'
		advise 'use an image with PowerShell: shell is "pwsh" in the config.toml of this runner'
		exit 127
	}
	set -- "$@" @PWSH@ "$script"
# A login shell's profile may replace the PATH (Debian's /etc/profile does), and with it what
# ENV PATH of the image added. So the image's PATH stays in front, and what the profile adds
# comes behind. The profile may set the umask, which is set again.
elif command -v bash >/dev/null 2>&1; then
	# shellcheck disable=SC2016 # the login shell expands them
	set -- "$@" bash -l -c '
		pe_path=$1 IFS=:
		set -f
		for pe_dir in $PATH; do
			case :$pe_path: in
			*":$pe_dir:"*) ;;
			*) pe_path=$pe_path${pe_dir:+:$pe_dir} ;;
			esac
		done
		export PATH="${pe_path#:}"
		[ "$2" = - ] || umask "$2"
		exec bash "$0"' "$script" "$PATH" "$umask"
else
	set -- "$@" sh "$script"
fi
[ "$words" -gt 0 ] || [ "$2" = -l ] || [ "$shell" = pwsh ] || exec "$@"
trap : TERM
"$@"
status=$?
if [ "$status" -eq 0 ] && [ "$shell" = sh ] && ! [ -s "$dir/started" ]; then
	say 'the entry point, or the profile of the login shell, ended without running the script'
	exit 1
fi
exit "$status"
