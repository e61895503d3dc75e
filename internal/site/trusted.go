package site

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"podman-executor/internal/driver"
	"podman-executor/internal/job"
	"podman-executor/internal/trust"
	"podman-executor/pkg/podman"
	"podman-executor/pkg/policy"
)

// Place is a path that nobody else may control.
type Place struct {
	// What names it: a key of the policy, or what it is.
	What string
	// Name is the path.
	Name string
}

// Judge returns why a place cannot be trusted. If the path does not exist, the existing part of
// it is judged. Whoever needs the rest will report that it is missing.
func (p Place) Judge(o trust.Identity) error {
	err := trust.Whereabouts(p.Name, o)
	var untrusted *trust.Error
	if !errors.As(err, &untrusted) {
		return nil
	}
	return &driver.Fault{Err: fmt.Errorf("%s cannot be trusted: %w", p.What, err), Hint: trust.Hint(err)}
}

// Places returns the paths, named by the policy or derived from it, that nobody else may be
// able to replace: the driver reads them, works in them, or runs them. The policy and podman
// are not among them, see [LoadPolicy] and [Podman].
func Places(c *driver.Call, p *policy.Policy) []Place {
	g, pm := p.General, p.General.Podman
	env := Client(c, p, "", nil)
	places := slices.Concat(below("general.data_dir", g.DataDir, "builds", "cache", "chosen", ".podman-executor"),
		below("general.state_dir", StateDir(c, p), "used", "private-images", "secrets"))
	places = append(places, []Place{
		{"general.log_file", g.LogFile},
		{"general.podman.registry_auth_file", pm.RegistryAuthFile},
		{"the runtime directory", job.RuntimeDir(env.Getenv)},
		{"TMPDIR", c.Getenv("TMPDIR")},
	}...)
	if pm.RunnerBinary != policy.NoRunnerBinary {
		places = append(places, Place{"general.podman.runner_binary", pm.RunnerBinary})
	}
	for _, h := range Hosts(p) {
		places = append(places, Place{"general.podman.identity", h.Identity}, Place{"general.podman.known_hosts", h.KnownHosts})
	}
	if len(pm.Launcher) > 0 {
		if program, err := podman.FindProgram(pm.Launcher[0]); err == nil {
			places = append(places, Place{"general.podman.launcher", program})
		}
	}
	for _, name := range podman.ConfigFiles(env.Getenv) {
		places = append(places, Place{"podman's configuration", name})
	}
	// podman finds the programs that it runs on its PATH.
	for _, dir := range filepath.SplitList(env.Getenv("PATH")) {
		places = append(places, Place{"the PATH of podman's environment", dir})
	}
	return slices.DeleteFunc(places, func(p Place) bool { return !filepath.IsAbs(p.Name) })
}

// below returns a directory and what the driver makes in it; nothing if dir is empty.
func below(what, dir string, names ...string) []Place {
	if dir == "" {
		return nil
	}
	places := []Place{{what, dir}}
	for _, name := range names {
		places = append(places, Place{what, filepath.Join(dir, name)})
	}
	return places
}

// checkTrust returns a [driver.Fault] for the first of the policy's places that somebody else
// could replace.
func checkTrust(c *driver.Call, p *policy.Policy) error {
	owner := trust.Self()
	for _, place := range Places(c, p) {
		if err := place.Judge(owner); err != nil {
			return err
		}
	}
	return nil
}

// findPodman returns the policy's podman program. If it cannot be trusted, the error is a
// [driver.Fault].
func findPodman(p *policy.Policy) (string, error) {
	program, err := podman.Find(p.General.Podman.ApplicationPath)
	if err != nil {
		return "", &driver.Fault{Err: err, Hint: "set general.podman.application_path in " + p.File() + " to podman's absolute path"}
	}
	if err := trust.Path(program, trust.Self()); err != nil {
		return "", &driver.Fault{Err: fmt.Errorf("podman cannot be trusted: %w", err), Hint: trust.Hint(err)}
	}
	return program, nil
}

// Podman returns the policy's podman, which calls observe, if set, after each command. It is
// not connected to a service yet: see [Connect]. If podman or one of the [Places] cannot be
// trusted, the error is a [driver.Fault].
func Podman(c *driver.Call, p *policy.Policy, observe func(podman.Command)) (podman.Podman, error) {
	program, err := findPodman(p)
	if err != nil {
		return podman.Podman{}, err
	}
	if err := checkTrust(c, p); err != nil {
		return podman.Podman{}, err
	}
	return Client(c, p, program, observe), nil
}

// Client returns a podman program with the environment and the timeouts of the policy. It does
// not check whether the program can be trusted.
func Client(c *driver.Call, p *policy.Policy, program string, observe func(podman.Command)) podman.Podman {
	pm := p.General.Podman
	return podman.Podman{
		Program: program, Observe: observe,
		Env:      podman.Environment(c.Getenv, os.Getuid(), pm.Environment),
		Timeouts: podman.Timeouts{Pull: pm.Timeouts.PullTime(), Command: pm.Timeouts.CommandTime()},
	}
}
