//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"podman-executor/test/harness/gitlab"
)

// These tests never call cleanup with --all-images: the storage has the images of all
// tests, and what a machine's jobs have pulled is all that it may remove. Those that begin
// many jobs, or fill the storage, are not parallel to others.

// stored tells whether podman has an image.
func stored(t *testing.T, image string) bool {
	t.Helper()
	err := podmanCommand("image", "exists", image).Run()
	return err == nil
}

// pulls is a job whose image comes from the registry.
func (r *registry) pulls(image, name string, script ...string) gitlab.Job {
	j := in(image, job(name, script...))
	j.Credentials = append(j.Credentials, r.credential(r.host))
	return j
}

// Images that jobs have pulled go when no job has used them for long, by all their
// names; what the administrator has named otherwise stays. The next job pulls again.
func TestRemoveImages(t *testing.T) {
	t.Parallel()
	r := startRegistry(t)
	policies := map[string]string{"usual": r.policy()}
	if !overService() {
		policies["service"] = fmt.Sprintf("service_url = %q", startService(t, "CONTAINERS_REGISTRIES_CONF="+r.config))
	}
	for name, key := range policies {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			old, kept := r.host+"/team/old-"+name+":1", r.host+"/team/kept-"+name+":1"
			oldID, keptID := r.pushed("team/old-"+name+":1"), r.pushed("team/kept-"+name+":1")
			m := start(t, defaults(key))
			succeeded(t, m.run(r.pulls(old, "old", "echo ran")))
			succeeded(t, m.run(r.pulls(kept, "kept", "echo ran")))
			podman(t, "tag", old, r.host+"/team/other-"+name+":1")
			podman(t, "tag", kept, "localhost/podman-executor/e2e-kept-"+m.token)
			t.Cleanup(func() { _ = podmanCommand("rmi", "--force", "--ignore", oldID, keptID).Run() })

			if table, stderr, status := m.byHand("--images-unused-for", "30d"); status != 0 || table+stderr != "" {
				t.Errorf("just used: it ends with %d and says %s%s", status, table, stderr)
			}
			m.unusedFor(100 * 24 * time.Hour)
			table, stderr, status := m.byHand("--images-unused-for", "30d", "--dry-run")
			if status != 0 || stderr != "" || strings.Count(table, "\n") != 2 || !row(table, "image", old, "image unused", "100d") || !stored(t, oldID) {
				t.Errorf("--dry-run ends with %d and says %s%s", status, stderr, table)
			}
			if _, stderr, status := m.byHand("--images-unused-for", "30d"); status != 0 || stderr != "" {
				t.Errorf("it ends with %d and says %s", status, stderr)
			}
			if stored(t, oldID) || !stored(t, keptID) || !stored(t, debianImage) {
				t.Errorf("there are: the unused image %v, the one with a name of localhost/ %v, the default image %v", stored(t, oldID), stored(t, keptID), stored(t, debianImage))
			}
			run := m.run(r.pulls(old, "again", "echo ran"))
			succeeded(t, run)
			logs(t, run, "pulled in ", "ran")
		})
	}
}

// The image of a job stays, however old its record is, while the job's containers are not
// there yet, and while none of them runs.
func TestImagesOfJobsStay(t *testing.T) {
	t.Parallel()
	r := startRegistry(t)
	const pause = `: >"$traps/hit"; until [ -e "$traps/go" ]; do sleep 0.1; done`
	patterns := map[string]string{"between-pull-and-create": "create *-user *", "between-two-steps": "start *-user*", "stays": "run *-user *"}
	if overService() { // there, no container stays for all steps
		delete(patterns, "stays")
	}
	for name, pattern := range patterns {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			image, id := r.host+"/team/"+name+":1", r.pushed("team/"+name+":1")
			p := newTrap(t)
			keys := []string{r.policy(), p.key()}
			if name != "stays" {
				keys = append(keys, "start_per_step = true")
			}
			m := start(t, defaults(keys...))
			p.armFor(pattern, pause)
			run := m.server.Submit(r.pulls(image, name, "echo ran"))
			p.waitCaught()
			m.unusedFor(100 * 24 * time.Hour)
			for _, options := range [][]string{{"--images-unused-for", "0"}, {"--images-unused-for", "30d"}, {"--storage-below", "1"}} {
				if table, _, _ := m.byHand(options...); row(table, "image", image) || !stored(t, id) {
					t.Errorf("%q removes the image of a job that goes on: %s", options, table)
				}
			}
			write(t, filepath.Join(p.dir, "go"), "")
			m.wait(run)
			succeeded(t, run)
			m.unusedFor(100 * 24 * time.Hour)
			if table, stderr, status := m.byHand("--images-unused-for", "30d"); status != 0 || stderr != "" || !row(table, "image", image) || stored(t, id) {
				t.Errorf("after the job it ends with %d and says %s%s", status, stderr, table)
			}
		})
	}
}

// Images are removed again and again while jobs begin that pull them, or find them in the
// storage: no job fails for it.
func TestRemoveImagesWhileJobsBegin(t *testing.T) {
	const enough, most = 12, 100
	r := startRegistry(t)
	// One more than jobs that run at a time: there is always one that may go.
	var images []string
	for _, name := range []string{"team/busy:1", "team/busy:2", "team/busy:3"} {
		r.pushed(name)
		images = append(images, r.host+"/"+name)
	}
	m := startConcurrent(t, 2, defaults(r.policy(), `allowed_pull_policies = ["always", "if-not-present"]`))
	var runs []*gitlab.Run
	begin := func(image string) {
		j := r.pulls(image, fmt.Sprintf("begins %d", len(runs)), "echo ran")
		j.Image.PullPolicy = []string{[]string{"always", "if-not-present"}[len(runs)/len(images)%2]}
		runs = append(runs, m.server.Submit(j))
	}
	for i := range enough {
		begin(images[i%len(images)])
	}
	removed, waiting := 0, 4
	for unfinished(runs) > 0 {
		table, stderr, status := m.byHand("--images-unused-for", "0")
		if status != 0 || stderr != "" {
			t.Fatalf("it ends with %d and says %s", status, stderr)
		}
		if unfinished(runs) > 0 {
			removed += strings.Count(table, "\nimage ")
		} else if removed == 0 && len(runs) < most {
			// That took longer than these jobs, and nobody knows when it removed
			// what it has: once more with all images, and more jobs.
			waiting *= 2
			for _, image := range images {
				begin(image)
			}
		}
		// Where podman takes longer to list the images than jobs need to use them all
		// again, none may go: so the jobs to come leave all but one alone, until
		// another is gone.
		for removed == 0 && unfinished(runs) < waiting && len(runs) < most {
			begin(images[0])
		}
	}
	if removed == 0 {
		t.Errorf("no image was removed while %d jobs began: this test shows nothing", len(runs))
	}
	for _, image := range images {
		begin(image)
	}
	for _, run := range runs {
		m.wait(run)
		succeeded(t, run)
		lacks(t, run, "podman-executor-prepare: error", "podman-executor-prepare: hint")
	}
	m.nothingLeft()
}

// unfinished counts the jobs that wait or run.
func unfinished(runs []*gitlab.Run) (n int) {
	for _, run := range runs {
		if !run.State().Over() {
			n++
		}
	}
	return n
}

// A disk that is too full is freed of images, builds and caches that no job uses; where that
// is not enough, the administrator hears of it.
func TestStorageBelow(t *testing.T) {
	r := startRegistry(t)
	image, id := r.host+"/team/full:1", r.pushed("team/full:1")
	m := startConcurrent(t, 2, defaults(r.policy()))
	succeeded(t, m.run(r.pulls(image, "ended", "echo built >out; echo cached >/cache/file")))
	j := job("goes on", "echo still >out", "echo started", until[1], "cat out")
	j.Info.ProjectID = 8
	living := m.server.Submit(j)
	m.waitLog(living, "\nstarted\n")
	volumes := m.volumes()
	if table, stderr, status := m.byHand("--storage-below", "99"); status != 0 || table+stderr != "" {
		t.Errorf("with enough room it ends with %d and says %s%s", status, table, stderr)
	}
	table, stderr, status := m.byHand("--storage-below", "1")
	if status != 1 || !strings.Contains(stderr, " % full, and nothing more can be removed\n") || !strings.Contains(stderr, "podman-executor-cleanup: hint: ") {
		t.Errorf("with too little it ends with %d and says %s", status, stderr)
	}
	lines := strings.Split(table, "\n")
	if len(lines) != 5 || !row(lines[1], "image", image) || !row(table, "volume", "-project-7-builds") || !row(table, "volume", "-project-7-cache") {
		t.Errorf("the table:\n%s", table)
	}
	want := slices.DeleteFunc(volumes, func(v string) bool { return strings.Contains(v, "-project-7-") })
	if left := m.volumes(); stored(t, id) || !slices.Equal(left, want) {
		t.Errorf("the image is there: %v; there are the volumes %q, want %q", stored(t, id), left, want)
	}
	// podman may miss the end of its own command when the job is over before it looks.
	_ = podmanCommand("exec", m.container(living, "user"), "touch", "/tmp/end").Run()
	m.wait(living)
	succeeded(t, living)
	logs(t, living, "still\n")
}

// An image goes while another is pulled that is made of the same layers, which podman has
// counted on: the job gets its image all the same.
func TestRemoveImageOfTheSameLayers(t *testing.T) {
	t.Parallel()
	r := startRegistry(t)
	asked, answered := make(chan struct{}), make(chan struct{})
	var blobs atomic.Int32
	f := r.front(func(_ http.ResponseWriter, request *http.Request) bool {
		// The first blob is the image's configuration; then podman looks which layers it has.
		if strings.Contains(request.URL.Path, "/team/second/blobs/") {
			switch blobs.Add(1) {
			case 1:
				return false
			case 2:
				close(asked)
			}
			<-answered
		}
		return false
	})
	base := build(t, "FROM scratch\nCOPY --from="+busyboxImage+" / /\nCOPY unique /unique\n")
	first, second := f.image("team/first:1"), f.image("team/second:1")
	r.push(base, "team/first:1")
	id := podman(t, "image", "inspect", "--format", "{{.Id}}", base)
	derived := build(t, "FROM "+base+"\nCOPY unique /second\n")
	r.push(derived, "team/second:1")
	podman(t, "rmi", "--force", derived, base)
	m := startConcurrent(t, 2, defaults(r.policy()))
	j := job("first", "echo ran")
	j.Credentials = []gitlab.Credential{r.credential(f.host)}
	succeeded(t, m.run(in(first, j)))
	m.unusedFor(100 * 24 * time.Hour)
	run := m.server.Submit(in(second, j))
	<-asked
	if table, stderr, status := m.byHand("--images-unused-for", "30d"); status != 0 || stderr != "" || !row(table, "image", first) || stored(t, id) {
		t.Errorf("it ends with %d and says %s%s", status, stderr, table)
	}
	close(answered)
	m.wait(run)
	succeeded(t, run)
	logs(t, run, "podman-executor-prepare: warning: pulling "+second+" failed (try 1 of 3)", "layer not known", "pulled in ")
	lacks(t, run, "podman-executor-prepare: error")
}
