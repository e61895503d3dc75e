package main

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"podman-executor/test/harness/gitlab"
)

const (
	// atOnce is the number of pipelines under way at a time. Within a pipeline
	// there is one job at a time: each finds what the one before it has left.
	atOnce = 4

	// dockerTries is how often the docker executor may run a job. Over the API of
	// podman 4.3 it fails now and then, whatever the job: attaching is answered
	// with 500, or a container that is started again soon after its end is
	// killed. The driver has one try. See docs/decisions/0014.
	dockerTries = 5
)

// run runs all pipelines by both executors and compares. A job that is not as
// expected may have another try by the docker executor.
func run(ctx context.Context, all pipelines, keep string, expected []difference) (report, error) {
	m, err := prepareMachine(ctx, keep)
	if err != nil {
		return nil, err
	}
	defer m.close()
	docker, driver := partsOf(m.docker(), all), partsOf(m.driver(), all)
	if err := m.runParts(ctx, slices.Concat(docker, driver)); err != nil {
		return nil, err
	}
	for try := 2; try <= dockerTries; try++ {
		var again []*part
		for i, p := range docker {
			if wrong := compare(p.outcomes, driver[i].outcomes, expected).wrong(); len(wrong) > 0 {
				again = append(again, &part{executor: p.executor, name: p.name, pipeline: only(p.pipeline, wrong), try: try, first: p})
			}
		}
		if err := m.runParts(ctx, again); err != nil {
			return nil, err
		}
		for _, p := range again {
			i := slices.Index(docker, p.first)
			p.first.outcomes = better(p.first.outcomes, p.outcomes, driver[i].outcomes, expected)
		}
	}
	var rows report
	for i := range docker {
		rows = append(rows, compare(docker[i].outcomes, driver[i].outcomes, expected)...)
	}
	return append(rows, unknownJobs(rows, expected)...), nil
}

// partsOf are the pipelines for one executor, in the order of their names.
func partsOf(e executor, all pipelines) (parts []*part) {
	for _, name := range slices.Sorted(maps.Keys(all)) {
		parts = append(parts, &part{executor: e, name: name, pipeline: all[name], try: 1})
	}
	return parts
}

// part is one pipeline for one executor.
type part struct {
	executor executor
	name     string
	pipeline *gitlab.Pipeline
	try      int
	first    *part // of the same pipeline, where this is not it
	outcomes []outcome
}

// runParts fills the outcomes of all parts in.
func (m *machine) runParts(ctx context.Context, parts []*part) error {
	errs := make([]error, len(parts))
	places := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	for i, p := range parts {
		places <- struct{}{}
		all.Go(func() {
			errs[i] = m.runPart(ctx, p)
			<-places
		})
	}
	all.Wait()
	return errors.Join(errs...)
}
