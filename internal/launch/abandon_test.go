package launch

import (
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"podman-executor/internal/slurm"
	"podman-executor/pkg/podman"
)

// A job that was cancelled goes on writing to its directory for a while: it goes all the same.
func TestRemoveWhileTheJobWrites(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "job")
	if err := os.MkdirAll(filepath.Join(dir, "report"), 0o700); err != nil {
		t.Fatal(err)
	}
	began, ends := make(chan struct{}), time.Now().Add(300*time.Millisecond)
	var writer sync.WaitGroup
	writer.Go(func() {
		for i := 0; i <= 100 || time.Now().Before(ends); i++ {
			// As a shell whose directory it is would, until it is gone.
			_ = os.MkdirAll(filepath.Join(dir, "report", strconv.Itoa(i)), 0o700)
			if i == 100 {
				close(began)
			}
		}
	})
	<-began
	if err := Remove(t.Context(), dir, slurm.Slurm{}, &podman.Podman{}); err != nil {
		t.Error(err)
	}
	writer.Wait()
	if err := Remove(t.Context(), dir, slurm.Slurm{}, &podman.Podman{}); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(dir); !os.IsNotExist(err) {
		t.Errorf("the directory is still there: %v", err)
	}
}
