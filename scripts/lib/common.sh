# Shell functions that the scripts share: messages, users, scratch folders. POSIX sh; needs $root, the tree's folder.

say() { printf '%s\n' "$*"; }
step() { printf '\n== %s\n' "$*"; }
die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# Runs a command as root: directly, or through sudo.
as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif command -v sudo >/dev/null 2>&1; then
		sudo "$@"
	else
		die "must be root (or have sudo) to run: $*"
	fi
}

# The user the server runs as: ourselves, or an unprivileged one when we are root, since the server refuses root.
server_user() {
	if [ "$(id -u)" -ne 0 ]; then
		id -un
	elif id postgres >/dev/null 2>&1; then
		echo postgres
	else
		echo nobody
	fi
}

# Runs a command as that user, with an environment that names no other server and no language.
as_server_user() {
	if [ "$(id -u)" -ne 0 ]; then
		"$@"
	else
		HOME=${scratch:-/} setpriv --reuid="$(server_user)" --regid="$(id -gn "$(server_user)")" --clear-groups -- "$@"
	fi
}

# Runs a command as the owner of the tree when we are root, so that the build leaves no files its owner cannot replace.
as_tree_owner() {
	owner=$(stat -c %u "$root")
	if [ "$(id -u)" -ne 0 ] || [ "$owner" -eq 0 ]; then
		"$@"
	else
		setpriv --reuid="$owner" --regid="$(stat -c %g "$root")" --clear-groups -- "$@"
	fi
}

# Makes $scratch, a folder of the server's user that leave_scratch removes; a caller sets the trap.
make_scratch() {
	scratch=$(mktemp -d "${TMPDIR:-/tmp}/longbow.XXXXXX") || die "cannot make a scratch folder"
	if [ "$(id -u)" -eq 0 ]; then chown "$(server_user)" "$scratch"; fi
}

leave_scratch() {
	if [ -n "${scratch:-}" ]; then
		for pidfile in "$scratch"/*/postmaster.pid; do
			if [ -f "$pidfile" ]; then cluster_stop "${pidfile%/*}"; fi
		done
		rm -rf "$scratch"
		scratch=
	fi
}

# Nothing in the caller's environment may lead the tools to another server or another language.
clean_environment() {
	unset PGHOST PGPORT PGUSER PGDATABASE PGPASSWORD PGSERVICE PGOPTIONS PGDATA PSQLRC LANG LANGUAGE
	LC_ALL=C
	export LC_ALL
}
