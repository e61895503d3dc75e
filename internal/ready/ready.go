// Package ready waits until the services of a job accept connections.
package ready

import (
	"cmp"
	"context"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"podman-executor/internal/job"
	"podman-executor/pkg/podman"
)

const (
	// The pause between two looks at the services is a tenth of the time already waited, within
	// these bounds.
	shortestPause = 200 * time.Millisecond
	longestPause  = 2 * time.Second
	// mostChecks is how many health checks of a job run at the same time: each is a podman
	// process.
	mostChecks = 8
)

// Service is a service to wait for.
type Service struct {
	// Container is the name of its container.
	Container string
	// Ports are the TCP ports to look at, see [Ports]. A service without one, and without
	// a health check, is ready when its container runs.
	Ports []int
	// HealthCheck is the image's. If it has a test, that decides instead of the ports.
	HealthCheck podman.HealthCheck
}

// Wait waits until all services are ready, or for the end of ctx. For each service it returns
// why it is not ready; empty if it is.
func Wait(ctx context.Context, pm *podman.Podman, services []Service) []string {
	w := waiting{podman: pm}
	for _, s := range services {
		w.services = append(w.services, &service{name: s.Container, ports: s.Ports, check: s.HealthCheck})
	}
	w.wait(ctx)
	problems := make([]string, len(services))
	for i, s := range w.services {
		if !s.ready {
			problems[i] = cmp.Or(s.problem, "it is not ready after the timeout")
		}
	}
	return problems
}

// waiting is the state of one [Wait]. One podman command looks at all services.
type waiting struct {
	podman   *podman.Podman
	services []*service
	// checks receives the results of checks by podman.
	checks  chan checked
	running sync.WaitGroup
	// busy is the number of running checks.
	busy int
}

// service is a service that is waited for.
type service struct {
	name  string
	ports []int
	check podman.HealthCheck
	// ready or problem is set when the waiting has ended.
	ready   bool
	problem string
	// checking means that a check by podman runs; checked counts the checks.
	checking bool
	checked  int
}

// checked is a check that has ended.
type checked struct {
	service *service
	ready   bool
}

// done reports whether there is nothing left to wait for.
func (s *service) done() bool { return s.ready || s.problem != "" }

// wait waits for all services, or for the end of ctx.
func (w *waiting) wait(ctx context.Context) {
	started := time.Now()
	w.checks = make(chan checked, len(w.services))
	defer w.running.Wait()
	for {
		w.look(ctx)
		pause := min(max(time.Since(started)/10, shortestPause), longestPause)
		if !w.until(ctx, time.After(pause)) {
			return
		}
	}
}

// until handles finished checks until the next look. It returns false if there is none.
func (w *waiting) until(ctx context.Context, next <-chan time.Time) bool {
	for len(w.open()) > 0 {
		select {
		case c := <-w.checks:
			w.busy--
			c.service.checking, c.service.ready = false, c.ready
		case <-next:
			return true
		case <-ctx.Done():
			return false
		}
	}
	return false
}

// open returns the services that are still waited for, least checked first, so that a slow
// check does not keep other services from being checked.
func (w *waiting) open() []*service {
	list := slices.DeleteFunc(slices.Clone(w.services), func(s *service) bool { return s.done() })
	slices.SortStableFunc(list, func(a, b *service) int { return cmp.Compare(a.checked, b.checked) })
	return list
}

// look looks once at all open services.
func (w *waiting) look(ctx context.Context) {
	var names []string
	for _, s := range w.services {
		if !s.done() {
			names = append(names, s.name)
		}
	}
	pids, err := w.podman.PIDs(ctx, names...)
	if err != nil {
		return // podman may answer next time
	}
	for _, s := range w.open() {
		pid, there := pids[s.name]
		switch {
		case !there || s.checking:
		case pid == 0:
			s.problem = "it has ended"
		case len(s.check.Test) > 1:
			w.begin(s, func() bool { return w.podman.Healthy(ctx, s.name, s.check) })
		case len(s.ports) == 0:
			s.ready = true
		case w.podman.Remote:
			w.begin(s, func() bool { return w.podman.Listening(ctx, s.name, pid, s.ports) })
		default:
			s.ready = w.podman.Listening(ctx, s.name, pid, s.ports)
		}
	}
}

// begin begins a check by podman, unless mostChecks run already.
func (w *waiting) begin(s *service, check func() bool) {
	if w.busy == mostChecks {
		return
	}
	w.busy++
	s.checking = true
	s.checked++
	w.running.Go(func() { w.checks <- checked{service: s, ready: check()} })
}

// Ports are the TCP ports to look at: HEALTHCHECK_TCP_PORT of the service's
// own variables, else those that the image exposes
// (gitlab-runner executors/docker/docker.go:2011).
func Ports(variables []job.Variable, image podman.Image) []int {
	for _, v := range variables {
		if port, err := strconv.Atoi(v.Value); strings.EqualFold(v.Key, "HEALTHCHECK_TCP_PORT") && err == nil {
			return []int{port}
		}
	}
	var ports []int
	for _, exposed := range slices.Sorted(maps.Keys(image.Config.ExposedPorts)) {
		number, protocol, _ := strings.Cut(exposed, "/")
		if port, err := strconv.Atoi(number); err == nil && cmp.Or(protocol, "tcp") == "tcp" {
			ports = append(ports, port)
		}
	}
	return ports
}
