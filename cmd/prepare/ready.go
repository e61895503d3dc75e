package main

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"podman-executor/internal/driver"
	"podman-executor/pkg/podman"
)

const (
	// servicesTimeout is how long a job waits for its services where the
	// policy does not say (gitlab-runner executors/docker/services.go:140).
	servicesTimeout = 30 * time.Second
	// Between two looks at the services lies a tenth of the time that they are waited for
	// already, and no less and no more than these.
	shortestPause = 200 * time.Millisecond
	longestPause  = 2 * time.Second
	// mostChecks is how many health checks of a job run at the same time: each is a podman.
	mostChecks = 8
	// serviceLines is how much of a service's log a warning shows, in lines.
	serviceLines = 20
)

// waitForServices waits until all services are ready, or the time is over. A
// service that is not ready is a warning with its last words: the job may not
// need it.
func (s *preparation) waitForServices(ctx context.Context, images []podman.Image) error {
	timeout := servicesTimeout
	if t := s.policy.General.Podman.WaitForServicesTimeout; t.Set && t.Value != 0 {
		timeout = time.Duration(t.Value) * time.Second
	}
	if len(s.grant.Services) == 0 || timeout < 0 {
		return nil
	}
	s.note("Waiting for services to be up and running (timeout %d seconds)...", int(timeout.Seconds()))
	bounded, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	w := waiting{podman: s.podman}
	for i, image := range images {
		w.services = append(w.services, &waited{name: s.serviceName(i), ports: s.servicePorts(i, image), check: image.HealthCheck})
	}
	w.wait(bounded)
	for i, service := range w.services {
		if !service.ready && ctx.Err() == nil {
			s.warnOfService(ctx, i, cmp.Or(service.problem, "it is not ready after the timeout"))
		}
	}
	return ctx.Err()
}

// waiting is for services to be ready. One podman command looks at all of them.
type waiting struct {
	podman   *podman.Podman
	services []*waited
	// checks are the ends of checks by podman.
	checks  chan checked
	running sync.WaitGroup
	// busy is the number of those that run.
	busy int
}

// waited is one service.
type waited struct {
	name  string
	ports []int
	check podman.HealthCheck
	// ready or problem tell how the waiting has ended.
	ready   bool
	problem string
	// checking tells that a check by podman runs; checked counts those.
	checking bool
	checked  int
}

// checked is a check that has ended.
type checked struct {
	service *waited
	ready   bool
}

// done tells that there is nothing to wait for.
func (w *waited) done() bool { return w.ready || w.problem != "" }

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

// until takes the ends of checks until the next look. It is false where there is to be
// none.
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

// open are the services that are still waited for, those that were checked least first:
// a check that takes long keeps no other service from being checked.
func (w *waiting) open() []*waited {
	list := slices.DeleteFunc(slices.Clone(w.services), func(s *waited) bool { return s.done() })
	slices.SortStableFunc(list, func(a, b *waited) int { return cmp.Compare(a.checked, b.checked) })
	return list
}

// look looks once at all services that are waited for.
func (w *waiting) look(ctx context.Context) {
	var names []string
	for _, s := range w.services {
		if !s.done() {
			names = append(names, s.name)
		}
	}
	pids, err := w.podman.PIDs(ctx, names...)
	if err != nil {
		return // perhaps podman does better the next time
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
		case w.podman.Elsewhere:
			w.begin(s, func() bool { return w.podman.Listening(ctx, s.name, pid, s.ports) })
		default:
			s.ready = w.podman.Listening(ctx, s.name, pid, s.ports)
		}
	}
}

// begin begins a check by podman, unless so many run already.
func (w *waiting) begin(s *waited, check func() bool) {
	if w.busy == mostChecks {
		return
	}
	w.busy++
	s.checking = true
	s.checked++
	w.running.Go(func() { w.checks <- checked{service: s, ready: check()} })
}

// servicePorts are the TCP ports to look at: HEALTHCHECK_TCP_PORT of the service's
// own variables, else those that the image exposes
// (gitlab-runner executors/docker/docker.go:2011).
func (s *preparation) servicePorts(i int, image podman.Image) []int {
	if service := s.grant.Services[i]; !service.Added {
		for _, v := range s.job.Services[service.Index].Variables {
			if port, err := strconv.Atoi(v.Value); strings.EqualFold(v.Key, "HEALTHCHECK_TCP_PORT") && err == nil {
				return []int{port}
			}
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

// warnOfService shows a service's last words.
func (s *preparation) warnOfService(ctx context.Context, i int, problem string) {
	service := s.grant.Services[i]
	s.call.Warn("the service %s (%s) probably didn't start properly: %s", service.Aliases[0], service.Image, problem)
	lines, err := s.podman.Logs(ctx, s.serviceName(i), time.Time{}, serviceLines)
	if err != nil {
		lines = []string{err.Error()}
	}
	for _, line := range lines {
		fmt.Fprintf(s.call.Stderr, "[service:%s] %s\n", service.Aliases[0], driver.Printable(line))
	}
}
