// Package memo remembers from one job to the next what saves a podman command: in
// small files of the user's runtime directory, which is in memory and gone with a
// boot. Nothing is lost where such a file is missing, so one that is odd in any way is
// as good as none.
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
	"podman-executor/internal/driver"
	"podman-executor/internal/trust"
	"podman-executor/pkg/podman"
)

// maxSize bounds a file, in bytes.
const maxSize = 4 << 10

// File returns the name of a file for what is remembered of one podman: the same
// program with another environment, such as another storage, is another podman.
func File(p *podman.Podman, what string) string {
	parts := append([]string{p.Program, p.URL}, p.Env...)
	hash := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return filepath.Join(driver.RuntimeDir(p), what+"-"+hex.EncodeToString(hash[:8]))
}

// Read returns what [Write] has written to a file, and when. It is not ok unless the
// file is a regular one of this user, to which nobody else can write.
func Read(name string) (text []byte, written time.Time, ok bool) {
	// Neither a link's target nor a pipe's writer is waited for.
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

// Write replaces a file: who reads it meanwhile sees all of the old text or of the new.
func Write(name string, text []byte) error {
	if err := trust.MakeDir(filepath.Dir(name), trust.CurrentOwner()); err != nil {
		return fmt.Errorf("remembering %s: %w", filepath.Base(name), err)
	}
	if err := atomicfile.Write(name, text); err != nil {
		return fmt.Errorf("remembering %s: %w", filepath.Base(name), err)
	}
	return nil
}
