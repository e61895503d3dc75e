package fault

// cgroupRows are about cgroups, with which limits are enforced.
var cgroupRows = []Row{
	{
		Name: "cgroup-hybrid", Verbs: starts, Says: `cgroups in hybrid mode not supported`,
		Cause: "this host mounts cgroup v1 beside v2, and podman's runtime wants v2 alone", Cure: "boot with `systemd.unified_cgroup_hierarchy=1`, or remove what mounts v1",
		Fixtures: []string{"cgroup-hybrid"}, Versions: []string{"4.3.1"},
	},
	{
		Name: "cgroup-controller", Verbs: starts, Says: "opening file `([a-z]+)\\.[a-z.]+` for writing: no such file",
		Cause: "gitlab-runner's user has no cgroup controller for ${1}, so that limit cannot be set", Cure: "with cgroup v2, delegate it: `Delegate=cpu cpuset io memory pids` under [Service] in /etc/systemd/system/user@.service.d/delegate.conf",
		Fixtures: []string{"cgroup-controller"}, Versions: both,
	},
	{
		Name: "no-session", Says: `sd-bus call: |interactive authentication required|dial unix \S+/bus: `,
		Cause: "gitlab-runner's user has no systemd session, which podman asks for cgroups", Cure: "`loginctl enable-linger USER` and XDG_RUNTIME_DIR=/run/user/UID in gitlab-runner's environment, or `cgroup_manager = \"cgroupfs\"` in [engine] of containers.conf",
		Words:  `crun: sd-bus call: Interactive authentication required.: Permission denied: OCI permission denied`,
		Source: "https://github.com/containers/podman/issues/25824",
	},
}

// DamagedImage is the name of the row for an image that a pull can repair.
const DamagedImage = "damaged-image"

// storageRows are about podman's storage and configuration.
var storageRows = []Row{
	{
		Name: "containers-conf", Says: `(?:decode configuration|decoding configuration|reading system config) \\?"?([^\s"\\]+)`,
		Cause: "podman cannot read ${1}", Cure: "fix the line that podman names",
		Fixtures: []string{"containers-conf"}, Versions: both,
	},
	{
		Name: "storage-conf", Says: `toml: line \d+ \(last key \\?"storage\b`,
		Cause: "podman cannot read storage.conf", Cure: "fix the line that podman names, in ~/.config/containers/storage.conf of gitlab-runner's user or in /etc/containers/storage.conf",
		Fixtures: []string{"storage-conf"}, Versions: both,
	},
	{
		Name: "storage-denied", Says: `(\S+/containers/storage)\S*: permission denied`,
		Cause: "${1} is not all gitlab-runner's user's", Cure: "find what another user has made there (`find ${1} -maxdepth 3 ! -user USER`), and give it back (`chown USER:`)",
		Fixtures: []string{"storage-denied"}, Versions: both,
	},
	{
		Name: "storage-readonly", Says: `read-only file system`,
		Cause: "podman's storage is on a file system that cannot be written to", Cure: "mount it for writing (`findmnt --target DIR`); the kernel does this to a damaged disk (`dmesg`); ReadOnlyPaths= or ProtectHome= of gitlab-runner's unit does it, too",
		Fixtures: []string{"storage-readonly"}, Versions: both,
	},
	{
		Name: DamagedImage, Verbs: append([]string{"image inspect"}, starts...),
		Says: `may be corrupted|layer not known|recreating the missing symlinks|locating item named|unexpected end of JSON input|` +
			`/overlay/[0-9a-f]{64}\S*: no such file|readlink \S*/overlay\S*: (?:invalid argument|no such file)`,
		Cause: "an image in podman's storage is damaged", Cure: "remove it as gitlab-runner's user when no job uses it (`podman ps --all --filter ancestor=IMAGE` lists those; `podman rmi IMAGE`), and the next job pulls it; build images of localhost/ again; podman 5 finds others with `podman system check`",
		Fixtures: []string{"damaged-diff", "damaged-image-dir", "damaged-layers", "damaged-manifest", "damaged-manifest-seen", "damaged-symlinks"}, Versions: both,
	},
}
