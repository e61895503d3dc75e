package images

import (
	"fmt"
	"time"

	"podman-executor/pkg/podman"
)

// interval is how often the job's author hears of a pull, or of the wait for another one.
const interval = 15 * time.Second

// Fetch says how an image was pulled.
type Fetch struct {
	// Took is how long the pull took, with all its tries. Before it, it Waited for another job's
	// pull from the same repository.
	Took, Waited time.Duration
	// Bytes have come, compressed as they are in the registry; 0: none, or nobody could see it.
	Bytes int64
	// Layers is the number of the image's layers, Reused of which the storage already had;
	// 0: not known.
	Layers, Reused int
}

// Rate returns how many bytes came per second.
func (f Fetch) Rate() float64 { return float64(f.Bytes) / max(f.Took, time.Millisecond).Seconds() }

// String returns it in words for the job log: "pulled in 14.2 s (36 MB, 2.5 MB/s; 2 of 6 layers
// were already here)".
func (f Fetch) String() string {
	text := fmt.Sprintf("pulled in %.1f s", f.Took.Seconds())
	came, reused := "", ""
	if f.Bytes > 0 {
		came = fmt.Sprintf("%s, %s/s", megabytes(float64(f.Bytes)), megabytes(f.Rate()))
	}
	switch {
	case f.Reused == 0:
	case f.Layers == 1:
		reused = "its layer was already here"
	case f.Reused == f.Layers:
		reused = fmt.Sprintf("all %d layers were already here", f.Layers)
	case f.Reused == 1:
		reused = fmt.Sprintf("1 of %d layers was already here", f.Layers)
	default:
		reused = fmt.Sprintf("%d of %d layers were already here", f.Reused, f.Layers)
	}
	switch {
	case came != "" && reused != "":
		text += " (" + came + "; " + reused + ")"
	case came+reused != "":
		text += " (" + came + reused + ")"
	}
	if f.Waited > 0 {
		text += fmt.Sprintf(", after waiting %.1f s for another job", f.Waited.Seconds())
	}
	return text
}

// megabytes formats a size: 0.8 MB, 36 MB.
func megabytes(bytes float64) string {
	if bytes < 9.95e6 {
		return fmt.Sprintf("%.1f MB", bytes/1e6)
	}
	return fmt.Sprintf("%.0f MB", bytes/1e6)
}

// report follows the tries of one pull. It says nothing about those that are done within the
// interval.
type report struct {
	// begun is when the pull began, told when its author heard of it last, due when the next line
	// is.
	begun, told, due time.Time
	// earlier is what came with tries that have failed, latest what this one has done.
	earlier int64
	latest  podman.Progress
	tries   int
	// before is what had come when told.
	before int64
}

func newReport(now time.Time) *report { return &report{begun: now, told: now, due: now.Add(interval)} }

// failed notes that another try begins.
func (r *report) failed() {
	r.earlier, r.tries = r.bytes(), r.tries+1
	r.latest = podman.Progress{}
}

func (r *report) bytes() int64 { return r.earlier + max(r.latest.Bytes, 0) }

// progress notes what the try has done, and returns what to tell the author; empty: nothing yet.
func (r *report) progress(now time.Time, p podman.Progress) string {
	r.latest = p
	if now.Before(r.due) {
		return ""
	}
	text := r.sinceTold(now.Sub(r.begun), now.Sub(r.told))
	if p.Trying != "" {
		text += "; podman tries again: " + p.Trying
	}
	r.told, r.before = now, r.bytes()
	for !r.due.After(now) {
		r.due = r.due.Add(interval)
	}
	return text
}

func (r *report) sinceTold(all, since time.Duration) string {
	after, last := inSeconds(all), inSeconds(since)
	came := r.bytes()
	switch {
	case r.latest.Bytes < 0:
		return "still pulling after " + after
	case came == 0:
		return "nothing downloaded after " + after
	case came == r.before && r.latest.Complete:
		return fmt.Sprintf("%s after %s: download complete, podman is storing the image", megabytes(float64(came)), after)
	case came == r.before:
		return fmt.Sprintf("%s after %s, nothing new in the last %s: podman is unpacking layers or waiting for the registry", megabytes(float64(came)), after, last)
	}
	rate := megabytes(float64(came-r.before) / since.Seconds())
	return fmt.Sprintf("%s after %s, %s/s in the last %s", megabytes(float64(came)), after, rate, last)
}

func inSeconds(d time.Duration) string { return fmt.Sprintf("%.0f s", d.Seconds()) }

// fetch returns how the pull went.
func (r *report) fetch(now time.Time) Fetch {
	f := Fetch{Took: now.Sub(r.begun), Bytes: r.bytes()}
	// After a try that failed, some layers are here because of that.
	if p := r.latest; p.Complete && r.tries == 0 && p.Fetched <= p.Layers {
		f.Layers, f.Reused = p.Layers, p.Layers-p.Fetched
	}
	return f
}
