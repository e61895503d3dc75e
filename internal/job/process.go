package job

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Process is a process that objects belong to: the runner that called the driver.
// Its text form, HOST/BOOT/NAMESPACE/PID/START, is a label. When the process is gone, so
// is the job, although podman may still have its objects.
type Process struct {
	// Host is the host name, Boot the kernel's boot id, Namespace the PID namespace: a pid is
	// meaningful only there and then.
	Host, Boot, Namespace string
	PID                   int
	// Start is the process's start time in clock ticks since boot; a reused pid has another one
	// (proc(5), /proc/PID/stat, field 22).
	Start uint64
}

// CurrentRunner returns the runner process that called this program. The runner makes the
// driver the leader of a new process group (gitlab-runner helpers/process/job_unix.go:36), so
// the leader's parent is the runner, even with a wrapper script in between.
func CurrentRunner() (Process, error) {
	leader, err := readStat(syscall.Getpgrp())
	if err != nil {
		return Process{}, err
	}
	return ProcessOf(leader.parent)
}

// ProcessOf returns a process of this machine as an owner.
func ProcessOf(pid int) (Process, error) {
	p, err := readStat(pid)
	if err != nil {
		return Process{}, err
	}
	here, err := thisMachine()
	here.PID, here.Start = pid, p.start
	return here, err
}

// String returns the owner as labels have it.
func (o Process) String() string {
	return fmt.Sprintf("%s/%s/%s/%d/%d", o.Host, o.Boot, o.Namespace, o.PID, o.Start)
}

// ParseProcess reads a label.
func ParseProcess(s string) (Process, error) {
	parts := strings.Split(s, "/")
	if len(parts) != 5 {
		return Process{}, fmt.Errorf("invalid owner %q", s)
	}
	pid, err := strconv.Atoi(parts[3])
	if err != nil || pid <= 0 {
		return Process{}, fmt.Errorf("invalid owner %q: invalid process id %q", s, parts[3])
	}
	start, err := strconv.ParseUint(parts[4], 10, 64)
	if err != nil {
		return Process{}, fmt.Errorf("invalid owner %q: %w", s, err)
	}
	return Process{Host: parts[0], Boot: parts[1], Namespace: parts[2], PID: pid, Start: start}, nil
}

// Gone reports whether the owner has certainly ended. For an owner on another host, or in
// another container, only the deadline counts.
func (o Process) Gone(deadline, now time.Time) bool {
	here, err := thisMachine()
	if err != nil || here.Host != o.Host {
		return now.After(deadline)
	}
	if here.Boot != o.Boot {
		return true
	}
	if here.Namespace != o.Namespace {
		return now.After(deadline)
	}
	p, err := readStat(o.PID)
	if err != nil {
		return os.IsNotExist(err)
	}
	return p.start != o.Start || p.state == "Z" || p.state == "X"
}

// Here reports whether this program could see the owner's process.
func (o Process) Here() bool {
	here, err := thisMachine()
	return err == nil && here.Host == o.Host && here.Namespace == o.Namespace
}

// Machine names where this program runs: the host, its boot, the PID namespace.
func Machine() (string, error) {
	here, err := thisMachine()
	return here.Host + "/" + here.Boot + "/" + here.Namespace, err
}

// Finished reports whether a living owner has certainly ended an attempt at a job: the
// attempt's directory, an absolute path as the owner sees it, does not exist any more. The
// runner always removes it after cleanup (gitlab-runner
// executors/custom/custom.go:369). In doubt the attempt is not finished: the directory is looked for
// in the owner's own root, which may have another /tmp (PrivateTmp=).
func (o Process) Finished(attempt string) bool {
	here, err := thisMachine()
	if err != nil || here.Host != o.Host || here.Boot != o.Boot || here.Namespace != o.Namespace || !filepath.IsAbs(attempt) {
		return false
	}
	root, err := os.OpenRoot(fmt.Sprintf("/proc/%d/root", o.PID))
	if err != nil {
		return false
	}
	defer root.Close()
	below := strings.TrimPrefix(filepath.Clean(attempt), "/")
	if _, err := root.Stat(filepath.Dir(below)); err != nil {
		return false
	}
	_, err = root.Lstat(below)
	return errors.Is(err, fs.ErrNotExist)
}

// thisMachine returns an owner without a process: where this program runs.
func thisMachine() (Process, error) {
	host, err := os.Hostname()
	if err != nil {
		return Process{}, fmt.Errorf("getting the host name: %w", err)
	}
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return Process{}, fmt.Errorf("getting the boot id: %w", err)
	}
	namespace, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return Process{}, fmt.Errorf("getting the PID namespace: %w", err)
	}
	return Process{
		Host: strings.ReplaceAll(host, "/", "-"), Boot: strings.TrimSpace(string(boot)),
		Namespace: strings.Trim(namespace, "pid:[]"),
	}, nil
}

type procStat struct {
	state  string
	parent int
	start  uint64
}

// readStat reads /proc/PID/stat. The command in parentheses may hold spaces
// and parentheses itself, so the fields are counted from the last one.
func readStat(pid int) (procStat, error) {
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return procStat{}, err
	}
	_, rest, _ := cutLast(string(data), ")")
	fields := strings.Fields(rest)
	if len(fields) < 20 {
		return procStat{}, fmt.Errorf("reading /proc/%d/stat: only %d fields", pid, len(fields))
	}
	parent, err := strconv.Atoi(fields[1])
	if err != nil {
		return procStat{}, fmt.Errorf("reading /proc/%d/stat: %w", pid, err)
	}
	start, err := strconv.ParseUint(fields[19], 10, 64)
	if err != nil {
		return procStat{}, fmt.Errorf("reading /proc/%d/stat: %w", pid, err)
	}
	return procStat{state: fields[0], parent: parent, start: start}, nil
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return s, "", false
}
