package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"podman-executor/test/measure/bench/account"
	"podman-executor/test/measure/bench/results"
)

// logLine is a line of the administrator's log, see internal/site.Log.
type logLine struct {
	Program string
	Job     int64
	Level   string
	Msg     string
	Step    string
	Seconds float64
}

// lastLines are what a program says at its end, with its own time.
var lastLines = []string{"prepared", "step ended", "cleaned up"}

// call is one call of a program of the driver, in one job.
type call struct {
	program, step string
	seconds       float64
	commands      []command
}

type command struct {
	verb    string
	seconds float64
}

// driverLog is the log that the policies of this driver ask for: a line for each
// command of podman, which costs a few microseconds.
func driverLog(dir string) string { return filepath.Join(dir, "driver.log") }

func (r *rival) removeLog() error {
	err := os.Remove(driverLog(r.dir))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// profilesOf are those of a kind that has just been measured, by the modes of this
// driver.
func profilesOf(k kind, rivals []*rival) (profiles []results.Profile, err error) {
	for _, r := range rivals {
		if !k.profiled || r.policy == nil {
			continue
		}
		p, err := r.profile(k)
		if err != nil {
			return nil, err
		}
		profiles = append(profiles, p)
	}
	return profiles, nil
}

// profile is where the time of the jobs went that the log has.
func (r *rival) profile(k kind) (p results.Profile, err error) {
	p = results.Profile{Kind: k.Name, Executor: r.Name}
	log, err := os.Open(driverLog(r.dir))
	if err != nil {
		return p, err
	}
	defer log.Close()
	jobs, err := callsOf(log)
	if err != nil {
		return p, fmt.Errorf("reading %s: %w", log.Name(), err)
	}
	p.Programs = programsOf(jobs)
	return p, nil
}

// callsOf reads a log, and returns the calls of each job in their order.
func callsOf(log io.Reader) (jobs [][]call, err error) {
	index := map[int64]int{}
	// Programs of one job do not overlap: what a command belongs to is the call that
	// ends next.
	open := map[int64][]command{}
	for lines := json.NewDecoder(log); ; {
		var l logLine
		if err := lines.Decode(&l); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, err
		}
		if args, found := strings.CutPrefix(l.Msg, "podman "); found && l.Level == "debug" {
			open[l.Job] = append(open[l.Job], command{"podman " + account.Verb(strings.Fields(args)), l.Seconds})
		}
		if !slices.Contains(lastLines, l.Msg) {
			continue
		}
		if _, found := index[l.Job]; !found {
			index[l.Job] = len(jobs)
			jobs = append(jobs, nil)
		}
		i := index[l.Job]
		jobs[i] = append(jobs[i], call{l.Program, l.Step, l.Seconds, open[l.Job]})
		delete(open, l.Job)
	}
	return jobs, nil
}

// programsOf puts the jobs together. A call or command that no more than half of the
// jobs have, such as a second try, is left out.
func programsOf(jobs [][]call) (programs []results.ProgramTimes) {
	for _, calls := range merged(jobs, func(c call) string { return c.program + " " + c.step }) {
		p := results.ProgramTimes{Program: calls[0].program, Step: calls[0].step}
		var commands [][]command
		for _, c := range calls {
			p.Seconds = append(p.Seconds, c.seconds)
			commands = append(commands, c.commands)
		}
		for _, same := range merged(commands, func(c command) string { return c.verb }) {
			times := results.CommandTimes{Command: same[0].verb}
			for _, c := range same {
				times.Seconds = append(times.Seconds, c.seconds)
			}
			p.Commands = append(p.Commands, times)
		}
		programs = append(programs, p)
	}
	return programs
}

// merged puts together what several lists have in common: the first of a name with the
// first of that name in the others, and so on. The order is that of the first list that
// has it.
func merged[T any](lists [][]T, name func(T) string) (groups [][]T) {
	index := map[string]int{}
	for _, list := range lists {
		times := map[string]int{}
		for _, item := range list {
			n := name(item)
			times[n]++
			key := fmt.Sprint(n, " ", times[n])
			if _, found := index[key]; !found {
				index[key] = len(groups)
				groups = append(groups, nil)
			}
			groups[index[key]] = append(groups[index[key]], item)
		}
	}
	return slices.DeleteFunc(groups, func(group []T) bool { return 2*len(group) <= len(lists) })
}
