package preflight

import (
	"os"
	"path/filepath"

	"github.com/BurntSushi/toml"
)

// Storage is the part of podman's storage.conf that decides whether jobs can run.
type Storage struct {
	// File is the file that was read; empty: none.
	File   string
	Driver string
	// IgnoreChownErrors gives all files of images to the user itself.
	IgnoreChownErrors bool
}

// ReadStorage reads the storage.conf that podman with that environment does (containers/storage
// types/options.go). Without a file, or with one that is not TOML, which podman will report, it
// returns the zero Storage.
func ReadStorage(getenv func(string) string) Storage {
	for _, name := range storageFiles(getenv) {
		text, err := os.ReadFile(name)
		if err != nil {
			continue
		}
		s := parseStorage(string(text))
		s.File = name
		if driver := getenv("STORAGE_DRIVER"); driver != "" {
			s.Driver = driver
		}
		return s
	}
	return Storage{Driver: getenv("STORAGE_DRIVER")}
}

func storageFiles(getenv func(string) string) []string {
	if name := getenv("CONTAINERS_STORAGE_CONF"); name != "" {
		return []string{name}
	}
	var files []string
	if dir := getenv("XDG_CONFIG_HOME"); dir != "" {
		files = append(files, filepath.Join(dir, "containers", "storage.conf"))
	} else if home := getenv("HOME"); home != "" {
		files = append(files, filepath.Join(home, ".config", "containers", "storage.conf"))
	}
	return append(files, "/etc/containers/storage.conf", "/usr/share/containers/storage.conf")
}

func parseStorage(text string) Storage {
	type chown struct {
		Ignore any `toml:"ignore_chown_errors"`
	}
	var file struct {
		Storage struct {
			Driver  string `toml:"driver"`
			Options struct {
				chown
				Overlay chown `toml:"overlay"`
				VFS     chown `toml:"vfs"`
			} `toml:"options"`
		} `toml:"storage"`
	}
	if _, err := toml.Decode(text, &file); err != nil {
		return Storage{}
	}
	s := Storage{Driver: file.Storage.Driver}
	for _, c := range []chown{file.Storage.Options.chown, file.Storage.Options.Overlay, file.Storage.Options.VFS} {
		s.IgnoreChownErrors = s.IgnoreChownErrors || c.Ignore == "true" || c.Ignore == true
	}
	return s
}

// StorageCheck is the name of the check of [Driver].
const StorageCheck = "storage"

// Driver checks that podman's storage driver is suitable for jobs.
func Driver(name string) Result {
	r := Result{Check: StorageCheck, Detail: name}
	if name == "vfs" {
		r.Level = Warning
		r.Detail = "vfs copies the whole image for each container: jobs start slowly, and the disk fills"
		r.Hint = `set driver = "overlay" under [storage] in storage.conf; this only affects new storage: ` + "`podman system reset` removes the old one and everything in it"
	}
	return r
}
