// Package standin_test checks, through the runner's own types, the stand-ins that jobs of the custom executor pass
// through, and that what masks job logs is not a stand-in at all.
package standin_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"gitlab.com/gitlab-org/gitlab-runner/common/buildlogger"
	"gitlab.com/gitlab-org/gitlab-runner/common/spec"
)

const inputs = `[
	{"key": "name", "value": {"type": "string", "content": "fred \"the\" tester"}},
	{"key": "image", "value": {"type": "string", "content": "alpine:3"}},
	{"key": "password", "value": {"type": "string", "content": "123456", "sensitive": true}},
	{"key": "age", "value": {"type": "number", "content": 1.5}},
	{"key": "ok", "value": {"type": "boolean", "content": false}},
	{"key": "list", "value": {"type": "array", "content": ["a", "b"]}},
	{"key": "map", "value": {"type": "struct", "content": {"a": 1}}}
]`

func TestInputs(t *testing.T) {
	var job spec.Job
	if err := json.Unmarshal([]byte(`{"inputs":`+inputs+`}`), &job); err != nil {
		t.Fatal(err)
	}
	job.Inputs.SetMetricsCollector(spec.NewJobInputsMetricsCollector())

	for _, tt := range []struct{ text, want, wantErr string }{
		{"", "", ""},
		{"echo $HOME ${HOME} $$ {{ x }}", "echo $HOME ${HOME} $$ {{ x }}", ""},
		{"${{ job.inputs.name }}", `fred "the" tester`, ""},
		{"a ${{job.inputs.image}}${{ job.inputs.image }} z", "a alpine:3alpine:3 z", ""},
		{"${{ job.inputs.password }}", "", "sensitive inputs are unsupported"},
		{"x ${{ job.inputs.name }} ${{ job.inputs.password }}", "", "sensitive inputs are unsupported"},
		{"${{ job.inputs.missing }}", "", "attribute not found"},
		{"${{ job.inputs.age }}", "", "not built in"},
		{"${{ job.inputs.ok }}", "", "not built in"},
		{"${{ job.inputs.list }}", "", "not built in"},
		{"${{ job.inputs.list[0] }}", "", "not built in"},
		{"${{ job.inputs.map.a }}", "", "not built in"},
		{"${{ str(job.inputs.age) }}", "", "not built in"},
		{"${{ foo.bar.baz }}", "", "not built in"},
		{"${{ 1 + 2 }}", "", "not built in"},
		{"$${{ job.inputs.name }}", "", "not built in"},
		{"${{ job.inputs.name", "", "not built in"},
	} {
		got, err := job.Inputs.Expand(tt.text)
		switch {
		case tt.wantErr == "" && err != nil:
			t.Errorf("%q: %v", tt.text, err)
		case tt.wantErr != "" && (err == nil || !strings.Contains(err.Error(), tt.wantErr)):
			t.Errorf("%q: got error %v, want %q", tt.text, err, tt.wantErr)
		case got != tt.want:
			t.Errorf("%q: got %q, want %q", tt.text, got, tt.want)
		}
	}
}

func TestNoInputs(t *testing.T) {
	const text = "${{ 1 + 2 }} ${{ job.inputs.name }}"
	for _, body := range []string{`{}`, `{"inputs":null}`, `{"inputs":[]}`} {
		var job spec.Job
		if err := json.Unmarshal([]byte(body), &job); err != nil {
			t.Fatal(err)
		}
		if got, err := job.Inputs.Expand(text); got != text || err != nil {
			t.Errorf("%s: got %q, %v", body, got, err)
		}
	}
}

func TestBadInputs(t *testing.T) {
	for _, tt := range []struct{ value, want string }{
		{`{}`, "is null"},
		{`{"type": "string", "content": null}`, "is null"},
		{`{"type": "number", "content": "1"}`, `Announced "number", but got "string"`},
		{`{"type": "other", "content": "1"}`, "type is unknown"},
	} {
		err := json.Unmarshal([]byte(`[{"key":"k","value":`+tt.value+`}]`), new(spec.Inputs))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got error %v, want %q", tt.value, err, tt.want)
		}
	}
}

// The runner hands the steps of `run:` to the custom executor as the variable STEPS.
func TestRun(t *testing.T) {
	const steps = `[{"name":"a","func":"./step","inputs":{"x":[1,2.50,"${{ y }}"]},"unknown":{"b":null}},{"script":"echo"}]`
	quoted, err := json.Marshal(steps)
	if err != nil {
		t.Fatal(err)
	}
	var job spec.Job
	if err := json.Unmarshal([]byte(`{"run":`+string(quoted)+`}`), &job); err != nil {
		t.Fatal(err)
	}
	if err := job.ValidateStepsJobRequest(false); err != nil {
		t.Fatal(err)
	}
	if got := job.Variables.Get("STEPS"); got != steps {
		t.Errorf("got  %s\nwant %s", got, steps)
	}
	if err := json.Unmarshal([]byte(`{"run":"[1]"}`), &job); err == nil {
		t.Error("a step that is not an object was accepted")
	}
}

type trace struct{ strings.Builder }

func (*trace) IsStdout() bool { return false }

func TestMasking(t *testing.T) {
	var log trace
	l := buildlogger.New(&log, nil, buildlogger.Options{MaskPhrases: []string{"hunter22"}})
	out := l.Stream(buildlogger.StreamWorkLevel, buildlogger.Stdout)
	for _, part := range []string{"a hun", "ter22 b ", "glpat-aaaaaaaaaaaaaaaaaaaa", " c\n"} {
		if _, err := out.Write([]byte(part)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(out.Close(), l.Close()); err != nil {
		t.Fatal(err)
	}
	if got, want := log.String(), "a [MASKED] b glpat-[MASKED] c\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
