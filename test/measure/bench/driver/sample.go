package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"podman-executor/test/measure/bench/results"
)

// sample is one run of a program: wall time, and the program's own peak RSS
// without its children's, 0 where it was not watched.
type sample struct {
	wall time.Duration
	rss  int64 // bytes
}

type samples []sample

// milliseconds is the median of the times.
func (s samples) milliseconds() float64 {
	walls := make([]float64, len(s))
	for i := range s {
		walls[i] = float64(s[i].wall) / float64(time.Millisecond)
	}
	return results.Median(walls)
}

func (s samples) mebibytes() float64 { return float64(s[0].rss) / (1 << 20) }

// series runs the same program again and again.
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
	if cmd.Stdout == nil {
		cmd.Stdout = io.Discard // by a pipe, as gitlab-runner has it
	}
	started := time.Now()
	if err := cmd.Start(); err != nil {
		return sample{}, err
	}
	done := make(chan struct{})
	peak := make(chan int64, 1)
	if watched {
		go func() { peak <- watch(cmd.Process.Pid, done) }()
	} else {
		peak <- 0
	}
	err := cmd.Wait()
	wall := time.Since(started)
	close(done)
	one := sample{wall: wall, rss: <-peak}
	if err != nil {
		return one, &ended{program: filepath.Base(cmd.Path), err: err, stderr: stderr.String()}
	}
	return one, nil
}

// ended is a program that has not ended with 0.
type ended struct {
	program, stderr string
	err             error
}

func (e *ended) Error() string { return fmt.Sprintf("%s: %v: %s", e.program, e.err, e.stderr) }
func (e *ended) Unwrap() error { return e.err }

// watch returns the peak RSS of a process, in bytes, as it stood when it was
// last seen. (The rusage of a process that was waited for has the peak of its
// largest child, here podman's.)
func watch(pid int, done <-chan struct{}) (peak int64) {
	for {
		status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
		for line := range strings.Lines(string(status)) {
			var kilobytes int64
			if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kilobytes); n == 1 {
				peak = max(peak, kilobytes<<10)
			}
		}
		select {
		case <-done:
			return peak
		case <-time.After(500 * time.Microsecond):
		}
	}
}
