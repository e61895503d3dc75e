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

// lookEvery is how long podman need not be asked for containers again, unless a mark shows
// that a job has left some since.
const lookEvery = 10 * time.Minute

// Marks is what the marks of jobs' directories say about containers that jobs may have left.
// A list of containers costs a podman command, and most jobs would find none to remove.
type Marks struct {
	// AskPodman means that podman is to be asked for containers.
	AskPodman bool
	// Found means that there is a mark of a finished job, or of one that cannot be seen from
	// here; also if the marks cannot be read.
	Found bool
	// Own means that an earlier attempt at the job has left its directory.
	Own bool
	// Orphans are the directories below RuntimeDir of finished jobs: each job marks its own
	// before it makes anything, and it is removed when podman has removed the job's
	// containers. They may be removed after podman was asked.
	Orphans []Orphan
}

// Marks reads the marks; it runs no podman command. own is the directory of the job that
// asks: if it exists, an earlier attempt at the job has left it.
//
// If in doubt, AskPodman is true: if the marks cannot be read, for a podman service, which
// other machines may use, and for a job whose owner's process cannot be seen from here. It is
// false shortly after podman has failed: see [RecordFailure].
func (r Roots) Marks(pm *podman.Podman, own string, now time.Time) (Marks, error) {
	list, err := marked(r.RuntimeDir, "*", now)
	m := Marks{Found: err != nil}
	for _, o := range list {
		if o.Reason != "" {
			m.Orphans = append(m.Orphans, o)
		}
		m.Own = m.Own || o.Name == own
		m.Found = m.Found || o.Reason != "" || o.unseen || m.Own
	}
	m.AskPodman = (m.Found || pm.URL != "" || !AskedLately(pm, now)) && !FailedLately(pm, now)
	return m, err
}

// RecordAsked records that podman was asked now, and that no container is left of a job that
// only its deadline shows to be finished. A forged record, or a clock that is set back, delays
// the next look by lookEvery at most.
func RecordAsked(pm *podman.Podman) error { return record(pm, "looked") }

// RecordFailure records that podman was asked now, and failed. The cause is not this job, and
// the next jobs do not wait for the same failure.
func RecordFailure(pm *podman.Podman) error { return record(pm, "look-failed") }

func record(pm *podman.Podman, name string) error {
	machine, err := job.Machine()
	if err != nil {
		return err
	}
	return memo.Write(memo.File(pm, name), []byte(machine))
}

// AskedLately reports whether [RecordAsked] was called since this boot, and not long ago.
func AskedLately(pm *podman.Podman, now time.Time) bool { return lately(pm, "looked", now) }

// FailedLately reports whether [RecordFailure] was called since this boot, and not long ago.
func FailedLately(pm *podman.Podman, now time.Time) bool { return lately(pm, "look-failed", now) }

func lately(pm *podman.Podman, name string, now time.Time) bool {
	machine, err := job.Machine()
	text, at, ok := memo.Read(memo.File(pm, name))
	return err == nil && ok && string(text) == machine && !at.After(now) && now.Sub(at) < lookEvery
}

// Clear removes what is in a job's directory except the mark.
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
