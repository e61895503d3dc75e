package images

import (
	"strings"
	"testing"
	"time"

	"podman-executor/pkg/podman"
)

// The author hears of a pull every 15 s, not more often, and not at all if it is quick.
func TestReport(t *testing.T) {
	begun := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	r := newReport(begun)
	for _, at := range []struct {
		seconds int
		podman  podman.Progress
		want    string
	}{
		{0, podman.Progress{}, ""},
		{14, podman.Progress{}, ""},
		{15, podman.Progress{Trying: "reading manifest 1: toomanyrequests: slow down"}, "nothing downloaded after 15 s; podman tries again: reading manifest 1: toomanyrequests: slow down"},
		{16, podman.Progress{Bytes: 1e6}, ""},
		{29, podman.Progress{Bytes: 2e6}, ""},
		{31, podman.Progress{Bytes: 4e6}, "4.0 MB after 31 s, 0.2 MB/s in the last 16 s"},
		{46, podman.Progress{Bytes: 304e6}, "304 MB after 46 s, 20 MB/s in the last 15 s"},
		{61, podman.Progress{Bytes: 304e6}, "304 MB after 61 s, nothing new in the last 15 s: podman is unpacking layers or waiting for the registry"},
		{76, podman.Progress{Bytes: 304e6, Complete: true}, "304 MB after 76 s: download complete, podman is storing the image"},
		{91, podman.Progress{Bytes: -1}, "still pulling after 91 s"},
	} {
		if got := r.progress(begun.Add(time.Duration(at.seconds)*time.Second), at.podman); got != at.want {
			t.Errorf("after %d s: got %q, want %q", at.seconds, got, at.want)
		}
	}
}

// What came with a try that failed counts; what it left in the storage is not called reused.
func TestReportOfTries(t *testing.T) {
	begun := time.Now()
	r := newReport(begun)
	r.progress(begun.Add(time.Second), podman.Progress{Bytes: 5e6, Layers: 3, Fetched: 2})
	r.failed()
	if text := r.progress(begun.Add(20*time.Second), podman.Progress{}); !strings.HasPrefix(text, "5.0 MB after 20 s, 0.2 MB/s") {
		t.Errorf("got %q", text)
	}
	r.progress(begun.Add(21*time.Second), podman.Progress{Bytes: 2e6, Layers: 3, Fetched: 1, Complete: true})
	if got, want := r.fetch(begun.Add(25*time.Second)), (Fetch{Took: 25 * time.Second, Bytes: 7e6}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestFetch(t *testing.T) {
	for want, p := range map[string]podman.Progress{
		"pulled in 4.0 s":                   {Bytes: -1, Layers: 2},
		"pulled in 4.0 s (36 MB, 9.0 MB/s)": {Bytes: 36e6, Layers: 2, Fetched: 2, Complete: true},
		"pulled in 4.0 s (36 MB, 9.0 MB/s; 1 of 3 layers was already here)":   {Bytes: 36e6, Layers: 3, Fetched: 2, Complete: true},
		"pulled in 4.0 s (0.4 MB, 0.1 MB/s; 2 of 3 layers were already here)": {Bytes: 4e5, Layers: 3, Fetched: 1, Complete: true},
		"pulled in 4.0 s (all 3 layers were already here)":                    {Layers: 3, Complete: true},
		"pulled in 4.0 s (its layer was already here)":                        {Layers: 1, Complete: true},
		"pulled in 4.0 s (1.0 MB, 0.2 MB/s)":                                  {Bytes: 1e6, Layers: 3, Fetched: 1},
		"pulled in 4.0 s (1.1 MB, 0.3 MB/s)":                                  {Bytes: 11e5, Layers: 1, Fetched: 2, Complete: true},
	} {
		r := newReport(time.Time{})
		r.latest = p
		if got := r.fetch(time.Time{}.Add(4 * time.Second)).String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if got := (Fetch{Took: time.Second, Waited: 31 * time.Second}).String(); got != "pulled in 1.0 s, after waiting 31.0 s for another job" {
		t.Errorf("got %q", got)
	}
}
