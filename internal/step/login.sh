# shellcheck shell=bash
# What a login shell runs after the profile. Its arguments are the PATH of the container, a umask
# or "-", and the script.
#
# A profile may replace the PATH, as /etc/profile of Debian does, and with it what ENV PATH of the
# image added. So the PATH of the container stays in front, and what the profile adds comes
# behind. The profile may also set the umask, which the runner container needs as it was.

PATH=$(
	set -f
	IFS=: path=$1
	for dir in $PATH; do
		case :$path: in
		*":$dir:"*) ;;
		*) path=$path${dir:+:$dir} ;;
		esac
	done
	echo "${path#:}"
)
export PATH
[ "$2" = - ] || umask "$2"
exec bash "$3"
