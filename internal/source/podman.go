package source

import (
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"

	"podman-executor/pkg/podman"
)

// OfEnvironment returns the places in which a program with such an environment, above all
// podman, keeps its files: home, runtime directory, configuration, storage, temporary files.
func OfEnvironment(environ []string, uid int) []Place {
	env := map[string]string{"UID": strconv.Itoa(uid)}
	var places []Place
	for _, v := range environ {
		name, value, _ := strings.Cut(v, "=")
		env[name] = value
		switch name {
		case "HOME":
			places = append(places, home(value)...)
		case "TMPDIR":
			places = append(places, Place{value, Scratch})
		case "XDG_DATA_HOME", "XDG_CACHE_HOME", "XDG_STATE_HOME":
			places = append(places, Place{filepath.Join(value, "containers"), Whole}, Place{filepath.Join(value, "podman-executor"), Whole})
		case "PATH":
			// Whoever can put a program there can run it on the host.
			for _, dir := range filepath.SplitList(value) {
				places = append(places, Place{dir, Whole})
			}
		case "PWD", "OLDPWD":
		default:
			// XDG_RUNTIME_DIR, XDG_CONFIG_HOME, CONTAINERS_CONF, REGISTRY_AUTH_FILE and so on.
			places = append(places, Place{value, Whole})
		}
	}
	for _, name := range podman.ConfigFiles(func(name string) string { return env[name] }) {
		places = append(places, ofFile(name, env)...)
	}
	return places
}

// home returns the places in a home directory. Those with a dot are listed separately because
// they may be links that lead elsewhere.
func home(dir string) []Place {
	places := []Place{{dir, Home}}
	for _, name := range []string{".local/share/containers", ".config/containers", ".config/podman-executor", ".config/systemd/user", ".gitlab-runner", ".ssh", ".bash_profile", ".bash_login", ".profile", ".bashrc"} {
		places = append(places, Place{filepath.Join(dir, name), Whole})
	}
	return places
}

// OfUser returns the places that a user has in any environment: those of podman, login sessions
// and cron.
func OfUser(uid int) []Place {
	var places []Place
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		places = append(home(u.HomeDir), Place{"/var/spool/cron/" + u.Username, Whole}, Place{"/var/spool/cron/crontabs/" + u.Username, Whole})
	}
	for _, dir := range []string{
		"/run/user/%d", "/tmp/podman-run-%d", "/tmp/storage-run-%d", "/tmp/containers-user-%d",
	} {
		places = append(places, Place{fmt.Sprintf(dir, uid), Whole})
	}
	for _, dir := range []string{
		"/run/podman-executor", "/run/podman-executor-volumes", "/var/lib/podman-executor",
		"/var/lib/containers", "/run/containers", "/run/podman",
	} {
		places = append(places, Place{dir, Whole})
	}
	for _, dir := range []string{"/etc/gitlab-runner", "/etc/podman-executor", "/etc/containers"} {
		places = append(places, tree(dir)...)
	}
	return places
}

// maxTree bounds how much of a directory of configuration is looked at.
const maxTree = 1000

// tree returns a directory and everything in it, because a file in a directory that everybody
// can read may itself be private.
func tree(dir string) []Place {
	var places []Place
	_ = filepath.WalkDir(dir, func(name string, _ fs.DirEntry, err error) error {
		if places = append(places, Place{name, Whole}); len(places) > maxTree {
			return filepath.SkipAll
		}
		if err != nil {
			return filepath.SkipDir
		}
		return nil
	})
	return places
}

// ofFile returns a configuration file of podman's and the places that it names. A file that
// cannot be read, or is not TOML, names none: podman will report it.
func ofFile(name string, env map[string]string) []Place {
	places := []Place{{name, Whole}}
	text, err := os.ReadFile(name)
	if err != nil {
		return places
	}
	var tables struct {
		Storage map[string]any `toml:"storage"`
		Engine  map[string]any `toml:"engine"`
		Network map[string]any `toml:"network"`
	}
	if _, err := toml.Decode(string(text), &tables); err != nil {
		return places
	}
	for _, table := range []map[string]any{tables.Storage, tables.Engine, tables.Network} {
		places = append(places, inValue("", table, env)...)
	}
	return places
}

// inValue returns the paths in a value of a configuration file, with the variables that podman
// expands there ($HOME, $UID, $XDG_RUNTIME_DIR) replaced.
func inValue(key string, value any, env map[string]string) []Place {
	var places []Place
	switch v := value.(type) {
	case string:
		kind := Whole
		if key == "image_copy_tmp_dir" {
			kind = Scratch
		}
		text := os.Expand(v, func(name string) string { return env[name] })
		if below, ok := strings.CutPrefix(text, "~/"); ok {
			text = filepath.Join(env["HOME"], below)
		}
		places = append(places, Place{text, kind})
	case []any:
		for _, one := range v {
			places = append(places, inValue(key, one, env)...)
		}
	case map[string]any:
		for name, one := range v {
			places = append(places, inValue(name, one, env)...)
		}
	}
	return places
}
