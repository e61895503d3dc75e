// Package results is what a run of the benchmark has found: written by one program,
// which measures, and read by another, which makes the page.
package results

import (
	"fmt"
	"math"
	"slices"
	"time"

	"podman-executor/test/measure/bench/account"
)

// Results are those of one run.
type Results struct {
	Started   time.Time  `json:"started"`
	Took      float64    `json:"took"` // seconds
	Machine   Machine    `json:"machine"`
	Kinds     []Kind     `json:"kinds"`
	Executors []Executor `json:"executors"`
	Cells     []Cell     `json:"cells"`
	Profiles  []Profile  `json:"profiles"`
}

// Machine is what it ran on.
type Machine struct {
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	Memory int64  `json:"memory"` // bytes
	Kernel string `json:"kernel"`
	System string `json:"system"`
	Podman string `json:"podman"`
	Runner string `json:"runner"`
	Driver string `json:"driver"`
}

// Kind is a kind of job, Says what its jobs do.
type Kind struct {
	Name   string `json:"name"`
	Title  string `json:"title"`
	Says   string `json:"says"`
	Jobs   int    `json:"jobs"`
	AtOnce int    `json:"at_once"`
}

// Executor is one of the rivals, Says how it is set up.
type Executor struct {
	Name  string `json:"name"`
	Title string `json:"title"`
	Says  string `json:"says"`
}

// Cell is what was measured of one kind by one executor.
type Cell struct {
	Kind     string `json:"kind"`
	Executor string `json:"executor"`
	// Seconds has one value for each repetition: the job's time, or that of all
	// jobs together where a kind has several.
	Seconds []float64 `json:"seconds"`
	// Account is of a repetition of its own, which is not among Seconds.
	Account account.Account `json:"account"`
	// Failed is the number of measurements that were thrown away since a job
	// failed.
	Failed int `json:"failed"`
}

// Cell returns what was measured; false: nothing was.
func (r Results) Cell(kind, executor string) (Cell, bool) {
	for _, c := range r.Cells {
		if c.Kind == kind && c.Executor == executor && len(c.Seconds) > 0 {
			return c, true
		}
	}
	return Cell{}, false
}

// Profile returns where the time went; false: that was not looked at.
func (r Results) Profile(kind, executor string) (Profile, bool) {
	for _, p := range r.Profiles {
		if p.Kind == kind && p.Executor == executor && len(p.Programs) > 0 {
			return p, true
		}
	}
	return Profile{}, false
}

// Ratio is the median of one executor as a multiple of another's.
func (r Results) Ratio(kind, executor, to string) (float64, error) {
	a, ok := r.Cell(kind, executor)
	b, found := r.Cell(kind, to)
	if !ok || !found {
		return 0, fmt.Errorf("there are no times of %s by %s and by %s", kind, executor, to)
	}
	return a.Median() / b.Median(), nil
}

// Median is the median of the times, in seconds.
func (c Cell) Median() float64 { return Median(c.Seconds) }

// Median is that of any values.
func Median(values []float64) float64 { return quantile(values, 0.5) }

// Spread is the interquartile range of the times: between which two values their
// middle half lies, in seconds.
func (c Cell) Spread() (from, to float64) {
	return quantile(c.Seconds, 0.25), quantile(c.Seconds, 0.75)
}

// quantile interpolates between the two nearest values, as most programs do
// (type 7 of Hyndman and Fan).
func quantile(values []float64, share float64) float64 {
	sorted := slices.Sorted(slices.Values(values))
	if len(sorted) == 0 {
		return math.NaN()
	}
	place := share * float64(len(sorted)-1)
	below := int(place)
	above := min(below+1, len(sorted)-1)
	return sorted[below] + (place-float64(below))*(sorted[above]-sorted[below])
}
