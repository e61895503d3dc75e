// Package suite has the made-up tests of the tests of `again`. What a test of them does stands in its name; "once" is
// the first time in the directory SUITE_DIR.
package suite

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// firstTime tells whether something has not happened before.
func firstTime(t *testing.T) bool {
	t.Helper()
	file, err := os.OpenFile(filepath.Join(os.Getenv("SUITE_DIR"), filepath.Base(t.Name())), os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		_ = file.Close()
	}
	return err == nil
}

func failsOnce(t *testing.T) {
	t.Parallel()
	if firstTime(t) {
		t.Errorf("%s fails", t.Name())
	}
}

func TestMain(m *testing.M) {
	status := m.Run()
	if os.Getenv("SUITE_END") != "" {
		fmt.Println("the end fails")
		status = 1
	}
	os.Exit(status)
}

func TestPasses(t *testing.T) {
	t.Parallel()
	t.Log("says something")
}

func TestFailsOnce(t *testing.T)   { failsOnce(t) }
func TestFailsOnce2(t *testing.T)  { failsOnce(t) }
func TestFailsOnce3(t *testing.T)  { failsOnce(t) }
func TestFailsOnce4(t *testing.T)  { failsOnce(t) }
func TestFailsAlways(t *testing.T) { t.Error("fails always") }

func TestPartFailsOnce(t *testing.T) {
	t.Run("passes", func(t *testing.T) { t.Log("a part says something") })
	t.Run("fails once", failsOnce)
}

func TestSkipsThen(t *testing.T) {
	if !firstTime(t) {
		t.Skip("cannot run twice")
	}
	t.Error("fails first")
}

func TestPanicsOnce(t *testing.T) {
	if firstTime(t) {
		panic("panics once")
	}
}

func TestHangsOnce(t *testing.T) {
	if firstTime(t) {
		time.Sleep(time.Hour)
	}
}

func TestExitsOnce(t *testing.T) {
	if firstTime(t) {
		os.Exit(1)
	}
}

// TestFailsBeside fails where TestPasses runs in the same process.
func TestFailsBeside(t *testing.T) {
	if len(os.Args) > 0 && os.Args[len(os.Args)-1] != "-test.run=^(TestFailsBeside)$" {
		t.Error("is not alone")
	}
}
