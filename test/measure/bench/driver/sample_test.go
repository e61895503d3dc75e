package main

import (
	"testing"
	"time"

	"podman-executor/test/measure/bench/results"
)

// A machine that becomes slower on the way adds nothing.
func TestAdded(t *testing.T) {
	t.Parallel()
	var alone, through samples
	for _, ms := range []time.Duration{100, 100, 300, 300, 200} {
		alone = append(alone, sample{wall: ms * time.Millisecond, rss: 40 << 20})
		through = append(through, sample{wall: (ms + 6) * time.Millisecond, rss: 5 << 20})
	}
	through[4].wall = 2 * time.Second
	if got, want := added(alone, through), (results.Added{Milliseconds: 6, MiB: 5}); got != want {
		t.Errorf("%v, want %v", got, want)
	}
}
