package main

import (
	"bytes"
	"context"
	"debug/elf"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"podman-executor/internal/memo"
	"podman-executor/pkg/podman"
)

// programFile is what tells a podman that was updated from the one before.
type programFile struct {
	Path              string
	Device, Inode     uint64
	Size              int64
	Modified, Changed int64 // ns
}

// knownVersion is what a program has said of itself.
type knownVersion struct {
	Program programFile
	Version podman.Version
}

// version is podman's. It is asked once for each file that is podman, and not by each
// job: the answer is remembered until the file changes.
func (s *preparation) version(ctx context.Context) (podman.Version, error) {
	program, ok := s.podmanFile()
	if !ok {
		return s.podman.Version(ctx)
	}
	file := memo.File(s.podman, "version")
	if text, _, ok := memo.Read(file); ok {
		if known, err := parseVersion(text); err == nil && known.Program == program {
			return known.Version, nil
		}
	}
	v, err := s.podman.Version(ctx)
	if err != nil || v.Service {
		return v, err
	}
	text, err := json.Marshal(knownVersion{Program: program, Version: v})
	if err == nil {
		err = memo.Write(file, text)
	}
	if err != nil {
		s.log.WithError(err).Warn("podman's version")
	}
	return v, nil
}

// podmanFile returns the file that alone decides what podman answers: not so where it
// is a script, which may call any podman, or where a service answers.
func (s *preparation) podmanFile() (program programFile, ok bool) {
	if s.podman.URL != "" {
		return program, false
	}
	path, err := filepath.EvalSymlinks(s.podman.Program)
	if err != nil {
		return program, false
	}
	f, err := os.Open(path)
	if err != nil {
		return program, false
	}
	defer f.Close()
	begin := make([]byte, len(elf.ELFMAG))
	if _, err := io.ReadFull(f, begin); err != nil || string(begin) != elf.ELFMAG {
		return program, false
	}
	var stat syscall.Stat_t
	if err := syscall.Fstat(int(f.Fd()), &stat); err != nil {
		return program, false
	}
	return programFile{
		Path: path, Device: stat.Dev, Inode: stat.Ino, Size: stat.Size,
		Modified: stat.Mtim.Nano(), Changed: stat.Ctim.Nano(),
	}, true
}

// parseVersion reads what was remembered; nothing else than that is taken.
func parseVersion(text []byte) (known knownVersion, err error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&known); err != nil {
		return known, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return known, errors.New("there is more behind it")
	}
	if known.Version.Version == "" {
		return known, errors.New("it has no version")
	}
	return known, nil
}
