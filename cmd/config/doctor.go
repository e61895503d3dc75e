package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"podman-executor/internal/containersconf"
	"podman-executor/internal/driver"
	"podman-executor/internal/fault"
	"podman-executor/internal/preflight"
	"podman-executor/internal/remote"
	"podman-executor/internal/site"
	"podman-executor/internal/trust"
	"podman-executor/pkg/podman"
	"podman-executor/pkg/policy"
)

// doctorTime bounds all checks together; most of it is for pulling the images.
const doctorTime = 10 * time.Minute

// examination is one call of --doctor.
type examination struct {
	call    *driver.Call
	policy  *policy.Policy
	podman  *podman.Podman
	results []preflight.Result
	// version is the version of the podman being checked. bash is the ID of an image of the
	// policy that starts there and has bash.
	version, bash string
	// conf is the containers.conf of podman on this machine.
	conf containersconf.Config
}

// doctor prints whether this machine can run jobs, one check per line, and how to fix what is
// wrong. It stops if further checks would be pointless: a container is started only if no error
// was found.
func doctor(ctx context.Context, call *driver.Call) error {
	ctx, cancel := context.WithTimeout(ctx, doctorTime)
	defer cancel()
	e := &examination{call: call}
	all := true
	for _, check := range []func(context.Context){e.checkPolicy, e.checkProgram, e.checkFiles, e.checkServices} {
		check(ctx)
		if preflight.Worst(e.results) == preflight.Error {
			all = false
			break
		}
	}
	e.print()
	if all {
		return nil
	}
	return &driver.Fault{
		Err:  errors.New("no job can run on this machine"),
		Hint: "fix the errors above and run --doctor again; later checks were skipped",
	}
}

func (e *examination) add(results ...preflight.Result) { e.results = append(e.results, results...) }

// fail adds the result of a check that could not be made.
func (e *examination) fail(check string, err error, hint string) {
	e.add(preflight.Result{Check: check, Level: preflight.Error, Detail: err.Error(), Hint: hintOf(err, "", hint)})
}

// hintOf returns the hint for an error: that of internal/fault, or otherwise the given one. place
// is where the policy names the image in question.
func hintOf(err error, place, otherwise string) string {
	if _, known := fault.Of(err); !known {
		return otherwise
	}
	return driver.Hint(site.Judge(err, place, otherwise))
}

// print prints the table, with each hint below its check.
func (e *examination) print() {
	width := len("check")
	for _, r := range e.results {
		width = max(width, len(r.Check))
	}
	row := func(check, level, detail string) {
		fmt.Fprintf(e.call.Stdout, "%-*s  %-7s  %s\n", width, check, level, driver.Printable(detail))
	}
	row("check", "result", "details and fix")
	for _, r := range e.results {
		check, level := r.Check, r.Level.String()
		for line := range strings.Lines(r.Detail) {
			row(check, level, strings.TrimSuffix(line, "\n"))
			check, level = "", ""
		}
		if r.Hint != "" {
			row("", "", "-> "+r.Hint)
		}
	}
}

func (e *examination) checkPolicy(context.Context) {
	const check = "policy"
	p, err := site.LoadPolicy(e.call)
	if err != nil {
		e.fail(check, err, driver.Hint(err))
		return
	}
	e.policy = p
	e.add(preflight.Result{Check: check, Detail: p.File()})
	e.checkRules()
}

func (e *examination) checkProgram(context.Context) {
	const check = "podman program"
	pm := e.policy.General.Podman
	program, err := podman.Find(pm.ApplicationPath)
	if err != nil {
		e.fail(check, err, "install podman, or set general.podman.application_path in "+e.policy.File()+" to its absolute path")
		return
	}
	e.add(preflight.Trust(check, program, trust.Path(program, trust.Self())))
	client := site.Client(e.call, e.policy, program, nil)
	client.Timeouts = podman.Timeouts{} // doctorTime bounds all commands together
	e.podman = &client
	if len(pm.Launcher) > 0 {
		e.checkLauncher(pm.Launcher[0])
	}
}

func (e *examination) checkLauncher(name string) {
	const check = "launcher"
	program, err := podman.FindProgram(name)
	if err != nil {
		e.fail(check, err, "install it, or fix general.podman.launcher in "+e.policy.File())
		return
	}
	e.add(preflight.Result{Check: check, Detail: program})
}

// checkFiles runs the checks that prepare runs before each job, and checks of directories.
func (e *examination) checkFiles(context.Context) {
	e.checkTrust()
	if !e.policy.General.Podman.UsesEndpoint() {
		user := preflight.CurrentUser()
		for _, r := range preflight.Host(e.podman.Getenv, user) {
			// checkPodman asks podman itself about its storage.
			if r.Check != preflight.StorageCheck {
				e.add(r)
			}
		}
		e.checkPlaces(user)
		e.checkContainersConf()
		if r, ok := preflight.Linger(e.podman.Getenv("XDG_RUNTIME_DIR"), user); ok {
			e.add(r)
		}
	}
	if dir := e.policy.General.DataDir; dir != "" {
		e.checkSpace(dir)
	}
}

// checkPlaces warns of directories that jobs can do with, and that make trouble later.
func (e *examination) checkPlaces(user preflight.User) {
	add := func(r preflight.Result, found bool) {
		if found {
			e.add(r)
		}
	}
	add(preflight.OtherHome(e.podman.Getenv("HOME"), user))
	if dir := e.podman.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		if room, err := preflight.ReadRoom(dir); err == nil {
			add(preflight.InMemory(dir, room))
		}
	}
	dir := site.StateDir(e.call, e.policy)
	if room, err := preflight.ReadRoom(dir); err == nil {
		add(preflight.Networked("general.state_dir", dir, room))
	}
}

// checkTrust checks every path that only root or this user may control, and reports everybody
// else who can replace one.
func (e *examination) checkTrust() {
	owner := trust.Self()
	said := map[string]bool{}
	for _, place := range site.Places(e.call, e.policy) {
		// Several places may have the same directory above them.
		if err := place.Judge(owner); err != nil && !said[err.Error()] {
			said[err.Error()] = true
			e.fail("trust", err, trust.Hint(err))
		}
	}
	if len(said) == 0 {
		e.add(preflight.Result{Check: "trust", Detail: "no other user can write to the files and directories that jobs depend on"})
	}
}

func (e *examination) checkSpace(dir string) {
	room, err := preflight.ReadRoom(dir)
	if err != nil {
		e.fail("free space", err, "make "+dir+" readable by gitlab-runner's user")
		return
	}
	e.add(preflight.Space(dir, room, int64(e.policy.General.MinFreeSpace)))
}

// checkServices checks each podman that jobs may get, and the images there.
func (e *examination) checkServices(ctx context.Context) {
	hosts := site.Hosts(e.policy)
	if len(hosts) == 0 {
		hosts = []remote.Endpoint{{}}
	}
	for _, h := range hosts {
		e.checkService(ctx, h)
		if preflight.Worst(e.results) == preflight.Error {
			return
		}
	}
}

func (e *examination) checkService(ctx context.Context, h remote.Endpoint) {
	const check = "podman service"
	connected, disconnect, err := site.ConnectAndPing(ctx, *e.podman, h)
	if err != nil {
		e.fail(check, err, driver.Hint(err))
		return
	}
	defer disconnect()
	e.podman = &connected
	if h.URL != "" {
		e.add(preflight.Result{Check: check, Detail: h.URL})
	}
	for _, step := range []func(context.Context){e.checkPodman, e.checkImages, e.checkNetworks} {
		if step(ctx); preflight.Worst(e.results) == preflight.Error {
			return
		}
	}
}

// checkPodman asks podman about itself and the machine.
func (e *examination) checkPodman(ctx context.Context) {
	version, err := e.podman.Version(ctx)
	if err != nil {
		e.fail("podman", err, "run `"+e.podman.Program+" version` as gitlab-runner's user")
		return
	}
	e.version, e.bash = version.Version, ""
	e.add(preflight.Program("podman", version.Version))
	info, err := e.podman.Info(ctx)
	if err != nil {
		e.fail("podman info", err, "run `"+e.podman.Program+" info` as gitlab-runner's user")
		return
	}
	e.add(preflight.Program(info.Runtime.Name, info.Runtime.Version))
	for _, p := range []struct{ name, says string }{{"netavark", info.Network.Version}, {"aardvark-dns", info.Network.DNS.Version}} {
		if strings.HasPrefix(p.says, p.name+" ") {
			e.add(preflight.Program(p.name, p.says))
		}
	}
	e.add(preflight.Driver(info.GraphDriver))
	if e.podman.URL == "" {
		e.checkSpace(info.GraphRoot)
		e.checkRoom(ctx, info)
	}
	e.add(preflight.Controllers(info.CgroupVersion, info.Controllers, e.policy.General.Podman.RequireLimits && e.limited()))
}

// limited reports whether the policy sets a limit that needs a cgroup controller.
func (e *examination) limited() bool {
	pm := e.policy.General.Podman
	grant := policy.Grant{Container: pm.Container.Container, Services: []policy.ServiceGrant{{Container: pm.ServiceContainer}}}
	return len(grant.Controlled()) > 0
}
