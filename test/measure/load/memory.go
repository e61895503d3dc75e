package main

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	// memoryPoll is the time between two looks at the programs. The kernel keeps
	// a process's peak, so what is missed is what comes after the last look.
	memoryPoll = 50 * time.Millisecond
	// ceiling is more than any of the programs can need, in bytes: what is above
	// it has grown with the jobs.
	ceiling = 64 << 20
)

// peaks are the peaks of memory (RSS) of each process of a program, in bytes, in the
// order in which they were seen.
type peaks map[string][]int64

type memoryWatch struct {
	end  chan struct{}
	done chan peaks
}

// watchMemory looks at the driver's programs that have this TMPDIR or one below it.
func watchMemory(tempDir string) *memoryWatch {
	w := &memoryWatch{end: make(chan struct{}), done: make(chan peaks)}
	go func() {
		seen := peaks{}
		places := map[int]int{} // of a process among those of its program
		for {
			look(seen, places, tempDir)
			select {
			case <-w.end:
				w.done <- seen
				return
			case <-time.After(memoryPoll):
			}
		}
	}()
	return w
}

func (w *memoryWatch) stop() peaks {
	close(w.end)
	return <-w.done
}

// look updates the peaks of the processes that there are.
func look(seen peaks, places map[int]int, tempDir string) {
	found, _ := filepath.Glob("/proc/[0-9]*/comm")
	alive := map[int]bool{}
	for _, file := range found {
		// The kernel keeps 15 bytes of a name.
		if name, _ := os.ReadFile(file); string(name) != "podman-executor\n" {
			continue
		}
		dir := filepath.Dir(file)
		environ, _ := os.ReadFile(filepath.Join(dir, "environ"))
		line, _ := os.ReadFile(filepath.Join(dir, "cmdline"))
		program, _, _ := bytes.Cut(line, []byte{0})
		rss := peakOf(dir)
		if rss == 0 || !bytes.Contains(environ, []byte("TMPDIR="+tempDir)) {
			continue
		}
		var pid int
		_, _ = fmt.Sscan(filepath.Base(dir), &pid)
		alive[pid] = true
		name := filepath.Base(string(program))
		place, known := places[pid]
		if !known {
			place = len(seen[name])
			places[pid] = place
			seen[name] = append(seen[name], 0)
		}
		seen[name][place] = max(seen[name][place], rss)
	}
	maps.DeleteFunc(places, func(pid, _ int) bool { return !alive[pid] })
}

// peakOf reads a process's peak RSS, in bytes; 0 where it is gone.
func peakOf(dir string) (peak int64) {
	status, _ := os.ReadFile(filepath.Join(dir, "status"))
	for line := range strings.Lines(string(status)) {
		var kilobytes int64
		if n, _ := fmt.Sscanf(line, "VmHWM: %d kB", &kilobytes); n == 1 {
			peak = kilobytes << 10
		}
	}
	return peak
}

// grown says which program had more memory than the ceiling.
func (p peaks) grown() []string {
	var list []string
	for _, program := range slices.Sorted(maps.Keys(p)) {
		if peak := slices.Max(p[program]); peak > ceiling {
			list = append(list, fmt.Sprintf("%s had %d MiB", program, peak>>20))
		}
	}
	return list
}
