package fault

// helperRows are about programs that podman calls on the host. Distributions only recommend some
// of them, so they may be missing. podman names its own helpers as Go's os/exec does (`exec:
// "pasta": …`); of programs in the image it repeats the runtime's words, see imageRows.
var helperRows = []Row{
	{
		Name: "no-pasta", Says: `could not find pasta|exec: "(?:\S*/)?(?:pasta|passt)": `,
		Cause: "this host has no `pasta`, with which podman 5 connects containers to the network", Cure: install("passt", "passt"),
		Fixtures: []string{"no-pasta"}, Versions: []string{"5.4.2"},
	},
	{
		Name: "no-slirp4netns", Says: `could not find slirp4netns|exec: "(?:\S*/)?slirp4netns": `,
		Cause: "this host has no `slirp4netns`, with which podman 4 connects containers to the network", Cure: install("slirp4netns", "slirp4netns"),
		Fixtures: []string{"no-slirp4netns"}, Versions: both,
	},
	{
		Name: "no-newuidmap", Says: `exec: "(?:\S*/)?(new[ug]idmap)": `,
		Cause: "this host has no `${1}`, without which podman cannot give containers their users", Cure: install("uidmap", "shadow-utils"),
		Fixtures: []string{"no-newuidmap", "no-newgidmap"}, Versions: both,
	},
	{
		Name: "no-nsenter", Says: `exec: "(?:\S*/)?nsenter": `,
		Cause: "this host has no `nsenter`", Cure: install("util-linux", "util-linux"),
		Words:  `exec: "nsenter": executable file not found in $PATH`,
		Source: "https://github.com/containers/podman/issues/12152",
	},
	{
		Name: "no-conmon", Says: `could not find a working conmon binary|exec: "(?:\S*/)?conmon": `,
		Cause: "this host has no `conmon`, the program that watches over each container", Cure: install("conmon", "conmon"),
		Fixtures: []string{"no-conmon"}, Versions: both,
	},
	{
		Name: "old-conmon", Says: `conmon.*(?:is outdated|or newer is required)`,
		Cause: "this host's `conmon` is too old for its podman", Cure: "upgrade it, or fix `conmon_path` in containers.conf",
		Words:  `conmon version 2.0.9 is outdated, 2.0.24 or newer is required`,
		Source: "podman libpod/define/errors.go, ErrConmonOutdated",
	},
	{
		Name: "no-netavark", Says: `could not find "netavark"|exec: "(?:\S*/)?netavark": `,
		Cause: "this host has no `netavark`, without which podman makes no networks for jobs with services", Cure: install("netavark", "netavark"),
		Fixtures: []string{"no-netavark"}, Versions: both,
	},
	{
		Name: "no-nft", Says: `unable to execute "?nft`,
		Cause: "this host has no `nft`, which netavark needs for networks", Cure: install("nftables", "nftables"),
		Fixtures: []string{"no-nft"}, Versions: []string{"5.4.2"},
	},
	{
		Name: "no-iptables", Says: `netavark: (?:iptables: )?no such file or directory \(os error 2\)`,
		Cause: "this host has no `iptables`, which netavark needs for networks", Cure: install("iptables", "iptables-nft"),
		Fixtures: []string{"no-iptables"}, Versions: both,
	},
	{
		Name: "firewall", Says: `netavark: (?:nftables|iptables) error|nft did not return successfully|netavark: code: \d+, msg: (?:iptables|ip6tables)`,
		Cause: "netavark cannot set the firewall rules of a network", Cure: "run `nft list ruleset` in `podman unshare --rootless-netns`; load the kernel's modules (`modprobe nf_tables`, `modprobe nft_masq`), or set `firewall_driver` in containers.conf",
		Words:  `netavark: nftables error: nft did not return successfully while applying ruleset`,
		Source: "https://github.com/containers/podman/issues/25201",
	},
	{
		Name: "no-runtime", Says: `default OCI runtime "([^"]+)" not found|exec: "(?:\S*/)?(crun|runc)": `,
		Cause: "podman's runtime `${1}${2}` is not installed on this host", Cure: "install it, or set `runtime` under [engine] in containers.conf to one that is (Debian: `apt install crun`, Fedora: `dnf install crun`)",
		Fixtures: []string{"no-runtime", "wrong-runtime"}, Versions: both,
	},
	{
		Name: "no-init", Says: `container-init binary not found on the host|could not find "catatonit"|exec: "(?:\S*/)?catatonit": `,
		Cause: "this host has no `catatonit`, podman's init", Cure: install("catatonit", "catatonit"),
		Fixtures: []string{"no-catatonit"}, Versions: both,
	},
	{
		Name: "no-cdi-device", Verbs: starts, Says: `unresolvable cdi devices ([^;]+)`,
		Cause: "this machine has no CDI device ${1}", Cure: "set gpus and devices in the policy to CDI devices that this machine has: `nvidia-ctk cdi list` lists NVIDIA's; their files are in /etc/cdi",
		Fixtures: []string{"no-cdi-device"}, Versions: both,
	},
	{
		Name: "no-tun", Says: `/dev/net/tun`,
		Cause: "/dev/net/tun is missing, or closed to gitlab-runner's user", Cure: "load it (`modprobe tun`, and for the next boot `echo tun > /etc/modules-load.d/tun.conf`), and give it mode 0666; in a container add `--device /dev/net/tun`",
		Fixtures: []string{"no-tun", "no-tun-slirp4netns"}, Versions: both,
	},
}

// install returns the cure for a missing package.
func install(debian, fedora string) string {
	return "install it (Debian: `apt install " + debian + "`, Fedora: `dnf install " + fedora + "`)"
}
