// Package step knows what a step of a job is: which container it belongs to,
// and how its script gets there and is run.
//
// The script travels on standard input. A container's command is a short stub
// that saves it to a tmpfs and runs it with the entry point: nothing is shared
// with the host, nothing is written to a disk, and an image whose user is not
// root can read it.
package step

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Place is where a step runs.
type Place int

const (
	// User is the user container. Every step that is not known to be the
	// runner's own belongs there, those of runners to come included.
	User Place = iota
	// Runner is the runner container, or the host with step_script_only.
	Runner
)

// runnerSteps are the steps that gitlab-runner makes itself, as the docker
// executor maps them to its helper container (gitlab-runner common/build.go:751).
var runnerSteps = map[string]bool{
	"prepare_script":              true,
	"get_sources":                 true,
	"clear_worktree":              true,
	"boot_verify_probes":          true,
	"restore_cache":               true,
	"download_artifacts":          true,
	"archive_cache":               true,
	"archive_cache_on_failure":    true,
	"upload_artifacts_on_success": true,
	"upload_artifacts_on_failure": true,
	Last:                          true,
}

// Last is the last step of a job, where the job comes to its end (gitlab-runner
// common/build.go:1061).
const Last = "cleanup_file_variables"

// PlaceOf returns where the step of that name runs.
func PlaceOf(name string) Place {
	if runnerSteps[name] {
		return Runner
	}
	return User
}

// IsScript reports whether the step of that name is the job's script: its before_script and
// its script together.
func IsScript(name string) bool { return name == "build_script" || name == "step_script" }

// Dir is the mount point, in both containers, of the tmpfs that holds the
// script while it runs. Nothing else may be mounted there.
const Dir = "/run/podman-executor"

// Tmpfs is that mount, for `podman create --tmpfs`: every user of the image may
// write there, and run what is there.
const Tmpfs = Dir + ":rw,exec,nosuid,nodev,size=64m,mode=1777,notmpcopyup"

// pwsh is PowerShell's command line before a script's name, as of the runner's
// own shell executor (gitlab-runner shells/powershell.go:190).
const pwsh = "pwsh -NoProfile -NonInteractive -ExecutionPolicy Bypass -File"

// ExitNoShell is the exit code of a container whose image lacks the PowerShell that
// the script is for.
const (
	ExitNoShell = 127
	exitNoShell = "127"
)

// Private is the directory in [Dir] that has what comes from the driver, and goes to it:
// no other user of a container of root's can enter it.
const Private = Dir + "/private"

// hide is run once in a container, before anything of a job: where its user is root, no
// other user can put anything into the tmpfs, list it, or enter [Private]. Where it is not,
// the tmpfs is root's, and this fails: to be another user still takes a program that is setuid.
const hide = `closed=
{ chmod 711 ` + Dir + ` && closed=1; chmod 700 ` + Private + `; } 2>/dev/null
`

// tellAll tells all processes of a container to stop, but its first.
const tellAll = `kill -s TERM -- -1`

// stub is the command of both containers, for any POSIX shell, behind [hide]. Its arguments
// are a umask or "-", "shell" or "file", and the words of the entry point; with
// a umask, which is for the runner container, the directory of builds, the project's, the
// directories of volumes and "--" come before those.
//
// The first line of its input has the script's size in bytes, its shell, "sh"
// for bash or sh, whichever the image has, or "pwsh", and a [Clean]. One for sh writes a line to the
// file `started`. A script that did not arrive whole, or an entry point or a
// profile that ended well without running it, must not end as a green job.
//
// The script is for the container's user alone. Where an entry point's words come before it,
// it may be another user who reads it, and writes to `started`: which, nobody knows.
//
// The input stays open after the script. Its end is the driver's word to stop, or
// the driver's end: then a watcher sends SIGTERM to every process, but the
// first, which ends when they do. It does so only in a PID namespace of the
// container's own, where this shell is the first process, or the second below
// an init: elsewhere it would signal what is not the job's.
//
// The login shell keeps the image's own PATH in front: /etc/profile of Debian
// and others replaces it, and with it what ENV PATH of the image added. What the
// profile has beside it comes behind. Others set the umask, which is set again. PowerShell runs beside this shell and not in
// its place: as the container's first process it would not hear SIGTERM.
//
// The runner container works for whatever user the job's image has. So a fresh
// volume, which is root's, is opened to all, as docker's helper does
// (gitlab-runner commands/helpers/cache_init.go:34), and git works in a
// repository that such a user has made: docs/decisions/0012.
const stub = cleanFunctions + `dir=` + Dir + `
say() { echo "podman-executor: error: $1" >&2; }
advise() { echo "podman-executor: hint: $1" >&2; }
umask=$1 mode=$2 root=$3 project=$4
shift 2
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
words=$#
script=$dir/script
umask 022
[ "$words" -gt 0 ] || umask 077
IFS=' ' read -r size shell clean && { [ "$shell" != pwsh ] || script=$script.ps1; } &&
	head -c "$size" >"$script" && [ $(wc -c <"$script") -eq "$size" ] || {
	say 'the script did not reach the container whole; the image needs the programs head and wc'
	exit 125
}
[ "$words" -gt 0 ] || true >"$dir/started"
umask 022
exec 3<&0 </dev/null
if [ $$ -le 2 ]; then
	{ while read -r _; do :; done <&3; ` + tellAll + `; } >/dev/null 2>&1 &
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
			exit ` + exitNoShell + `
			;;
		esac
	done
	[ "$words" -gt 0 ] && chmod 755 "$script" || chmod 700 "$script"
	set -- "$@" "$script"
elif [ "$shell" = pwsh ]; then
	command -v pwsh >/dev/null 2>&1 || {
		say 'the script is for PowerShell, and the image has no program pwsh'
		advise 'use an image with PowerShell: shell is "pwsh" in the config.toml of this runner'
		exit ` + exitNoShell + `
	}
	set -- "$@" ` + pwsh + ` "$script"
elif command -v bash >/dev/null 2>&1; then
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
`

// EntryPoint is what comes before the script file.
type EntryPoint struct {
	Words []string
	// Shell tells that the image's best shell comes between the words and
	// the file.
	Shell bool
}

// Command returns the arguments of `sh` for a container. Those of the runner's have its
// sources, and the directories of volumes that every user may write to. The runner's own steps need the umask 0000, as the docker
// executor gives them: what they write must be writable for an image's user that
// is not root (gitlab-runner helpers/container/helperimage/linux_info.go:60).
func Command(place Place, entry EntryPoint, sources Sources, open ...string) []string {
	return slices.Concat([]string{"-c", hide + stub, "podman-executor"}, arguments(place, entry, sources, open))
}

// arguments are those of the stub.
func arguments(place Place, entry EntryPoint, sources Sources, open []string) []string {
	mode := "file"
	if entry.Shell {
		mode = "shell"
	}
	if place == Runner {
		return slices.Concat([]string{"0000", mode, sources.Root, sources.Project}, open, []string{"--"}, entry.Words)
	}
	return slices.Concat([]string{"-", mode}, entry.Words)
}

// Input returns what a container's standard input gets for a script, before which something
// is taken away.
func Input(script []byte, clean Clean) io.Reader {
	shell := ShellOf(script)
	if shell != POSIX {
		return io.MultiReader(strings.NewReader(head(len(script), shell, clean)), bytes.NewReader(script))
	}
	first, rest, _ := bytes.Cut(script, []byte("\n"))
	// The line after the shebang is the proof that a shell runs the script.
	proof := "echo >|" + Dir + "/started\n"
	start := fmt.Sprintf("%s%s\n%s", head(len(script)+len(proof), shell, clean), first, proof)
	return io.MultiReader(strings.NewReader(start), bytes.NewReader(rest))
}

func head(size int, shell Shell, clean Clean) string {
	return strings.TrimSuffix(fmt.Sprintf("%d %s %s", size, shell, clean), " ") + "\n"
}
