package slurm

import (
	"strings"
	"testing"
)

// FuzzSqueueLine: a line of squeue, part of which a job has chosen, is a job whose directory
// is the line's end, or an error of one line.
func FuzzSqueueLine(f *testing.F) {
	f.Add("7|RUNNING|n1|None|/d/job")
	f.Fuzz(func(t *testing.T, line string) {
		j, err := parse(line)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("%q: %q", line, err)
			}
			return
		}
		if !strings.HasSuffix(line, "|"+j.dir) || strings.Count(line[:len(line)-len(j.dir)], "|") != 4 {
			t.Errorf("%q: %+v", line, j)
		}
	})
}
