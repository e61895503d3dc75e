package account

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"unsafe"
)

// Of linux/ptrace.h and linux/wait.h, which package syscall lacks in part.
const (
	ptraceSeize     = 0x4206
	ptraceListen    = 0x4208
	ptraceEventStop = 128
	waitAllThreads  = 0x40000000 // __WALL
	waitIDAll       = 0          // P_ALL

	options = syscall.PTRACE_O_TRACEFORK | syscall.PTRACE_O_TRACEVFORK | syscall.PTRACE_O_TRACECLONE |
		syscall.PTRACE_O_TRACEEXEC | syscall.PTRACE_O_TRACEEXIT
)

// gate holds the command back until it is followed. It says when it runs: os/exec knows
// of it a moment before, and its own execution would be taken for that of the command.
const gate = `echo >&4; exec 4>&-; read -r _ <&3; exec 3<&-; exec "$@"`

// follower follows the processes. Its own thread alone may call ptrace.
type follower struct {
	scripts bool

	mu        sync.Mutex
	account   Account
	processes map[int]process
	threads   map[int]int   // to their processes
	charged   map[int]int64 // of a thread's CPU time
}

// Follow runs a command, passes SIGTERM, SIGINT and SIGQUIT on to it, and returns
// its exit status. At SIGUSR1 it writes the account to a file. With scripts, what
// the command starts and is not podman belongs to the driver, else to the job.
func Follow(command []string, file string, scripts bool) (int, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	f := &follower{
		scripts: scripts, account: New(),
		processes: map[int]process{}, threads: map[int]int{}, charged: map[int]int64{},
	}
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGUSR1, syscall.SIGTERM, syscall.SIGINT, syscall.SIGQUIT)
	root, err := f.start(command)
	if err != nil {
		return 0, fmt.Errorf("following %s: %w", command[0], err)
	}
	go func() {
		for s := range signals {
			if s != syscall.SIGUSR1 {
				_ = syscall.Kill(root, s.(syscall.Signal)) // it may have ended
			} else if err := f.snapshot().write(file); err != nil {
				fmt.Fprintln(os.Stderr, "bench account: error:", err)
			}
		}
	}()
	return f.loop(root)
}

// start starts the command and returns its process id.
func (f *follower) start(command []string) (int, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer write.Close()
	ready, runs, err := os.Pipe()
	if err != nil {
		return 0, errors.Join(err, read.Close())
	}
	defer ready.Close()
	cmd := exec.Command("/bin/sh", append([]string{"-c", gate, "sh"}, command...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.ExtraFiles = os.Stdin, os.Stdout, os.Stderr, []*os.File{read, runs}
	err = cmd.Start()
	read.Close()
	runs.Close()
	if err != nil {
		return 0, err
	}
	if _, err := ready.Read(make([]byte, 1)); err != nil {
		return 0, errors.Join(fmt.Errorf("waiting for the shell: %w", err), cmd.Process.Kill())
	}
	pid := cmd.Process.Pid
	f.processes[pid] = process{part: Runner}
	f.threads[pid] = pid
	if err := ptrace(ptraceSeize, pid, options); err != nil {
		return 0, errors.Join(fmt.Errorf("ptrace: %w", err), cmd.Process.Kill())
	}
	_, err = write.WriteString("\n")
	return pid, err
}

func ptrace(request, pid int, data uintptr) error {
	_, _, errno := syscall.Syscall6(syscall.SYS_PTRACE, uintptr(request), uintptr(pid), 0, data, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// loop handles what happens to the processes until the command has ended.
func (f *follower) loop(root int) (int, error) {
	for {
		pid, err := nextThread()
		if err != nil {
			return 0, fmt.Errorf("following processes: %w", err)
		}
		// One that has ended can be asked for its time until it was waited for.
		f.charge(pid)
		var ws syscall.WaitStatus
		if _, err := syscall.Wait4(pid, &ws, waitAllThreads, nil); err != nil {
			continue // its process has executed a program: it is there under another number
		}
		switch {
		case ws.Stopped():
			f.stopped(pid, ws)
		case pid == root && ws.Exited():
			return ws.ExitStatus(), nil
		case pid == root:
			return 128 + int(ws.Signal()), nil
		default:
			f.forget(pid)
		}
	}
}

// nextThread waits for a thread that something has happened to, and leaves it so.
func nextThread() (int, error) {
	var info struct {
		signal, errno, code, _ int32
		pid                    int32
		_                      [108]byte
	}
	for {
		_, _, errno := syscall.Syscall6(syscall.SYS_WAITID, waitIDAll, 0, uintptr(unsafe.Pointer(&info)),
			syscall.WEXITED|syscall.WSTOPPED|syscall.WNOWAIT|waitAllThreads, 0, 0)
		if errno == 0 {
			return int(info.pid), nil
		}
		if errno != syscall.EINTR {
			return 0, errno
		}
	}
}

// stopped handles a stop of a thread, and lets it go on.
func (f *follower) stopped(thread int, ws syscall.WaitStatus) {
	event := int(ws>>16) & 0xff
	f.known(thread)
	pass := uintptr(0)
	switch {
	case event == ptraceEventStop && ws.StopSignal() != syscall.SIGTRAP:
		_ = ptrace(ptraceListen, thread, 0) // it stays stopped until it gets SIGCONT
		return
	case event == 0:
		pass = uintptr(ws.StopSignal())
	case event == syscall.PTRACE_EVENT_EXEC:
		former, err := syscall.PtraceGetEventMsg(thread)
		if err == nil {
			f.executed(thread, int(former))
		}
	case event == syscall.PTRACE_EVENT_EXIT:
		f.ends(thread)
	case event != ptraceEventStop: // it has made another
		if child, err := syscall.PtraceGetEventMsg(thread); err == nil {
			f.began(int(child), thread)
		}
	}
	_ = ptrace(syscall.PTRACE_CONT, thread, pass) // it may have been killed meanwhile
}

// known makes sure that a thread is among those that are followed. A new one may
// stop before the one that has made it says so.
func (f *follower) known(thread int) {
	f.mu.Lock()
	_, ok := f.threads[thread]
	f.mu.Unlock()
	if s, alive := readStatus(thread); !ok && alive {
		f.began(thread, s.parent)
	}
}

// began notes a new thread, of the process of the one that has made it or of a new
// one, which is at first what that process is.
func (f *follower) began(thread, maker int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	s, alive := readStatus(thread)
	if _, ok := f.threads[thread]; ok || !alive {
		return
	}
	f.threads[thread] = s.process
	if _, ok := f.processes[s.process]; !ok {
		f.processes[s.process] = f.processes[f.threads[maker]]
	}
}

// charge adds what a thread has used since it was last asked.
func (f *follower) charge(thread int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.chargeLocked(thread)
}

func (f *follower) chargeLocked(thread int) {
	pid, ok := f.threads[thread]
	if !ok {
		return
	}
	if ns, ok := cpuTime(thread); ok {
		f.account.CPU[f.processes[pid].part] += ns - f.charged[thread]
		f.charged[thread] = ns
	}
}

// executed notes that a process has executed a program. It has one thread now,
// which had another number if it was not the first.
func (f *follower) executed(pid, former int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	before := f.processes[pid]
	if ns, ok := cpuTime(pid); ok {
		f.account.CPU[before.part] += ns - f.charged[former]
		f.charged[pid] = ns
	}
	if former != pid {
		delete(f.threads, former)
		delete(f.charged, former)
	}
	s, _ := readStatus(pid)
	after := executes(before, programOf(pid), s.inContainer, f.scripts)
	f.processes[pid] = after
	if s.inContainer || after.part == Job && before.part == Job {
		return
	}
	f.account.Executed[after.program]++
	if after.program == "podman" && before.part != Podman {
		f.account.Commands[strings.TrimPrefix(before.program+": ", ": ")+"podman "+verbOf(pid)]++
	}
}

// ends notes the memory of a process that is about to end: later it has none.
func (f *follower) ends(thread int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p := f.processes[f.threads[thread]]
	if s, ok := readStatus(thread); ok && strings.HasPrefix(p.program, "podman-executor-") {
		f.account.Peak[p.program] = max(f.account.Peak[p.program], s.peak)
	}
}

func (f *follower) forget(thread int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.threads[thread] == thread {
		delete(f.processes, thread)
	}
	delete(f.threads, thread)
	delete(f.charged, thread)
}

// snapshot is the account with what processes that still run have used.
func (f *follower) snapshot() Account {
	f.mu.Lock()
	defer f.mu.Unlock()
	for thread := range f.threads {
		f.chargeLocked(thread)
	}
	return f.account.Add(New())
}
