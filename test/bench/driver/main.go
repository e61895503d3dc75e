// Command driver measures what the four programs add to the podman commands that
// they run: the time until a program has started, and the time and memory that
// podman-executor-run takes beside `podman start`.
//
// PODMAN_EXECUTOR_BIN names the directory of the four programs.
package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"podman-executor/internal/plan"
	"podman-executor/internal/step"
	"podman-executor/pkg/podman"
)

// rounds is how often each thing is measured; the table has medians.
const rounds = 20

const image = "localhost/podman-executor/busybox:latest"

func main() {
	if err := measure(os.Getenv("PODMAN_EXECUTOR_BIN"), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench-driver: error:", err)
		os.Exit(1)
	}
}

func measure(bin string, out io.Writer) error {
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "what\tmedian ms\tpeak RSS MiB\t")
	for _, stage := range []string{"config", "prepare", "run", "cleanup"} {
		s, err := series(func() (*exec.Cmd, error) {
			return exec.Command(filepath.Join(bin, "podman-executor-"+stage), "--version"), nil
		})
		if err != nil {
			return err
		}
		fmt.Fprintf(w, "start of podman-executor-%s\t%.1f\t%.1f\t\n", stage, s.milliseconds(), s.mebibytes())
	}
	alone, through, err := steps(bin)
	if err != nil {
		return err
	}
	fmt.Fprintf(w, "podman start alone\t%.1f\t%.1f\t\n", alone.milliseconds(), alone.mebibytes())
	fmt.Fprintf(w, "a step by podman-executor-run\t%.1f\t%.1f\t\n", through.milliseconds(), through.mebibytes())
	fmt.Fprintf(w, "what podman-executor-run adds\t%.1f\t%.1f\t\n", through.milliseconds()-alone.milliseconds(), through.mebibytes())
	return w.Flush()
}

// sample is one run of a program: wall time, and the program's own peak RSS
// without its children's, 0 where it was not watched.
type sample struct {
	wall time.Duration
	rss  int64 // bytes
}

type samples []sample

func (s samples) milliseconds() float64 {
	walls := make([]time.Duration, len(s))
	for i := range s {
		walls[i] = s[i].wall
	}
	slices.Sort(walls)
	return float64(walls[len(walls)/2].Microseconds()) / 1000
}

func (s samples) mebibytes() float64 { return float64(s[0].rss) / (1 << 20) }

func series(command func() (*exec.Cmd, error)) (samples, error) {
	var s samples
	for i := range rounds {
		cmd, err := command()
		if err != nil {
			return nil, err
		}
		one, err := take(cmd, i == 0)
		if err != nil {
			return nil, err
		}
		s = append(s, one)
	}
	return s, nil
}

// take runs a program. To be watched costs it time, so that is done in the first
// round only.
func take(cmd *exec.Cmd, watched bool) (sample, error) {
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	started := time.Now()
	if err := cmd.Start(); err != nil {
		return sample{}, err
	}
	ended := make(chan struct{})
	peak := make(chan int64, 1)
	if watched {
		go func() { peak <- watch(cmd.Process.Pid, ended) }()
	} else {
		peak <- 0
	}
	err := cmd.Wait()
	wall := time.Since(started)
	close(ended)
	if err != nil {
		return sample{}, fmt.Errorf("%s: %w: %s", filepath.Base(cmd.Path), err, stderr.String())
	}
	return sample{wall: wall, rss: <-peak}, nil
}

// watch returns the peak RSS of a process, in bytes, as it stood when it was
// last seen. (The rusage of a process that was waited for has the peak of its
// largest child, here podman's.)
func watch(pid int, ended <-chan struct{}) (peak int64) {
	for {
		status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		for line := range strings.Lines(string(status)) {
			var kilobytes int64
			if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kilobytes); n == 1 {
				peak = max(peak, kilobytes<<10)
			}
		}
		select {
		case <-ended:
			return peak
		case <-time.After(500 * time.Microsecond):
		}
	}
}

// steps measures the same step in the same container, by turns alone and
// through the driver.
func steps(bin string) (alone, through samples, err error) {
	dir, err := os.MkdirTemp("", "podman-executor-bench-")
	if err != nil {
		return nil, nil, err
	}
	defer os.RemoveAll(dir)
	name := filepath.Base(dir)
	program, err := podman.Find("")
	if err != nil {
		return nil, nil, err
	}
	env := podman.Environment(os.Getenv, os.Getuid(), storage())
	create := podman.Create{
		Name: name, Tmpfs: []string{step.Tmpfs}, Entrypoint: "sh", Image: image,
		Command: step.Command(step.User, step.EntryPoint{Shell: true}, "", ""),
	}
	client := func(args ...string) *exec.Cmd {
		cmd := exec.Command(program, args...)
		cmd.Env, cmd.Dir = env, "/"
		return cmd
	}
	if out, err := client(create.Args()...).CombinedOutput(); err != nil {
		return nil, nil, fmt.Errorf("%w: %s", err, out)
	}
	defer func() { _ = client("rm", "--force", "--time", "0", name).Run() }()
	p := plan.Plan{Podman: plan.Podman{Program: program, Env: env}, UserContainer: name, RunnerContainer: name}
	if err := plan.Write(dir, p); err != nil {
		return nil, nil, err
	}
	script := []byte("#!/usr/bin/env sh\nexit 0\n")
	file := filepath.Join(dir, "script")
	if err := os.WriteFile(file, script, 0o700); err != nil {
		return nil, nil, err
	}
	for i := range rounds {
		cmd := client("start", "--attach", "--interactive", "--sig-proxy=false", "--", name)
		cmd.Stdin = step.Input(script)
		a, err := take(cmd, i == 0)
		if err != nil {
			return nil, nil, err
		}
		cmd = exec.Command(filepath.Join(bin, "podman-executor-run"), file, "build_script")
		cmd.Env = []string{"TMPDIR=" + dir, "JOB_RESPONSE_FILE=" + file, "BUILD_EXIT_CODE_FILE=" + filepath.Join(dir, "code")}
		t, err := take(cmd, i == 0)
		if err != nil {
			return nil, nil, err
		}
		alone, through = append(alone, a), append(through, t)
	}
	return alone, through, nil
}

// storage shows podman the storage of the tests, where it is not the user's own.
func storage() []string {
	if file := os.Getenv("CONTAINERS_STORAGE_CONF"); file != "" {
		return []string{"CONTAINERS_STORAGE_CONF=" + file}
	}
	return nil
}
