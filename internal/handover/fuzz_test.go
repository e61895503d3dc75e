package handover

import (
	"os"
	"strconv"
	"strings"
	"testing"
)

// FuzzStatus: what a step's container reports is a number from 0 to 255 in one whole line, or
// an error of one line.
func FuzzStatus(f *testing.F) {
	f.Add("0\n")
	f.Fuzz(func(t *testing.T, told string) {
		read, write, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		defer read.Close()
		// A pipe holds more than is read.
		if _, err := write.WriteString(told[:min(len(told), 4096)]); err != nil {
			t.Fatal(err)
		}
		_ = write.Close()
		code, err := (&pipes{status: read}).readStatus()
		if err != nil {
			if code != 0 || len(err.Error()) > 200 || strings.ContainsAny(err.Error(), "\n\x1b") {
				t.Errorf("%q: %d, %q", told, code, err)
			}
			return
		}
		line, _, whole := strings.Cut(told, "\n")
		if n, err := strconv.Atoi(line); err != nil || !whole || n != code || code < 0 || code > 255 {
			t.Errorf("%q: %d", told, code)
		}
	})
}
