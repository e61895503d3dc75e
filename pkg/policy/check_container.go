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

// Mount points of the driver's own in the job's containers. Those of data_dir
// are in the policy itself.
var driverMounts = []string{"/builds", "/cache", "/run/podman-executor"}

// networkMode checks the form of a network mode.
func networkMode(s string) error {
	if strings.HasPrefix(s, "-") || strings.ContainsFunc(s, unicode.IsSpace) || strings.ContainsFunc(s, unicode.IsControl) {
		return fmt.Errorf("want host, none, bridge, slirp4netns, pasta, container:NAME, ns:PATH or the name of a network, got %q", truncate(s, 80))
	}
	return nil
}

// userContainer checks the table of the job's own containers.
func (d *decoder) userContainer(table string, c UserContainer) {
	d.container(table, c.Container)
	for _, t := range c.Tmpfs {
		if within(t.Path, d.ownMounts()) {
			d.at(toml.Key{"general", "podman", "container", "tmpfs", t.Path}.String(), "the driver has mounts of its own there")
		}
	}
	d.matches(table+".hostname", c.Hostname, hostForm, "a host name of at most 63 letters, digits and hyphens")
	d.text(table+".network_mode", c.NetworkMode, networkMode)
	if c.NetworkMode == "none" {
		for _, key := range []string{table + ".dns", table + ".dns_search"} {
			if d.policy.lines[key] > 0 {
				d.at(key, "podman takes no name servers without a network (network_mode = \"none\")")
			}
		}
	}
	d.least(table+".max_cpus", int64(c.MaxCPUs), int64(minCPUs), "want at least 0.01 CPUs")
	d.size(table+".max_memory", c.MaxMemory, minMemory, false)
	d.size(table+".max_memory_swap", c.MaxMemorySwap, minMemory, true)
	d.size(table+".max_shm_size", c.MaxShmSize, 1, false)
	if n := c.MaxPIDsLimit; n.Set && n.Value < 1 && n.Value != Unlimited {
		d.at(table+".max_pids_limit", "want a number of processes, or -1, got %d", n.Value)
	}
	if c.Memory > 0 && c.MaxMemory > 0 && c.MaxMemory < c.Memory {
		d.at(table+".max_memory", "jobs could ask for less only: memory is %s already", c.Memory)
	}
	if c.CPUs > 0 && c.MaxCPUs > 0 && c.MaxCPUs < c.CPUs {
		d.at(table+".max_cpus", "jobs could ask for less only: cpus is %s already", c.CPUs)
	}
}

// ownMounts are the mount points of the driver's own.
func (d *decoder) ownMounts() []string {
	if dir := d.policy.General.DataDir; dir != "" && d.given("general.data_dir") {
		return append(slices.Clone(driverMounts), dir)
	}
	return driverMounts
}

// volumes checks the destinations of a table's volumes.
func (d *decoder) volumes(table string, c Container) {
	key := table + ".volumes"
	if !d.given(key) {
		return
	}
	taken := map[string]string{}
	for _, t := range c.Tmpfs {
		taken[t.Path] = "tmpfs"
	}
	for i, v := range c.Volumes {
		switch {
		case v.Source == "" && slices.Contains(driverMounts, v.Destination):
			d.at(key, "entry %d: every job has %s anyway: leave it out", i+1, v.Destination)
		case within(v.Destination, d.ownMounts()):
			d.at(key, "entry %d: the driver has mounts of its own there: see data_dir for builds and cache on the host", i+1)
		case taken[v.Destination] != "":
			d.at(key, "entry %d: %s is mounted by %s already", i+1, v.Destination, taken[v.Destination])
		case d.mountable(v.Source) != "":
			d.at(key, "entry %d: jobs can mount %s (volume_allow_list), and so change what this is", i+1, d.mountable(v.Source))
		default:
			taken[v.Destination] = fmt.Sprintf("entry %d", i+1)
		}
	}
}

// mountable returns what jobs can mount of a path: itself, or a directory above it;
// empty where that is nothing, or for reading only.
func (d *decoder) mountable(source string) string {
	if !path.IsAbs(source) || d.policy.General.Podman.Volumes.ReadOnly {
		return ""
	}
	return d.policy.mountableAbove(source + "/x")
}

// container checks what both tables have.
func (d *decoder) container(table string, c Container) {
	d.limits(table, c)
	d.volumes(table, c)
	d.each(table+".devices", c.Devices, device)
	d.each(table+".gpus", c.GPUs, gpu)
	d.each(table+".cap_add", c.CapAdd, capabilityName)
	d.each(table+".cap_drop", c.CapDrop, capabilityName)
	d.each(table+".security_opt", c.SecurityOpt, securityOption)
	d.each(table+".group_add", c.GroupAdd, func(s string) error { return groupOf(s, len(c.GroupAdd)) })
	d.each(table+".dns", c.DNS, address)
	d.each(table+".dns_search", c.DNSSearch, domain)
	d.each(table+".extra_hosts", c.ExtraHosts, extraHost)
	d.text(table+".userns_mode", c.UsernsMode, usernsMode)
	d.matches(table+".cgroup_parent", c.CgroupParent, regexp.MustCompile(`\A[A-Za-z0-9/_.:@-]+\z`), "a path of a cgroup, or a slice of systemd's")
	d.text(table+".runtime", c.Runtime, runtimeName)
	if c.Runtime != "" && d.policy.General.Podman.HasService() {
		d.at(table+".runtime", "podman takes no runtime through a service (service_url)")
	}
}

// limits checks numbers, and those that need another.
func (d *decoder) limits(table string, c Container) {
	cpuList := regexp.MustCompile(`\A[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*\z`)
	d.least(table+".cpus", int64(c.CPUs), int64(minCPUs), "want at least 0.01 CPUs")
	d.matches(table+".cpuset_cpus", c.CPUSetCPUs, cpuList, `numbers and ranges such as "0-3,6"`)
	d.matches(table+".cpuset_mems", c.CPUSetMems, cpuList, `numbers and ranges such as "0-3,6"`)
	if n := c.CPUShares; n.Set && n.Value != 0 && (n.Value < 2 || n.Value > 262_144) {
		d.at(table+".cpu_shares", "want a number from 2 to 262144, got %d", n.Value)
	}
	if n := c.PIDsLimit; n.Set && n.Value < Unlimited {
		d.at(table+".pids_limit", "want a number of processes, or -1, got %d", n.Value)
	}
	if n := c.OOMScoreAdjust; n.Set && (n.Value < -1000 || n.Value > 1000) {
		d.at(table+".oom_score_adjust", "want a number from -1000 to 1000, got %d", n.Value)
	}
	d.size(table+".memory", c.Memory, minMemory, false)
	d.size(table+".memory_swap", c.MemorySwap, minMemory, true)
	d.size(table+".memory_reservation", c.MemoryReservation, minMemory, false)
	d.size(table+".shm_size", c.ShmSize, 0, false)
	switch {
	case d.wrong(table+".memory") || d.wrong(table+".memory_swap") || d.wrong(table+".memory_reservation"):
	case c.MemorySwap != 0 && c.Memory == 0:
		d.at(table+".memory_swap", "it needs memory")
	case c.MemorySwap > 0 && c.MemorySwap < c.Memory:
		d.at(table+".memory_swap", "it is memory and swap together: want at least memory, which is %s", c.Memory)
	case c.Memory > 0 && c.MemoryReservation > c.Memory:
		d.at(table+".memory_reservation", "want at most memory, which is %s", c.Memory)
	}
}

// size checks a size of the file: 0 is none, as in docker.
func (d *decoder) size(key string, s, least Size, unlimited bool) {
	switch {
	case !d.given(key) || s == 0:
	case s == Unlimited && unlimited:
	case s == Unlimited:
		d.at(key, "want a size such as 512m, got -1")
	case s < least:
		d.at(key, "want at least %s", least)
	}
}

func (d *decoder) least(key string, n, least int64, what string) {
	if d.given(key) && n < least {
		d.at(key, "%s", what)
	}
}

// each checks the entries of a list.
func (d *decoder) each(key string, list []string, check func(string) error) {
	if !d.given(key) {
		return
	}
	for i, s := range list {
		err := check(s)
		if err == nil && strings.ContainsFunc(s, unicode.IsControl) {
			err = errors.New("it has a control character")
		}
		if err != nil {
			d.at(key, "entry %d: %v", i+1, err)
		}
	}
}

// text checks a string that may be empty.
func (d *decoder) text(key, value string, check func(string) error) {
	if !d.given(key) || value == "" {
		return
	}
	if err := check(value); err != nil {
		d.at(key, "%v", err)
	}
}

func (d *decoder) matches(key, value string, form *regexp.Regexp, want string) {
	d.text(key, value, func(s string) error {
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

func device(s string) error {
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

func gpu(s string) error {
	if !cdiForm.MatchString(s) {
		return fmt.Errorf("want the name of a CDI device, such as \"nvidia.com/gpu=all\" or \"nvidia.com/gpu=0\"; %q is no such name", truncate(s, 80))
	}
	return nil
}

// capabilityName takes a capability as podman does: with CAP_ or without, in
// whatever case.
func capabilityName(s string) error {
	name := strings.TrimPrefix(strings.ToLower(s), "cap_")
	known := func(c capability.Cap) bool { return c.String() == name }
	if name != "all" && !slices.ContainsFunc(capability.ListKnown(), known) {
		return fmt.Errorf("unknown capability %q: want a name such as \"NET_RAW\", or \"ALL\"", truncate(s, 40))
	}
	return nil
}

// securityWords are podman's (pkg/specgenutil/specgen.go).
var securityWords = []string{"apparmor", "label", "mask", "proc-opts", "seccomp", "unmask"}

func securityOption(s string) error {
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

func groupOf(s string, entries int) error {
	switch {
	case !groupForm.MatchString(s):
		return fmt.Errorf("want a group's name or number, got %q", truncate(s, 80))
	case s == "keep-groups" && entries > 1:
		return errors.New("keep-groups stands alone")
	}
	return nil
}

func address(s string) error {
	if a, err := netip.ParseAddr(s); err != nil || a.Zone() != "" {
		return fmt.Errorf("want an IP address, got %q", truncate(s, 80))
	}
	return nil
}

func domain(s string) error {
	if !domainForm.MatchString(s) {
		return fmt.Errorf("want a domain, got %q", truncate(s, 80))
	}
	return nil
}

func extraHost(s string) error {
	host, to, ok := strings.Cut(s, ":")
	if !ok || !aliasForm.MatchString(host) || to != "host-gateway" && address(to) != nil {
		return fmt.Errorf("want HOST:ADDRESS with an IP address, got %q", truncate(s, 80))
	}
	return nil
}

func usernsMode(s string) error {
	mode, _, _ := strings.Cut(s, ":")
	if !slices.Contains([]string{"auto", "container", "host", "keep-id", "nomap", "ns"}, mode) || strings.ContainsFunc(s, unicode.IsSpace) {
		return fmt.Errorf("want auto, host, keep-id, nomap, container:NAME or ns:PATH, got %q", truncate(s, 80))
	}
	return nil
}

func runtimeName(s string) error {
	if strings.ContainsFunc(s, unicode.IsSpace) || strings.Contains(s, "/") && (!path.IsAbs(s) || path.Clean(s) != s) {
		return fmt.Errorf("want the name of a runtime of containers.conf, or an absolute path, got %q", truncate(s, 80))
	}
	return nil
}
