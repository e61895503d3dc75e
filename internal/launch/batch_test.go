package launch

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"podman-executor/pkg/podman"
)

// hostile are words of a job that would be options of a scheduler where they began a line
// of the job script.
var hostile = []string{
	"exec \"$@\"\n#PBS -q long -l walltime=99:00:00\n", "#SBATCH --uid=0", "\n#BSUB -q long\n", "a\r\n#FLUX: -q\r", "'\n#COBALT '",
	"\n", "'", "$n", "\"$n\"", "`id`", "\\\n", "",
}

// sbatch returns a Launcher with a program in sbatch's place that runs the job script
// here, and copies of the script and of the program's own call.
func sbatch(t *testing.T, command ...string) (l Launcher, script, call string) {
	t.Helper()
	l = launcher(t, "")
	dir := t.TempDir()
	script, call = filepath.Join(dir, "script"), filepath.Join(dir, "call")
	l.Program = filepath.Join(dir, "sbatch")
	text := "#!/bin/sh\nprintf '%s\\n' \"SBATCH_IGNORE_PBS=$SBATCH_IGNORE_PBS\" \"$@\" >" + call +
		"\nfor job; do :; done\ncp \"$job\" " + script + "\nexec \"$job\"\n"
	if err := os.WriteFile(l.Program, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	l.Words, l.Podman = []string{"--quiet", "--chdir=" + l.Dir}, command
	return l, script, call
}

// TestBatchScript: no line of the job script is the job's, whatever its words are, and
// each word arrives as it is; sbatch is told to look for no lines of others, behind the
// author's words.
func TestBatchScript(t *testing.T) {
	l, script, call := sbatch(t, append([]string{"printf", "<%s>"}, hostile...)...)
	var out, errs bytes.Buffer
	if _, err := l.Batch(t.Context(), podman.Streams{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs}, func() {}, func() {}); err != nil {
		t.Fatal(err)
	}
	if want := "<" + strings.Join(hostile, "><") + ">"; out.String() != want || errs.Len() > 0 {
		t.Errorf("the command got %q, %q, want %q", &out, &errs, want)
	}
	with := readLines(t, script)
	l, script, _ = sbatch(t, "true")
	if _, err := l.Batch(t.Context(), podman.Streams{Stdin: strings.NewReader(""), Stdout: &out, Stderr: &errs}, func() {}, func() {}); err != nil {
		t.Fatal(err)
	}
	if own := readLines(t, script); len(own) != len(with) {
		t.Errorf("%d lines with the job's words, %d without:\n%s", len(with), len(own), strings.Join(with, "\n"))
	}
	for _, line := range with[1:] {
		if strings.HasPrefix(line, "#") {
			t.Errorf("the job script has the line %q", line)
		}
	}
	words := readLines(t, call)
	if words[0] != "SBATCH_IGNORE_PBS=1" || slices.Index(words, "--ignore-pbs") < slices.Index(words, l.Words[0]) {
		t.Errorf("sbatch was called with %q", words)
	}
}

func readLines(t *testing.T, name string) []string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// FuzzInScript: a word of the job script is in one line, and for sh the word that it was.
func FuzzInScript(f *testing.F) {
	for _, word := range hostile {
		f.Add(word)
	}
	f.Fuzz(func(t *testing.T, word string) {
		if strings.ContainsRune(word, 0) {
			return // no command line has it
		}
		in := inScript(word)
		if strings.Contains(in, "\n") {
			t.Fatalf("%q is %q", word, in)
		}
		out, err := exec.Command("/bin/sh", "-c", "n='\n'\nprintf %s "+in).Output()
		if err != nil || string(out) != word {
			t.Errorf("%q is %s, and that is %q, %v", word, in, out, err)
		}
	})
}
