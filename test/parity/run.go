package main

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"

	"podman-executor/test/gitlab"
)

const (
	// atOnce is the number of pipelines under way at a time. Within a pipeline
	// there is one job at a time: each finds what the one before it has left.
	atOnce = 4

	// dockerTries is how often the docker executor may run a pipeline. Over the
	// API of podman 4.3 it fails now and then, whatever the job: attaching is
	// answered with 500, or a container that is started again soon after its end
	// is killed. The driver has one try.
	dockerTries = 3
)

// run runs all pipelines by both executors and compares. A job that is not as
// expected may have another try by the docker executor, with its whole pipeline.
func run(ctx context.Context, all pipelines, keep string, expected []difference) (report, error) {
	m, err := prepareMachine(ctx, keep)
	if err != nil {
		return nil, err
	}
	defer m.close()
	names := slices.Sorted(maps.Keys(all))
	docker, driver := map[string][]outcome{}, map[string][]outcome{}
	var parts []part
	for _, e := range []executor{m.docker(), m.driver()} {
		for _, name := range names {
			parts = append(parts, part{executor: e, name: name, pipeline: all[name], try: 1})
		}
	}
	if err := m.runParts(ctx, parts); err != nil {
		return nil, err
	}
	for _, p := range parts {
		if p.executor.name == "docker" {
			docker[p.name] = p.outcomes
		} else {
			driver[p.name] = p.outcomes
		}
	}
	for try := 2; try <= dockerTries; try++ {
		var again []part
		for _, name := range names {
			if !compare(docker[name], driver[name], expected).same() {
				again = append(again, part{executor: m.docker(), name: name, pipeline: all[name], try: try})
			}
		}
		if err := m.runParts(ctx, again); err != nil {
			return nil, err
		}
		for _, p := range again {
			docker[p.name] = better(docker[p.name], p.outcomes, driver[p.name], expected)
		}
	}
	var dockerAll, driverAll []outcome
	for _, name := range names {
		dockerAll, driverAll = append(dockerAll, docker[name]...), append(driverAll, driver[name]...)
	}
	return append(compare(dockerAll, driverAll, expected), unknownJobs(dockerAll, expected)...), nil
}

// part is one pipeline for one executor.
type part struct {
	executor executor
	name     string
	pipeline *gitlab.Pipeline
	try      int
	outcomes []outcome
}

// runParts fills the outcomes of all parts in.
func (m *machine) runParts(ctx context.Context, parts []part) error {
	errs := make([]error, len(parts))
	places := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	for i := range parts {
		places <- struct{}{}
		all.Go(func() {
			errs[i] = m.runPart(ctx, &parts[i])
			<-places
		})
	}
	all.Wait()
	return errors.Join(errs...)
}
