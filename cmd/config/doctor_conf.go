package main

import (
	"context"

	"podman-executor/internal/containersconf"
	"podman-executor/internal/preflight"
	"podman-executor/pkg/podman"
)

// checkContainersConf checks this machine's containers.conf.
func (e *examination) checkContainersConf() {
	conf, err := containersconf.Read(e.podman.Getenv)
	if err != nil {
		e.add(preflight.UnreadConf(err))
		return
	}
	e.conf = conf
	if r, ok := preflight.ContainersConf(conf, e.podman.Getenv); ok {
		e.add(r)
	}
}

// checkRoom checks whether podman has room for more containers, volumes and networks.
func (e *examination) checkRoom(ctx context.Context, info podman.Info) {
	used := info.Containers
	if info.FreeLocks != nil {
		used = e.conf.Locks() - *info.FreeLocks
	} else if volumes, err := e.podman.Count(ctx, "volume"); err == nil {
		used += volumes
	}
	if r, ok := preflight.Locks(used, e.conf.Locks()); ok {
		e.add(r)
	}
	subnets := e.conf.Subnets()
	if subnets == 0 {
		return
	}
	networks, err := e.podman.Count(ctx, "network")
	if err != nil {
		e.fail("subnets", err, "run `"+e.podman.Program+" network ls` as gitlab-runner's user")
		return
	}
	if r, ok := preflight.Subnets(networks, subnets); ok {
		e.add(r)
	}
}
