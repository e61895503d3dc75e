package step

// Clean is what is taken away of what former jobs have left, before a step of the
// runner's: it goes into the first line of the stub's input.
type Clean string

const (
	// CleanNothing leaves everything: the job's own steps have run by now, or
	// are about to.
	CleanNothing Clean = ""
	// CleanLinks removes what is no directory on the way to the project, and the
	// runner's temporary directory of the project.
	CleanLinks Clean = "links"
	// CleanGit removes of the project's git directory, beside that, all but data.
	CleanGit Clean = "git"
	// CleanModules does the same for the submodules' git directories.
	CleanModules Clean = "modules"
	// CleanOwnLinks removes links that would make a step on the host write
	// elsewhere: the author's script has run since.
	CleanOwnLinks Clean = "own"
)

// Sources is where a job's sources are, and what the runner does with them.
type Sources struct {
	// Root is the directory of builds that the job's containers share, Project the
	// project's below it.
	Root    string `json:"root"`
	Project string `json:"project"`
	// Kept tells that the runner takes them as they are (GIT_STRATEGY "none").
	Kept bool `json:"kept,omitempty"`
	// Submodules tells that git goes into submodules.
	Submodules bool `json:"submodules,omitempty"`
}

// Before returns what is taken away before a step. get_sources is the first in which git
// runs, prepare_script the first of all: what is there then is none of this job's.
func (s Sources) Before(name string) Clean {
	switch {
	case s.Project == "": // a plan of an older prepare
		return CleanNothing
	case name == "prepare_script", name == "get_sources" && s.Kept:
		return CleanLinks
	// After a get_sources that has failed, by whatever it found, git runs in this one.
	case name == "clear_worktree", name == "get_sources" && s.Submodules:
		return CleanModules
	case name == "get_sources":
		return CleanGit
	}
	return CleanNothing
}

// OnHost is [Sources.Before] for a step on the host. There every step of the runner's needs
// its way without links: the author's script has run in a container, and the host's files are
// not in it.
func (s Sources) OnHost(name string) Clean {
	if clean := s.Before(name); clean != CleanNothing || s.Project == "" {
		return clean
	}
	return CleanOwnLinks
}

// words are the arguments of clean.
func (s Sources) words(clean Clean) []string { return []string{string(clean), s.Root, s.Project} }

// cleanFunctions are shell functions, for any POSIX shell with find and rm. `clean` takes a
// [Clean], the directory of builds, and the project's. It fails where something is left that
// should be gone.
//
// git takes programs from a repository: hooks, and by its configuration any number of others;
// and it finds those by `.git`, which may be a file that names another place, by `commondir`
// in it, and by links. The runner removes `config` and `hooks` (gitlab-runner
// shells/abstract.go:1389). Here nothing stays but what is data: objects, refs, the index,
// large files, and the same of submodules; all of it files and directories. So a fetch brings
// only what is new, as before. HEAD is written anew unless it is a commit's: git would look for
// a repository above one that it does not understand.
//
// A submodule's `.git` is a file that names a directory in `.git/modules`, whose depth is not
// known, since names of submodules may have slashes. So files that configure git go by their
// names, at any depth; and a directory in the work tree whose `.git` does not name one of these
// goes, too: git clones no submodule into what is there. Others are written anew: git may read
// another name in it than a shell.
// What cannot be removed, such as a directory that a job has given to another user, or one
// that is too deep for find, goes aside, below the directory of builds.
//
// Without GIT_SUBMODULE_STRATEGY git enters none of them, and a clone that a job keeps in
// its project stays.
const cleanFunctions = `drop() {
	rm -rf "$@" 2>/dev/null && return
	find "$@" -type d -exec chmod u+rwx {} \; 2>/dev/null
	rm -rf "$@"
}
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
		echo "podman-executor: hint: ask the administrator of this runner to remove it: with data_dir by podman unshare rm -rf, else by removing the builds volume of this project" >&2
		return 1
	}
}
`
