package images

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

func TestLock(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "locks")
	never := func() { t.Error("it waits for nobody") }
	unlock, err := Lock(t.Context(), dir, "r.example.com/a", nil, never)
	if err != nil {
		t.Fatal(err)
	}
	other, err := Lock(t.Context(), dir, "r.example.com/b", nil, never)
	if err != nil {
		t.Fatal(err)
	}
	other()
	waits := make(chan struct{})
	locked := make(chan error)
	go func() {
		again, err := Lock(context.Background(), dir, "r.example.com/a", nil, func() { close(waits) })
		if err == nil {
			again()
		}
		locked <- err
	}()
	<-waits
	select {
	case err := <-locked:
		t.Fatalf("two have the lock: %v", err)
	default:
	}
	unlock()
	if err := <-locked; err != nil {
		t.Error(err)
	}
	if left := entries(t, dir); left != 0 {
		t.Errorf("%d files are left", left)
	}
}

func entries(t *testing.T, dir string) int {
	t.Helper()
	list, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// Who waits hears of each tick.
func TestLockTicks(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "locks")
	unlock, err := Lock(t.Context(), dir, "r.example.com/a", nil, func() {})
	if err != nil {
		t.Fatal(err)
	}
	ticks, waits, locked := make(chan time.Time), make(chan struct{}), make(chan error)
	go func() {
		again, err := Lock(context.Background(), dir, "r.example.com/a", ticks, func() { waits <- struct{}{} })
		if err == nil {
			again()
		}
		locked <- err
	}()
	<-waits
	for range 2 {
		ticks <- time.Time{}
		<-waits
	}
	unlock()
	if err := <-locked; err != nil {
		t.Error(err)
	}
}

// Unlocking removes the file, and two never hold the lock at the same time, even with many that
// come and go.
func TestLockIsOneAlone(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "locks")
	var inside, most atomic.Int64
	var all sync.WaitGroup
	for i := range 32 {
		all.Go(func() {
			for range 50 {
				unlock, err := Lock(context.Background(), dir, fmt.Sprintf("r.example.com/%d", i%2), nil, func() {})
				if err != nil {
					t.Error(err)
					return
				}
				if i%2 == 0 {
					most.Store(max(most.Load(), inside.Add(1)))
					runtime.Gosched()
					inside.Add(-1)
				}
				unlock()
			}
		})
	}
	all.Wait()
	if most.Load() != 1 || entries(t, dir) != 0 {
		t.Errorf("%d had the lock at the same time, %d files are left", most.Load(), entries(t, dir))
	}
}

// Locks left by killed drivers are removed; held locks stay.
func TestLocksLeftBehind(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "locks")
	unlock, err := Lock(t.Context(), dir, "r.example.com/held", nil, func() {})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 1000 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%064x", i)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	other, err := Lock(t.Context(), dir, "r.example.com/other", nil, func() {})
	if err != nil {
		t.Fatal(err)
	}
	if n := entries(t, dir); n != 2 {
		t.Errorf("%d files are there, want the two that are held", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := Lock(ctx, dir, "r.example.com/held", nil, cancel); !errors.Is(err, context.Canceled) {
		t.Errorf("what is held was locked again: %v", err)
	}
	other()
	unlock()
}

func TestLockIsGivenUp(t *testing.T) {
	dir := t.TempDir()
	unlock, err := Lock(t.Context(), dir, "r.example.com/a", nil, func() {})
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := Lock(ctx, dir, "r.example.com/a", nil, cancel); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	var state *StateError
	if _, err := Lock(t.Context(), "/dev/null/locks", "r.example.com/a", nil, func() {}); !errors.As(err, &state) {
		t.Errorf("got %v", err)
	}
}
