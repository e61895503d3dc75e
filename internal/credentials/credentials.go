// Package credentials makes the auth file that podman gets for one job's pulls.
//
// Its sources are the job's DOCKER_AUTH_CONFIG, the administrator's file (registry_auth_file),
// and the credentials that GitLab sends with the job (that is how CI_JOB_TOKEN reaches GitLab's
// own registry). From the job, only names and passwords are taken: a helper or store that a job
// names would be a program that runs on the host.
package credentials

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode"

	"podman-executor/internal/job"
)

// maxConfig bounds DOCKER_AUTH_CONFIG, in bytes.
const maxConfig = 64 << 10

// maxShown bounds what a message shows of a registry's name, in bytes.
const maxShown = 100

// Set is the credentials of one job, by registry path such as
// "registry.example.com/group".
type Set struct{ entries map[string]entry }

// entry is one credential: user:password in base64, perhaps with a token, or a helper that
// knows it.
type entry struct {
	Auth          string `json:"auth"`
	IdentityToken string `json:"identitytoken,omitempty"`
	helper        string
}

// dockerConfig is the part of docker's config.json that is used.
type dockerConfig struct {
	Auths       map[string]dockerAuth `json:"auths"`
	CredHelpers map[string]string     `json:"credHelpers"`
	CredsStore  string                `json:"credsStore"`
}

type dockerAuth struct {
	Auth          string `json:"auth"`
	Username      string `json:"username"`
	Password      string `json:"password"`
	IdentityToken string `json:"identitytoken"`
}

// Collect merges the sources. For each registry path the first source that has it wins:
// DOCKER_AUTH_CONFIG, the administrator's file, GitLab's own (gitlab-runner
// helpers/docker/auth/auth.go:130). The notices say what was left out and why, without showing
// secrets.
func Collect(dockerAuthConfig string, administrators File, fromGitLab []job.Credential) (Set, []string) {
	s := Set{entries: map[string]entry{}}
	var notices []string
	if dockerAuthConfig != "" {
		notices = s.addDockerConfig(dockerAuthConfig)
	}
	for path, e := range administrators.entries {
		s.put(path, e)
	}
	for _, c := range fromGitLab {
		if err := s.add(c.URL, c.Username, c.Password); err != nil {
			notices = append(notices, "a credential from GitLab is ignored: "+err.Error())
		}
	}
	return s, notices
}

func (s Set) addDockerConfig(text string) (notices []string) {
	const name = "DOCKER_AUTH_CONFIG"
	if len(text) > maxConfig {
		return []string{fmt.Sprintf("%s is ignored: larger than %d KiB", name, maxConfig>>10)}
	}
	var config dockerConfig
	// The decoder's error could show part of a password.
	if json.Unmarshal([]byte(text), &config) != nil {
		return []string{name + ` is ignored: not JSON of the form {"auths": {"registry": {"auth": "…"}}}`}
	}
	if config.CredsStore != "" || len(config.CredHelpers) > 0 {
		notices = append(notices, name+": credsStore and credHelpers are ignored; a job cannot choose programs that run on this host")
	}
	for _, registry := range slices.Sorted(maps.Keys(config.Auths)) {
		user, password, err := config.Auths[registry].userAndPassword()
		if err == nil {
			err = s.add(registry, user, password)
		}
		if err != nil {
			notices = append(notices, fmt.Sprintf("%s: the entry %q is ignored: %v", name, shown(registry), err))
		}
	}
	return notices
}

var errAuth = errors.New("its auth is not base64 of user:password")

func (a dockerAuth) userAndPassword() (user, password string, err error) {
	if a.Auth == "" {
		return a.Username, a.Password, nil
	}
	decoded, err := base64.StdEncoding.DecodeString(a.Auth)
	user, password, ok := strings.Cut(strings.TrimRight(string(decoded), "\x00"), ":")
	if err != nil || !ok {
		return "", "", errAuth
	}
	return user, password, nil
}

// shown returns the key of an entry for a message: short, and without anything before an @,
// which may be a password.
func shown(registry string) string {
	if at := strings.LastIndexByte(registry, '@'); at >= 0 {
		registry = "…" + registry[at:]
	}
	if len(registry) > maxShown {
		registry = strings.ToValidUTF8(registry[:maxShown], "") + "…"
	}
	return registry
}

// add takes a user and password for a registry that no earlier source has.
func (s Set) add(registry, user, password string) error {
	key, err := registryPath(registry)
	if err != nil {
		return err
	}
	if user == "" || password == "" {
		return errors.New("it lacks a user or a password")
	}
	s.put(key, entry{Auth: encoded(user, password)})
	return nil
}

// put adds an entry for a path that no earlier source has.
func (s Set) put(path string, e entry) {
	if _, taken := s.entries[path]; !taken {
		s.entries[path] = e
	}
}

func encoded(user, password string) string {
	return base64.StdEncoding.EncodeToString([]byte(user + ":" + password))
}

// registryPath normalises the key of a credential: no scheme, host in lower
// case, docker.io for its older names (gitlab-runner helpers/docker/auth/auth.go:107).
func registryPath(key string) (string, error) {
	if i := strings.Index(key, "://"); i >= 0 {
		key = key[i+len("://"):]
	}
	host, rest, _ := strings.Cut(strings.TrimRight(key, "/"), "/")
	host = strings.ToLower(host)
	bad := func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || strings.ContainsRune(`@?#\"`, r)
	}
	if host == "" || strings.ContainsFunc(host+rest, bad) {
		return "", errors.New("invalid registry name")
	}
	if host == "index.docker.io" || host == "registry-1.docker.io" {
		host = "docker.io"
	}
	if rest == "v1" || rest == "v2" {
		rest = ""
	}
	if rest == "" {
		return host, nil
	}
	return host + "/" + rest, nil
}

// longest returns the path of the credential for a repository, such as
// "registry.example.com/group/app": the longest one.
func (s Set) longest(repository string) (path string, ok bool) {
	for path = repository; ; path = path[:strings.LastIndexByte(path, '/')] {
		if _, ok := s.entries[path]; ok {
			return path, true
		}
		if !strings.Contains(path, "/") {
			return "", false
		}
	}
}

// Write writes auth.json to that directory, for this user only, for a pull from a repository.
// It returns the file's name, and whether one of the credentials is for that repository. It
// also writes an empty set, because with the file podman takes no credentials from anywhere
// else.
//
// podman asks a helper of the repository's registry before it looks at anything else
// (containers/image pkg/docker/config/config.go, findCredentialsInFile), so the helper is left
// out if a longer path, or an earlier source, wins.
func (s Set) Write(dir, repository string) (name string, matches bool, err error) {
	file := struct {
		Auths   map[string]entry  `json:"auths"`
		Helpers map[string]string `json:"credHelpers,omitempty"`
	}{Auths: map[string]entry{}, Helpers: map[string]string{}}
	winner, matches := s.longest(repository)
	registry, _, _ := strings.Cut(repository, "/")
	for path, e := range s.entries {
		switch {
		case e.helper == "":
			file.Auths[path] = e
		case path == winner || path != registry:
			file.Helpers[path] = e.helper
		}
	}
	text, err := json.Marshal(file)
	if err != nil {
		return "", false, fmt.Errorf("writing the auth file: %w", err)
	}
	name = filepath.Join(dir, "auth.json")
	if err := os.WriteFile(name, text, 0o600); err != nil {
		return "", false, fmt.Errorf("writing the auth file: %w", err)
	}
	return name, matches, nil
}
