package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const (
	at    = "2026-01-02T03:04:05.678901Z "
	clear = "\r\x1b[0K"
)

// trace makes a trace of lines without their times.
func trace(lines ...string) []byte {
	return []byte(at + strings.Join(lines, "\n"+at) + "\n")
}

func TestSections(t *testing.T) {
	got, err := sections(trace(
		"00O \x1b[0KRunning with gitlab-runner 19.4.0\x1b[0;m",
		"00O section_start:1700000000:prepare_executor"+clear,
		"00O+\x1b[0K\x1b[36;1mPreparing the \"docker\" executor\x1b[0;m\x1b[0;m",
		"01E from the driver",
		"00O section_end:1700000001:prepare_executor"+clear,
		"00O+section_start:1700000001:step_script"+clear,
		"00O+\x1b[0K\x1b[36;1mExecuting\x1b[0;m",
		"01O one",
		"01O 10%\r",
		"01E oops",
		"01O+100%",
		"01O ",
		"00O section_end:1700000002:step_script"+clear,
		"00O+\x1b[31;1mERROR: Job failed: exit code 1"+"\x1b[0;m",
	))
	want := []section{
		{name: "prepare_executor", runner: lines{`Preparing the "docker" executor`}, errors: lines{"from the driver"}},
		{name: "step_script", runner: lines{"Executing"}, output: lines{"one", "10%\r100%", ""}, errors: lines{"oops"}},
		{name: "the end", runner: lines{"ERROR: Job failed: exit code 1"}},
	}
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(section{})); diff != "" {
		t.Error(diff)
	}
}

// The runner writes a line in pieces, and those of the two streams may mix.
func TestTraceLinesCut(t *testing.T) {
	tests := []struct {
		name, trace string
		want        []traceLine
	}{
		{"whole", at + "01O a\n" + at + "01E b\n", []traceLine{{"01O", false, "a"}, {"01E", false, "b"}}},
		{"behind the head", at + "01O " + at + "01E b\na\n" + at + "01O c\n", []traceLine{{"01O", false, "a"}, {"01E", false, "b"}, {"01O", false, "c"}}},
		{"within the text", at + "01O fir" + at + "01E b\nst\n", []traceLine{{"01O", false, "first"}, {"01E", false, "b"}}},
		{"some lines later", at + "01O " + at + "01E b\n" + at + "01E c\na\n", []traceLine{{"01O", false, "a"}, {"01E", false, "b"}, {"01E", false, "c"}}},
		{"rest and head", at + "01O " + at + "01E b\na" + at + "01E c\n", []traceLine{{"01O", false, "a"}, {"01E", false, "b"}, {"01E", false, "c"}}},
		{"no head at all", "a\n", []traceLine{{"", false, "a"}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, traceLines([]byte(tt.trace)), cmp.AllowUnexported(traceLine{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSectionsRefuses(t *testing.T) {
	for name, text := range map[string]string{
		"no times":            "hello\n",
		"before the sections": at + "01O hello\n",
		"an unknown stream":   at + "00O section_start:1700000000:a" + clear + "\n" + at + "0fO hello\n",
	} {
		if got, err := sections([]byte(text)); err == nil {
			t.Errorf("%s: got %v", name, got)
		}
	}
}
