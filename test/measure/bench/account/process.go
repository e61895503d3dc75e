package account

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// process is one that is followed, as it was when it last executed a program.
type process struct {
	part    Part
	program string // the name of its executable; empty before the first
}

// podmanPrograms are podman and what it calls outside of containers.
var podmanPrograms = map[string]bool{
	"podman": true, "conmon": true, "crun": true, "runc": true, "catatonit": true,
	"netavark": true, "aardvark-dns": true, "slirp4netns": true, "pasta": true, "rootlessport": true,
	"fuse-overlayfs": true, "newuidmap": true, "newgidmap": true,
}

// executes returns what a process is after it has executed a program, by what it
// was before: that of its parent, where it is the first.
func executes(before process, program string, inContainer, scripts bool) process {
	after := process{part: before.part, program: program}
	switch {
	case inContainer:
		after.part = Job
	case before.program == "" && !podmanPrograms[program]: // the command that is followed
	case strings.HasPrefix(program, "podman-executor-"):
		after.part = Driver
	case podmanPrograms[program]:
		after.part = Podman
	case before.part == Runner && program != "gitlab-runner":
		after.part = Job // the shell executor's
		if scripts {
			after.part = Driver
		}
	case before.part == Driver && !scripts:
		after.part = Job // a step on the host
	}
	return after
}

// status is what /proc says about a thread.
type status struct {
	process, parent int
	// inContainer tells whether it has a namespace of process ids of its own.
	inContainer bool
	peak        int64 // bytes
}

func readStatus(thread int) (s status, ok bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", thread))
	if err != nil {
		return s, false
	}
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(line, ":")
		fields := strings.Fields(value)
		if len(fields) == 0 {
			continue
		}
		switch key {
		case "Tgid":
			_, _ = fmt.Sscan(fields[0], &s.process)
		case "PPid":
			_, _ = fmt.Sscan(fields[0], &s.parent)
		case "NSpid":
			s.inContainer = len(fields) > 1+ownDepth
		case "VmHWM":
			_, _ = fmt.Sscan(fields[0], &s.peak)
			s.peak <<= 10
		}
	}
	return s, s.process != 0
}

// ownDepth is how many namespaces of process ids there are between that of /proc
// and this process's own.
var ownDepth = func() int {
	text, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(text)) {
		if value, found := strings.CutPrefix(line, "NSpid:"); found {
			return len(strings.Fields(value)) - 1
		}
	}
	return 0
}()

// cpuTime is what a thread has used, in nanoseconds, by
// Documentation/scheduler/sched-stats.rst.
func cpuTime(thread int) (ns int64, ok bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", thread))
	if err != nil {
		return 0, false
	}
	_, err = fmt.Sscan(string(text), &ns)
	return ns, err == nil
}

// programOf is the name of a process's executable. crun executes a copy of itself
// that has no name in the file system: it has that of its command.
func programOf(pid int) string {
	link, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid))
	if err == nil && link != "/" && !strings.HasPrefix(link, "/memfd:") {
		return filepath.Base(strings.TrimSuffix(link, " (deleted)"))
	}
	name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
	return strings.TrimSpace(string(name))
}

func verbOf(pid int) string {
	line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	_, args, _ := strings.Cut(string(line), "\x00")
	return Verb(strings.Split(args, "\x00"))
}

// Verb is the command in the arguments of podman: "start", "network create".
func Verb(args []string) string {
	var words []string
	for _, word := range args {
		if word == "" || word[0] == '-' {
			if len(words) > 0 {
				break
			}
			continue
		}
		words = append(words, word)
		if len(words) == 2 || !groups[words[0]] {
			break
		}
	}
	return strings.Join(words, " ")
}

// groups are the commands of podman that have commands of their own.
var groups = map[string]bool{
	"container": true, "image": true, "network": true, "pod": true, "secret": true, "system": true, "volume": true,
}
