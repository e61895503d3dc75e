# shellcheck shell=bash
# How the image's programs speak: on standard error, each line with the program's name. Sourced, never run.
#
# | variable | meaning |
# |---|---|
# | program | the name, set by the program that sources this |
# | failure | the exit status of die; 1 by default |
: "${program:?}"

hint() {
	printf "$program: hint: %s\n" "$@" >&2
}

# warn WARNING [HINT]...
warn() {
	printf '%s: warning: %s\n' "$program" "$1" >&2
	(($# == 1)) || hint "${@:2}"
}

# die ERROR [HINT]... ends the program.
die() {
	printf '%s: error: %s\n' "$program" "$1" >&2
	(($# == 1)) || hint "${@:2}"
	exit "${failure:-1}"
}
