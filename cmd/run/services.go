package main

import (
	"context"
	"fmt"
	"time"

	"podman-executor/internal/driver"
	"podman-executor/internal/plan"
	"podman-executor/pkg/podman"
)

const (
	// shownLines is how much of a service's log a step shows at most, in lines.
	shownLines = 10_000
	// logsTimeout bounds the reading of one service's log; shortLogsTimeout that of all of them
	// if the job was told to stop.
	logsTimeout      = 10 * time.Second
	shortLogsTimeout = 2 * time.Second
)

// showServices copies what the services have said during a step into the job log
// (CI_DEBUG_SERVICES). No program of the driver runs between steps that could do it meanwhile.
// A step that was told to stop may have waited for a service, so the logs are shown after it as
// well.
func showServices(ctx context.Context, call *driver.Call, p plan.Plan, pm *podman.Podman, since time.Time) {
	all := context.WithoutCancel(ctx)
	if ctx.Err() != nil {
		var cancel context.CancelFunc
		all, cancel = context.WithTimeout(all, shortLogsTimeout)
		defer cancel()
	}
	for _, s := range p.Services {
		bounded, cancel := context.WithTimeout(all, logsTimeout)
		lines, err := pm.Logs(bounded, s.Container, since, shownLines)
		cancel()
		if err != nil {
			call.Warn("reading the log of the service %s: %v", s.Alias, err)
		}
		for _, line := range lines {
			fmt.Fprintf(call.Stderr, "[service:%s] %s\n", s.Alias, driver.PrintableLine(line))
		}
	}
}
