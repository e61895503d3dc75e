package main

import (
	"podman-executor/test/measure/bench/results"
)

// target is what a figure has to be, and what it is.
type target struct {
	What, Wanted, Measured string
	Met                    bool
}

// ratios are the targets of the time of a kind of jobs by one executor, as a multiple
// of another's.
var ratios = []struct {
	kind, executor, to string
	most               float64
}{
	{"hello", "driver", "docker", 0.30},
	{"hello", "driver", "naive", 0.90},
	{"hello", "step_script_only", "docker", 0.12},
	{"twelve", "driver", "docker", 0.35},
	{"twelve", "driver", "naive", 0.80},
}

// Targets of what podman-executor-run adds.
const (
	mostMilliseconds = 10
	mostMiB          = 16
	leastThroughput  = 0.95
)

// targetsOf are the targets of what was measured; for what was not, there are none.
// What decides is the figure itself, not what is left of it in the table.
func targetsOf(r results.Results, p *results.Programs) (targets []target) {
	for _, t := range ratios {
		ratio, err := r.Ratio(t.kind, t.executor, t.to)
		if err != nil {
			continue
		}
		targets = append(targets, target{
			What:   kindTitle(r, t.kind) + ": time of " + executorTitle(r, t.executor) + " to " + executorTitle(r, t.to),
			Wanted: "at most " + number(t.most, 2) + "×", Measured: number(ratio, 2) + "×", Met: ratio <= t.most,
		})
	}
	if p == nil {
		return targets
	}
	targets = append(targets, target{
		What:   "100 MB of log: throughput of a step to that of `podman start --attach` alone",
		Wanted: "at least " + number(leastThroughput, 2) + "×", Measured: number(p.LogThroughput, 2) + "×", Met: p.LogThroughput >= leastThroughput,
	})
	for _, s := range []struct {
		what  string
		added results.Added
	}{
		{"a step that starts its container", p.Start},
		{"a step that is handed over", p.HandOver},
	} {
		targets = append(targets, target{
			What:   "what podman-executor-run adds to " + s.what + ": time",
			Wanted: "at most " + number(mostMilliseconds, 0) + " ms", Measured: number(s.added.Milliseconds, 1) + " ms", Met: s.added.Milliseconds <= mostMilliseconds,
		}, target{
			What:   "what podman-executor-run adds to " + s.what + ": memory",
			Wanted: "at most " + number(mostMiB, 0) + " MiB", Measured: number(s.added.MiB, 1) + " MiB", Met: s.added.MiB <= mostMiB,
		})
	}
	return targets
}

func kindTitle(r results.Results, name string) string {
	for _, k := range r.Kinds {
		if k.Name == name {
			return k.Title
		}
	}
	return name
}

func executorTitle(r results.Results, name string) string {
	for _, e := range r.Executors {
		if e.Name == name {
			return e.Title
		}
	}
	return name
}
