package main

import (
	"fmt"
	"strings"

	"podman-executor/test/harness/gitlab"
)

const (
	clientsImage = "localhost/podman-executor/clients:latest"
	redisImage   = "localhost/podman-executor/redis:latest"
)

// cancelledReason is the failure reason of a job that was cancelled.
const cancelledReason = "job_canceled"

// kind is a kind of job, and what is to become of it.
type kind struct {
	name string
	// job returns the job with that number.
	job func(i int) gitlab.Job
	// reason is why it fails; empty: it succeeds.
	reason string
	// code is the exit code of the script of the job with that number.
	code func(i int) int
	// logs stand in the job log, in that order.
	logs []string
	// uploads is the number of its artifacts.
	uploads int
}

var kinds = []kind{
	{name: "pass", job: func(i int) gitlab.Job { return named(i, "pass", "echo passed") }, logs: []string{"passed", "Job succeeded"}},
	{name: "fail", job: fails, reason: "script_failure", code: failureCode, logs: []string{"about to fail", "after_script saw failed"}},
	{name: "service", job: asksService, logs: []string{"Waiting for services", "PONG"}},
	{name: "artifact", job: uploads, logs: []string{"Uploading artifacts", "Job succeeded"}, uploads: 1},
	{name: "cancel", job: endless, reason: cancelledReason, logs: []string{"tick", "after_script saw canceled"}},
	{name: "cache", job: caches, logs: []string{"Checking cache for", "Created cache", "Job succeeded"}},
}

// submitted is a job under way, or over.
type submitted struct {
	kind kind
	run  *gitlab.Run
	// number is the job's among all.
	number int
}

func named(i int, name string, script ...string) gitlab.Job {
	return gitlab.NewJob(fmt.Sprintf("%s %d", name, i), script...)
}

func failureCode(i int) int { return 1 + i%124 } // below podman's own

func fails(i int) gitlab.Job {
	j := named(i, "fail", "echo about to fail", fmt.Sprintf("exit %d", failureCode(i)))
	j.AddAfterScript("echo after_script saw $CI_JOB_STATUS")
	return j
}

func asksService(i int) gitlab.Job {
	j := named(i, "service", "redis-cli -h cache ping")
	j.Image.Name = clientsImage
	j.Services = []gitlab.Image{{Name: redisImage, Alias: "cache"}}
	return j
}

func uploads(i int) gitlab.Job {
	j := named(i, "artifact", "head -c 1000000 /dev/urandom >out")
	j.Artifacts = []gitlab.Artifact{{Name: "out", Paths: []string{"out"}, Type: "archive", Format: "zip"}}
	return j
}

// endless prints, so that the runner asks how the job is, and hears of the cancel.
func endless(i int) gitlab.Job {
	j := named(i, "cancel", "while :; do echo tick; sleep 1; done")
	j.AddAfterScript("echo after_script saw $CI_JOB_STATUS")
	return j
}

func caches(i int) gitlab.Job {
	j := named(i, "cache", fmt.Sprintf("echo %d >>cached", i))
	j.Cache = []gitlab.Cache{{Key: "k", Paths: []string{"cached"}, Policy: "pull-push", When: "on_success"}}
	return j
}

// wrong says what became of a job that has not ended as its kind says.
func (s *submitted) wrong() string {
	state, code := gitlab.StateSuccess, 0
	if s.kind.reason != "" {
		state = gitlab.StateFailed
	}
	if s.kind.code != nil {
		code = s.kind.code(s.number)
	}
	what := ""
	if s.run.State() != state || s.run.FailureReason() != s.kind.reason || s.run.ExitCode() != code || len(s.run.Artifacts()) != s.kind.uploads {
		what = fmt.Sprintf("it is %s (%s, exit code %d, %d artifacts), want %s (%s, %d, %d)",
			s.run.State(), s.run.FailureReason(), s.run.ExitCode(), len(s.run.Artifacts()), state, s.kind.reason, code, s.kind.uploads)
	}
	rest := s.run.Log()
	for _, text := range s.kind.logs {
		_, after, found := strings.Cut(rest, text)
		if !found && what == "" {
			what = fmt.Sprintf("its log lacks %q", text)
		}
		rest = after
	}
	if what == "" {
		return ""
	}
	return fmt.Sprintf("job %q: %s; its log:\n%s", s.run.Job.Info.Name, what, s.run.Log())
}
