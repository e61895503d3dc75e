package images

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
)

func TestLock(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "locks")
	never := func() { t.Error("it waits for nobody") }
	unlock, err := Lock(t.Context(), dir, "r.example.com/a", never)
	if err != nil {
		t.Fatal(err)
	}
	other, err := Lock(t.Context(), dir, "r.example.com/b", never)
	if err != nil {
		t.Fatal(err)
	}
	other()
	waits := make(chan struct{})
	locked := make(chan error)
	go func() {
		again, err := Lock(context.Background(), dir, "r.example.com/a", func() { close(waits) })
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
}

func TestLockIsGivenUp(t *testing.T) {
	dir := t.TempDir()
	unlock, err := Lock(t.Context(), dir, "r.example.com/a", func() {})
	if err != nil {
		t.Fatal(err)
	}
	defer unlock()
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := Lock(ctx, dir, "r.example.com/a", cancel); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	var state *StateError
	if _, err := Lock(t.Context(), "/dev/null/locks", "r.example.com/a", func() {}); !errors.As(err, &state) {
		t.Errorf("got %v", err)
	}
}
