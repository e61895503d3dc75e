package fault

import "syscall"

// Locks is the name of the row for podman's locks, which the driver can free.
const Locks = "locks"

// limitRows are about what the machine has run out of. The kernel has the same error, and podman
// the same words, for a full disk and for other limits: those come first.
var limitRows = []Row{
	{
		Name: Locks, Says: `exceeded num_locks \((\d+)\)`,
		Cause: "podman's ${1} locks are used up: each container and each volume of this user has one", Cure: "remove volumes that no job needs (`podman-executor-cleanup --builds-older-than 30d`), or raise `num_locks` in [engine] of containers.conf and run `podman system renumber` while no job runs",
		Fixtures: []string{"num-locks", "num-locks-container"}, Versions: both,
	},
	{
		Name: "keyrings", Whose: Passing, Says: `(?:create keyring|session key(?:ring)?).*disk quota exceeded`,
		Cause: "this user's kernel keyrings are used up, each container has one; it is not the disk", Cure: "raise kernel.keys.maxkeys and kernel.keys.maxbytes (`sysctl`, /etc/sysctl.d), or set `keyring = false` in [containers] of containers.conf",
		Fixtures: []string{"keyring"}, Versions: both,
	},
	{
		Name: "user-namespaces", Says: `cannot clone: (?:no space left on device|operation not permitted)|user namespaces are not enabled`,
		Cause: "the kernel gives this user no user namespace", Cure: "raise user.max_user_namespaces, and set kernel.unprivileged_userns_clone=1 where that exists (`sysctl`, /etc/sysctl.d)",
		Words:  `cannot clone: No space left on device`,
		Source: "podman pkg/rootless/rootless_linux.c",
	},
	{
		Name: "cgroup-full", Verbs: starts, Says: `(?:/sys/fs/cgroup|cgroup\.procs)\S*: (?:no space left on device|device or resource busy)`,
		Cause: "a cgroup takes no process", Cure: "look at `cpuset.cpus` and `cgroup.subtree_control` of gitlab-runner's cgroup",
		Words:  "crun: writing file `/sys/fs/cgroup/x/cgroup.procs`: No space left on device",
		Source: "crun src/libcrun/cgroup-utils.c",
	},
	{
		Name: "inotify", Says: `inotify.*(?:no space left on device|too many open files)|too many open files.*inotify`,
		Cause: "this user's inotify watches are used up; it is not the disk", Cure: "raise fs.inotify.max_user_watches and fs.inotify.max_user_instances (`sysctl`, /etc/sysctl.d)",
		Words:  `Failed to add inotify watch: No space left on device`,
		Source: "inotify(7)",
	},
	{
		Name: "runtime-dir-full", Says: `/run/\S*: (?:no space left on device|disk quota exceeded)|cannot write to file descriptor: no space left on device`,
		Cause: "gitlab-runner's runtime directory (XDG_RUNTIME_DIR), a small file system in memory, is full", Cure: "see what fills it (`df -h`, `df -i`), podman 5.0 to 5.4.0 leave files there; RuntimeDirectorySize= and RuntimeDirectoryInodesMax= in logind.conf set its size",
		Fixtures: []string{"runtime-dir-full", "runtime-dir-inodes"}, Versions: both,
	},
	{
		Name: "disk-full", Says: `no space left on device|disk quota exceeded|database or disk is full`, Errno: []syscall.Errno{syscall.ENOSPC, syscall.EDQUOT},
		Cause: "the disk is full, or out of inodes", Cure: "compare `df -h` and `df -i`, and free space where podman has its storage (`podman system df`), in /var/tmp, where it unpacks images, or in the TMPDIR of gitlab-runner",
		Fixtures: []string{"disk-full", "disk-full-volume", "inodes"}, Versions: both,
	},
	{
		Name: "processes", Whose: Passing, Errno: []syscall.Errno{syscall.EAGAIN},
		Says:  `(?:fork/exec|cannot fork|fork: |clone: |pthread_create).*resource temporarily unavailable|failed to create new os thread`,
		Cause: "no process could be started", Cure: "raise TasksMax= of gitlab-runner's unit and of its user's slice, and `ulimit -u` of its user, or run fewer jobs at a time",
		Fixtures: []string{"few-processes", "fewer-processes"}, Versions: both,
	},
	{
		Name: "memory", Whose: Passing, Says: `cannot allocate memory|fatal error: out of memory`, Errno: []syscall.Errno{syscall.ENOMEM},
		Cause: "the machine has no memory left for podman", Cure: "run fewer jobs at a time, or limit the memory of their containers in the policy",
		Words:  `fork/exec /usr/bin/conmon: cannot allocate memory`,
		Source: "errno(3), ENOMEM",
	},
	{
		Name: "open-files", Says: `too many open files`, Errno: []syscall.Errno{syscall.EMFILE, syscall.ENFILE},
		Cause: "podman may not open more files", Cure: "raise LimitNOFILE= of gitlab-runner's unit",
		Words:  `open /proc/self/fd: too many open files`,
		Source: "errno(3), EMFILE",
	},
	{
		Name: "setrlimit", Verbs: starts, Says: `setrlimit\W+(?:RLIMIT_\w+)?.*operation not permitted`,
		Cause: "a limit of containers is above gitlab-runner's own", Cure: "raise LimitNOFILE= and LimitNPROC= of gitlab-runner's unit, or lower `default_ulimits` in [containers] of containers.conf",
		Fixtures: []string{"setrlimit"}, Versions: both,
	},
	{
		Name: "no-locks", Says: `no locks available`, Errno: []syscall.Errno{syscall.ENOLCK},
		Cause: "a network file system gives no locks", Cure: "put general.state_dir, general.data_dir and podman's storage on a local disk, or mount the file system with locks (NFS 4, or rpc.statd)",
		Words:  `flock: no locks available`,
		Source: "errno(3), ENOLCK; flock(2)",
	},
	{
		Name: "database-locked", Whose: Passing, Says: `database (?:table )?is locked|database table is locked`,
		Cause: "another process keeps podman's database locked", Cure: "find it with `fuser` on db.sql of podman's storage, and check whether the disk is slow",
		Fixtures: []string{"database-locked"}, Versions: []string{"5.4.2"},
	},
}
