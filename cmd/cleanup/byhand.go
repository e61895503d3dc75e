package main

import (
	"cmp"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"gitlab.com/gitlab-org/gitlab-runner/executors/custom/api"

	"podman-executor/internal/driver"
	"podman-executor/internal/job"
	"podman-executor/internal/leftovers"
	"podman-executor/internal/plan"
	"podman-executor/internal/secret"
	"podman-executor/internal/site"
	"podman-executor/internal/storage"
	"podman-executor/pkg/podman"
	"podman-executor/pkg/policy"
)

// request is what a call by hand, or by a timer, asks for.
type request struct {
	orphans, allImages, dryRun bool
	limits                     storage.Limits
	// below is how full podman's storage may be, in percent; 0: as full as it gets.
	below int
	// open are the repositories whose images every project may have again; "all" are all.
	open []string
}

// addFlags adds the options; each makes the call one by hand.
func addFlags(flags *flag.FlagSet, call *driver.Call) {
	r := &request{}
	byHand := func(set *bool) func(string) error {
		return func(text string) (err error) {
			call.ByHand = r.run
			*set, err = strconv.ParseBool(text)
			return err
		}
	}
	duration := func(limit **time.Duration) func(string) error {
		return func(text string) error {
			call.ByHand = r.run
			d, err := parseDuration(text)
			*limit = &d
			return err
		}
	}
	flags.Func("builds-older-than", "remove builds that no job has used for that `DURATION`, such as 12h or 30d", duration(&r.limits.BuildsUnused))
	flags.Func("images-unused-for", "remove images that were pulled for jobs, and that no job has used for that `DURATION`, such as 30d; 0 stands for all that no job has now", duration(&r.limits.ImagesUnused))
	flags.Func("storage-below", "where the file system of podman's storage is fuller than that `PERCENT`, remove images, then builds and caches, those first that no job has used for longest, until it is not", func(text string) (err error) {
		call.ByHand = r.run
		r.below, err = parsePercent(text)
		return err
	})
	flags.Func("cache-larger-than", "remove caches and volumes of projects, those first that no job has used for longest, until all together take no more than that `SIZE`, such as 20g", func(text string) error {
		call.ByHand = r.run
		size, err := policy.ParseSize(text)
		bytes := int64(size)
		r.limits.Caches = &bytes
		return err
	})
	flags.Func("open-repository", "let every project have the local images of that `REPOSITORY`, such as registry.example.com/team/app, or of all repositories (all), without asking the registry; with --dry-run: list the projects that may have them now", func(text string) (err error) {
		call.ByHand = r.run
		name, err := parseRepository(text)
		r.open = append(r.open, name)
		return err
	})
	flags.BoolFunc("orphans", "remove what jobs that are over have left behind: containers, networks, podman secrets, directories", byHand(&r.orphans))
	flags.BoolFunc("all-images", "for --images-unused-for and --storage-below: remove images that prepare did not pull, too; the time of one that no job has used counts from the first call that sees it", byHand(&r.allImages))
	flags.BoolFunc("dry-run", "print what would be removed, and remove nothing", byHand(&r.dryRun))
}

// mostDays keeps a number of days within what time.Duration can hold.
const mostDays = 10000

// parseDuration reads "12h", "90m" and, beyond what Go takes, "30d".
func parseDuration(text string) (time.Duration, error) {
	if number, ok := strings.CutSuffix(text, "d"); ok {
		days, err := strconv.Atoi(number)
		if err == nil && days >= 0 && days <= mostDays {
			return time.Duration(days) * 24 * time.Hour, nil
		}
	} else if d, err := time.ParseDuration(text); err == nil && d >= 0 {
		return d, nil
	}
	return 0, errors.New("want a duration such as 12h or 30d")
}

// parsePercent reads "80" and "80%".
func parsePercent(text string) (int, error) {
	n, err := strconv.Atoi(strings.TrimSuffix(text, "%"))
	if err != nil || n < 1 || n > 99 {
		return 0, errors.New("want a percentage from 1 to 99, such as 80")
	}
	return n, nil
}

// housekeeping is one call by hand.
type housekeeping struct {
	request
	call   *driver.Call
	policy *policy.Policy
	podman *podman.Podman
	// service is podman's address as the policy has it; empty: podman on this machine.
	service string
	log     *site.Log
	now     time.Time
	table   table
}

// run removes what is asked for, and prints a table of it. What cannot be removed
// does not keep it from the rest.
func (r *request) run(ctx context.Context, call *driver.Call) error {
	if err := r.check(call); err != nil {
		return err
	}
	h := &housekeeping{request: *r, call: call, now: time.Now()}
	if err := h.begin(); err != nil {
		return err
	}
	defer h.log.Close()
	err := h.openRepositories()
	if h.orphans || h.limits != (storage.Limits{}) || h.below > 0 {
		err = errors.Join(err, h.everywhere(ctx, h.here))
	}
	err = errors.Join(err, h.forgetReaders(ctx))
	if err == nil {
		return ctx.Err()
	}
	again := "all else was done; call it again, and if that fails, too, run `" + h.podman.Program + " info` as the user that gitlab-runner runs as"
	return &driver.Fault{Err: err, Hint: cmp.Or(driver.Hint(err), again)}
}

// everywhere does it for each podman that jobs may get.
func (h *housekeeping) everywhere(ctx context.Context, do func(context.Context) error) error {
	hosts := site.Hosts(h.policy)
	if len(hosts) == 0 {
		return do(ctx)
	}
	connect := site.Connect
	if len(hosts) > 1 {
		connect = site.ConnectSurely
	}
	var problems []error
	for _, host := range hosts {
		disconnect, err := connect(ctx, h.podman, host)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		h.service = host.URL
		if h.table.title = ""; len(hosts) > 1 {
			h.table.title = host.URL
		}
		problems = append(problems, do(ctx))
		disconnect()
	}
	return errors.Join(problems...)
}

// here does it for the podman that is connected, and prints the table.
func (h *housekeeping) here(ctx context.Context) error {
	var problems []error
	h.table.rows = nil
	if h.orphans {
		problems = append(problems, h.removeOrphans(ctx))
	}
	if h.limits != (storage.Limits{}) {
		problems = append(problems, h.freeStorage(ctx))
	}
	if h.below > 0 {
		problems = append(problems, h.makeRoom(ctx))
	}
	h.table.print(h.call.Stdout)
	return errors.Join(problems...)
}

func (r *request) check(call *driver.Call) error {
	switch {
	case call.Getenv(api.JobResponseFileVariable) != "":
		return &driver.Fault{
			Err:  errors.New("these options are for calls outside any job, and this is one for a job"),
			Hint: "take them out of cleanup_args in [runners.custom] of config.toml, and call the program by a timer",
		}
	case len(call.Args) > 0:
		return &driver.Fault{Err: fmt.Errorf("unexpected argument %q", call.Args[0]), Hint: "--help shows the options"}
	case !r.orphans && r.limits == (storage.Limits{}) && r.below == 0 && len(r.open) == 0:
		return &driver.Fault{Err: errors.New("there is nothing to look for"), Hint: "say --orphans, --builds-older-than DURATION, --cache-larger-than SIZE, --images-unused-for DURATION, --storage-below PERCENT or --open-repository REPOSITORY; --help tells more"}
	}
	return nil
}

// begin finds policy, podman and log.
func (h *housekeeping) begin() (err error) {
	if h.policy, err = site.LoadPolicy(h.call); err != nil {
		return err
	}
	g := h.policy.General
	program, err := site.FindPodman(h.policy)
	if err != nil {
		return err
	}
	if err := site.CheckTrust(h.call, h.policy); err != nil {
		return err
	}
	if h.log, err = site.OpenLog(h.call, plan.Log{File: g.LogFile, Level: g.LogLevel, Format: g.LogFormat}, 0, 0); err != nil {
		return err
	}
	h.podman = &podman.Podman{
		Program: program, Observe: h.log.Podman,
		Env:      podman.Environment(h.call.Getenv, os.Getuid(), g.Podman.Environment),
		Timeouts: podman.Timeouts{Command: g.Podman.Timeouts.CommandTime()},
	}
	return nil
}

// removeOrphans removes what jobs that are over have left. gitlab-runner makes its
// directories in its TMPDIR, which is taken to be this program's.
func (h *housekeeping) removeOrphans(ctx context.Context) error {
	places := leftovers.Roots{
		TempDir: h.call.Getenv("TMPDIR"), RuntimeDir: job.RuntimeDir(h.podman.Getenv), SecretsDir: secret.Parent(site.StateDir(h.call, h.policy)),
	}
	if places.TempDir == "" {
		places.TempDir = os.TempDir()
	}
	orphans, err := leftovers.Find(ctx, h.podman, h.service, places, h.now)
	problems := []error{err}
	for _, o := range orphans {
		if !h.dryRun {
			if err := o.Remove(ctx, h.podman); err != nil {
				problems = append(problems, err)
				continue
			}
			h.log.Warn("removed a leftover: " + o.Kind + " " + o.Name + ": " + o.Reason)
		}
		h.table.add(o.Kind, o.Name, o.Job, o.Project, ownerInShort(o.Owner), o.Reason, age(h.now.Sub(o.Made)), "")
	}
	return errors.Join(problems...)
}
