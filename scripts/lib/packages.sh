# Shell functions about Debian packages and about which PostgreSQL is used. After common.sh.

oldest_server=15

is_installed() {
	[ "$(dpkg-query -W -f '${Status}' "$1" 2>/dev/null)" = "install ok installed" ]
}

# Installs those of the named packages that are missing, and says which. Fetches the package lists only if it must.
need_packages() {
	missing=
	for package; do
		is_installed "$package" || missing="$missing $package"
	done
	[ -n "$missing" ] || return 0
	command -v apt-get >/dev/null 2>&1 || die "please install, by the means of this system:$missing"
	say "installing:$missing"
	as_root true
	no_main_cluster
	# shellcheck disable=SC2086
	if ! know_packages $missing || ! apt_install $missing; then
		say "fetching the package lists (apt-get update)"
		as_root apt-get -qq update || die "apt-get update failed"
		apt_install $missing || {
			forget_no_main_cluster
			die "apt-get could not install:$missing"
		}
	fi
	forget_no_main_cluster
}

know_packages() {
	for package; do
		apt-cache policy "$package" 2>/dev/null | grep -q 'Candidate: [^(]' || return 1
	done
}

apt_install() {
	apt_log=$(mktemp)
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends -o Dpkg::Use-Pty=0 \
		install "$@" >"$apt_log" 2>&1 </dev/null || {
		tail -n 20 "$apt_log" >&2
		rm -f "$apt_log"
		return 1
	}
	rm -f "$apt_log"
}

# A server package makes and starts a cluster when it is installed. Nobody asked for one: a setting that lives only
# while we install says so. A server that is installed already, and its clusters, are left alone.
no_main_cluster_conf=/etc/postgresql-common/createcluster.d/longbow-install.conf

no_main_cluster() {
	case $missing in
	*postgresql-[0-9]*)
		as_root mkdir -p "${no_main_cluster_conf%/*}"
		echo 'create_main_cluster = false' | as_root tee "$no_main_cluster_conf" >/dev/null
		;;
	esac
}

forget_no_main_cluster() {
	if [ -e "$no_main_cluster_conf" ]; then as_root rm -f "$no_main_cluster_conf"; fi
}

# Whether a pg_config belongs to a server that can be run and built against.
is_whole_server() {
	[ -x "$1" ] && [ -x "$("$1" --bindir)/initdb" ] && [ -x "$("$1" --bindir)/postgres" ] &&
		[ -f "$("$1" --includedir-server)/postgres.h" ] && [ -f "$("$1" --pgxs)" ]
}

# Majors of the servers under /usr/lib/postgresql, newest first.
installed_majors() {
	for folder in /usr/lib/postgresql/*/bin; do
		if [ -x "$folder/postgres" ]; then
			folder=${folder%/bin}
			echo "${folder##*/}"
		fi
	done | sort -rn
}

# Sets PG_CONFIG: the caller's; else the newest installed server that has its headers; else, after installing what is
# missing, that of the newest installed server or of the distribution's default version.
find_pg_config() {
	if [ -n "${PG_CONFIG:-}" ]; then
		command -v "$PG_CONFIG" >/dev/null || die "PG_CONFIG=$PG_CONFIG cannot be run"
		PG_CONFIG=$(command -v "$PG_CONFIG")
		is_whole_server "$PG_CONFIG" || die "PG_CONFIG=$PG_CONFIG has no server, or no server headers"
		export PG_CONFIG
		return
	fi
	for major in $(installed_majors); do
		PG_CONFIG=/usr/lib/postgresql/$major/bin/pg_config
		if [ "$major" -ge "$oldest_server" ] && is_whole_server "$PG_CONFIG"; then
			export PG_CONFIG
			return
		fi
	done
	major=$(installed_majors | head -n 1)
	if [ -z "$major" ] || [ "$major" -lt "$oldest_server" ]; then
		major=$(default_major)
		if [ -z "$major" ]; then
			say "fetching the package lists (apt-get update)"
			as_root apt-get -qq update || die "apt-get update failed"
			major=$(default_major)
		fi
	fi
	[ -n "$major" ] || die "this system offers no package postgresql; name a server with PG_CONFIG="
	[ "$major" -ge "$oldest_server" ] || die "PostgreSQL $major is too old: $oldest_server or newer is needed"
	need_packages "postgresql-$major" "postgresql-server-dev-$major"
	PG_CONFIG=/usr/lib/postgresql/$major/bin/pg_config
	is_whole_server "$PG_CONFIG" || die "$PG_CONFIG has no server, or no server headers"
	export PG_CONFIG
}

# The major version that the metapackage postgresql stands for.
default_major() {
	apt-cache depends postgresql 2>/dev/null | sed -n 's/^ *Depends: postgresql-\([0-9][0-9]*\)$/\1/p' | head -n 1
}

build_packages="make g++ pkg-config liburing-dev libsnappy-dev libsimde-dev"
check_packages="libgtest-dev libipc-run-perl perl binutils python3"

# Builds and installs the extension. Up to PostgreSQL 17 a server finds extensions only in its own folders, so this
# part needs root; "make uninstall" undoes it.
build_and_install() {
	make="make -C $root PG_CONFIG=$PG_CONFIG"
	# shellcheck disable=SC2086
	as_tree_owner $make -s -j"$(nproc)" "$@" >"$scratch/build.log" 2>&1 || {
		tail -n 60 "$scratch/build.log"
		return 1
	}
	say "installing into $("$PG_CONFIG" --pkglibdir) and $("$PG_CONFIG" --sharedir)/extension (system-wide)"
	if ! [ -w "$("$PG_CONFIG" --pkglibdir)" ] && [ "$(id -u)" -ne 0 ]; then say "this needs root: sudo make install"; fi
	if [ -w "$("$PG_CONFIG" --pkglibdir)" ]; then
		# shellcheck disable=SC2086
		$make -s install "$@" >>"$scratch/build.log" 2>&1
	else
		# shellcheck disable=SC2086
		as_root $make -s install "$@" >>"$scratch/build.log" 2>&1
	fi || {
		tail -n 20 "$scratch/build.log"
		return 1
	}
}
