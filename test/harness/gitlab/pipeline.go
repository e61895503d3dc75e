package gitlab

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// Pipeline is a set of jobs that depend on each other; see [LoadPipeline].
type Pipeline struct {
	Stages []string
	Jobs   []PipelineJob // by stage, then as in the file
}

// PipelineJob is one job of a pipeline.
type PipelineJob struct {
	Job          Job // without what [Pipeline.Run] adds: sources, dependencies, pipeline id
	AllowFailure bool
	AllowedCodes []int    // exit codes that AllowFailure is limited to, if there are any
	After        []string // jobs that must have succeeded, or been allowed to fail
	Inputs       []string // jobs whose archives are downloaded first
}

// PipelineOptions of one [Pipeline.Run]; the zero value runs the jobs without
// sources and tells nobody.
type PipelineOptions struct {
	// Repository is checked out by the jobs at Ref (empty means main).
	Repository *Repository
	Ref        string
	// Edit sees each job before it is submitted and may change it.
	Edit func(*Job)
	// Change gets a job's result so far when it is submitted, starts and ends or
	// is skipped. Change and Line are never called at the same time.
	Change func(Result)
	// Line gets the trace line by line as it comes, without the newline, colours
	// and section markers as they are; see [CleanLog].
	Line func(job, line string)
}

// Result is what became of one job.
type Result struct {
	Job, Stage string
	State      State
	Allowed    bool          // allow_failure, for the exit code that the job has if it has failed
	Duration   time.Duration // from pickup to the final update
	Run        *Run          // nil for skipped jobs
}

// Good tells whether jobs after this one may run.
func (r Result) Good() bool {
	return r.State == StateSuccess || r.Allowed && (r.State == StateFailed || r.State == StateCanceled)
}

// Passed tells whether a pipeline with these results is green.
func Passed(results []Result) bool {
	return !slices.ContainsFunc(results, func(r Result) bool { return !r.Good() })
}

// Run submits the jobs to s, each as soon as those before it have ended well,
// and skips those whose turn never comes. The results are in the order of
// p.Jobs. When ctx ends first, the jobs under way are aborted and the results so
// far are returned with an error. A failed job is not an error.
func (p *Pipeline) Run(ctx context.Context, s *Server, o PipelineOptions) ([]Result, error) {
	s.mu.Lock()
	s.nextPipeline++
	r := &pipelineRun{pipeline: p, server: s, options: o, id: s.nextPipeline, ended: make(chan int)}
	s.mu.Unlock()
	for _, j := range p.Jobs {
		r.results = append(r.results, Result{Job: j.Job.Info.Name, Stage: j.Job.Info.Stage, State: StatePending, Allowed: j.AllowFailure})
	}
	active := 0
	for {
		active += r.submitReady(ctx)
		if active == 0 {
			break
		}
		i := <-r.ended
		active--
		r.results[i] = r.results[i].now()
		if codes := p.Jobs[i].AllowedCodes; len(codes) > 0 && r.results[i].State == StateFailed {
			r.results[i].Allowed = slices.Contains(codes, r.results[i].Run.ExitCode())
		}
		r.change(r.results[i])
	}
	if ctx.Err() != nil {
		return r.results, fmt.Errorf("running the pipeline: %w", context.Cause(ctx))
	}
	return r.results, nil
}

// pipelineRun is a pipeline under way. Results are written by Run's goroutine
// only.
type pipelineRun struct {
	pipeline *Pipeline
	server   *Server
	options  PipelineOptions
	id       int64
	results  []Result
	ended    chan int

	telling sync.Mutex // held while a callback runs
}

// submitReady submits or skips, in order, every job whose time has come and
// returns how many it submitted. A skipped job can make others skip, so it goes
// through the list until nothing changes.
func (r *pipelineRun) submitReady(ctx context.Context) int {
	submitted := 0
	for changed := ctx.Err() == nil; changed; {
		changed = false
		for i, j := range r.pipeline.Jobs {
			if r.results[i].State != StatePending || r.results[i].Run != nil {
				continue
			}
			switch ready, good := r.prerequisites(j); {
			case !ready:
			case !good:
				r.results[i].State = StateSkipped
				r.change(r.results[i])
				changed = true
			default:
				r.results[i].Run = r.server.Submit(r.job(j))
				r.change(r.results[i])
				go r.watch(ctx, i, r.results[i])
				submitted++
			}
		}
	}
	return submitted
}

// prerequisites tells whether all jobs before j are over, and if so whether none
// of them stands in its way.
func (r *pipelineRun) prerequisites(j PipelineJob) (ready, good bool) {
	ready, good = true, true
	for _, before := range r.results {
		if slices.Contains(j.After, before.Job) {
			ready = ready && before.State.Over()
			good = good && before.Good()
		}
	}
	return ready, good
}

// job is what is submitted for j.
func (r *pipelineRun) job(j PipelineJob) Job {
	job := j.Job
	job.Info.PipelineID = r.id
	if r.options.Repository != nil {
		r.options.Repository.Checkout(&job, orDefault(r.options.Ref, "main"))
	}
	if r.options.Edit != nil {
		r.options.Edit(&job)
	}
	suffix := "-non_protected" // GitLab keeps the caches of protected refs apart
	if job.protected() {
		suffix = "-protected"
	}
	job.Cache = slices.Clone(job.Cache)
	for i := range job.Cache {
		job.Cache[i].Key += suffix
	}
	for _, before := range r.results {
		if before.Run == nil || !slices.Contains(j.Inputs, before.Job) {
			continue
		}
		if d, ok := before.Run.Dependency(); ok {
			job.Dependencies = append(job.Dependencies, d)
		}
	}
	return job
}

// watch reports on one job until it is over, or ctx is.
func (r *pipelineRun) watch(ctx context.Context, i int, result Result) {
	defer func() { r.ended <- i }()
	if result.Run.WaitStarted(ctx) == nil {
		if result = result.now(); !result.State.Over() {
			r.change(result)
		}
		lines := &lineWriter{line: func(line string) { r.line(result.Job, line) }}
		_ = result.Run.Follow(ctx, lines) // lines cannot fail, the end of ctx is seen below
		lines.flush()
	}
	if !result.Run.State().Over() {
		result.Run.Abort()
	}
}

// now is the result brought up to date.
func (r Result) now() Result {
	r.State = r.Run.State()
	if t := r.Run.Times(); !t.Finished.IsZero() && !t.PickedUp.IsZero() {
		r.Duration = t.Finished.Sub(t.PickedUp)
	}
	return r
}

func (r *pipelineRun) change(result Result) {
	if r.options.Change != nil {
		r.telling.Lock()
		defer r.telling.Unlock()
		r.options.Change(result)
	}
}

func (r *pipelineRun) line(job, line string) {
	if r.options.Line != nil {
		r.telling.Lock()
		defer r.telling.Unlock()
		r.options.Line(job, line)
	}
}

// lineWriter cuts what is written into lines.
type lineWriter struct {
	line func(string)
	rest []byte
}

func (w *lineWriter) Write(p []byte) (int, error) {
	w.rest = append(w.rest, p...)
	for {
		line, rest, ok := bytes.Cut(w.rest, []byte("\n"))
		if !ok {
			return len(p), nil
		}
		w.line(string(line))
		w.rest = rest
	}
}

// flush passes on a last line without newline.
func (w *lineWriter) flush() {
	if len(w.rest) > 0 {
		w.line(string(w.rest))
	}
}
