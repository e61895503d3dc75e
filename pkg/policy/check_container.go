package policy

import (
	"errors"
	"fmt"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/BurntSushi/toml"
	"github.com/moby/sys/capability"
)

// driverMounts are the driver's mount points in the job's containers. With data_dir, that
// directory is another one.
var driverMounts = []string{"/builds", "/cache", "/run/podman-executor"}

// checkNetworkMode checks the form of a network mode.
func checkNetworkMode(s string) error {
	if strings.HasPrefix(s, "-") || strings.ContainsFunc(s, unicode.IsSpace) || strings.ContainsFunc(s, unicode.IsControl) {
		return fmt.Errorf("want host, none, bridge, slirp4netns, pasta, container:NAME, ns:PATH or the name of a network, got %q", truncate(s, 80))
	}
	return nil
}

// checkUserContainer checks the table of the job's own containers.
func (c *checker) checkUserContainer(table string, t UserContainer) {
	c.checkContainer(table, t.Container)
	for _, mount := range t.Tmpfs {
		if within(mount.Path, c.ownMounts()) {
			c.at(toml.Key{"general", "podman", "container", "tmpfs", mount.Path}.String(), "reserved for the driver's mounts")
		}
	}
	c.checkMatches(table+".hostname", t.Hostname, hostForm, "a host name of at most 63 letters, digits and hyphens")
	c.checkText(table+".network_mode", t.NetworkMode, checkNetworkMode)
	if t.NetworkMode == "none" {
		for _, key := range []string{table + ".dns", table + ".dns_search"} {
			if c.lines[key] > 0 {
				c.at(key, "podman does not accept name servers without a network (network_mode = \"none\")")
			}
		}
	}
	c.checkLeast(table+".max_cpus", int64(t.MaxCPUs), int64(minCPUs), "want at least 0.01 CPUs")
	c.checkSize(table+".max_memory", t.MaxMemory, minMemory, false)
	c.checkSize(table+".max_memory_swap", t.MaxMemorySwap, minMemory, true)
	c.checkSize(table+".max_shm_size", t.MaxShmSize, 1, false)
	if n := t.MaxPIDsLimit; n.Set && n.Value < 1 && n.Value != Unlimited {
		c.at(table+".max_pids_limit", "want a number of processes, or -1, got %d", n.Value)
	}
	if t.Memory > 0 && t.MaxMemory > 0 && t.MaxMemory < t.Memory {
		c.at(table+".max_memory", "want at least memory, which is %s: otherwise jobs can only request less", t.Memory)
	}
	if t.CPUs > 0 && t.MaxCPUs > 0 && t.MaxCPUs < t.CPUs {
		c.at(table+".max_cpus", "want at least cpus, which is %s: otherwise jobs can only request less", t.CPUs)
	}
}

// ownMounts returns the mount points of the driver, with data_dir.
func (c *checker) ownMounts() []string {
	if dir := c.policy.General.DataDir; dir != "" && c.given("general.data_dir") {
		return append(slices.Clone(driverMounts), dir)
	}
	return driverMounts
}

// checkVolumes checks the destinations of a table's volumes.
func (c *checker) checkVolumes(table string, t Container) {
	key := table + ".volumes"
	if !c.given(key) {
		return
	}
	taken := map[string]string{}
	for _, mount := range t.Tmpfs {
		taken[mount.Path] = "tmpfs"
	}
	for i, v := range t.Volumes {
		switch {
		case v.Source == "" && slices.Contains(driverMounts, v.Destination):
			c.at(key, "entry %d: every job already has %s: remove this entry", i+1, v.Destination)
		case within(v.Destination, c.ownMounts()):
			c.at(key, "entry %d: reserved for the driver's mounts; to keep builds and cache on the host, set data_dir", i+1)
		case taken[v.Destination] != "":
			c.at(key, "entry %d: %s is already mounted by %s", i+1, v.Destination, taken[v.Destination])
		case c.mountable(v.Source) != "":
			c.at(key, "entry %d: jobs can mount %s (volume_allow_list) and so replace the source", i+1, c.mountable(v.Source))
		default:
			taken[v.Destination] = fmt.Sprintf("entry %d", i+1)
		}
	}
}

// mountable returns the path itself, or a directory above it, if jobs can mount it for
// writing. Otherwise it returns an empty string.
func (c *checker) mountable(source string) string {
	if !path.IsAbs(source) || c.policy.General.Podman.Volumes.ReadOnly {
		return ""
	}
	return c.policy.mountableAbove(source + "/x")
}

// checkContainer checks the keys that both tables of containers have.
func (c *checker) checkContainer(table string, t Container) {
	c.checkLimits(table, t)
	c.checkVolumes(table, t)
	c.checkEach(table+".devices", t.Devices, checkDevice)
	c.checkEach(table+".gpus", t.GPUs, checkGPU)
	c.checkEach(table+".cap_add", t.CapAdd, checkCapability)
	c.checkEach(table+".cap_drop", t.CapDrop, checkCapability)
	c.checkEach(table+".security_opt", t.SecurityOpt, checkSecurityOption)
	c.checkEach(table+".group_add", t.GroupAdd, func(s string) error { return checkGroup(s, len(t.GroupAdd)) })
	c.checkEach(table+".dns", t.DNS, checkAddress)
	c.checkEach(table+".dns_search", t.DNSSearch, checkDomain)
	c.checkEach(table+".extra_hosts", t.ExtraHosts, checkExtraHost)
	c.checkText(table+".userns_mode", t.UsernsMode, checkUsernsMode)
	c.checkMatches(table+".cgroup_parent", t.CgroupParent, regexp.MustCompile(`\A[A-Za-z0-9/_.:@-]+\z`), "a cgroup path or a systemd slice")
	c.checkText(table+".runtime", t.Runtime, checkRuntimeName)
	if t.Runtime != "" && c.policy.General.Podman.UsesEndpoint() {
		c.at(table+".runtime", "podman does not accept a runtime with a service (service_url)")
	}
}

// checkLimits checks the limits, also those that depend on each other.
func (c *checker) checkLimits(table string, t Container) {
	cpuList := regexp.MustCompile(`\A[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*\z`)
	c.checkLeast(table+".cpus", int64(t.CPUs), int64(minCPUs), "want at least 0.01 CPUs")
	c.checkMatches(table+".cpuset_cpus", t.CPUSetCPUs, cpuList, `numbers and ranges such as "0-3,6"`)
	c.checkMatches(table+".cpuset_mems", t.CPUSetMems, cpuList, `numbers and ranges such as "0-3,6"`)
	if n := t.CPUShares; n.Set && n.Value != 0 && (n.Value < 2 || n.Value > 262_144) {
		c.at(table+".cpu_shares", "want a number from 2 to 262144, got %d", n.Value)
	}
	if n := t.PIDsLimit; n.Set && n.Value < Unlimited {
		c.at(table+".pids_limit", "want a number of processes, or -1, got %d", n.Value)
	}
	if n := t.OOMScoreAdjust; n.Set && (n.Value < -1000 || n.Value > 1000) {
		c.at(table+".oom_score_adjust", "want a number from -1000 to 1000, got %d", n.Value)
	}
	c.checkSize(table+".memory", t.Memory, minMemory, false)
	c.checkSize(table+".memory_swap", t.MemorySwap, minMemory, true)
	c.checkSize(table+".memory_reservation", t.MemoryReservation, minMemory, false)
	c.checkSize(table+".shm_size", t.ShmSize, 0, false)
	switch {
	case c.wrong(table+".memory") || c.wrong(table+".memory_swap") || c.wrong(table+".memory_reservation"):
	case t.MemorySwap != 0 && t.Memory == 0:
		c.at(table+".memory_swap", "requires memory")
	case t.MemorySwap > 0 && t.MemorySwap < t.Memory:
		c.at(table+".memory_swap", "want at least memory, which is %s: memory_swap includes memory", t.Memory)
	case t.Memory > 0 && t.MemoryReservation > t.Memory:
		c.at(table+".memory_reservation", "want at most memory, which is %s", t.Memory)
	}
}

// checkSize checks a size. 0 means no limit, as in docker.
func (c *checker) checkSize(key string, s, least Size, unlimited bool) {
	switch {
	case !c.given(key) || s == 0:
	case s == Unlimited && unlimited:
	case s == Unlimited:
		c.at(key, "want a size such as 512m, got -1")
	case s < least:
		c.at(key, "want at least %s", least)
	}
}

func (c *checker) checkLeast(key string, n, least int64, what string) {
	if c.given(key) && n < least {
		c.at(key, "%s", what)
	}
}

// checkEach checks the entries of a list.
func (c *checker) checkEach(key string, list []string, check func(string) error) {
	if !c.given(key) {
		return
	}
	for i, s := range list {
		err := check(s)
		if err == nil && strings.ContainsFunc(s, unicode.IsControl) {
			err = errors.New("contains a control character")
		}
		if err != nil {
			c.at(key, "entry %d: %v", i+1, err)
		}
	}
}

// checkText checks a string that may be empty.
func (c *checker) checkText(key, value string, check func(string) error) {
	if !c.given(key) || value == "" {
		return
	}
	if err := check(value); err != nil {
		c.at(key, "%v", err)
	}
}

func (c *checker) checkMatches(key, value string, form *regexp.Regexp, want string) {
	c.checkText(key, value, func(s string) error {
		if !form.MatchString(s) {
			return fmt.Errorf("want %s, got %q", want, truncate(s, 80))
		}
		return nil
	})
}

var (
	hostForm = regexp.MustCompile(`\A[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\z`)
	// cdiForm is VENDOR/CLASS=NAME (container-device-interface
	// pkg/parser/parser.go).
	cdiForm     = regexp.MustCompile(`\A[A-Za-z]([A-Za-z0-9_.-]*[A-Za-z0-9])?/[A-Za-z]([A-Za-z0-9_-]*[A-Za-z0-9])?=[A-Za-z0-9]([A-Za-z0-9_.:-]*[A-Za-z0-9])?\z`)
	permissions = regexp.MustCompile(`\Ar?w?m?\z`)
	groupForm   = regexp.MustCompile(`\A[A-Za-z0-9_][A-Za-z0-9_.-]*\z`)
	domainForm  = regexp.MustCompile(`\A(\.|[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?)\z`)
)

func checkDevice(s string) error {
	if cdiForm.MatchString(s) {
		return nil
	}
	parts := strings.Split(s, ":")
	bad := len(parts) > 3 || strings.ContainsFunc(s, notInOption)
	for _, p := range parts[:min(2, len(parts))] {
		bad = bad || !path.IsAbs(p) || path.Clean(p) != p
	}
	if bad || len(parts) == 3 && (parts[2] == "" || !permissions.MatchString(parts[2])) {
		return fmt.Errorf("want HOST[:CONTAINER[:PERMISSIONS]] with absolute paths and PERMISSIONS of r, w and m, or the name of a CDI device, got %q", truncate(s, 80))
	}
	return nil
}

func checkGPU(s string) error {
	if !cdiForm.MatchString(s) {
		return fmt.Errorf("want the name of a CDI device, such as \"nvidia.com/gpu=all\" or \"nvidia.com/gpu=0\", got %q", truncate(s, 80))
	}
	return nil
}

// checkCapability takes a capability as podman does: with or without CAP_, in upper or
// lower case.
func checkCapability(s string) error {
	name := strings.TrimPrefix(strings.ToLower(s), "cap_")
	known := func(c capability.Cap) bool { return c.String() == name }
	if name != "all" && !slices.ContainsFunc(capability.ListKnown(), known) {
		return fmt.Errorf("unknown capability %q: want a name such as \"NET_RAW\", or \"ALL\"", truncate(s, 40))
	}
	return nil
}

// securityWords are the first words of podman's security options
// (pkg/specgenutil/specgen.go).
var securityWords = []string{"apparmor", "label", "mask", "proc-opts", "seccomp", "unmask"}

func checkSecurityOption(s string) error {
	word, value := s, ""
	if i := strings.IndexAny(s, "=:"); i >= 0 {
		word, value = s[:i], s[i+1:]
	}
	switch {
	case word == "no-new-privileges" && (s == word || value == "true" || value == "false"):
	case !slices.Contains(securityWords, word) || value == "":
		return fmt.Errorf("want no-new-privileges, or a value for one of %s, got %q", strings.Join(securityWords, ", "), truncate(s, 80))
	case word == "seccomp" && value != "unconfined" && !path.IsAbs(value):
		return fmt.Errorf("want seccomp=unconfined or the absolute path of a profile, got %q", truncate(s, 80))
	}
	return nil
}

func checkGroup(s string, entries int) error {
	switch {
	case !groupForm.MatchString(s):
		return fmt.Errorf("want a group's name or number, got %q", truncate(s, 80))
	case s == "keep-groups" && entries > 1:
		return errors.New("keep-groups must be the only entry")
	}
	return nil
}

func checkAddress(s string) error {
	if a, err := netip.ParseAddr(s); err != nil || a.Zone() != "" {
		return fmt.Errorf("want an IP address, got %q", truncate(s, 80))
	}
	return nil
}

func checkDomain(s string) error {
	if !domainForm.MatchString(s) {
		return fmt.Errorf("want a domain, got %q", truncate(s, 80))
	}
	return nil
}

func checkExtraHost(s string) error {
	host, to, ok := strings.Cut(s, ":")
	if !ok || !aliasForm.MatchString(host) || to != "host-gateway" && checkAddress(to) != nil {
		return fmt.Errorf("want HOST:ADDRESS with an IP address, got %q", truncate(s, 80))
	}
	return nil
}

func checkUsernsMode(s string) error {
	mode, _, _ := strings.Cut(s, ":")
	if !slices.Contains([]string{"auto", "container", "host", "keep-id", "nomap", "ns"}, mode) || strings.ContainsFunc(s, unicode.IsSpace) {
		return fmt.Errorf("want auto, host, keep-id, nomap, container:NAME or ns:PATH, got %q", truncate(s, 80))
	}
	return nil
}

func checkRuntimeName(s string) error {
	if strings.ContainsFunc(s, unicode.IsSpace) || strings.Contains(s, "/") && (!path.IsAbs(s) || path.Clean(s) != s) {
		return fmt.Errorf("want the name of a runtime of containers.conf, or an absolute path, got %q", truncate(s, 80))
	}
	return nil
}
