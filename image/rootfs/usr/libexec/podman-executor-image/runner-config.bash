# shellcheck shell=bash
# What the programs that write config.toml have in common: the system id and the check of a file.
# The program that sources this has sourced say.bash.

# A system id as gitlab-runner accepts it (commands/internal/configfile/system_id_state.go); it ignores all else.
system_id_pattern='[sr]_[0-9a-zA-Z]{12}'

# config.toml carries the system id in a comment, so that it goes where the file goes: gitlab-runner keeps it in a file
# beside config.toml, and neither the container that registers nor a podman secret has room for a second file.
system_id_comment='# runner_system_id = '

# new_system_id prints an id as gitlab-runner makes it where it knows no machine. It never comes from /etc/machine-id:
# that is another one in each container, or the same in all containers of an image.
new_system_id() {
	local letters=abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 id=r_ i
	for ((i = 0; i < 12; i++)); do
		id+=${letters:SRANDOM % ${#letters}:1}
	done
	printf '%s\n' "$id"
}

# system_id_of_config FILE prints the first system id in FILE's comments, or nothing.
system_id_of_config() {
	sed -En "s/^$system_id_comment\"($system_id_pattern)\"[[:space:]]*$/\1/p" "$1" | sed -n 1p
}

# check_config FILE NAME shows what gitlab-runner finds in FILE, which is called NAME in messages. It fails where
# gitlab-runner would not start with it; an unknown key is only a warning, as to gitlab-runner itself.
check_config() {
	local findings
	findings=$(gitlab-runner --log-level error lint --config "$1" 2>&1) && return
	findings=$(sed -E 's/\x1b\[[0-9;]*m//g; s/^FATAL: //; s/[[:space:]]+$//' <<<"$findings")
	warn "$2: ${findings//"$1"/$2}"
	[[ $findings != *'decoding config'* ]]
}

# count_runners FILE prints how many runners FILE has.
count_runners() {
	grep -cE '^[[:space:]]*\[\[[[:space:]]*runners[[:space:]]*\]\]' "$1" || true
}
