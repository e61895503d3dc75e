// Command cleanup is the driver's cleanup_exec: it removes what prepare made.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"podman-executor/internal/driver"
	"podman-executor/internal/handover"
	"podman-executor/internal/launch"
	"podman-executor/internal/leftovers"
	"podman-executor/internal/pin"
	"podman-executor/internal/plan"
	"podman-executor/internal/secret"
	"podman-executor/internal/site"
	"podman-executor/internal/slurm"
	"podman-executor/pkg/podman"
)

var program = driver.Program{
	Name: "podman-executor-cleanup",
	About: "podman-executor-cleanup removes the containers of a job.\n" +
		"It is called by gitlab-runner: set it as cleanup_exec in [runners.custom] of config.toml.",
	Uninterruptible: true,
	Inner:           driver.Inner{Verbs: []string{pin.UndoVerb}, Main: pin.Main},
	Flags:           addFlags,
	Stage:           cleanup,
	Explain:         site.Explain,
}

func main() { os.Exit(driver.Main(program)) }

const (
	// tries is how often a removal is tried: a step that is still running may
	// start a container at the moment of its removal.
	tries = 3
	// pause is the time between two tries.
	pause = time.Second
)

// cleanup may be called more than once, for a prepare that never ran or did
// not finish, and while a step still runs. Its standard error goes to the
// runner's log as a warning, unmasked: it is silent when all is well.
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
	keptErr := endKept(p)
	if p.Launch != nil {
		s := slurm.Beside(p.Launch.Program, p.Podman.Env)
		keptErr = errors.Join(keptErr, launch.Remove(ctx, p.Launch.Dir, s, p.Podman.Client(log.Podman)))
	}
	authErr := leftovers.Clear(p.AuthDir)
	if err := clean(ctx, p, log); err != nil {
		return err
	}
	if authErr != nil {
		return fmt.Errorf("removing the auth file: %w", authErr)
	}
	if keptErr != nil {
		return keptErr
	}
	// With the mark, which tells the next prepare to look for the job's containers.
	if err := os.RemoveAll(p.AuthDir); err != nil {
		return fmt.Errorf("removing the job's runtime directory: %w", err)
	}
	return logErr
}

// endKept tells containers that are kept to end.
func endKept(p plan.Plan) (err error) {
	if !p.Keep {
		return nil
	}
	for _, dir := range p.StepsDirs {
		err = errors.Join(err, handover.Dismiss(dir))
	}
	return err
}

// clean removes the job's containers.
func clean(ctx context.Context, p plan.Plan, log *site.Log) error {
	started := time.Now()
	if p.Keep {
		log.Info("the job's containers are kept")
		return nil
	}
	connected, disconnect, err := site.Connect(ctx, *p.Podman.Client(log.Podman), p.Podman.Host())
	if err != nil {
		return err
	}
	defer disconnect()
	pm := &connected
	if err := remove(ctx, pm, p); err != nil {
		return &driver.Fault{
			Err:  fmt.Errorf("removing the containers of job %d: %w", p.JobID, err),
			Hint: fmt.Sprintf("podman ps -a --filter label=io.podman-executor.job=%d shows them", p.JobID),
		}
	}
	if err := unpin(ctx, pm, p); err != nil {
		return &driver.Fault{
			Err:  fmt.Errorf("unmounting the volumes of job %d: %w", p.JobID, err),
			Hint: fmt.Sprintf("`%s unshare mount` shows what is mounted below %s", p.Podman.Program, p.PinDir),
		}
	}
	if err := removeSecrets(ctx, pm, p); err != nil {
		return &driver.Fault{
			Err:  fmt.Errorf("job %d: %w", p.JobID, err),
			Hint: fmt.Sprintf("`%s secret ls` shows them; their names are in %s", p.Podman.Program, p.SecretsDir),
		}
	}
	log.WithField("seconds", time.Since(started).Seconds()).Info("cleaned up")
	return nil
}

func remove(ctx context.Context, pm *podman.Podman, p plan.Plan) (err error) {
	for try := range tries {
		if try > 0 {
			time.Sleep(pause)
		}
		err = pm.Remove(ctx, p.Containers()...)
		if err == nil && p.Network != "" {
			err = pm.RemoveNetworks(ctx, p.Network)
		}
		if err == nil {
			return nil
		}
	}
	return err
}

// unpin unmounts the job's volumes, where it has any.
func unpin(ctx context.Context, pm *podman.Podman, p plan.Plan) error {
	if p.PinDir == "" {
		return nil
	}
	return pin.Undo(ctx, pm, p.PinDir)
}

// removeSecrets removes the podman secrets of the job's services, where it has any.
func removeSecrets(ctx context.Context, pm *podman.Podman, p plan.Plan) error {
	if p.SecretsDir == "" {
		return nil
	}
	return secret.Remove(ctx, pm, p.SecretsDir)
}
