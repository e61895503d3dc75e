package credentials

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"regexp"
	"slices"
	"strings"

	"podman-executor/internal/trust"
)

// maxFile bounds the administrator's file, in bytes.
const maxFile = 1 << 20

// helperName is the NAME of a docker-credential-NAME, which podman looks up on its
// PATH.
var helperName = regexp.MustCompile(`\A[A-Za-z0-9][A-Za-z0-9._-]*\z`)

// File is the administrator's auth file. The zero File has no credentials.
type File struct{ entries map[string]entry }

// ReadFile reads the administrator's auth file: docker's config.json or podman's auth.json. Any
// problem with it is an error, which shows nothing of its content except names of registries.
func ReadFile(name string) (File, error) {
	text, err := readPrivate(name)
	if err != nil {
		return File{}, fmt.Errorf("reading registry_auth_file: %w", err)
	}
	var config dockerConfig
	// The decoder's error could show part of a password.
	if json.Unmarshal(text, &config) != nil {
		return File{}, fmt.Errorf(`reading registry_auth_file: %s is not JSON of the form {"auths": {"registry": {"auth": "…"}}}`, name)
	}
	f := File{entries: map[string]entry{}}
	for _, registry := range slices.Sorted(maps.Keys(config.CredHelpers)) {
		if err := f.addHelper(registry, config.CredHelpers[registry]); err != nil {
			return File{}, fmt.Errorf("reading registry_auth_file: %s: credHelpers, %q: %w", name, shown(registry), err)
		}
	}
	for _, registry := range slices.Sorted(maps.Keys(config.Auths)) {
		if err := f.addAuth(registry, config.Auths[registry], config.CredsStore); err != nil {
			return File{}, fmt.Errorf("reading registry_auth_file: %s: auths, %q: %w", name, shown(registry), err)
		}
	}
	return f, nil
}

// readPrivate reads a file that others may not read, and only its owner write.
func readPrivate(name string) ([]byte, error) {
	f, err := trust.Open(name, trust.Self())
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular():
		return nil, &fs.PathError{Op: "open", Path: name, Err: errors.New("not a regular file")}
	case info.Mode()&0o027 != 0:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fmt.Errorf("others can read it, or its group can write to it (mode %#o): want 0600 or 0640", info.Mode().Perm())}
	case info.Size() > maxFile:
		return nil, &fs.PathError{Op: "open", Path: name, Err: fmt.Errorf("it is larger than %d MiB", maxFile>>20)}
	}
	return io.ReadAll(io.LimitReader(f, maxFile))
}

// addHelper adds a helper for a registry. Helpers do not know paths below a registry.
func (f File) addHelper(registry, helper string) error {
	path, err := registryPath(registry)
	switch {
	case err != nil:
		return err
	case strings.Contains(path, "/"):
		return errors.New("want a registry without a path")
	case !helperName.MatchString(helper):
		return errors.New("want the NAME of a program docker-credential-NAME")
	}
	f.entries[path] = entry{helper: helper}
	return nil
}

// addAuth adds a credential. docker leaves an empty entry for a credential that is in the
// store.
func (f File) addAuth(registry string, auth dockerAuth, store string) error {
	if auth == (dockerAuth{}) {
		path, err := registryPath(registry)
		if _, taken := f.entries[path]; err != nil || taken || store == "" {
			return err
		}
		return f.addHelper(registry, store)
	}
	path, err := registryPath(registry)
	if err != nil {
		return err
	}
	user, password, err := auth.userAndPassword()
	if err != nil {
		return err
	}
	if user == "" || password == "" && auth.IdentityToken == "" {
		return errors.New("it lacks a user or a password")
	}
	if _, taken := f.entries[path]; !taken {
		f.entries[path] = entry{Auth: encoded(user, password), IdentityToken: auth.IdentityToken}
	}
	return nil
}
