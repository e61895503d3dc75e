package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"podman-executor/internal/preflight"
	"podman-executor/pkg/podman"
)

const (
	// lookAround is a script that tries to reach another container. A container that can be
	// reached refuses the connection, since nothing listens there; one that cannot be reached
	// does not answer. bash makes the connection.
	lookAround = `timeout 3 bash -c 'exec 3<>"/dev/tcp/$0/9" && echo connected' "$1" 2>&1`
	// undoNetworks is how long removing them may take.
	undoNetworks = time.Minute
)

// checkNetworks creates networks like those of jobs with services, and tries to reach a
// container on one from another: at once, and after a third network has lost its last
// container. There is nothing to try if the policy sets one network for all jobs, or no image
// has bash.
func (e *examination) checkNetworks(ctx context.Context) {
	pm := e.policy.General.Podman
	if mode := pm.Container.NetworkMode; e.bash == "" || mode != "" && mode != "bridge" || len(pm.Launcher) > 0 {
		return
	}
	result, err := e.tryNetworks(ctx)
	if err != nil {
		result = preflight.Result{
			Check: preflight.NetworksCheck, Level: preflight.Warning, Detail: err.Error(),
			Hint: hintOf(err, "", "jobs with services need networks: run `"+e.podman.Program+" network create test` and `run --network test` as gitlab-runner's user"),
		}
	}
	e.add(result)
}

func (e *examination) tryNetworks(ctx context.Context) (result preflight.Result, err error) {
	var names []string
	for _, role := range []string{"one", "two", "three"} {
		names = append(names, fmt.Sprintf("podman-executor-doctor-%d-%s", os.Getpid(), role))
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoNetworks)
		defer cancel()
		err = errors.Join(err, e.podman.Remove(ctx, names[0]), e.podman.RemoveNetworks(ctx, names...))
	}()
	for _, name := range names {
		network := podman.CreateNetwork{Name: name, IPv6: e.policy.General.Podman.EnableIPv6, Isolate: preflight.Isolation(e.version)}
		if err := e.podman.CreateNetwork(ctx, network); err != nil {
			return result, err
		}
	}
	_, err = e.podman.Create(ctx, podman.Create{
		Name: names[0], Mode: podman.Detached, Network: names[0], Timeout: time.Minute,
		Workdir: "/", Entrypoint: "sleep", Image: e.bash, Command: []string{"60"},
	})
	if err != nil {
		return result, err
	}
	addresses, err := e.podman.Addresses(ctx, names[0])
	if err != nil {
		return result, err
	}
	if err := e.podman.KeepIsolated(ctx); err != nil && !errors.Is(err, podman.ErrRemote) && !errors.Is(err, podman.ErrNoRules) {
		return result, err
	}
	return e.lookTwice(ctx, names, addresses)
}

// lookTwice tries to reach a container on the first network from the second, before and after
// the third was in use.
func (e *examination) lookTwice(ctx context.Context, names, addresses []string) (preflight.Result, error) {
	// First from its own network: if that works, a failure from the others means isolation.
	if reached, err := e.reaches(ctx, names[0], addresses); err != nil || !reached {
		return preflight.Result{}, cmp.Or(err, errors.New("a container cannot reach another one on its own network, so it was not tested whether networks are isolated"))
	}
	for _, when := range []string{"at once", "when a third network was no longer in use"} {
		reached, err := e.reaches(ctx, names[1], addresses)
		if err != nil || reached {
			return preflight.Apart(reached, when), err
		}
		if _, err := e.podman.Probe(ctx, podman.Probe{Options: []string{"--network", names[2]}, Image: e.bash, Script: "true"}); err != nil {
			return preflight.Result{}, err
		}
	}
	return preflight.Apart(false, ""), nil
}

func (e *examination) reaches(ctx context.Context, network string, addresses []string) (bool, error) {
	for _, address := range addresses {
		out, err := e.podman.Probe(ctx, podman.Probe{Options: []string{"--network", network}, Image: e.bash, Script: lookAround, Words: []string{address}})
		if err != nil {
			return false, err
		}
		if slices.ContainsFunc([]string{"refused", "connected"}, func(word string) bool { return strings.Contains(out, word) }) {
			return true, nil
		}
	}
	return false, nil
}
