package leftovers

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"podman-executor/internal/job"
	"podman-executor/internal/memo"
	"podman-executor/pkg/podman"
)

// lookEvery is how long one look at podman's containers is good for, where nothing
// tells that a job has left some since.
const lookEvery = 10 * time.Minute

// Evidence tells whether jobs may have left containers behind. A list of them costs a
// podman command, and most jobs would find nothing.
type Evidence struct {
	// Look tells that podman is to be asked, Found that a file says so, Own that an earlier
	// attempt at the job has left its directory.
	Look, Found, Own bool
	// Over are the directories below RuntimeDir of jobs that are over: each job marks
	// its own before it makes anything, and it goes when podman has removed the job's
	// containers. They may be removed when podman was asked.
	Over []Orphan
}

// Evidence looks at files only. own is the directory of the job that asks: where it is
// there, an earlier attempt at the job has left it. In doubt, podman is to be asked: of
// a podman service, which others use too, and where a job is of an owner whose process
// cannot be seen from here. With an error, too. Not so soon after a look that has failed:
// see [LookFailed].
func (p Places) Evidence(pm *podman.Podman, own string, now time.Time) (Evidence, error) {
	list, err := marked(p.RuntimeDir, "*", now)
	e := Evidence{Found: err != nil}
	for _, o := range list {
		if o.Reason != "" {
			e.Over = append(e.Over, o)
		}
		e.Own = e.Own || o.Name == own
		e.Found = e.Found || o.Reason != "" || o.elsewhere || e.Own
	}
	e.Look = (e.Found || pm.URL != "" || !LookedLately(pm, now)) && !FailedLately(pm, now)
	return e, err
}

// Looked records that podman was asked now, and had nothing that only a clock can tell
// to be over. Whoever forges that, or a clock that is set back, delays the next look
// by lookEvery at most.
func Looked(pm *podman.Podman) error { return note(pm, "looked") }

// LookFailed records that podman was asked now, and failed: what made it fail is not this
// job's, and the next jobs do not wait for the same.
func LookFailed(pm *podman.Podman) error { return note(pm, "look-failed") }

func note(pm *podman.Podman, name string) error {
	place, err := job.Machine()
	if err != nil {
		return err
	}
	return memo.Write(memo.File(pm, name), []byte(place))
}

// LookedLately tells whether [Looked] was called since this boot, and not long ago.
func LookedLately(pm *podman.Podman, now time.Time) bool { return lately(pm, "looked", now) }

// FailedLately tells whether [LookFailed] was called since this boot, and not long ago.
func FailedLately(pm *podman.Podman, now time.Time) bool { return lately(pm, "look-failed", now) }

func lately(pm *podman.Podman, name string, now time.Time) bool {
	place, err := job.Machine()
	text, at, ok := memo.Read(memo.File(pm, name))
	return err == nil && ok && string(text) == place && !at.After(now) && now.Sub(at) < lookEvery
}

// Clear removes what is in a job's directory, but not the mark.
func Clear(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("clearing the job's directory: %w", err)
	}
	var problems []error
	for _, entry := range entries {
		if entry.Name() != ownerFile {
			problems = append(problems, os.RemoveAll(filepath.Join(dir, entry.Name())))
		}
	}
	if err := errors.Join(problems...); err != nil {
		return fmt.Errorf("clearing the job's directory: %w", err)
	}
	return nil
}
