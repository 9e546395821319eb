# Shell functions for private clusters: own folder, own socket, no network. After common.sh; needs PG_CONFIG.

pg_bin() { "$PG_CONFIG" --bindir; }

# cluster_start DIR SOCKET-DIR [SETTING...]: makes a cluster in DIR unless there is one, and starts it. Superuser
# "longbow", trusted on a socket that only its owner can reach.
cluster_start() {
	cluster=$1
	sockets=$2
	shift 2
	if [ ! -f "$cluster/PG_VERSION" ]; then
		as_server_user "$(pg_bin)/initdb" -D "$cluster" -U longbow -A trust -E UTF8 --locale=C >"$sockets/initdb.log" 2>&1 || {
			cat "$sockets/initdb.log"
			die "initdb failed"
		}
	fi
	{
		echo "listen_addresses = ''"
		echo "unix_socket_directories = '$sockets'"
		echo "unix_socket_permissions = 0700"
		for setting; do echo "$setting"; done
	} | as_server_user tee "$cluster/postgresql.auto.conf" >/dev/null
	as_server_user "$(pg_bin)/pg_ctl" -D "$cluster" -l "$sockets/server.log" -w -t 120 start >/dev/null || {
		tail -n 30 "$sockets/server.log"
		die "the server does not start"
	}
}

# Stops the server of a cluster, by its pid file, if it runs.
cluster_stop() {
	if [ -f "$1/postmaster.pid" ]; then
		as_server_user "$(pg_bin)/pg_ctl" -D "$1" -m fast -w -t 120 stop >/dev/null ||
			as_server_user "$(pg_bin)/pg_ctl" -D "$1" -m immediate -w -t 30 stop >/dev/null || true
	fi
}
