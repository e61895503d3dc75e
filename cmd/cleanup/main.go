// Command cleanup is the driver's cleanup_exec: it removes what prepare made.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"podman-executor/internal/driver"
	"podman-executor/internal/pin"
	"podman-executor/internal/plan"
	"podman-executor/internal/site"
	"podman-executor/internal/teardown"
)

var program = driver.Program{
	Name: "podman-executor-cleanup",
	About: "podman-executor-cleanup removes the containers of a job.\n" +
		"It is called by gitlab-runner: set it as cleanup_exec in [runners.custom] of config.toml.",
	Help:            help,
	Uninterruptible: true,
	Reexec:          driver.Reexec{Verbs: []string{pin.UndoVerb}, Main: pin.Main},
	Flags:           addFlags,
	Stage:           cleanup,
	Explain:         site.Explain,
}

func main() { os.Exit(driver.Main(program)) }

// cleanup may be called more than once, after a prepare that never ran or did not finish, and
// while a step still runs. Its standard error goes to the runner's log as a warning, unmasked,
// so it prints nothing on success.
func cleanup(ctx context.Context, call *driver.Call) error {
	p, err := plan.Read(call.Getenv("TMPDIR"))
	if errors.Is(err, plan.ErrNone) {
		return nil
	}
	if err != nil {
		return err
	}
	log, logErr := site.OpenLog(call, p.Log, p.JobID, p.ProjectID)
	if logErr != nil {
		// What the job left is removed all the same.
		if log, err = site.OpenLog(call, plan.Log{}, p.JobID, p.ProjectID); err != nil {
			return err
		}
	}
	defer log.Close()
	if err := remove(ctx, p, log); err != nil {
		return err
	}
	return logErr
}

// remove removes what the job has left, and logs it.
func remove(ctx context.Context, p plan.Plan, log *site.Log) error {
	started := time.Now()
	err := teardown.Remove(ctx, *p.Podman.Client(log.Podman), p, site.Connect)
	var failed *teardown.Error
	switch {
	case err != nil && (!errors.As(err, &failed) || failed.Part != teardown.Files):
	case p.Keep:
		log.Info("the job's containers are kept")
	default:
		log.WithField("seconds", time.Since(started).Seconds()).Info("cleaned up")
	}
	if failed != nil {
		return fault(failed, p)
	}
	return err
}

// fault adds a hint for the administrator about what could not be removed.
func fault(failed *teardown.Error, p plan.Plan) error {
	switch failed.Part {
	case teardown.Containers:
		return &driver.Fault{
			Err:  fmt.Errorf("removing the containers of job %d: %w", p.JobID, failed.Err),
			Hint: fmt.Sprintf("`podman ps -a --filter label=io.podman-executor.job=%d` lists them", p.JobID),
		}
	case teardown.Volumes:
		return &driver.Fault{
			Err:  fmt.Errorf("unmounting the volumes of job %d: %w", p.JobID, failed.Err),
			Hint: fmt.Sprintf("`%s unshare mount` shows what is mounted below %s", p.Podman.Program, p.PinDir),
		}
	case teardown.Secrets:
		return &driver.Fault{
			Err:  fmt.Errorf("job %d: %w", p.JobID, failed.Err),
			Hint: fmt.Sprintf("`%s secret ls` lists them; their names are in %s", p.Podman.Program, p.SecretsDir),
		}
	case teardown.Files:
	}
	return failed.Err
}
