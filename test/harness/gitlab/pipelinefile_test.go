package gitlab

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const everything = `# every key that is known
stages: [prepare, check]
default:
  image: localhost/default:1
  before_script:
    - echo before
  timeout: 1h 30m
variables:
  GLOBAL: "1"
  BOTH: global
  NUMBER: 1.10
  LITERAL: {value: $HOME, expand: false, description: "a text", options: ["$HOME"]}

compile:
  stage: prepare
  image:
    name: localhost/gcc:1
    entrypoint: ["/bin/sh", "-c"]
    docker: {user: 1000, platform: linux/arm64}
    pull_policy: never
  services:
    - localhost/redis:1
    - name: localhost/pg:1
      alias: db
      entrypoint: [/init]
      command: [postgres, -d]
      pull_policy: [always, if-not-present]
      variables: {PGDATA: /d}
  variables:
    BOTH: job
  script:
    - make
    - |
      for i in 1 2; do
        echo $i
      done
  after_script: echo after
  artifacts:
    paths: [out/]
    exclude: [out/*.o]
    name: $CI_JOB_NAME
    when: always
    expire_in: 1 week
    untracked: true
  cache:
    key: $CI_COMMIT_REF_SLUG
    paths: [.cache]
    policy: pull
    when: on_failure

lint:
  before_script: []
  stage: check
  needs: []
  cache: [{paths: [a]}, {key: b, paths: [b], fallback_keys: [c], untracked: true}]
  timeout: 10 minutes
  allow_failure: true
  script: make lint

unit:
  stage: check
  script: [[make, test], [echo done]]
  allow_failure: {exit_codes: [3, 137]}
  hooks: {pre_get_sources_script: echo hook}
`

func TestParsePipeline(t *testing.T) {
	file := filepath.Join(t.TempDir(), ".gitlab-ci.yml")
	if err := os.WriteFile(file, []byte(everything), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := LoadPipeline(file)
	if err != nil {
		t.Fatal(err)
	}
	public := func(key, value string) Variable { return Variable{Key: key, Value: value, Public: true} }
	number, literal := public("NUMBER", "1.10"), Variable{Key: "LITERAL", Value: "$HOME", Public: true, Raw: true}

	compile := NewJob("compile", "echo before", "make", "for i in 1 2; do\n  echo $i\ndone\n")
	compile.Info.Stage = "prepare"
	compile.Image = Image{
		Name: "localhost/gcc:1", Entrypoint: []string{"/bin/sh", "-c"}, PullPolicy: []string{"never"},
		ExecutorOptions: ExecutorOptions{Docker: DockerOptions{User: "1000", Platform: "linux/arm64"}},
	}
	compile.Services = []Image{{Name: "localhost/redis:1"}, {
		Name: "localhost/pg:1", Alias: "db", Entrypoint: []string{"/init"}, Command: []string{"postgres", "-d"},
		PullPolicy: []string{"always", "if-not-present"}, Variables: []Variable{public("PGDATA", "/d")},
	}}
	compile.Variables = []Variable{public("GLOBAL", "1"), number, literal, public("BOTH", "job")}
	compile.Artifacts = []Artifact{{
		Name: "$CI_JOB_NAME", Untracked: true, Paths: []string{"out/"}, Exclude: []string{"out/*.o"},
		When: "always", Type: "archive", Format: "zip", ExpireIn: "1 week",
	}}
	compile.Cache = []Cache{{Key: "$CI_COMMIT_REF_SLUG", Policy: "pull", Paths: []string{".cache"}, When: "on_failure"}}
	compile.AddAfterScript("echo after")
	compile.SetTimeout(5400)

	lint := NewJob("lint", "make lint")
	lint.Info.Stage = "check"
	lint.Image = Image{Name: "localhost/default:1"}
	lint.Variables = []Variable{public("GLOBAL", "1"), public("BOTH", "global"), number, literal}
	lint.Cache = []Cache{
		{Key: "default", Policy: "pull-push", Paths: []string{"a"}, When: "on_success"},
		{Key: "b", Untracked: true, Policy: "pull-push", Paths: []string{"b"}, When: "on_success", FallbackKeys: []string{"c"}},
	}
	lint.SetTimeout(600)

	unit := NewJob("unit", "echo before", "make", "test", "echo done")
	unit.Info.Stage = "check"
	unit.Image = lint.Image
	unit.Variables = lint.Variables
	unit.SetTimeout(5400)
	unit.Hooks = []Hook{{Name: "pre_get_sources_script", Script: []string{"echo hook"}}}

	want := &Pipeline{Stages: []string{"prepare", "check"}, Jobs: []PipelineJob{
		{Job: compile},
		{Job: lint, AllowFailure: true},
		{Job: unit, AllowFailure: true, AllowedCodes: []int{3, 137}, After: []string{"compile"}, Inputs: []string{"compile"}},
	}}
	if diff := cmp.Diff(want, p); diff != "" {
		t.Errorf("pipeline (-want +got):\n%s", diff)
	}
}

func TestPipelineLinks(t *testing.T) {
	const text = `
deploy: {stage: deploy, script: x}
b1: {stage: build, script: x}
t1: {script: x, needs: [b1]}
t2: {script: x, needs: [{job: b1, artifacts: false}, b2]}
t3: {script: x, dependencies: [b2]}
t4: {script: x, dependencies: []}
t5: {script: x, needs: [t1], dependencies: [t1]}
b2: {stage: build, script: x}
last: {stage: .post, script: x, needs: [t1]}
first: {stage: .pre, script: x}
`
	p, err := ParsePipeline("x.yml", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, j := range p.Jobs {
		got = append(got, fmt.Sprintf("%s after %v from %v", j.Job.Info.Name, j.After, j.Inputs))
	}
	want := []string{
		"first after [] from []",
		"b1 after [first] from [first]",
		"b2 after [first] from [first]",
		"t1 after [b1] from [b1]",
		"t2 after [b1 b2] from [b2]",
		"t3 after [first b1 b2] from [b2]",
		"t4 after [first b1 b2] from []",
		"t5 after [t1] from [t1]",
		"deploy after [first b1 b2 t1 t2 t3 t4 t5] from [first b1 b2 t1 t2 t3 t4 t5]",
		"last after [t1] from [t1]",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("links (-want +got):\n%s", diff)
	}
}

func TestPipelineErrors(t *testing.T) {
	tests := []struct{ name, text, want string }{
		{"unknown key of a job", "a:\n  script: x\n  rules:\n    - if: $X\n", `x.yml:3:3: a: unknown or unsupported key "rules"`},
		{"misspelt key", "a: {scirpt: x}", `x.yml:1:5: a: unknown or unsupported key "scirpt"`},
		{"reports", "a:\n  script: x\n  artifacts:\n    reports: {junit: x}\n", `x.yml:4:5: a: artifacts: unknown or unsupported key "reports"`},
		{"kubernetes", "a: {script: x, image: {name: i, kubernetes: {}}}", `x.yml:1:33: a: image: unknown or unsupported key "kubernetes"`},
		{"docker option", "a: {script: x, image: {name: i, docker: {usr: 1}}}", `x.yml:1:42: a: image: docker: unknown or unsupported key "usr"`},
		{"key in default", "default:\n  retry: 2\na: {script: x}", `x.yml:2:3: default: unknown or unsupported key "retry"`},
		{"include", "include: other.yml\na: {script: x}", `x.yml:1:1: unknown or unsupported key "include"`},
		{"hidden job", ".a: {script: x}", `x.yml:1:1: .a: hidden jobs are not supported`},
		{"two at once", "a: {script: x, only: y, tags: z}", "x.yml:1:16: a: unknown or unsupported key \"only\"\nx.yml:1:25: a: unknown or unsupported key \"tags\""},
		{"no script", "a: {stage: test}", `x.yml:1:1: a: no script`},
		{"job is not a mapping", "a: x", `x.yml:1:4: a: want a mapping`},
		{"stage", "a: {script: x, stage: nope}", `x.yml:1:1: a: stage "nope" is not among the stages build, test, deploy`},
		{"boolean as text", "a:\n  script:\n    - true\n", `x.yml:3:7: a: script: want a string`},
		{"boolean variable", "variables: {A: true}\na: {script: x}", `x.yml:1:16: variables: A: want a string or a number`},
		{"list as text", "a: {script: x, image: [x]}", `x.yml:1:23: a: image: want a string`},
		{"text as list", "a: {script: x, artifacts: {paths: x}}", `x.yml:1:35: a: artifacts: paths: want a list`},
		{"text as boolean", "a: {script: x, allow_failure: sometimes}", `x.yml:1:31: a: allow_failure: want true or false`},
		{"exit code as text", "a: {script: x, allow_failure: {exit_codes: [1, one]}}", `x.yml:1:48: a: allow_failure: exit_codes: want an exit code of a failure, 1 to 255`},
		{"no exit codes", "a: {script: x, allow_failure: {}}", `x.yml:1:31: a: allow_failure: no exit_codes`},
		{"pull policy", "a: {script: x, image: {name: i, pull_policy: [never, often]}}", `x.yml:1:54: a: image: pull_policy: want one of always, if-not-present, never, got "often"`},
		{"image without name", "a: {script: x, image: {entrypoint: []}}", `x.yml:1:24: a: image: no name`},
		{"service without name", "a: {script: x, services: [{alias: b}]}", `x.yml:1:28: a: services: no name`},
		{"timeout", "a: {script: x, timeout: 10 parsecs}", `x.yml:1:25: a: timeout: want a duration such as "10 minutes", got "10 parsecs"`},
		{"timeout of nothing", "a: {script: x, timeout: 0}", `x.yml:1:25: a: timeout: want a duration such as "10 minutes", got "0"`},
		{"need of nobody", "a: {script: x, needs: [b]}", `x.yml:1:24: a: needs "b", which is not a job`},
		{"need of a later stage", "a: {script: x, needs: [{job: b}]}\nb: {stage: deploy, script: x}", `x.yml:1:25: a: needs "b", which is in a later stage`},
		{"optional need", "a: {script: x, needs: [{job: b, optional: true}]}", `x.yml:1:33: a: needs: unknown or unsupported key "optional"`},
		{"dependency in the same stage", "a: {script: x, dependencies: [b]}\nb: {script: x}", `x.yml:1:31: a: depends on "b", which is neither needed nor in an earlier stage`},
		{"circle", "a: {script: x, needs: [b]}\nb: {script: x, needs: [a]}", "x.yml:1:1: a: needs itself, by way of other jobs\nx.yml:2:1: b: needs itself, by way of other jobs"},
		{"anchor", "a: &x {script: x}\nb: *x", "x.yml:1:4: a: anchors, aliases and tags are not supported\nx.yml:2:4: b: anchors, aliases and tags are not supported"},
		{"merge key", "a: {script: x, <<: {image: i}}", `x.yml:1:16: a: want plain keys (merge keys are not supported)`},
		{"reference", "a: {script: !reference [b, script]}", `x.yml:1:13: a: script: anchors, aliases and tags are not supported`},
		{"duplicate", "a: {script: x}\na: {script: y}", `x.yml:2:1: mapping key "a" already defined at [1:1]`},
		{"no YAML", "a: [", `x.yml:1:4: sequence end token ']' not found`},
		{"empty", "# nothing\n", `x.yml: want one YAML document`},
		{"two documents", "a: {script: x}\n---\nb: {script: x}\n", `x.yml: want one YAML document`},
		{"a list", "- a\n", `x.yml:1:1: pipeline: want a mapping`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := ParsePipeline("x.yml", []byte(test.text))
			if err == nil {
				t.Fatal("no error")
			}
			if diff := cmp.Diff(test.want, err.Error()); diff != "" {
				t.Errorf("error (-want +got):\n%s", diff)
			}
		})
	}
	if _, err := LoadPipeline("no/such/file.yml"); err == nil || !strings.HasPrefix(err.Error(), "loading pipeline: ") {
		t.Errorf("missing file: %v", err)
	}
}

func TestDurations(t *testing.T) {
	tests := []struct {
		text string
		want int
	}{
		{"90", 90},
		{"10 minutes", 600},
		{"1h 30m", 5400},
		{"1h30m", 5400},
		{"2 hours and 5 seconds", 7205},
		{"1 day, 2 hrs", 93600},
		{"1 Week", 604800},
	}
	for _, test := range tests {
		p, err := ParsePipeline("x.yml", []byte("a: {script: x, timeout: \""+test.text+"\"}"))
		if err != nil {
			t.Errorf("%q: %v", test.text, err)
		} else if got := p.Jobs[0].Job.Runner.Timeout; got != test.want {
			t.Errorf("%q is %d s, want %d", test.text, got, test.want)
		}
	}
}

func FuzzParsePipeline(f *testing.F) {
	f.Add(everything)
	f.Add("a: {script: [&x y, *x], needs: [a]}")
	f.Fuzz(func(_ *testing.T, text string) {
		_, _ = ParsePipeline("x.yml", []byte(text)) // must not panic
	})
}
