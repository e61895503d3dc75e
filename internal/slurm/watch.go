package slurm

import (
	"context"
	"time"
)

// How often the controller is asked while a job waits: often at first, since most jobs begin at
// once, then less and less, since it has to answer for many jobs.
const (
	firstPoll = 500 * time.Millisecond
	lastPoll  = 15 * time.Second
)

// Watch calls tell for each change of the job in that directory until the job has begun, or ctx
// ends. It does not report errors: the job's own command says more.
//
// Once the job is known it is queried by its id. A job that is over when first seen is an
// earlier step's.
func (s Slurm) Watch(ctx context.Context, dir string, tell func(Job)) {
	var last Job
	for pause := firstPoll; ; pause = min(2*pause, lastPoll) {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		job, found, err := s.ask(ctx, dir, last.ID)
		if err != nil || !found || ctx.Err() != nil {
			continue
		}
		if last.ID == 0 && !job.Waiting() && !job.Going() {
			continue
		}
		if job != last {
			tell(job)
			last = job
		}
		if !job.Waiting() {
			return
		}
	}
}

// ask returns a job by its id, or by its directory as long as that is 0.
func (s Slurm) ask(ctx context.Context, dir string, id int64) (job Job, found bool, err error) {
	if id == 0 {
		return s.Find(ctx, dir)
	}
	job, err = s.Get(ctx, id)
	return job, err == nil, err
}

// endTime is how long Slurm may take to know a job's last state after its command has
// ended.
const endTime = 10 * time.Second

// End returns the last state of the job in that directory; found is false if Slurm does not
// know it, or does not answer.
func (s Slurm) End(ctx context.Context, dir string) (job Job, found bool) {
	ctx, cancel := context.WithTimeout(ctx, endTime)
	defer cancel()
	for {
		j, ok, err := s.Find(ctx, dir)
		if err != nil || !ok {
			return job, found
		}
		if job, found = j, true; !job.Going() && !job.Waiting() {
			return job, true
		}
		select {
		case <-ctx.Done():
			return job, true
		case <-time.After(firstPoll):
		}
	}
}
