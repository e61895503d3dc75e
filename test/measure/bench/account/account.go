// Package account runs a command and keeps account of all processes below it: the
// CPU time of each part, the programs that were executed, and the driver's memory.
//
// It follows the processes by ptrace(2), which stops them only when they begin,
// execute a program or end: nothing is sampled, so nothing short is missed, and a
// process that has left its parent (conmon) is seen, too. That costs them time.
package account

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"syscall"
	"time"
)

// A Part is who used CPU time.
type Part string

// The parts of a job.
const (
	// Runner is gitlab-runner itself.
	Runner Part = "runner"
	// Driver is what a custom executor calls: the driver's programs, or scripts,
	// with what they start on the host beside podman.
	Driver Part = "driver"
	// Podman is podman with all its helpers outside of containers: conmon, crun,
	// netavark, slirp4netns and the like.
	Podman Part = "podman"
	// Job is what runs in containers, and the steps that run on the host.
	Job Part = "job"
)

// Parts are all of them, in the order of tables.
var Parts = []Part{Runner, Driver, Podman, Job}

// Account is what the processes have used so far.
type Account struct {
	// CPU is the time in nanoseconds.
	CPU map[Part]int64 `json:"cpu"`
	// Commands are those of podman that others run, such as
	// "podman-executor-run: podman start", and their number.
	Commands map[string]int `json:"commands"`
	// Executed is how often each program was executed outside of containers.
	Executed map[string]int `json:"executed"`
	// Peak is the largest memory (RSS) of a process of each of the driver's
	// programs, in bytes.
	Peak map[string]int64 `json:"peak"`
}

// New returns an empty account.
func New() Account {
	return Account{CPU: map[Part]int64{}, Commands: map[string]int{}, Executed: map[string]int{}, Peak: map[string]int64{}}
}

// Add adds what another account has: two may follow two commands at a time.
func (a Account) Add(b Account) Account {
	sum := a.combine(b, 1)
	for program, peak := range b.Peak {
		sum.Peak[program] = max(sum.Peak[program], peak)
	}
	return sum
}

// Since returns what has come since an earlier account of the same command. Peaks
// are those since the command's start.
func (a Account) Since(before Account) Account { return a.combine(before, -1) }

func (a Account) combine(b Account, sign int) Account {
	sum := Account{CPU: maps.Clone(a.CPU), Commands: maps.Clone(a.Commands), Executed: maps.Clone(a.Executed), Peak: maps.Clone(a.Peak)}
	for part, ns := range b.CPU {
		sum.CPU[part] += int64(sign) * ns
	}
	merge := func(into, from map[string]int) {
		for name, n := range from {
			into[name] += sign * n
		}
		maps.DeleteFunc(into, func(_ string, n int) bool { return n == 0 })
	}
	merge(sum.Commands, b.Commands)
	merge(sum.Executed, b.Executed)
	return sum
}

// PodmanCommands is the number of podman's commands.
func (a Account) PodmanCommands() (n int) {
	for _, times := range a.Commands {
		n += times
	}
	return n
}

// PeakOfAll is the largest of the peaks, in bytes; 0 where none of the driver's
// programs ran.
func (a Account) PeakOfAll() int64 {
	return slices.Max(append(slices.Collect(maps.Values(a.Peak)), 0))
}

// write puts the account into a file at once, so that a reader never finds a
// part of it.
func (a Account) write(file string) error {
	text, err := json.Marshal(a)
	if err != nil {
		return err
	}
	if err := os.WriteFile(file+".new", text, 0o600); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

// Ask asks the process that runs [Follow] for the account so far.
func Ask(ctx context.Context, pid int, file string) (Account, error) {
	if err := syscall.Kill(pid, syscall.SIGUSR1); err != nil {
		return Account{}, fmt.Errorf("asking for the account: %w", err)
	}
	for {
		a, found, err := take(file)
		if found || err != nil {
			return a, err
		}
		select {
		case <-ctx.Done():
			return a, fmt.Errorf("asking for the account: %w", context.Cause(ctx))
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// take reads the file and removes it. There is none as long as the account was
// not asked for.
func take(file string) (a Account, found bool, err error) {
	text, err := os.ReadFile(file)
	if errors.Is(err, os.ErrNotExist) {
		return a, false, nil
	}
	if err != nil {
		return a, false, err
	}
	a = New()
	if err := json.Unmarshal(text, &a); err != nil {
		return a, false, fmt.Errorf("reading the account: %w", err)
	}
	return a, true, os.Remove(file)
}
