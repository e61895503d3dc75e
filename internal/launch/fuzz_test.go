package launch

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// FuzzReport: what a launched container reports is a number from 0 to 255, or an error of
// one line, and then nothing is reported.
func FuzzReport(f *testing.F) {
	above := f.TempDir()
	l := Launcher{Dir: filepath.Join(above, "job")}
	if err := Make(above, l.Dir); err != nil {
		f.Fatal(err)
	}
	f.Add("0\n")
	f.Fuzz(func(t *testing.T, told string) {
		if err := os.WriteFile(filepath.Join(l.Dir, reportDir, statusFile), []byte(told), 0o600); err != nil {
			t.Fatal(err)
		}
		o, err := l.report(0, "")
		if err != nil {
			if o.Reported || o.Status != 0 || len(err.Error()) > 200 || strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("%q: %+v, %q", told, o, err)
			}
			return
		}
		if n, err := strconv.Atoi(strings.TrimSuffix(told, "\n")); err != nil || n != o.Status || !o.Reported || n < 0 || n > 255 {
			t.Errorf("%q: %+v, %v", told, o, err)
		}
	})
}
