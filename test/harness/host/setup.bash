# shellcheck shell=bash disable=SC2154 # lib.bash sets the names
# Sets rootless podman up for the tests. Sourced by test/harness/host/run when lib.bash's ready() says no, once
# per start of the machine. It looks before it touches: first podman is tried as it is, then each cure in
# turn, and podman after it. An ordinary machine needs none of them.
#
#   symptom                                                   cure
#   crun: cgroups in hybrid mode not supported                make_namespace: cgroup2 alone at /sys/fs/cgroup, in a
#                                                             mount namespace of our own
#   failed to read from slirp4netns sync pipe                 open_devices: /dev/net/tun and /dev/fuse 0666
#   setrlimit RLIMIT_NOFILE: Operation not permitted          ulimit_lines: default_ulimits in containers.conf
#   no systemd user session: warnings                         containers.conf: cgroup_manager = "cgroupfs"
#   no journald: podman events fails                          containers.conf: events_logger = "file"
#   podman run waits 20 s for an exit status, for the         lib.bash: a short $volatile
#   cleanup says: the specified runroot is longer than 50
#   the vfs driver is picked, every start takes seconds       storage.conf: driver = "overlay"
#   the graph root is itself on an overlay (a container)      storage.conf: mount_program = fuse-overlayfs
#   systemd in a container: Failed to create /init.scope      make_cgroup: a cgroup that the user owns, for
#                                                             podman run --cgroup-parent /podman-executor-test/NAME
#   cannot chdir to …, or old mounts seen                     podman system migrate: ends the pause process that
#                                                             holds an older namespace
#   unable to find network NAME, though network ls shows it   make_cni: /var/lib/cni
#   everything is "already mounted" or "running" after a      forget_old_boot: the runtime directory is emptied
#   restart, where /run is not a tmpfs
#
# What no cure was found for, where cgroup v1 controllers are mounted: --cgroups=split (podman 4.3 reads
# the v1 lines of /proc/self/cgroup), and limits together with --cgroup-parent (crun: opening file
# `memory.max`: the v2 tree has no such controller). Limits without --cgroup-parent are accepted and void.

# set_up makes podman work, or fails. Calls at the same time wait for each other.
set_up() {
	need podman crun newuidmap setpriv nsenter flock busybox
	mkdir -p "$volatile" "$state" "$cache"
	[[ -O $volatile ]] || fail "$volatile belongs to somebody else"
	chmod 0755 "$volatile" "$state"
	exec 9>"$volatile/lock"
	flock 9
	if ! ready; then
		say "setting up rootless podman (once per start of the machine)"
		rm -f "$stamp"
		forget_old_boot
		make_user
		make_directories
		make_cni
		write_configuration
		choose_mode
		{ stamp_line && echo "$mode"; } >"$stamp.new"
		mv "$stamp.new" "$stamp"
	fi
	exec 9>&-
}

# forget_old_boot empties the runtime directory where it outlived a restart, or all processes of the user: podman takes the files
# in it as proof that its containers and its pause process still run.
forget_old_boot() {
	local boot
	boot=$(</proc/sys/kernel/random/boot_id)
	if [[ "$(cat "$volatile/boot" 2>/dev/null)" != "$boot" ]] || processes_ended; then
		rm -rf --one-file-system "$user_runtime"
		echo "$boot" >"$volatile/boot"
	fi
}

make_user() {
	((EUID == 0)) || return 0
	if ! id "$test_user" >/dev/null 2>&1; then
		say "creating the user $test_user"
		useradd --system --user-group --home-dir "$user_home" --shell /usr/sbin/nologin \
			--comment "podman-executor tests" "$test_user"
	fi
	if ! grep -qs "^$test_user:" /etc/subuid || ! grep -qs "^$test_user:" /etc/subgid; then
		sed -i "/^$test_user:/d" /etc/subuid /etc/subgid
		first_free_subid | sed "s/.*/$test_user:&:$subids/" | tee -a /etc/subuid >>/etc/subgid
	fi
}

# first_free_subid prints the first id behind all ranges of /etc/subuid and /etc/subgid.
first_free_subid() {
	touch /etc/subuid /etc/subgid
	awk -F: 'BEGIN { free = 100000 } $2 + $3 > free { free = $2 + $3 } END { print free }' /etc/subuid /etc/subgid
}

# make_cni makes an empty /var/lib/cni. For a bridge network rootless podman 4 mounts a directory of its
# own over /var/lib/cni, or else over the nearest parent, /var/lib: that hides the storage below it, with
# the networks that were created there.
make_cni() {
	if ((EUID == 0)) && [[ ! -e /var/lib/cni ]]; then
		mkdir /var/lib/cni
		touch "$cni_mark"
	fi
}

make_directories() {
	local directory
	for directory in "$user_home" "$user_runtime"; do
		mkdir -p "$directory"
		chmod 0700 "$directory"
	done
	mkdir -p "$stages" "$user_config" "$user_home/probe/bin"
	cp -L "$(command -v busybox)" "$user_home/probe/bin/busybox"
	if ((EUID == 0)); then
		chown "$test_user:" "$user_home" "$user_runtime"
		chown -R "$test_user:" "$user_home/probe" "$user_home/.config"
	fi
}

# write_configuration gives podman its own storage, and what a user without a login session needs. A
# contributor's podman keeps the machine's settings but for those.
write_configuration() {
	storage_conf >"$user_config/storage.conf"
	containers_conf >"$user_config/containers.conf"
	if [[ ! -e /etc/containers/policy.json ]]; then
		echo '{"default": [{"type": "insecureAcceptAnything"}]}' >"$user_config/policy.json"
	fi
}

storage_conf() {
	cat <<-END
		[storage]
		driver = "overlay"
		graphroot = "$user_home/.local/share/containers/storage"
		runroot = "$user_runtime/containers"
	END
	if [[ "$(stat -f -c %T "$user_home")" == overlayfs ]]; then
		need fuse-overlayfs
		printf '[storage.options.overlay]\nmount_program = "%s"\n' "$(command -v fuse-overlayfs)"
	fi
}

containers_conf() {
	if ((EUID == 0)); then
		printf '[containers]\n%s\n' "$(ulimit_lines)"
	fi
	echo '[engine]'
	if ((EUID == 0)) || [[ -z ${DBUS_SESSION_BUS_ADDRESS-} && ! -S ${XDG_RUNTIME_DIR-}/bus ]]; then
		echo 'cgroup_manager = "cgroupfs"'
	fi
	if ((EUID == 0)) || [[ ! -S /run/systemd/journal/socket ]]; then
		echo 'events_logger = "file"'
	fi
	if ((EUID == 0)); then
		echo 'runtime = "crun"'
	fi
}

# ulimit_lines keeps podman from asking for more open files than its own hard limit.
ulimit_lines() {
	local hard
	hard=$(ulimit -Hn)
	if [[ $hard != unlimited ]] && ((hard < 1048576)); then
		echo "default_ulimits = [\"nofile=$hard:$hard\"]"
	fi
}

# choose_mode sets mode to the first way in which podman runs a container, or fails.
choose_mode() {
	local device
	mode=plain
	if namespace_alive; then
		mode=namespace
	fi
	podman_runs && return
	((EUID == 0)) || refuse
	for device in /dev/net/tun /dev/fuse; do
		open_device "$device"
	done
	podman_runs && return
	if [[ "$(stat -f -c %T /sys/fs/cgroup)" != cgroup2fs ]]; then
		make_namespace
		podman_runs && return
	fi
	refuse
}

# podman_runs starts one container as the tests will: no image is needed, only a directory that holds
# a static busybox. Descriptor 9 is the lock, which podman's pause process must not keep.
podman_runs() {
	(
		user_environment
		enter "$user_home" timeout 60 podman run --rm --rootfs "$user_home/probe" /bin/busybox true
	) </dev/null >"$probe_log" 2>&1 9>&-
}

refuse() {
	cat "$probe_log" >&2
	fail "podman run does not work here for the user $test_user, see above and test/harness/host/README.md"
}

# open_device lets everybody use a device, as udev does on ordinary machines.
open_device() {
	local device=$1 was
	[[ -c $device ]] || return 0
	was=$(stat -c %a "$device")
	if [[ $was != 666 ]]; then
		say "changing the mode of $device from $was to 666"
		echo "$was $device" >>"$device_modes"
		chmod 666 "$device"
	fi
}

# make_namespace makes a mount namespace where /sys/fs/cgroup is cgroup2 and nothing else. The
# machine's own mounts stay as they are; what it mounts later is seen inside too. The namespace is kept
# by a mount of its file, which the kernel allows below a private mount only.
make_namespace() {
	if ! namespace_alive; then
		say "making a mount namespace with cgroup v2 alone (kept at $namespace)"
		mkdir -p "${namespace%/*}"
		mountpoint -q "${namespace%/*}" || mount --bind "${namespace%/*}" "${namespace%/*}"
		mount --make-private "${namespace%/*}"
		touch "$namespace"
		unshare_kept || fail "making a mount namespace: $(<"$probe_log")"
		nsenter --mount="$namespace" -- sh -euc '
			umount -R /sys/fs/cgroup
			mount -t cgroup2 none /sys/fs/cgroup
			mount --make-rshared /'
	fi
	make_cgroup
	mode=namespace
	leave_old_namespace
}

# unshare_kept makes the namespace and keeps it. The kernel keeps one only where its number is above that of the namespace that has the mount
# (fs/namespace.c, mnt_ns_loop); Linux 6.18 gives each CPU 64 numbers at a time, so in a namespace like that of
# test/harness/debian13 a few tries may be too low.
unshare_kept() {
	local _
	for _ in {1..500}; do
		if unshare --mount="$namespace" --propagation slave true 2>"$probe_log"; then
			return
		fi
	done
	return 1
}

# make_cgroup gives the user a cgroup to divide, and a place below it to be in, from where it may move
# processes to others below the first. That place and its parent are not the user's: newer versions of crun
# would make cgroups in either by itself, and every limit would then fail for want of a controller
# instead of being void.
make_cgroup() {
	# shellcheck disable=SC2016 # expanded by the inner shell
	nsenter --mount="$namespace" -- sh -euc '
		mkdir -p "$1/session/calls"
		cd "$1"
		chown "$2:" . cgroup.procs cgroup.threads cgroup.subtree_control' sh "$cgroup" "$test_user"
}

# leave_old_namespace ends podman's pause process, which keeps the namespace of the first call.
leave_old_namespace() {
	(
		user_environment
		enter "$user_home" podman system migrate
	) </dev/null >>"$probe_log" 2>&1 9>&- || true
}
