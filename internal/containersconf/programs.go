package containersconf

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"podman-executor/internal/process"
)

// defaultDirs are where podman looks for a runtime if containers.conf does not set its paths.
var defaultDirs = []string{"/usr/bin", "/usr/sbin", "/usr/local/bin", "/usr/local/sbin", "/sbin", "/bin", "/run/current-system/sw/bin"}

// otherNames are the programs of runtimes whose program has another name.
var otherNames = map[string][]string{
	"kata": {"kata-runtime", "kata-qemu", "kata-fc"},
}

// Missing is a program that containers.conf requires but that does not exist.
type Missing struct {
	// Program is its name, Key the key that requires it, File the file that sets the key.
	Program, Key, File string
	// Needed reports whether no container starts without it.
	Needed bool
}

// Missing returns the missing programs. It does not look for programs that podman chooses
// itself. getenv is as for [Read].
func (c Config) Missing(getenv func(string) string) []Missing {
	path := filepath.SplitList(getenv("PATH"))
	var list []Missing
	if name := c.Engine.OCIRuntime; name != "" && !c.hasRuntime(name, path) {
		list = append(list, Missing{Program: name, Key: "engine.runtime", File: c.From("engine.runtime"), Needed: true})
	}
	if files := c.Engine.ConmonPath.Get(); len(files) > 0 && !slices.ContainsFunc(files, isProgram) && !isIn("conmon", path) {
		list = append(list, Missing{Program: "conmon", Key: "engine.conmon_path", File: c.From("engine.conmon_path"), Needed: true})
	}
	dirs := c.Engine.HelperBinariesDir.Get()
	if len(dirs) == 0 || c.Network.NetworkBackend == "cni" {
		return list
	}
	if dir := getenv("CONTAINERS_HELPER_BINARY_DIR"); dir != "" {
		dirs = append([]string{dir}, dirs...)
	}
	var names []string
	// podman does not look for these in its PATH (FindHelperBinary).
	for _, name := range []string{"netavark", "aardvark-dns"} {
		if !isIn(name, dirs) {
			names = append(names, name)
		}
	}
	// Rootless podman needs one of the two, whatever its version.
	if dirs = append(slices.Clone(dirs), path...); !isIn("pasta", dirs) && !isIn("slirp4netns", dirs) {
		names = append(names, "pasta or slirp4netns")
	}
	if len(names) > 0 {
		const key = "engine.helper_binaries_dir"
		list = append(list, Missing{Program: strings.Join(names, ", "), Key: key, File: c.From(key)})
	}
	return list
}

// hasRuntime looks for a runtime, a name or an absolute path, as podman does (libpod
// oci_conmon_common.go, newConmonOCIRuntime).
func (c Config) hasRuntime(name string, path []string) bool {
	if filepath.IsAbs(name) {
		return isProgram(name)
	}
	if files, ok := c.Engine.OCIRuntimes[name]; ok {
		return slices.ContainsFunc(files, isProgram) || isIn(name, path)
	}
	dirs := append(slices.Clone(path), defaultDirs...)
	return slices.ContainsFunc(append([]string{name}, otherNames[name]...), func(n string) bool { return isIn(n, dirs) })
}

func isIn(name string, dirs []string) bool {
	return slices.ContainsFunc(dirs, func(dir string) bool { return isProgram(filepath.Join(dir, name)) })
}

func isProgram(name string) bool {
	info, err := os.Stat(name)
	return err == nil && process.IsProgram(info)
}

// Subnets returns how many networks fit into default_subnet_pools of [network]; 0 if no file
// sets them. Without them there is room for more than 40,000.
func (c Config) Subnets() int {
	n := 0
	for _, pool := range c.Network.DefaultSubnetPools {
		if pool.Base == nil {
			continue
		}
		if ones, bits := pool.Base.Mask.Size(); bits == 32 && pool.Size >= ones && pool.Size <= bits {
			n += 1 << (pool.Size - ones)
		}
	}
	return n
}

// defaultLocks is podman's num_locks without containers.conf.
const defaultLocks = 2048

// Locks returns how many containers, pods and volumes podman can have together.
func (c Config) Locks() int {
	if c.Engine.NumLocks > 0 {
		return int(c.Engine.NumLocks)
	}
	return defaultLocks
}
