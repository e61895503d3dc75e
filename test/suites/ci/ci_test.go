package ci

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
)

const root = "../../.."

// What .ci/run calls some job of .gitlab-ci.yml calls, and all of it are targets.
func TestPipeline(t *testing.T) {
	called := calledTargets(read(t, ".ci/run"))
	if !slices.Contains(called, "check") {
		t.Fatalf(".ci/run calls %q; where is check?", called)
	}
	var inJobs []string
	for name, script := range jobScripts(t, read(t, ".gitlab-ci.yml")) {
		if len(script) == 0 {
			t.Errorf(".gitlab-ci.yml: the job %s has no script", name)
		}
		for _, line := range script {
			inJobs = append(inJobs, calledTargets(line)...)
		}
	}
	for _, target := range called {
		if !slices.Contains(inJobs, target) {
			t.Errorf(".ci/run calls make %s, and no job of .gitlab-ci.yml does", target)
		}
	}
	targets := makeTargets(t)
	for _, target := range slices.Concat(called, inJobs) {
		if !slices.Contains(targets, target) {
			t.Errorf("the Makefile has no target %s", target)
		}
	}
}

// The oldest Go of the pipeline is the oldest that go.mod allows, and scripts that jobs call exist.
func TestPipelineNames(t *testing.T) {
	pipeline := read(t, ".gitlab-ci.yml")
	version := regexp.MustCompile(`(?m)^go (1\.\d+)`).FindStringSubmatch(read(t, "go.mod"))
	oldest := ""
	for _, m := range regexp.MustCompile(`(?m)^ +GO: "(1\.\d+)"`).FindAllStringSubmatch(pipeline, -1) {
		if oldest == "" || m[1] < oldest {
			oldest = m[1]
		}
	}
	if version == nil || oldest != version[1] {
		t.Errorf(".gitlab-ci.yml begins with Go %q, go.mod %q", oldest, version)
	}
	for name, script := range jobScripts(t, pipeline) {
		for _, line := range script {
			program, _, _ := strings.Cut(line, " ")
			if strings.Contains(program, "/") {
				if _, err := os.Stat(filepath.Join(root, program)); err != nil {
					t.Errorf("the job %s calls %s: %v", name, program, err)
				}
			}
		}
	}
}

func TestCalledTargets(t *testing.T) {
	for line, want := range map[string][]string{
		"make check":                               {"check"},
		"LANES=yes RETRY=$flaky make test":         {"test"},
		`make test-load LOADFLAGS="--jobs 16"`:     {"test-load"},
		"cd x && make -j2 a b && make c; echo d":   {"a", "b", "c"},
		"# make nothing\n\tmake a # and not b\n":   {"a"},
		"the make of it":                           nil,
		"if ! make check; then echo make b; fi":    {"check"},
		"FUZZTIME=3s make fuzz\nmake bench-counts": {"fuzz", "bench-counts"},
	} {
		if got := calledTargets(line); !slices.Equal(got, want) {
			t.Errorf("%q calls %q, want %q", line, got, want)
		}
	}
}

var (
	comment = regexp.MustCompile(`(?m)(^|\s)#.*`)
	quoted  = regexp.MustCompile(`"[^"]*"|'[^']*'`)
	// makeCall is a call of make at the beginning of a command, behind variables, and its arguments.
	makeCall = regexp.MustCompile(`(?m)(?:^|&&|\|\||;|!)\s*(?:[A-Z_]+=\S*\s+)*make((?:[ \t]+[^\s;&|]+)*)`)
)

// calledTargets returns the targets that a shell script calls make with.
func calledTargets(script string) []string {
	script = quoted.ReplaceAllString(comment.ReplaceAllString(script, "$1"), "_")
	var targets []string
	for _, call := range makeCall.FindAllStringSubmatch(script, -1) {
		for _, word := range strings.Fields(call[1]) {
			if !strings.HasPrefix(word, "-") && !strings.Contains(word, "=") {
				targets = append(targets, word)
			}
		}
	}
	return targets
}

// job is what of a job is looked at.
type job struct {
	Extends      string   `yaml:"extends"`
	BeforeScript []string `yaml:"before_script"`
	Script       []string `yaml:"script"`
}

// notJobs are the keywords of GitLab that stand where jobs do.
var notJobs = []string{"stages", "workflow", "variables", "default", "include", "image", "services", "cache"}

// jobScripts returns the lines of each job, those of before_script first. Jobs that only others extend
// do not run.
func jobScripts(t *testing.T, pipeline string) map[string][]string {
	t.Helper()
	var sections map[string]any
	if err := yaml.Unmarshal([]byte(pipeline), &sections); err != nil {
		t.Fatal(err)
	}
	jobs := map[string]job{}
	for name := range maps.Keys(sections) {
		if slices.Contains(notJobs, name) {
			continue
		}
		text, err := yaml.Marshal(sections[name])
		if err != nil {
			t.Fatal(err)
		}
		var one job
		if err := yaml.Unmarshal(text, &one); err != nil {
			t.Fatalf("the job %s: %v", name, err)
		}
		jobs[name] = one
	}
	scripts := map[string][]string{}
	for name, one := range jobs {
		if strings.HasPrefix(name, ".") {
			continue
		}
		if _, ok := jobs[one.Extends]; one.Extends != "" && !ok {
			t.Errorf("the job %s extends %s, which is not there", name, one.Extends)
		}
		script := one.Script
		if script == nil {
			script = jobs[one.Extends].Script
		}
		scripts[name] = slices.Concat(one.BeforeScript, script)
	}
	return scripts
}

// makeTargets returns what make knows to make, with the files that the Makefile includes.
func makeTargets(t *testing.T) []string {
	t.Helper()
	// --question runs nothing, and fails where something had to be made.
	cmd := exec.Command("make", "--no-builtin-rules", "--print-data-base", "--question", "help")
	cmd.Dir = root
	out, err := cmd.Output()
	if failed := (*exec.ExitError)(nil); err != nil && !errors.As(err, &failed) {
		t.Fatal(err)
	}
	var targets []string
	for _, m := range regexp.MustCompile(`(?m)^([A-Za-z0-9][^\s:=]*):(?:[^=]|$)`).FindAllStringSubmatch(string(out), -1) {
		targets = append(targets, m[1])
	}
	if len(targets) < 10 {
		t.Fatal(fmt.Errorf("make names %q alone", targets))
	}
	return targets
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
