// Package containersconf reads podman's containers.conf(5) as podman with a given environment
// does, with the types of containers/common. It knows only what the files set, not podman's
// built-in defaults, which differ from version to version.
package containersconf

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/containers/common/pkg/config"
)

// Config is the merged content of the files.
type Config struct {
	config.Config
	// from maps each key that is set to the last file that sets it.
	from map[string]string
}

// Read reads the files that podman reads (containers/common pkg/config/new.go, newLocked):
// later ones win, key by key. getenv returns variables of podman's environment. The error names
// the file; podman cannot read it either. Modules, for podman's --module, are not read.
func Read(getenv func(string) string) (Config, error) {
	c := Config{from: map[string]string{}}
	for _, name := range files(getenv) {
		if err := c.add(name); err != nil {
			return Config{}, err
		}
	}
	// podman then reads no other file, and this one must exist.
	if name := getenv("CONTAINERS_CONF"); name != "" {
		if _, err := os.Stat(name); err != nil {
			return Config{}, fmt.Errorf("CONTAINERS_CONF of podman's environment: %w", err)
		}
	}
	return c, nil
}

// files returns the files in the order in which podman reads them. Not all of them need to
// exist.
func files(getenv func(string) string) []string {
	var names []string
	if name := getenv("CONTAINERS_CONF"); name != "" {
		names = append(names, name)
	} else {
		names = append(names, "/usr/share/containers/containers.conf")
		home := ""
		if dir := getenv("XDG_CONFIG_HOME"); dir != "" {
			home = filepath.Join(dir, "containers", "containers.conf")
		} else if dir := getenv("HOME"); dir != "" {
			home = filepath.Join(dir, ".config", "containers", "containers.conf")
		}
		for _, name := range []string{"/etc/containers/containers.conf", home} {
			if name == "" {
				continue
			}
			// Glob sorts.
			more, _ := filepath.Glob(filepath.Join(name+".d", "*.conf"))
			names = append(append(names, name), more...)
		}
	}
	// podman 4.3 does not support it.
	if name := getenv("CONTAINERS_CONF_OVERRIDE"); name != "" {
		names = append(names, name)
	}
	return names
}

// add reads one file, if it is there.
func (c *Config) add(name string) error {
	meta, err := toml.DecodeFile(name, &c.Config)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var place toml.ParseError
	if errors.As(err, &place) {
		return fmt.Errorf("%s:%d: %s", name, place.Position.Line, cmp.Or(place.Message, place.Error()))
	}
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	for _, key := range meta.Keys() {
		c.from[key.String()] = name
	}
	return nil
}

// From returns the file that sets a key, such as engine.runtime; empty if none does.
func (c Config) From(key string) string { return c.from[key] }

// Defaults are podman's defaults from the files; empty if podman's built-in default applies.
type Defaults struct {
	// Runtimes are the names of the OCI runtimes that containers may get: usually one, more if
	// some platforms have their own.
	Runtimes []string
	// UserNS is the mode of the user namespace: "auto", "keep-id".
	UserNS string
	// FirewallDriver is netavark's: "iptables", "nftables", "none".
	FirewallDriver string
	// NoHosts means that podman writes no /etc/hosts in containers.
	NoHosts bool
}

// Unknown are the defaults if the files cannot be read: the runtime may be any.
var Unknown = Defaults{Runtimes: []string{"unknown"}}

// Defaults returns them. podman's PODMAN_USERNS takes precedence over containers.conf.
func (c Config) Defaults(getenv func(string) string) Defaults {
	d := Defaults{UserNS: cmp.Or(getenv("PODMAN_USERNS"), c.Containers.UserNS), FirewallDriver: c.Network.FirewallDriver, NoHosts: c.Containers.NoHosts}
	if c.Engine.OCIRuntime != "" {
		d.Runtimes = append(d.Runtimes, filepath.Base(c.Engine.OCIRuntime))
	}
	for _, platform := range slices.Sorted(maps.Keys(c.Engine.PlatformToOCIRuntime)) {
		if strings.HasPrefix(platform, "linux/") {
			d.Runtimes = append(d.Runtimes, filepath.Base(c.Engine.PlatformToOCIRuntime[platform]))
		}
	}
	return d
}

// OtherKernel returns a runtime that, unlike podman's usual ones, is not known to start
// processes on this machine's kernel; empty if there is none. kata, krun and runsc have a
// kernel of their own.
func (d Defaults) OtherKernel() string {
	for _, name := range d.Runtimes {
		if !slices.Contains([]string{"crun", "runc", "youki"}, name) {
			return name
		}
	}
	return ""
}

// OtherUser reports whether root of a rootless container may be another user of the host than the
// one who runs podman.
func (d Defaults) OtherUser() bool { return d.UserNS != "" && d.UserNS != "host" }
