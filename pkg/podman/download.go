package podman

import (
	"cmp"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Progress is what a pull has done so far.
type Progress struct {
	// Bytes have come of the image's layers, compressed as they are in the registry; -1 if
	// nobody can see that, as of a podman service.
	Bytes int64
	// Layers are those that podman has named by now. Of Fetched of them something has come.
	Layers, Fetched int
	// Complete means that podman has all layers, and that the storage had those that were not
	// fetched. (podman can fetch parts of a layer of the format zstd:chunked, without a
	// temporary file. Such a layer does not count as fetched.)
	Complete bool
	// Trying is why podman tries again, in its own words, [maxTrying] bytes at most; empty if it
	// does not.
	Trying string
}

const (
	// DownloadPrefix begins the names of the directories that pulls have, see [download]. A
	// number follows.
	DownloadPrefix = "podman-executor-pull-"
	// maxTrying bounds what a registry may say in one line of a job log.
	maxTrying = 300
	// measured is how often a pull's progress is looked at.
	measured = time.Second
	// littleWritten is how much podman may write, in bytes, for an image whose layers the
	// storage has: names and locks.
	littleWritten = 4 << 20
)

// podman says on standard error what it does, a line for each step, unless it is quiet. Only
// on a terminal it also says how much has come, and what it need not fetch (containers/image
// copy/progress_bars.go; 4.3.1 and 5.4.2).
var (
	copyingBlob   = regexp.MustCompile(`\ACopying blob (?:sha256:)?([0-9a-f]{12,64})\b`)
	copyingConfig = regexp.MustCompile(`\ACopying config (?:sha256:)?([0-9a-f]{12,64})\b`)
	otherSteps    = regexp.MustCompile(`\A(?:Trying to pull [^ ]+\.\.\.|Getting image source signatures|Checking if image destination supports signatures|Writing manifest to image destination|Storing signatures)\z`)
	// containers/common pkg/retry/retry.go, printed by logrus.
	retrying = regexp.MustCompile(`\Atime=[^ ]+ level=warning msg=("Failed, retrying in .*")\z`)
)

// download watches one pull. podman writes each layer that it fetches to a file
// TMPDIR/*storage*/NUMBER, and removes the files when it has stored the image, but not if a
// signal ends it (4.3.1 and 5.4.2). So the pull gets a TMPDIR of its own: the sizes of its
// files are what has come, and it can be removed with what is in it.
type download struct {
	// dir is that directory; empty if the pull has none.
	dir string

	mu     sync.Mutex
	layers map[string]bool
	seen   Progress
	// final means that all layers have come, and that the files were counted then.
	final bool
}

// newDownload makes the directory, in podman's TMPDIR. Without one, as for a podman service,
// the pull works as well.
func (p *Podman) newDownload() *download {
	d := &download{layers: map[string]bool{}}
	if tmp := p.Getenv("TMPDIR"); p.URL == "" && filepath.IsAbs(tmp) {
		d.dir, _ = os.MkdirTemp(tmp, DownloadPrefix)
	}
	if d.dir == "" {
		d.seen.Bytes = -1
	}
	return d
}

// env returns podman's environment for the pull.
func (d *download) env(env []string) []string {
	if d.dir == "" {
		return env
	}
	own := make([]string, len(env))
	for i, v := range env {
		if own[i] = v; strings.HasPrefix(v, "TMPDIR=") {
			own[i] = "TMPDIR=" + d.dir
		}
	}
	return own
}

// hidden reports whether a pull failed because podman does not have the directory: the mount
// namespace that it joins may have another /var/tmp.
func (d *download) hidden(err error) bool {
	return d.dir != "" && stderrHas(err, noTempDir[0]) && stderrHas(err, strings.ToLower(d.dir)+": "+noTempDir[1])
}

// takes notes what a line of podman's standard error says of the pull, and reports whether it
// does.
func (d *download) takes(line string) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if blob := copyingBlob.FindStringSubmatch(line); blob != nil {
		d.layers[blob[1]], d.seen.Trying = true, ""
		d.seen.Layers = len(d.layers)
		return true
	}
	if config := copyingConfig.FindStringSubmatch(line); config != nil {
		// The layers' files are there until the image is stored.
		if files, ok := d.files(); ok {
			d.count(withoutConfig(files, config[1]))
			d.seen.Complete, d.final = true, true
		}
		return true
	}
	if again := retrying.FindStringSubmatch(line); again != nil {
		if text, err := strconv.Unquote(again[1]); err == nil {
			_, text, _ = strings.Cut(text, "Error: ")
			d.seen.Trying = strings.ToValidUTF8(text[:min(len(text), maxTrying)], "")
		}
		return false // as for other commands, it belongs to what podman said
	}
	return otherSteps.MatchString(line)
}

// progress looks at the files.
func (d *download) progress() Progress {
	d.mu.Lock()
	defer d.mu.Unlock()
	if files, ok := d.files(); ok && !d.final {
		d.count(files)
	}
	return d.seen
}

// file is one that podman has fetched, or is fetching.
type file struct {
	name string
	size int64
}

// files returns podman's files, the latest last, and whether their directory is there.
func (d *download) files() (list []file, ok bool) {
	if d.dir == "" {
		return nil, false
	}
	dirs, _ := filepath.Glob(filepath.Join(d.dir, "*storage*"))
	for _, dir := range dirs {
		entries, err := os.ReadDir(dir)
		if err != nil {
			return nil, false
		}
		for _, entry := range entries {
			if info, err := entry.Info(); err == nil && info.Mode().IsRegular() {
				list = append(list, file{filepath.Join(dir, entry.Name()), info.Size()})
			}
		}
	}
	slices.SortFunc(list, func(a, b file) int {
		return cmp.Or(cmp.Compare(len(a.name), len(b.name)), strings.Compare(a.name, b.name))
	})
	return list, len(dirs) > 0
}

// count notes what has come. That never becomes less: podman removes the files before it ends.
func (d *download) count(files []file) {
	var bytes int64
	for _, f := range files {
		bytes += f.size
	}
	d.seen.Bytes, d.seen.Fetched = max(d.seen.Bytes, bytes), max(d.seen.Fetched, len(files))
}

const (
	// maxConfig is how large an image's configuration is at most, in bytes (containers/image
	// internal/iolimits).
	maxConfig = 4 << 20
	// configTries is how often a file is looked at that podman may be writing.
	configTries = 3
)

// withoutConfig leaves out the image's configuration, which is not a layer: podman may already have
// written it to the latest file.
func withoutConfig(files []file, digest string) []file {
	last := len(files) - 1
	if last < 0 || files[last].size > maxConfig {
		return files
	}
	for range configTries {
		text, err := os.ReadFile(files[last].name)
		if err == nil && strings.HasPrefix(fmt.Sprintf("%x", sha256.Sum256(text)), digest) {
			return files[:last]
		}
		time.Sleep(10 * time.Millisecond)
	}
	return files
}

// ended notes how much podman has written in all. If it has written much and fetched nothing
// into files, there are layers that it has fetched in another way.
func (d *download) ended(use *syscall.Rusage) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.seen.Fetched == 0 && use.Oublock > littleWritten/512 {
		d.seen.Complete = false
	}
}

// tell calls a function with the progress from time to time, until it is stopped, and then
// once more.
func (d *download) tell(each func(Progress)) (stop func()) {
	if each == nil {
		return func() {}
	}
	stopping, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		ticker := time.NewTicker(measured)
		defer ticker.Stop()
		for {
			select {
			case <-stopping:
				return
			case <-ticker.C:
				each(d.progress())
			}
		}
	}()
	return func() {
		close(stopping)
		<-stopped
		each(d.progress())
	}
}

// removeTries is how often a directory is removed into which a process of the pull still writes.
const removeTries = 10

// remove removes the directory.
func (d *download) remove() error {
	if d.dir == "" {
		return nil
	}
	var err error
	for range removeTries {
		if err = os.RemoveAll(d.dir); err == nil || os.IsPermission(err) {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if err != nil && !os.IsNotExist(err) {
		return fmt.Errorf("removing what a pull has left: %w", err)
	}
	return nil
}
