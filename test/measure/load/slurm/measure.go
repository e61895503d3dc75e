package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
)

// clockTick is the unit of times in /proc/PID/stat: USER_HZ is 100 on every Linux.
const clockTick = time.Second / 100

// state is what can be counted at a moment.
type state struct {
	at    time.Time
	calls int64
	// controller is slurmctld's processor time, and controllerMemory what it has in memory, in
	// bytes.
	controller       time.Duration
	controllerMemory int64
	// machine is the processor time of the whole machine that was not idle.
	machine time.Duration
	// memory is the mean of what a waiting command has in memory, in bytes, its share of
	// what it shares with others.
	memory int64
	// requests are those that slurmctld has answered, by their names (sdiag(1)).
	requests map[string]request
}

// request is a kind of requests: how many, and how long they took slurmctld in all.
type request struct {
	count int64
	time  time.Duration
}

// look counts.
func (q *queue) look(ctx context.Context) (state, error) {
	s := state{at: time.Now(), calls: q.calls.Load()}
	pid, err := controller()
	if err != nil {
		return s, err
	}
	var errs [4]error
	s.controller, errs[0] = processorTime(pid)
	s.controllerMemory, errs[1] = residentMemory(pid)
	s.machine, errs[2] = machineTime()
	s.requests, errs[3] = requests(ctx)
	for _, cmd := range q.commands[1:] {
		s.memory += proportionalMemory(cmd.Process.Pid)
	}
	s.memory /= int64(max(len(q.commands)-1, 1))
	return s, errors.Join(errs[:]...)
}

// controller finds slurmctld: one cluster of tests runs on a machine at a time.
func controller() (int, error) {
	files, _ := filepath.Glob("/proc/[0-9]*/comm")
	for _, file := range files {
		if name, _ := os.ReadFile(file); string(name) == "slurmctld\n" {
			return strconv.Atoi(filepath.Base(filepath.Dir(file)))
		}
	}
	return 0, errors.New("there is no slurmctld: see `make test-load-slurm`")
}

// processorTime reads proc(5), /proc/PID/stat, utime and stime.
func processorTime(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	user, err1 := strconv.ParseInt(fields[11], 10, 64)
	system, err2 := strconv.ParseInt(fields[12], 10, 64)
	return time.Duration(user+system) * clockTick, errors.Join(err1, err2)
}

// machineTime reads proc(5), /proc/stat: user, nice and system of all processors.
func machineTime() (time.Duration, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	var user, nice, system int64
	_, err = fmt.Sscanf(string(text), "cpu %d %d %d", &user, &nice, &system)
	return time.Duration(user+nice+system) * clockTick, err
}

func residentMemory(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	return kibibytes(text, "VmRSS:"), err
}

// proportionalMemory is 0 for a process that has ended.
func proportionalMemory(pid int) int64 {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/smaps_rollup", pid))
	return kibibytes(text, "Pss:")
}

// kibibytes reads a line such as "Pss:   123 kB", in bytes.
func kibibytes(text []byte, key string) (n int64) {
	_, after, _ := bytes.Cut(text, []byte("\n"+key))
	_, _ = fmt.Sscan(string(after), &n)
	return n << 10
}

// requestLine is a line of sdiag's, in microseconds.
var requestLine = regexp.MustCompile(`(?m)^\s+(REQUEST_\w+)\s.*count:(\d+)\s+ave_time:\d+\s+total_time:(\d+)`)

func requests(ctx context.Context) (map[string]request, error) {
	out, err := output(ctx, "sdiag")
	all := map[string]request{}
	for _, m := range requestLine.FindAllStringSubmatch(out, -1) {
		count, _ := strconv.ParseInt(m[2], 10, 64)
		micros, _ := strconv.ParseInt(m[3], 10, 64)
		all[m[1]] = request{count, time.Duration(micros) * time.Microsecond}
	}
	return all, err
}

// report prints what happened between two looks.
func report(out io.Writer, before, after state, asked []time.Duration) {
	took := after.at.Sub(before.at)
	minute := func(d time.Duration) float64 { return d.Seconds() / took.Minutes() }
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "squeue by the watches\t%.1f a second\n", float64(after.calls-before.calls)/took.Seconds())
	slices.Sort(asked)
	fmt.Fprintf(w, "one squeue for all jobs\tmedian %.0f ms, longest %.0f ms\n", asked[len(asked)/2].Seconds()*1e3, asked[len(asked)-1].Seconds()*1e3)
	fmt.Fprintf(w, "slurmctld\t%.1f s of a processor a minute, %.0f MiB\n", minute(after.controller-before.controller), float64(after.controllerMemory)/(1<<20))
	fmt.Fprintf(w, "the machine\t%.1f s of processors a minute\n", minute(after.machine-before.machine))
	fmt.Fprintf(w, "one waiting command\t%.1f MiB\n", float64(after.memory)/(1<<20))
	for _, name := range busiest(before, after) {
		n, d := after.requests[name].count-before.requests[name].count, after.requests[name].time-before.requests[name].time
		fmt.Fprintf(w, "%s\t%.1f a second, %.2f ms each\n", name, float64(n)/took.Seconds(), d.Seconds()*1e3/float64(n))
	}
	_ = w.Flush()
}

// busiest are the kinds of requests that there were at least every ten seconds, by their time.
func busiest(before, after state) (names []string) {
	least := int64(after.at.Sub(before.at) / (10 * time.Second))
	for name, r := range after.requests {
		if r.count-before.requests[name].count > least {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		spent := func(n string) time.Duration { return after.requests[n].time - before.requests[n].time }
		return cmp.Or(cmp.Compare(spent(b), spent(a)), strings.Compare(a, b))
	})
	return names
}
