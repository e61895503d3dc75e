package podman

import (
	"path/filepath"
	"strings"
)

// ConfigFiles returns the files, and directories of files, that tell podman which programs to
// run, where its storage is, and which registries and images it may use. getenv returns
// variables of podman's environment (containers-common: containers.conf(5),
// containers-storage.conf(5), containers-registries.conf(5), containers-policy.json(5)). Not
// all of them need to exist.
func ConfigFiles(getenv func(string) string) []string {
	dirs := []string{"/usr/share/containers", "/etc/containers"}
	if dir := getenv("XDG_CONFIG_HOME"); dir != "" {
		dirs = append(dirs, filepath.Join(dir, "containers"))
	} else if home := getenv("HOME"); home != "" {
		dirs = append(dirs, filepath.Join(home, ".config", "containers"))
	}
	var files []string
	for _, dir := range dirs {
		for _, name := range []string{"containers.conf", "containers.conf.d", "storage.conf", "registries.conf", "registries.conf.d", "policy.json", "mounts.conf"} {
			files = append(files, filepath.Join(dir, name))
			found, _ := filepath.Glob(filepath.Join(dir, name, "*.conf"))
			files = append(files, found...)
		}
	}
	for _, name := range []string{"CONTAINERS_CONF", "CONTAINERS_CONF_OVERRIDE", "CONTAINERS_STORAGE_CONF", "CONTAINERS_REGISTRIES_CONF"} {
		for file := range strings.SplitSeq(getenv(name), ":") {
			if file != "" {
				files = append(files, file)
			}
		}
	}
	return files
}
