// Command prepare is the driver's prepare_exec: it decides what a job may have,
// pulls the images and creates the job's containers.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"gitlab.com/gitlab-org/gitlab-runner/executors/custom/api"

	"podman-executor/internal/driver"
	"podman-executor/internal/job"
	"podman-executor/internal/pin"
	"podman-executor/internal/plan"
	"podman-executor/internal/remote"
	"podman-executor/internal/secret"
	"podman-executor/internal/site"
	"podman-executor/pkg/podman"
	"podman-executor/pkg/policy"
)

// grace is how long a script may take to end after SIGTERM. Cancel, kill and
// cleanup together stay below the 10 s that a cancelled job may linger.
const grace = 4 * time.Second

// undoTimeout bounds the removal of what a failed or interrupted prepare made.
const undoTimeout = 30 * time.Second

var program = driver.Program{
	Name: "podman-executor-prepare",
	About: "podman-executor-prepare pulls a job's images and creates its containers.\n" +
		"It is called by gitlab-runner: set it as prepare_exec in [runners.custom] of config.toml.",
	Stage:   prepare,
	Explain: site.Explain,
	Inner:   driver.Inner{Verbs: []string{pin.Verb, pin.UndoVerb}, Main: pin.Main},
}

func main() { os.Exit(driver.Main(program)) }

// preparation is what the parts of one call share.
type preparation struct {
	call    *driver.Call
	log     *site.Log
	policy  *policy.Policy
	job     *job.Job
	owner   job.Process
	attempt string
	grant   *policy.Grant
	podman  *podman.Podman
	// host is the podman service that the job gets, with an empty URL where there is none;
	// disconnect lets go of it.
	host       remote.Endpoint
	disconnect func()
	// info is what podman said of the machine, once it was asked: see askInfo.
	info *podman.Info
	// runnerName and userName are the containers' names, builds and cache the
	// directories that both have.
	runnerName, userName string
	builds, cache        string
	// secrets are what the services get as podman secrets.
	secrets secrets
	// serviceHosts are lines of /etc/hosts by which the services that run already are
	// found where their aliases are no names of the network.
	serviceHosts []string
	// hostOpen tells that the job's user is another on the host than this one.
	hostOpen bool
	// held are the records of images, builds and cache, until containers have them.
	held releases
}

// prepare decides first: a job that is refused costs no podman command.
func prepare(ctx context.Context, call *driver.Call) error {
	started := time.Now()
	s, err := begin(call)
	if err != nil {
		return err
	}
	defer s.log.Close()
	if err := s.decide(); err != nil {
		s.log.WithError(err).Warn("the job is refused")
		return err
	}
	if err := s.findPodman(); err != nil {
		return err
	}
	if err := s.checkHost(); err != nil {
		s.log.WithError(err).Error("the machine cannot run jobs")
		return err
	}
	if err := s.reach(ctx); err != nil {
		s.log.WithError(err).Error("no podman service")
		return err
	}
	defer s.disconnect()
	if err := s.removeLeftovers(ctx); err != nil {
		return err
	}
	if err := plan.Write(s.attempt, s.plan()); err != nil {
		return err
	}
	if err := s.makeRuntimeDir(); err != nil {
		return err
	}
	if err := s.make(ctx); err != nil {
		s.undo(ctx)
		s.log.WithError(err).Error("preparing failed")
		return err
	}
	s.log.WithField("image", s.grant.UserImage.String()).WithField("seconds", time.Since(started).Seconds()).Info("prepared")
	return nil
}

// begin reads what the administrator and the runner say.
func begin(call *driver.Call) (*preparation, error) {
	p, err := site.LoadPolicy(call)
	if err != nil {
		return nil, err
	}
	j, err := job.Read(call.Getenv(api.JobResponseFileVariable))
	if err != nil {
		return nil, err
	}
	builds, cache := j.Directories(p.General.DataDir)
	variable := func(name string) string { return call.Getenv(customPrefix + name) }
	if err := j.Locate(variable("RUNNER_TEMP_PROJECT_DIR"), builds, variable); err != nil {
		return nil, &driver.Fault{Err: err, Hint: "set config_exec in [runners.custom] to podman-executor-config, with the same policy"}
	}
	owner, err := job.CurrentRunner()
	if err != nil {
		return nil, fmt.Errorf("finding the runner's process: %w", err)
	}
	s := &preparation{
		call: call, policy: p, job: j, owner: owner, attempt: call.Getenv("TMPDIR"),
		builds: builds, cache: cache, userName: j.Name("user"), disconnect: func() {},
	}
	if !p.General.Podman.StepScriptOnly {
		s.runnerName = j.Name("runner")
	}
	s.log, err = site.OpenLog(call, s.logSettings(), j.ID, j.ProjectID)
	return s, err
}

func (s *preparation) logSettings() plan.Log {
	g := s.policy.General
	return plan.Log{File: g.LogFile, Level: g.LogLevel, Format: g.LogFormat}
}

// decide asks the policy.
func (s *preparation) decide() error {
	request, err := s.request()
	if refusal := (*driver.Refusal)(nil); errors.As(err, &refusal) {
		return err
	}
	if err != nil {
		return err
	}
	grant, err := s.policy.Decide(request)
	var denial *policy.Denial
	if errors.As(err, &denial) {
		return &driver.Refusal{Err: denial}
	}
	s.grant = grant
	return err
}

func (s *preparation) findPodman() error {
	pm := s.policy.General.Podman
	program, err := site.FindPodman(s.policy)
	if err != nil {
		return err
	}
	if err := site.CheckTrust(s.call, s.policy); err != nil {
		return err
	}
	s.podman = &podman.Podman{
		Program: program, Observe: s.log.Podman,
		Env:      podman.Environment(s.call.Getenv, os.Getuid(), pm.Environment),
		Timeouts: podman.Timeouts{Pull: pm.Timeouts.PullTime(), Command: pm.Timeouts.CommandTime()},
	}
	return nil
}

// plan returns what run and cleanup will need. It is written before anything
// is made, so that cleanup knows of everything.
func (s *preparation) plan() plan.Plan {
	p := plan.Plan{
		JobID: s.job.ID, ProjectID: s.job.ProjectID,
		Podman: plan.Podman{
			Program: s.podman.Program, URL: s.host.URL, Identity: s.host.Identity, KnownHosts: s.host.KnownHosts,
			Env: s.podman.Env, Timeouts: s.podman.Timeouts,
		},
		RunnerContainer: s.runnerName,
		UserContainer:   s.userName,
		AuthDir:         s.authDir(),
		PinDir:          s.pinDir(),
		SecretsDir:      s.secretsDir(),
		StepsDirs:       s.stepsDirs(),
		Keep:            s.policy.General.Podman.DisableContainerRemoval,
		Grace:           grace,
		Log:             s.logSettings(),
		Network:         s.network(),
		Sources:         s.sources(),
		Memory:          s.memory(),
		ShowServices:    s.call.Getenv(customPrefix+"CI_DEBUG_SERVICES") == "true",
	}
	for i, service := range s.grant.Services {
		p.Services = append(p.Services, plan.Service{Container: s.serviceName(i), Alias: service.Aliases[0]})
	}
	if s.policy.General.Podman.StepScriptOnly {
		p.HostDir, p.HostEnv, p.HostOpen = s.policy.General.DataDir, s.hostEnv(), s.hostOpen
	}
	return p
}

// hostEnv is podman's environment, with the directory of the policy's
// gitlab-runner, or of the one that called this program, in front of PATH.
func (s *preparation) hostEnv() []string {
	runner := s.policy.General.Podman.RunnerBinary
	if runner == "" {
		runner = s.runningProgram()
	}
	if filepath.Base(runner) != runnerProgram {
		return s.podman.Env
	}
	env := slices.Clone(s.podman.Env)
	for i, v := range env {
		if path, ok := strings.CutPrefix(v, "PATH="); ok {
			env[i] = "PATH=" + filepath.Dir(runner) + ":" + path
		}
	}
	return env
}

// undo removes what a failed or interrupted prepare has made. The runner calls
// cleanup, too; but only this knows that nothing of it is wanted.
func (s *preparation) undo(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), undoTimeout)
	defer cancel()
	err := s.podman.Remove(ctx, s.plan().Containers()...)
	if s.network() != "" {
		err = errors.Join(err, s.podman.RemoveNetworks(ctx, s.network()))
	}
	if dir := s.pinDir(); dir != "" {
		err = errors.Join(err, pin.Undo(ctx, s.podman, dir))
	}
	if dir := s.secretsDir(); dir != "" {
		err = errors.Join(err, secret.Remove(ctx, s.podman, dir))
	}
	if dir := s.launchDir(); dir != "" {
		err = errors.Join(err, os.RemoveAll(dir))
	}
	if err == nil {
		err = os.RemoveAll(s.authDir())
	}
	if err != nil {
		s.log.WithError(err).Warn("removing the containers of a failed prepare")
	}
}
