#!/usr/bin/env bash
# What the official image's entry point does for a CI job: makes a cluster in PGDATA unless there is one,
# from POSTGRES_USER, POSTGRES_PASSWORD, POSTGRES_DB, POSTGRES_INITDB_ARGS and POSTGRES_HOST_AUTH_METHOD,
# and runs the server as the user postgres. Another command than postgres is run as it is.
set -euo pipefail

make_cluster() {
	local user=${POSTGRES_USER:-postgres} method=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256}
	local db=${POSTGRES_DB:-$user}
	# No data outlives a CI job: nothing waits for the disk.
	local -a options=(--username="$user" --auth=trust --no-sync --no-instructions
		--set=listen_addresses='*' --set=fsync=off --set=synchronous_commit=off --set=full_page_writes=off)
	if [[ -n ${POSTGRES_PASSWORD-} ]]; then
		options+=(--pwfile=/dev/stdin)
	elif [[ $method != trust ]]; then
		cat >&2 <<-'EOF'
			Error: Database is uninitialized and superuser password is not specified.
			       You must specify POSTGRES_PASSWORD to a non-empty value for the
			       superuser. For example, "-e POSTGRES_PASSWORD=password" on "docker run".

			       You may also use "POSTGRES_HOST_AUTH_METHOD=trust" to allow all
			       connections without a password. This is *not* recommended.
		EOF
		exit 1
	fi
	# shellcheck disable=SC2086 # several words
	initdb "${options[@]}" ${POSTGRES_INITDB_ARGS-} <<<"${POSTGRES_PASSWORD-}"
	echo "host all all all $method" >>"$PGDATA/pg_hba.conf"
	if [[ $db != postgres ]]; then
		printf 'CREATE DATABASE "%s";\n' "${db//\"/\"\"}" | postgres --single -j -D "$PGDATA" postgres >/dev/null
	fi
	echo "PostgreSQL init process complete; ready for start up."
}

main() {
	if [[ ${1-} == -* ]]; then
		set -- postgres "$@"
	fi
	if [[ ${1-} != postgres || ${2-} == --version || ${2-} == --help ]]; then
		exec "$@"
	fi
	if ((EUID == 0)); then
		install -d -o postgres -g postgres -m 0700 "$PGDATA"
		export HOME=/var/lib/postgresql
		exec setpriv --reuid=postgres --regid=postgres --init-groups -- "$0" "$@"
	fi
	[[ -s $PGDATA/PG_VERSION ]] || make_cluster
	exec "$@"
}

main "$@"
