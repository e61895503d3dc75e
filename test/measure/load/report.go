package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"text/tabwriter"
	"time"
)

// report prints the figures: of each kind of job, and of each program.
func report(out io.Writer, jobs []*submitted, took time.Duration, parallel int, memory peaks) {
	fmt.Fprintf(out, "%d jobs, %d at a time, in %.0f s: %.1f jobs a minute\n\n",
		len(jobs), parallel, took.Seconds(), float64(len(jobs))/took.Minutes())
	w := tabwriter.NewWriter(out, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "kind\tjobs\tmedian s\tp95 s\tlongest s\t")
	for _, k := range kinds {
		var times []time.Duration
		for _, j := range jobs {
			if t := j.run.Times(); j.kind.name == k.name {
				times = append(times, t.Finished.Sub(t.PickedUp))
			}
		}
		if len(times) > 0 {
			fmt.Fprintf(w, "%s\t%d\t%.1f\t%.1f\t%.1f\t\n", k.name, len(times),
				quantile(times, 0.5).Seconds(), quantile(times, 0.95).Seconds(), quantile(times, 1).Seconds())
		}
	}
	_ = w.Flush()
	fmt.Fprintln(out)
	w = tabwriter.NewWriter(out, 0, 0, 3, ' ', tabwriter.AlignRight)
	fmt.Fprintln(w, "program\tseen\tpeak MiB, first quarter\tlast quarter\tall\t")
	for _, program := range slices.Sorted(maps.Keys(memory)) {
		list := memory[program]
		quarter := max(len(list)/4, 1)
		fmt.Fprintf(w, "%s\t%d\t%.1f\t%.1f\t%.1f\t\n", program, len(list),
			mebibytes(slices.Max(list[:quarter])), mebibytes(slices.Max(list[len(list)-quarter:])), mebibytes(slices.Max(list)))
	}
	_ = w.Flush()
}

func mebibytes(n int64) float64 { return float64(n) / (1 << 20) }

// quantile returns the value that this share of the values does not exceed.
func quantile(values []time.Duration, share float64) time.Duration {
	sorted := slices.Sorted(slices.Values(values))
	return sorted[max(int(share*float64(len(sorted))+0.999999)-1, 0)]
}
