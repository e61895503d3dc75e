package results

// Programs is what the driver's programs take beside podman, measured apart from any
// job (test/measure/bench/driver).
type Programs struct {
	// Lines is all that was measured, in the order of a table.
	Lines []Line `json:"lines"`
	// Start is what podman-executor-run adds to a step for which it starts the
	// container, HandOver to one that it hands over.
	Start    Added `json:"start"`
	HandOver Added `json:"hand_over"`
	// LogThroughput is that of a large log through podman-executor-run, that of
	// `podman start` alone being 1.
	LogThroughput float64 `json:"log_throughput"`
}

// Line is one thing that was measured: the median of its time, and the peak of the
// program's own memory (RSS), 0 where there is none.
type Line struct {
	What         string  `json:"what"`
	Milliseconds float64 `json:"milliseconds"`
	MiB          float64 `json:"mib,omitempty"`
}

// Added is what a program adds: time, and memory of its own.
type Added struct {
	Milliseconds float64 `json:"milliseconds"`
	MiB          float64 `json:"mib"`
}
