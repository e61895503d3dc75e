package gitlab

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/goccy/go-yaml/ast"
)

// LoadPipeline reads a .gitlab-ci.yml. What it does not know (rules, extends,
// include, artifacts:reports, anchors and so on) is an error with file, line and
// column, never ignored.
func LoadPipeline(path string) (*Pipeline, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("loading pipeline: %w", err)
	}
	return ParsePipeline(path, data)
}

// ParsePipeline is LoadPipeline for a text; name is for messages only.
func ParsePipeline(name string, data []byte) (*Pipeline, error) {
	f := &pipelineFile{decoder: decoder{file: name}, stages: []string{"build", "test", "deploy"}}
	if doc := f.document(data); doc != nil {
		f.read(doc)
	}
	if len(f.errs) == 0 {
		f.link()
	}
	if len(f.errs) > 0 {
		return nil, errors.Join(f.errs...)
	}
	return f.pipeline(), nil
}

// pipelineFile is a .gitlab-ci.yml while it is read.
type pipelineFile struct {
	decoder
	stages    []string
	defaults  settings
	variables []Variable
	jobs      []*jobEntry
}

// settings are the keys that a job takes from default where it has none. Nil, or
// a timeout of 0, is not set; an empty list is.
type settings struct {
	image         *Image
	services      []Image
	before, after []string
	hook          []string // pre_get_sources_script
	artifacts     *Artifact
	cache         []Cache
	timeout       int
}

// jobEntry is a job of the file. Needs and dependencies are nil where the key is
// absent.
type jobEntry struct {
	settings
	name, stage  string
	node         ast.Node
	script       []string
	variables    []Variable
	needs        []need
	dependencies []reference
	allowFailure bool
	allowedCodes []int

	after, inputs []string // see PipelineJob
}

type need struct {
	reference
	artifacts bool
}

// reference is a job's name and where it was mentioned.
type reference struct {
	job  string
	node ast.Node
}

// read takes every top-level key that is not a keyword for a job, like GitLab.
func (f *pipelineFile) read(doc ast.Node) {
	var old settings // keys of default at the top level, as they once were written
	top := f.settingKeys(&old)
	delete(top, "artifacts")
	delete(top, "timeout")
	top["stages"] = into(&f.stages, f.texts)
	top["variables"] = into(&f.variables, f.variableList)
	top["default"] = func(n ast.Node, where string) { f.object(n, where, f.settingKeys(&f.defaults)) }
	for _, e := range f.entries(doc, "pipeline") {
		set, known := top[e.key]
		switch {
		case known:
			set(e.value, e.key)
		case strings.HasPrefix(e.key, "."):
			f.fail(e.node, "%s: hidden jobs are not supported", e.key)
		case slices.Contains([]string{"include", "workflow", "spec", "types"}, e.key):
			f.fail(e.node, "unknown or unsupported key %q", e.key)
		default:
			f.job(e)
		}
	}
	f.defaults = f.defaults.or(old)
}

// or fills what s lacks from t.
func (s settings) or(t settings) settings {
	if s.image == nil {
		s.image = t.image
	}
	if s.services == nil {
		s.services = t.services
	}
	if s.before == nil {
		s.before = t.before
	}
	if s.after == nil {
		s.after = t.after
	}
	if s.hook == nil {
		s.hook = t.hook
	}
	if s.artifacts == nil {
		s.artifacts = t.artifacts
	}
	if s.cache == nil {
		s.cache = t.cache
	}
	if s.timeout == 0 {
		s.timeout = t.timeout
	}
	return s
}

func (f *pipelineFile) job(e entry) {
	j := &jobEntry{name: e.key, stage: "test", node: e.node}
	known := f.settingKeys(&j.settings)
	known["stage"] = into(&j.stage, f.text)
	known["script"] = into(&j.script, f.decoder.script)
	known["variables"] = into(&j.variables, f.variableList)
	known["needs"] = into(&j.needs, f.needList)
	known["dependencies"] = into(&j.dependencies, f.references)
	known["allow_failure"] = func(n ast.Node, where string) { f.allowFailure(j, n, where) }
	before := len(f.errs)
	f.object(e.value, e.key, known)
	if len(j.script) == 0 && len(f.errs) == before {
		f.fail(e.node, "%s: no script", e.key)
	}
	f.jobs = append(f.jobs, j)
}

// link checks the names that jobs mention, sorts the jobs by stage and works out
// what each waits for and whose artifacts it gets.
func (f *pipelineFile) link() {
	order := slices.Concat([]string{".pre"}, f.stages, []string{".post"})
	rank := make(map[string]int)
	for _, j := range f.jobs {
		if !slices.Contains(order, j.stage) {
			f.fail(j.node, "%s: stage %q is not among the stages %s", j.name, j.stage, strings.Join(f.stages, ", "))
		}
		rank[j.name] = slices.Index(order, j.stage)
	}
	slices.SortStableFunc(f.jobs, func(a, b *jobEntry) int { return rank[a.name] - rank[b.name] })
	for _, j := range f.jobs {
		f.linkJob(j, rank)
	}
	f.refuseCycles()
}

func (f *pipelineFile) linkJob(j *jobEntry, rank map[string]int) {
	for _, other := range f.jobs {
		if rank[other.name] < rank[j.name] && j.needs == nil {
			j.after = append(j.after, other.name)
			j.inputs = append(j.inputs, other.name)
		}
	}
	for _, n := range j.needs {
		at, ok := rank[n.job]
		switch {
		case !ok:
			f.fail(n.node, "%s: needs %q, which is not a job", j.name, n.job)
		case at > rank[j.name]:
			f.fail(n.node, "%s: needs %q, which is in a later stage", j.name, n.job)
		}
		j.after = append(j.after, n.job)
		if n.artifacts {
			j.inputs = append(j.inputs, n.job)
		}
	}
	if j.dependencies == nil {
		return
	}
	j.inputs = nil
	for _, d := range j.dependencies {
		if !slices.Contains(j.after, d.job) {
			f.fail(d.node, "%s: depends on %q, which is neither needed nor in an earlier stage", j.name, d.job)
		}
		j.inputs = append(j.inputs, d.job)
	}
}

// refuseCycles complains about jobs of one stage that need each other.
func (f *pipelineFile) refuseCycles() {
	if len(f.errs) > 0 {
		return
	}
	left := slices.Clone(f.jobs)
	for {
		waiting := func(j *jobEntry) bool {
			return slices.ContainsFunc(left, func(o *jobEntry) bool { return slices.Contains(j.after, o.name) })
		}
		var next []*jobEntry
		for _, j := range left {
			if waiting(j) {
				next = append(next, j)
			}
		}
		if len(next) == len(left) {
			break
		}
		left = next
	}
	for _, j := range left {
		f.fail(j.node, "%s: needs itself, by way of other jobs", j.name)
	}
}

// pipeline turns the entries into jobs for a server.
func (f *pipelineFile) pipeline() *Pipeline {
	p := &Pipeline{Stages: f.stages}
	for _, e := range f.jobs {
		s := e.or(f.defaults)
		job := NewJob(e.name, slices.Concat(s.before, e.script)...)
		job.Info.Stage = e.stage
		job.Variables = withDefaults(slices.Clone(f.variables), e.variables)
		job.Services, job.Cache = s.services, s.cache
		if s.image != nil {
			job.Image = *s.image
		}
		if s.artifacts != nil {
			job.Artifacts = []Artifact{*s.artifacts}
		}
		if len(s.hook) > 0 {
			job.Hooks = []Hook{{Name: "pre_get_sources_script", Script: s.hook}}
		}
		if len(s.after) > 0 {
			job.AddAfterScript(s.after...)
		}
		if s.timeout > 0 {
			job.SetTimeout(s.timeout)
		}
		p.Jobs = append(p.Jobs, PipelineJob{Job: job, AllowFailure: e.allowFailure, AllowedCodes: e.allowedCodes, After: e.after, Inputs: e.inputs})
	}
	return p
}
