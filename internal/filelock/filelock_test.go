package filelock

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

func open(t *testing.T, name string) *os.File {
	t.Helper()
	f, err := os.OpenFile(name, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func TestTry(t *testing.T) {
	for _, test := range []struct {
		name          string
		first, second int
		want          error
	}{
		{"two share it", Shared, Shared, nil},
		{"one alone, behind one who shares", Shared, Exclusive, ErrHeld},
		{"one who shares, behind one alone", Exclusive, Shared, ErrHeld},
		{"two alone", Exclusive, Exclusive, ErrHeld},
	} {
		t.Run(test.name, func(t *testing.T) {
			name := filepath.Join(t.TempDir(), "lock")
			first, second := open(t, name), open(t, name)
			if err := Try(first, test.first); err != nil {
				t.Fatal(err)
			}
			if err := Try(second, test.second); !errors.Is(err, test.want) {
				t.Errorf("got %v, want %v", err, test.want)
			}
			if err := first.Close(); err != nil {
				t.Fatal(err)
			}
			if err := Try(second, test.second); err != nil {
				t.Errorf("after it was unlocked: %v", err)
			}
		})
	}
}

func TestWait(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lock")
	first, second := open(t, name), open(t, name)
	if err := Wait(first, Exclusive); err != nil {
		t.Fatal(err)
	}
	locked := make(chan error)
	go func() { locked <- Wait(second, Exclusive) }()
	select {
	case err := <-locked:
		t.Fatalf("two have the lock: %v", err)
	default:
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-locked; err != nil {
		t.Error(err)
	}
}
