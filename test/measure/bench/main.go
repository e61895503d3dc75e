// Command bench runs the same jobs by this driver, in both of its modes, and by its
// rivals: gitlab-runner's docker executor over podman, a custom executor of a few shell
// scripts, and the shell executor. All run in real rootless podman through a real
// gitlab-runner.
//
//	bench [--kinds LIST] [--executors LIST] [--runs N] --sources DIRECTORY
//	bench --counts FILE
//
// It prints the results as JSON, for test/measure/bench/page to make a page of, and progress
// on standard error. For each kind of job the executors take turns, so that a noisy
// machine hits all alike. What jobs use (CPU time, podman's commands, memory) is
// measured in a run of its own, since that makes them slower.
//
// With --counts it only counts podman's commands of one hello job, and exits 1 when
// they are not those of the file.
//
// PODMAN_EXECUTOR_BIN names the directory of the four programs, GITLAB_RUNNER
// the gitlab-runner.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"podman-executor/test/measure/bench/account"
	"podman-executor/test/measure/bench/results"
)

// followCommand is the command under which the program follows another.
const followCommand = "follow"

const (
	// jobTime is what a job may take.
	jobTime = 2 * time.Minute
	// moreTime is what each further job of several may add.
	moreTime = 10 * time.Second
)

func main() {
	if len(os.Args) > 4 && os.Args[1] == followCommand {
		status, err := account.Follow(os.Args[4:], os.Args[2], os.Args[3] == "true")
		if err != nil {
			fmt.Fprintln(os.Stderr, "bench: error:", err)
			status = 125
		}
		os.Exit(status)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	err := start(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench: error:", err)
		os.Exit(1)
	}
}

// bench is one run of the program.
type bench struct {
	dir     string
	program string // this one
	sources map[string][]byte
	out     io.Writer // for progress
}

func start(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	kindNames := flags.String("kinds", "", "the kinds of jobs, with commas (default all)")
	executorNames := flags.String("executors", "", "the executors, with commas (default all)")
	runs := flags.Int("runs", 5, "how often each is measured")
	sources := flags.String("sources", "", "the `directory` of files that are cloned")
	counts := flags.String("counts", "", "only count, and compare with this `file`")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 || *runs < 1 {
		return errors.New("want no arguments but options, and at least one run")
	}
	b := &bench{out: stderr}
	if b.program, err = os.Executable(); err != nil {
		return err
	}
	if b.dir, err = os.MkdirTemp("", "podman-executor-bench-"); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(b.dir)) }()
	if err := writeNaive(b.dir); err != nil {
		return err
	}
	if *counts != "" {
		return b.compareCounts(ctx, *counts)
	}
	kinds, executors, err := b.choose(list(*kindNames), list(*executorNames), *sources)
	if err != nil {
		return err
	}
	r, err := b.measureAll(ctx, kinds, executors, *runs)
	// What was measured before an error took its time, too.
	return errors.Join(err, write(stdout, r))
}

func write(stdout io.Writer, r results.Results) error {
	text, err := json.MarshalIndent(r, "", "\t")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(stdout, "%s\n", text)
	return err
}

func list(names string) []string {
	return strings.FieldsFunc(names, func(r rune) bool { return r == ',' || r == ' ' })
}

// choose returns the kinds and executors of these names, and reads what is cloned.
func (b *bench) choose(kindNames, executorNames []string, sources string) (kinds []kind, executors []executor, err error) {
	says := "no files"
	if sources != "" {
		if b.sources, err = readSources(sources); err != nil {
			return nil, nil, err
		}
		says = fmt.Sprintf("the %d files of `%s`", len(b.sources), filepath.Base(sources))
	}
	kinds, err = chosen(allKinds(says), kindNames, func(k kind) string { return k.Name })
	if err != nil {
		return nil, nil, fmt.Errorf("--kinds: %w", err)
	}
	for _, k := range kinds {
		if k.clones && len(b.sources) == 0 {
			return nil, nil, fmt.Errorf("the kind %s needs --sources DIRECTORY", k.Name)
		}
	}
	executors, err = chosen(allExecutors(), executorNames, func(e executor) string { return e.Name })
	if err != nil {
		return nil, nil, fmt.Errorf("--executors: %w", err)
	}
	return kinds, executors, nil
}

// measureAll measures each kind by each executor.
func (b *bench) measureAll(ctx context.Context, kinds []kind, executors []executor, runs int) (r results.Results, err error) {
	r.Started = time.Now().UTC().Truncate(time.Second)
	if r.Machine, err = describeMachine(ctx); err != nil {
		return r, err
	}
	var rivals []*rival
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		for _, rival := range rivals {
			err = errors.Join(err, rival.close(ctx))
		}
	}()
	for _, e := range executors {
		rival, err := b.newRival(ctx, e)
		if err != nil {
			return r, err
		}
		rivals = append(rivals, rival)
		r.Executors = append(r.Executors, e.Executor)
	}
	for _, k := range kinds {
		r.Kinds = append(r.Kinds, k.Kind)
		cells, err := b.measureKind(ctx, k, rivals, k.repetitions(runs))
		r.Cells = append(r.Cells, cells...)
		if err != nil {
			return r, err
		}
		profiles, err := profilesOf(k, rivals)
		r.Profiles = append(r.Profiles, profiles...)
		if err != nil {
			return r, err
		}
	}
	r.Took = time.Since(r.Started).Seconds()
	return r, nil
}
