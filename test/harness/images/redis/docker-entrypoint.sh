#!/bin/sh
# What the official image's entry point does: runs the server as the user redis, without protected mode,
# whatever options a CI job gives it. Another command is run as it is.
set -eu

case ${1-} in
-* | *.conf) set -- redis-server "$@" ;;
esac
if [ "${1-}" = redis-server ]; then
	case " $* " in
	*" --protected-mode "*) ;;
	*) set -- "$@" --protected-mode no ;;
	esac
	if [ "$(id -u)" = 0 ]; then
		chown redis:redis .
		exec setpriv --reuid=redis --regid=redis --init-groups -- "$@"
	fi
fi
exec "$@"
