package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"podman-executor/test/measure/bench/results"
)

// The log of two jobs, of which the second runs `ps` twice, and its containers are made
// in another order.
const twoJobs = `{"level":"debug","job":1,"msg":"podman ps --all --filter 'label=a b'","program":"podman-executor-prepare","seconds":0.1}
{"level":"debug","job":1,"msg":"podman image inspect x","program":"podman-executor-prepare","seconds":0.2}
{"level":"debug","job":1,"msg":"podman create --name u -- x","program":"podman-executor-prepare","seconds":0.3}
{"level":"debug","job":1,"msg":"podman run --detach --name r","program":"podman-executor-prepare","seconds":0.4}
{"image":"x","job":1,"msg":"prepared","program":"podman-executor-prepare","seconds":0.9}
{"job":1,"msg":"step ended","program":"podman-executor-run","seconds":0.01,"step":"get_sources"}
{"level":"debug","job":1,"msg":"podman start --attach -- u","program":"podman-executor-run","seconds":0.2}
{"job":1,"msg":"step ended","program":"podman-executor-run","seconds":0.25,"step":"build_script"}
{"level":"debug","job":1,"msg":"podman rm --force r u","program":"podman-executor-cleanup","seconds":0.1}
{"job":1,"msg":"cleaned up","program":"podman-executor-cleanup","seconds":0.11}
{"job":2,"msg":"podman ps failed","failure":"locked","level":"info","program":"podman-executor-prepare","seconds":0.1}
{"level":"debug","job":2,"msg":"podman ps --all","program":"podman-executor-prepare","seconds":0.3}
{"level":"debug","job":2,"msg":"podman ps --all","program":"podman-executor-prepare","seconds":0.5}
{"level":"debug","job":2,"msg":"podman ps --all","program":"podman-executor-prepare","seconds":0.5}
{"level":"debug","job":2,"msg":"podman image inspect x","program":"podman-executor-prepare","seconds":0.4}
{"level":"debug","job":2,"msg":"podman run --detach --name r","program":"podman-executor-prepare","seconds":0.6}
{"level":"debug","job":2,"msg":"podman create --name u -- x","program":"podman-executor-prepare","seconds":0.5}
{"job":2,"msg":"prepared","program":"podman-executor-prepare","seconds":1.1}
`

func TestProfileOfLog(t *testing.T) {
	t.Parallel()
	jobs, err := callsOf(strings.NewReader(twoJobs + strings.ReplaceAll(twoJobs[:strings.Index(twoJobs, `{"job":2`)], `"job":1`, `"job":3`)))
	if err != nil {
		t.Fatal(err)
	}
	want := []results.ProgramTimes{
		{Program: "podman-executor-prepare", Seconds: []float64{0.9, 1.1, 0.9}, Commands: []results.CommandTimes{
			{Command: "podman ps", Seconds: []float64{0.1, 0.3, 0.1}},
			{Command: "podman image inspect", Seconds: []float64{0.2, 0.4, 0.2}},
			{Command: "podman create", Seconds: []float64{0.3, 0.5, 0.3}},
			{Command: "podman run", Seconds: []float64{0.4, 0.6, 0.4}},
		}},
		{Program: "podman-executor-run", Step: "get_sources", Seconds: []float64{0.01, 0.01}},
		{Program: "podman-executor-run", Step: "build_script", Seconds: []float64{0.25, 0.25}, Commands: []results.CommandTimes{
			{Command: "podman start", Seconds: []float64{0.2, 0.2}},
		}},
		{Program: "podman-executor-cleanup", Seconds: []float64{0.11, 0.11}, Commands: []results.CommandTimes{
			{Command: "podman rm", Seconds: []float64{0.1, 0.1}},
		}},
	}
	if diff := cmp.Diff(want, programsOf(jobs)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	half := programsOf([][]call{{{program: "a"}}, {{program: "a"}, {program: "b"}}})
	if diff := cmp.Diff([]results.ProgramTimes{{Program: "a", Seconds: []float64{0, 0}}}, half); diff != "" {
		t.Errorf("of half of the jobs (-want +got):\n%s", diff)
	}
	if _, err := callsOf(strings.NewReader("text\n")); err == nil {
		t.Error("what is not JSON is read")
	}
}
