package storage

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"podman-executor/pkg/podman"
)

const id = "aa2514add712"

// setTime gives a record a time.
func setTime(t *testing.T, r Records, name string, at time.Time) {
	t.Helper()
	if err := os.Chtimes(r.file(name), at, at); err != nil {
		t.Fatal(err)
	}
}

// holdImage holds the image once, and returns whether that was sure.
func holdImage(t *testing.T, r Records, since time.Time, pulled bool) bool {
	t.Helper()
	release, sure, err := r.HoldImage(t.Context(), id, since, pulled)
	if err != nil {
		t.Fatal(err)
	}
	release()
	return sure
}

// Only a record from before the search proves that the image was not freed since. A record that
// is gone, or was made or touched meanwhile, does not.
func TestHoldImage(t *testing.T) {
	now := time.Now()
	for _, test := range []struct {
		name      string
		meanwhile func(Records)
		want      bool
	}{
		{"no record", nil, false},
		{"used an hour ago", func(r Records) { setTime(t, r, usedImage+id, now.Add(-time.Hour)) }, true},
		{"used within the slack of the clock", func(r Records) { setTime(t, r, usedImage+id, now.Add(-clockSlack/2)) }, false},
		{"used meanwhile", func(r Records) { setTime(t, r, usedImage+id, now.Add(time.Second)) }, false},
		{"removed meanwhile", func(r Records) {
			setTime(t, r, usedImage+id, now.Add(-time.Hour))
			if err := r.Free(usedImage+id, lastUse(t, r, usedImage+id), func() error { return nil }); err != nil {
				t.Error(err)
			}
		}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := RecordsIn(t.TempDir())
			if test.meanwhile != nil {
				holdImage(t, r, now, false)
				test.meanwhile(r)
			}
			if got := holdImage(t, r, now, false); got != test.want {
				t.Errorf("it is sure that the image is there: %v, want %v", got, test.want)
			}
		})
	}
}

// What was found in the storage has no record of a pull, and gets none: it may be one that
// no registry has.
func TestPulledImage(t *testing.T) {
	r := RecordsIn(t.TempDir())
	holdImage(t, r, time.Now(), false)
	if at := lastUse(t, r, pulledImage+id); !at.IsZero() {
		t.Errorf("an image of the storage was pulled at %v", at)
	}
	holdImage(t, r, time.Now(), true)
	if lastUse(t, r, pulledImage+id).IsZero() || lastUse(t, r, usedImage+id).IsZero() {
		t.Error("a pulled image has no record")
	}
}

// podman is not even asked to remove an image that a prepare holds.
func TestFreeHeldImage(t *testing.T) {
	s := Store{Podman: &podman.Podman{Program: "/nonexistent/podman"}, Records: RecordsIn(t.TempDir())}
	release, _, err := s.Records.HoldImage(t.Context(), id, time.Now(), true)
	if err != nil {
		t.Fatal(err)
	}
	item := Item{Kind: "image", Name: "r.example.com/app:1", Record: usedImage + id, LastUse: lastUse(t, s.Records, usedImage+id), image: podman.StoredImage{ID: id}}
	if err := s.Free(t.Context(), item); !errors.Is(err, ErrInUse) {
		t.Errorf("got %v, want %v", err, ErrInUse)
	}
	release()
	if err := s.Free(t.Context(), item); err == nil || !strings.HasPrefix(err.Error(), "removing the image r.example.com/app:1: ") {
		t.Errorf("released: %v", err)
	}
	if lastUse(t, s.Records, pulledImage+id).IsZero() {
		t.Error("the image is there, and its record is not")
	}
}

// The records of images that are gone go with them, those that are held or were used
// meanwhile do not, nor do those of volumes.
func TestForgetImages(t *testing.T) {
	r := RecordsIn(t.TempDir())
	for _, name := range []string{usedImage + "gone", pulledImage + "gone", usedImage + "there", pulledImage + "there", usedImage + "meanwhile", "volume", "builds/project-7"} {
		release, err := r.Hold(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		release()
	}
	release, err := r.Hold(t.Context(), usedImage+"held")
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	uses, err := r.LastUses()
	if err != nil {
		t.Fatal(err)
	}
	setTime(t, r, usedImage+"meanwhile", time.Now().Add(time.Second))
	if err := r.forgetImages(uses, []podman.StoredImage{{ID: "there"}}); err != nil {
		t.Fatal(err)
	}
	left, err := r.LastUses()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]bool{}
	for name := range left {
		got[name] = true
	}
	want := map[string]bool{usedImage + "there": true, pulledImage + "there": true, usedImage + "held": true, usedImage + "meanwhile": true, "volume": true, "builds/project-7": true}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the records that are left (-want +got):\n%s", diff)
	}
}

// Images go before builds and caches, however old those are; what a container has stays.
func TestForSpace(t *testing.T) {
	now := time.Now()
	item := func(kind, record string, hours int, used bool) Item {
		return Item{Kind: kind, Record: record, LastUse: now.Add(-time.Duration(hours) * time.Hour), Used: used}
	}
	var got []string
	for _, i := range ForSpace([]Item{
		item("volume", "older-volume", 90, false), item("image", "new-image", 1, false), item("directory", "old-directory", 80, false),
		item("image", "used-image", 99, true), item("volume", "used-volume", 99, true), item("image", "old-image", 2, false),
	}) {
		got = append(got, i.Record)
		if i.Reason == "" {
			t.Errorf("%s goes for no reason", i.Record)
		}
	}
	if diff := cmp.Diff([]string{"old-image", "new-image", "older-volume", "old-directory"}, got); diff != "" {
		t.Errorf("the order (-want +got):\n%s", diff)
	}
}
