// Package memo remembers facts from one job to the next that would cost a podman command to
// find out again. They are small files in the user's runtime directory, which is in memory and
// empty after a boot. Nothing is lost if a file is missing, so any file that is not as expected
// counts as missing.
package memo

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"podman-executor/internal/atomicfile"
	"podman-executor/internal/job"
	"podman-executor/internal/trust"
	"podman-executor/pkg/podman"
)

// maxSize bounds a file, in bytes.
const maxSize = 4 << 10

// File returns the name of the file for one fact about one podman. The same program with
// another environment, which may name another storage, is another podman.
func File(p *podman.Podman, what string) string {
	parts := append([]string{p.Program, p.URL}, p.Env...)
	hash := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return filepath.Join(job.RuntimeDir(p.Getenv), what+"-"+hex.EncodeToString(hash[:8]))
}

// Read returns what [Write] has written to a file, and when. ok is true only for a regular file
// of this user that nobody else can write to.
func Read(name string) (text []byte, written time.Time, ok bool) {
	// Does not follow a link, nor wait for the writer of a pipe.
	f, err := os.OpenFile(name, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, written, false
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || !own(info) || info.Size() > maxSize {
		return nil, written, false
	}
	text, err = io.ReadAll(io.LimitReader(f, maxSize))
	return text, info.ModTime(), err == nil
}

func own(info fs.FileInfo) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && info.Mode().IsRegular() && info.Mode().Perm()&0o022 == 0 && int(stat.Uid) == os.Geteuid()
}

// Write replaces a file. A reader at the same time gets all of the old text or all of the new.
func Write(name string, text []byte) error {
	if err := trust.MakeDir(filepath.Dir(name), trust.Self()); err != nil {
		return fmt.Errorf("remembering %s: %w", filepath.Base(name), err)
	}
	if err := atomicfile.Write(name, text); err != nil {
		return fmt.Errorf("remembering %s: %w", filepath.Base(name), err)
	}
	return nil
}
