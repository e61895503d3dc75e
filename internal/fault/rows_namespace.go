package fault

// namespaceRows are about what rootless podman needs of its user: ids, a home, a runtime
// directory, and a process that keeps the namespace.
var namespaceRows = []Row{
	{
		Name: "subids", Says: `new[ug]idmap: [ug]id range .* not allowed|no subuid ranges found|cannot find UID/GID for user`,
		Cause: "the range of ids in /etc/subuid and /etc/subgid is not this user's", Cure: "`usermod --add-subuids 100000-165535 --add-subgids 100000-165535 USER`, then `podman system migrate` as that user",
		Words:  `newuidmap: uid range [1-65537) -> [100000-165536) not allowed`,
		Source: "shadow src/newuidmap.c; containers/storage pkg/idtools/idtools.go",
	},
	{
		Name: "no-new-privs", Says: `new[ug]idmap: (?:write to|open of) [ug]id_map failed: operation not permitted|should have setuid or have filecaps|cannot set up namespace using \S+: exit status 1`,
		Cause: "`newuidmap` lacks the rights it needs", Cure: "remove NoNewPrivileges= from gitlab-runner's unit, or reinstall the package, which makes it setuid (Debian: `apt install --reinstall uidmap`, Fedora: `dnf reinstall shadow-utils`)",
		Fixtures: []string{"no-new-privs", "newuidmap-mode"}, Versions: both,
	},
	{
		Name: "stale-pause", Says: `cannot re-exec process|cannot set user namespace|invalid internal status, try resetting the pause process`,
		Cause: "podman's process that keeps the user's namespaces is gone, or another one has its number", Cure: "run `podman system migrate` as gitlab-runner's user; if that fails, too, remove libpod/tmp/pause.pid in its XDG_RUNTIME_DIR",
		Fixtures: []string{"stale-pause", "foreign-pause"}, Versions: both,
	},
	{
		Name: "runtime-dir", Says: `XDG_RUNTIME_DIR directory .* is not owned by the current user|failed to obtain podman configuration: (?:lstat|mkdir|stat) |mkdir /run/user/\S*: permission denied|lstat /run/user`,
		Cause: "gitlab-runner's user has no runtime directory of its own", Cure: "`loginctl enable-linger USER`, or set XDG_RUNTIME_DIR in gitlab-runner's environment",
		Fixtures: []string{"runtime-dir-denied"}, Versions: both,
	},
	{
		Name: "home", Says: `\$HOME is not defined|(?:mkdir|stat|open) \S*/\.config\S*: permission denied|cannot resolve /\S+: lstat`,
		Cause: "HOME in gitlab-runner's environment is not a directory of its user", Cure: "set `Environment=HOME=` of its unit to the user's home, or remove it",
		Fixtures: []string{"home-denied"}, Versions: both,
	},
}
