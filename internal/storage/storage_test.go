package storage

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestIdleBuilds(t *testing.T) {
	now := time.Now()
	items := []Item{
		{Record: "new", Role: "builds", LastUse: now},
		{Record: "used", Role: "builds", Used: true},
		{Record: "cache", Role: "cache"},
		{Record: "old", Role: "builds", LastUse: now.Add(-time.Hour)},
	}
	for n, want := range []string{"", "old", "old new", "old new"} {
		var got []string
		for _, i := range IdleBuilds(items, n) {
			got = append(got, i.Record)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%d: got %q, want %q", n, got, want)
		}
	}
}

// Builds go by their time, caches by what all take together, those that were not
// used for longest first; what a container has stays, and counts.
func TestChoose(t *testing.T) {
	now := time.Now()
	item := func(name, role string, hours int, size int64, used bool) Item {
		return Item{Record: name, Role: role, LastUse: now.Add(-time.Duration(hours) * time.Hour), Size: size, Used: used}
	}
	items := []Item{
		item("new-builds", "builds", 1, -1, false), item("old-builds", "builds", 30, -1, false),
		item("older-builds", "builds", 40, 7, false), item("used-builds", "builds", 50, -1, true),
		item("new-cache", "cache", 2, 10, false), item("old-cache", "cache", 20, 10, false),
		item("volume", "volume", 25, 10, false), item("used-cache", "cache", 60, 10, true), item("unread", "cache", 70, -1, false),
	}
	hours := func(n int) *time.Duration { d := time.Duration(n) * time.Hour; return &d }
	bytes := func(n int64) *int64 { return &n }
	for _, test := range []struct {
		limits Limits
		want   string
	}{
		{Limits{}, ""},
		{Limits{BuildsUnused: hours(24)}, "older-builds old-builds"},
		{Limits{BuildsUnused: hours(40)}, ""},
		{Limits{BuildsUnused: hours(0)}, "older-builds old-builds new-builds"},
		{Limits{Caches: bytes(40)}, ""},
		{Limits{Caches: bytes(39)}, "volume"},
		{Limits{Caches: bytes(25)}, "volume old-cache"},
		{Limits{Caches: bytes(10)}, "volume old-cache new-cache"},
		{Limits{Caches: bytes(0)}, "volume old-cache new-cache"},
		{Limits{BuildsUnused: hours(35), Caches: bytes(39)}, "older-builds volume"},
	} {
		var got []string
		for _, i := range Choose(items, test.limits, now) {
			got = append(got, i.Record)
			if i.Reason == "" {
				t.Errorf("%s goes for no reason", i.Record)
			}
		}
		if strings.Join(got, " ") != test.want {
			t.Errorf("%+v: got %q, want %q", test.limits, got, test.want)
		}
	}
}

func lastUse(t *testing.T, r Records, name string) time.Time {
	t.Helper()
	uses, err := r.LastUses()
	if err != nil {
		t.Fatal(err)
	}
	return uses[name]
}

// What is held is not freed, nor what was used since it was looked at; what is being
// freed is not held before that is over.
func TestRecords(t *testing.T) {
	r := RecordsIn(t.TempDir())
	const name = "builds/project-7"
	gone := func() error { return nil }
	never := func() error { t.Error("it is removed"); return nil }
	hold := func() func() {
		t.Helper()
		release, err := r.Hold(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		return release
	}
	first, second := hold(), hold()
	seen := lastUse(t, r, name)
	if since := time.Since(seen); since < 0 || since > time.Minute {
		t.Errorf("it was last used at %v", seen)
	}
	first()
	if err := r.Free(name, seen, never); !errors.Is(err, ErrInUse) {
		t.Errorf("freeing what is held: %v", err)
	}
	second()
	if err := r.Free(name, seen.Add(-time.Second), never); !errors.Is(err, ErrInUse) {
		t.Errorf("freeing what was used since: %v", err)
	}
	failure := errors.New("failure")
	if err := r.Free(name, seen, func() error { return failure }); !errors.Is(err, failure) || lastUse(t, r, name) != seen {
		t.Errorf("a removal that fails: %v", err)
	}
	removing, end := make(chan bool), make(chan bool)
	freed := make(chan error)
	go func() { freed <- r.Free(name, seen, func() error { close(removing); <-end; return nil }) }()
	select {
	case <-removing:
	case err := <-freed:
		t.Fatalf("it is not removed: %v", err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*lockPoll)
	defer cancel()
	if _, err := r.Hold(ctx, name); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("holding what is being freed: %v", err)
	}
	if err := r.Free(name, seen, never); !errors.Is(err, ErrInUse) {
		t.Errorf("freeing what is being freed: %v", err)
	}
	close(end)
	if err := <-freed; err != nil || !lastUse(t, r, name).IsZero() {
		t.Errorf("freeing: %v", err)
	}
	if err := r.Free(name, seen, never); !errors.Is(err, ErrInUse) {
		t.Errorf("freeing what is gone: %v", err)
	}
	hold()()
	if err := r.Free(name, lastUse(t, r, name), gone); err != nil {
		t.Errorf("freeing it again: %v", err)
	}
}

func TestRecordsErrors(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := (Records{Dir: file}).Hold(t.Context(), "x"); err == nil || !strings.HasPrefix(err.Error(), "creating the directory for records: ") {
		t.Errorf("in a file: %v", err)
	}
	if _, err := (Records{Dir: file}).LastUses(); err == nil || !strings.HasPrefix(err.Error(), "reading the records: ") {
		t.Errorf("in a file: %v", err)
	}
	uses, err := RecordsIn(t.TempDir()).LastUses()
	if err != nil || len(uses) != 0 {
		t.Errorf("where no job has run: %v, %v", uses, err)
	}
}
