package main

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestChoose(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		kinds, executors string
		want             []string
		wrong            string
	}{
		{kinds: "twelve,hello", executors: "shell driver", want: []string{"hello", "twelve", "driver", "shell"}},
		{kinds: "hello", want: []string{"hello", "driver", "step_script_only", "docker", "naive", "shell"}},
		{kinds: "helo", wrong: `--kinds: there is no "helo"; there are: ["hello" "clone" `},
		{kinds: "hello", executors: "drivers", wrong: `--executors: there is no "drivers"; there are: ["driver" `},
		{kinds: "clone", wrong: "the kind clone needs --sources DIRECTORY"},
	} {
		kinds, executors, err := new(bench).choose(list(test.kinds), list(test.executors), "")
		if test.wrong != "" {
			if err == nil || !strings.HasPrefix(err.Error(), test.wrong) {
				t.Errorf("%q of %q: %v, want %s", test.kinds, test.executors, err, test.wrong)
			}
			continue
		}
		var names []string
		for _, k := range kinds {
			names = append(names, k.Name)
		}
		for _, e := range executors {
			names = append(names, e.Name)
		}
		if diff := cmp.Diff(test.want, names); err != nil || diff != "" {
			t.Errorf("%q of %q: %v (-want +got):\n%s", test.kinds, test.executors, err, diff)
		}
	}
}

// Only the docker executor's jobs may fail, and not for ever.
func TestAgain(t *testing.T) {
	t.Parallel()
	job := &jobFailed{what: "a job"}
	for _, test := range []struct {
		name  string
		fails bool
		err   error
		want  int
	}{
		{"a job of the docker executor", true, job, dockerTries - 1},
		{"a job of another executor", false, job, 0},
		{"something else of the docker executor", true, errors.New("else"), 0},
	} {
		s := &session{rival: &rival{executor: executor{fails: test.fails}}}
		failed, again := 0, 0
		for again < 100 && s.again(test.err, &failed) == nil {
			again++
		}
		if again != test.want {
			t.Errorf("%s: may be run %d times again, want %d", test.name, again, test.want)
		}
	}
}

func TestDifferencesOfCounts(t *testing.T) {
	t.Parallel()
	want := counts{"driver": {"run: podman start": 4, "podman rm": 1, "podman ps": 1}}
	got := counts{"driver": {"run: podman start": 5, "podman ps": 1}, "step_script_only": {"podman create": 1}}
	diff := cmp.Diff("  driver: podman rm: 0, want 1\n  driver: run: podman start: 5, want 4\n  step_script_only: podman create: 1, want 0\n", want.differences(got))
	if diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
