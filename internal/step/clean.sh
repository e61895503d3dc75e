# shellcheck shell=sh
# Functions that remove what former jobs left in a project, before git runs there again.
#
# Any POSIX shell runs them; they need find and rm. clean takes a Clean (clean.go), the
# directory of builds, and the project's directory. It fails if something is left that should
# be gone.
#
# git runs programs that a repository names: hooks, and through its configuration any number
# of others. It finds hooks and configuration by `.git`, which may be a file that names
# another directory, by `commondir` in it, and by links. The runner removes only `config` and
# `hooks` (gitlab-runner shells/abstract.go:1389).
#
# Without GIT_SUBMODULE_STRATEGY git does not enter submodules, so a clone that a job keeps
# in its project stays.

# drop removes files and directories, also those that their owner may not enter.
drop() {
	rm -rf "$@" 2>/dev/null && return
	find "$@" -type d -exec chmod u+rwx {} \; 2>/dev/null
	rm -rf "$@"
}

# clean_way removes what is not a directory on the way from $1 down to $2.
clean_way() {
	part=$1 rest=${2#"$1"/}
	while [ "$rest" ]; do
		part=$part/${rest%%/*}
		case $rest in
		*/*) rest=${rest#*/} ;;
		*) rest= ;;
		esac
		[ -d "$part" ] && [ ! -L "$part" ] || rm -f "$part" || return
	done
}

# clean_git leaves only data in the git directory: objects, refs, the index, large files, and
# those of submodules, all of it files and directories. So a fetch still brings only what is
# new. HEAD is replaced unless it is a commit's id: if git does not understand a repository,
# it looks for one in the directories above.
# shellcheck disable=SC2015 # A && B || C: C is also for a B that fails
clean_git() {
	[ -d "$1/.git" ] && [ ! -L "$1/.git" ] || { drop "$1/.git"; return; }
	command -v find >/dev/null || { drop "$1/.git"; return; }
	chmod u+rwx "$1/.git" 2>/dev/null
	cd "$1/.git" || return
	find . -type d ! -perm -700 -exec chmod u+rwx {} \; -o ! -type d ! -type f -exec rm -f {} + || return
	find . ! -name . -prune \
		! \( -type d \( -name objects -o -name refs -o -name reftable -o -name lfs -o -name modules \) \) \
		! \( -type f \( -name HEAD -o -name index -o -name 'sharedindex.*' -o -name packed-refs -o -name shallow \) \) \
		-exec rm -rf {} + || return
	rm -rf objects/info/alternates objects/info/http-alternates || return
	[ -e HEAD ] || return 0
	{ head=$(head -c 100 HEAD); } 2>/dev/null
	case ${#head},$head in
	*,*[!0-9a-f]*) ;;
	40,* | 64,*) return ;;
	esac
	rm -f HEAD && echo 'ref: refs/heads/none' >HEAD
}

# clean_modules does the same for submodules.
#
# A submodule's `.git` is a file that names a directory in `.git/modules`. The depth of that
# directory is not known, since the name of a submodule may contain slashes. So files that
# configure git are removed by name, at any depth.
# A directory in the work tree is removed if its `.git` does not name one of these: git does
# not clone a submodule into a directory that is not empty. The other `.git` files are
# written again, since git may read another name in them than a shell does.
clean_modules() {
	modules=/dev/null
	if cd "$1/.git/modules" 2>/dev/null; then
		modules=$(pwd -P)
		find . \( -name config -o -name 'config.*' -o -name commondir -o -name gitdir -o -name hooks -o -name info -o -name worktrees \) \
			-prune -exec rm -rf {} + || return
	fi
	cd "$1" 2>/dev/null || return 0
	find . -path ./.git -prune -o -name .git -prune -exec sh -c '
		unset CDPATH
		modules=$1 status=0
		shift
		for git do
			there= way=${git#./} up=
			if [ -f "$git" ] && [ ! -L "$git" ]; then
				line=$(head -c 4096 "$git")
				there=$(cd -P "${git%/*}" && cd -P "./${line#gitdir: }" && pwd -P)
			fi
			while [ "$way" != .git ]; do
				way=${way#*/} up=../$up
			done
			if [ "$there" ] && [ "${there#"$modules"/}" != "$there" ] && [ -f "$there/HEAD" ] && [ -d "$there/objects" ] && [ -d "$there/refs" ]; then
				rm -f "$git" && printf "gitdir: %s\n" "$up.git/modules/${there#"$modules"/}" >"$git" || status=1
			else
				rm -rf "${git%/*}" || status=1
			fi
		done 2>/dev/null
		exit $status' sh "$modules" {} +
}

# clean does what its first argument says, see Clean in clean.go.
# shellcheck disable=SC2015 # A && B || C: C is also for a B that fails
clean() {
	unset CDPATH
	clean_way "$2" "$3" || return
	case $1 in
	own)
		[ -d "$3.tmp" ] && [ ! -L "$3.tmp" ] || { rm -f "$3.tmp"; return; }
		find "$3.tmp" ! -type d ! -type f -exec rm -f {} +
		;;
	links) drop "$3.tmp" ;;
	git) drop "$3.tmp" && (clean_git "$3") ;;
	modules) drop "$3.tmp" && (clean_git "$3") && (clean_modules "$3") ;;
	esac
}

# clean_aside moves away what cannot be removed, such as a directory that a job gave to
# another user, or one that is too deep for find. It stays below the directory of builds.
clean_aside() {
	aside=$(mktemp -d "$2/.left-XXXXXX") || return
	case $1 in
	git | modules) ! { [ -e "$3" ] || [ -L "$3" ]; } || mv "$3" "$aside/project" || return ;;
	esac
	! { [ -e "$3.tmp" ] || [ -L "$3.tmp" ]; } || mv "$3.tmp" "$aside/tmp" || return
	rm -rf "$aside" 2>/dev/null
	:
}

clean_or_say() {
	(clean "$@") 2>/dev/null || { clean_aside "$@" && (clean "$@"); } 2>/dev/null || {
		echo "podman-executor: error: what another job left at $3 cannot be removed" >&2
		echo "podman-executor: hint: ask the administrator of this runner to remove it: with data_dir by podman unshare rm -rf DIR, otherwise by removing the project's builds volume" >&2
		return 1
	}
}
