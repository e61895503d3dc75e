package memo

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

	"podman-executor/pkg/podman"
)

// programFile identifies a podman program, so that an updated one is noticed.
type programFile struct {
	Path              string
	Device, Inode     uint64
	Size              int64
	Modified, Changed int64 // ns
}

// knownVersion is the version that a program has reported.
type knownVersion struct {
	Program programFile
	Version podman.Version
}

// Version returns podman's version. podman is not asked for every job: the answer is remembered
// until podman's file changes. forgetful is the error if the answer could not be remembered.
func Version(ctx context.Context, pm *podman.Podman) (v podman.Version, forgetful, err error) {
	program, ok := fileOf(pm)
	if !ok {
		v, err = pm.Version(ctx)
		return v, nil, err
	}
	file := File(pm, "version")
	if text, _, ok := Read(file); ok {
		if known, err := parseVersion(text); err == nil && known.Program == program {
			return known.Version, nil, nil
		}
	}
	if v, err = pm.Version(ctx); err != nil || v.Service {
		return v, nil, err
	}
	text, forgetful := json.Marshal(knownVersion{Program: program, Version: v})
	if forgetful == nil {
		forgetful = Write(file, text)
	}
	return v, forgetful, nil
}

// fileOf returns podman's file, if that alone decides podman's answer. It does not if it is a
// script, which may call any podman, or if a service answers.
func fileOf(pm *podman.Podman) (program programFile, ok bool) {
	if pm.URL != "" {
		return program, false
	}
	path, err := filepath.EvalSymlinks(pm.Program)
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

// parseVersion reads a remembered version. Anything unexpected is an error.
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
