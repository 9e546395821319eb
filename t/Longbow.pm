# What the TAP tests share: clusters, data that is the same in every run, and questions to ask of an index.
package Longbow;

use strict;
use warnings;

use Exporter 'import';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

our @EXPORT = qw(new_cluster add_data_functions add_point recall unfound set_config start_again start_work stop_work ten_nearest same_lines
	strangers not_once may_mount start_with_mount);

# new_cluster(NAME, SETTINGS, INIT-OPTIONS...): a cluster that is initialised, not yet started.
sub new_cluster
{
	my ($name, $settings, @init) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init(@init);
	$node->append_conf('postgresql.conf', <<"CONF");
autovacuum = off
jit = off
shared_buffers = 64MB
maintenance_work_mem = 64MB
max_wal_size = 512MB
log_min_messages = warning
log_statement = 'none'
$settings
CONF
	return $node;
}

# Loads the extension and makes blob(id, dims): a point of one of 50 clusters, always the same for the same arguments.
sub add_data_functions
{
	my ($node) = @_;
	$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION longbow;
CREATE FUNCTION noise(a bigint, b bigint) RETURNS float8 IMMUTABLE STRICT PARALLEL SAFE LANGUAGE sql AS
  $$ SELECT (hashint8extended(a, b) & 1048575) / 524288.0 - 1.0 $$;
CREATE FUNCTION blob(id bigint, dims int) RETURNS vector IMMUTABLE STRICT PARALLEL SAFE LANGUAGE sql AS
  $$ SELECT array_agg((noise(hashint8extended(id, 7) & 31, d) +
                       0.5 * (noise(id, d) + noise(id, d + 100000)))::real ORDER BY d)::vector
     FROM generate_series(1, dims) d $$;
SQL
	return;
}

# add_point(NODE, DIMS): makes point(id), the same as blob(id, DIMS) but a plain expression: statements that call blob() run a
# statement inside for each row, which ends their batch of rows.
sub add_point
{
	my ($node, $dims) = @_;
	my $x = join(',', map { my $d = $_; my $far = $d + 100000;
		"(noise(hashint8extended(id, 7) & 31, $d) + 0.5 * (noise(id, $d) + noise(id, $far)))::real" } 1 .. $dims);
	$node->safe_psql('postgres', "CREATE FUNCTION point(id bigint) RETURNS vector IMMUTABLE PARALLEL SAFE LANGUAGE sql AS 'SELECT ARRAY[$x]::real[]::vector'");
	return;
}

# recall(NODE, TABLE, QUERIES): share of the 10 nearest rows that the index finds for the rows of a table of queries.
sub recall
{
	my ($node, $table, $queries) = @_;
	my $lateral = "SELECT q.id AS q, x.id FROM $queries q,
		LATERAL (SELECT t.id FROM $table t ORDER BY t.v <-> q.v LIMIT 10) x";
	return $node->safe_psql('postgres', <<"SQL");
SET max_parallel_workers_per_gather = 0;
SET enable_indexscan = off;
CREATE TEMP TABLE exact AS $lateral;
SET enable_indexscan = on;
SET enable_seqscan = off;
CREATE TEMP TABLE found AS $lateral;
SELECT round((SELECT count(*) FROM exact JOIN found USING (q, id))::numeric / (SELECT count(*) FROM exact), 4);
SQL
}

# unfound(NODE, ROWS, TABLE): how many of ROWS (the table itself or a part of it) a search of the table for their own
# vector does not find as the nearest, with effort enough that none is missed by approximation.
sub unfound
{
	my ($node, $rows, $table) = @_;
	$table //= $rows;
	return $node->safe_psql('postgres', <<"SQL");
SET enable_seqscan = off;
SET longbow.probes = 1000;
SELECT count(*) FROM $rows a
WHERE (SELECT b.v <-> a.v FROM $table b ORDER BY b.v <-> a.v LIMIT 1) IS DISTINCT FROM 0;
SQL
}

# set_config(NODE, NAME => VALUE...): writes settings into the cluster's file, each once. Reload or restart after it.
sub set_config
{
	my ($node, %value) = @_;
	for my $name (sort keys %value)
	{
		$node->adjust_conf('postgresql.conf', $name, undef);
		$node->append_conf('postgresql.conf', "$name = '$value{$name}'");
	}
	return;
}

# Starts a server that was killed; true if it comes up. Processes of the old one may be about for a while.
sub start_again
{
	my ($node) = @_;
	for (1 .. 150)
	{
		return 1 if $node->start(fail_ok => 1);
		$node->stop('fast', fail_ok => 1);
		usleep(200_000);
	}
	return 0;
}

# The command that makes a mount namespace in which an ordinary user may mount; may_mount: whether kernel and container allow that.
my @namespace = ('unshare', '--user', '--mount', '--map-current-user', '--keep-caps');
sub may_mount { return system(join(' ', @namespace, q{sh -c 'mount -t tmpfs -o size=1m none /dev/shm'}, '>/dev/null 2>&1')) == 0; }

# start_with_mount(NODE, FOLDER, SIZE): starts the server with a tmpfs of that size on the folder, which it and its children see
# and nobody else. What is there is hidden meanwhile.
sub start_with_mount
{
	my ($node, $folder, $size) = @_;
	my ($real) = grep { -x } map { "$_/pg_ctl" } split /:/, $ENV{PATH};
	my $wrappers = $node->basedir . '/wrapper';
	mkdir $wrappers;
	open my $file, '>', "$wrappers/pg_ctl" or die "pg_ctl: $!";
	print $file <<"SH";
#!/bin/sh
exec @namespace sh -c 'mkdir -p $folder && mount -t tmpfs -o mode=1777,size=$size none $folder && exec "\$0" "\$@"' $real "\$@"
SH
	close $file;
	chmod 0755, "$wrappers/pg_ctl";
	local $ENV{PATH} = "$wrappers:$ENV{PATH}";
	$node->start;
	return;
}

# start_work(NODE, {NAME => SQL}, OPTIONS): each script in a pgbench client of its own, without end.
# stop_work(CLIENTS, SIGNAL, NODE) ends them and returns what they said on stderr. The server goes on with a statement whose client has
# gone: given the node, where nobody else is connected, it waits for those too.
sub start_work
{
	my ($node, $work, $options) = @_;
	my $folder = PostgreSQL::Test::Utils::tempdir;
	local $ENV{PGOPTIONS} = $options // '';
	my @clients;
	for my $name (sort keys %$work)
	{
		append_to_file("$folder/$name.sql", "$work->{$name}\n");
		my $client = { err => '', out => '' };
		$client->{run} = IPC::Run::start(
			[ 'pgbench', '-n', '-c', '1', '-T', '600', '-f', "$folder/$name.sql", $node->connstr('postgres') ],
			'<', \'', '>', \$client->{out}, '2>', \$client->{err});
		push @clients, $client;
	}
	return \@clients;
}

sub stop_work
{
	my ($clients, $signal, $node) = @_;
	for my $client (@$clients)
	{
		$client->{run}->signal($signal) if defined $signal && $client->{run}->pumpable;
		$client->{run}->finish;
	}
	if (defined $node)
	{
		$node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()")
		  or die 'statements of clients that were stopped do not end';
	}
	return join('', map { $_->{err} } @$clients);
}

# ten_nearest(NODE, TABLE, QUERIES, HOW): the ids of the 10 nearest rows to each query, through the index, or not if HOW is
# 'exact'. Codes only choose which rows are looked at first, and may put one late: so it takes the 10 nearest of 60 (by an
# expression that no plan takes for sorted already).
sub ten_nearest
{
	my ($node, $table, $queries, $how) = @_;
	my $off = ($how // '') eq 'exact' ? 'enable_indexscan' : 'enable_seqscan';
	return $node->safe_psql('postgres', <<"SQL");
SET $off = off;
SET longbow.probes = 2000;
SELECT q.id, (SELECT string_agg(y.id::text, ',') FROM (SELECT x.id FROM
    (SELECT t.id, t.v <-> q.v AS d FROM $table t ORDER BY t.v <-> q.v LIMIT 60) x ORDER BY x.d + 0, x.id LIMIT 10) y)
FROM $queries q ORDER BY q.id;
SQL
}

# same_lines(GOT, EXPECTED, NAME): a test that shows only the first line that differs.
sub same_lines
{
	my ($got, $expected, $name) = @_;
	my @got = split /\n/, $got;
	my @expected = split /\n/, $expected;
	my @bad = grep { ($got[$_] // 'nothing') ne ($expected[$_] // 'nothing') } 0 .. ($#got > $#expected ? $#got : $#expected);
	return ok(@bad == 0, $name) || diag(@bad . " lines differ; the first: \n  " . ($got[ $bad[0] ] // 'nothing') . "\n  "
		  . ($expected[ $bad[0] ] // 'nothing') . ' was expected');
}

# strangers(NODE, TABLE, QUERIES): how many rows a search to the end meets twice, meets though the table has them not, or misses.
sub strangers
{
	my ($node, $table, $queries) = @_;
	return $node->safe_psql('postgres', <<"SQL");
BEGIN ISOLATION LEVEL REPEATABLE READ;
SET enable_seqscan = off;
CREATE TEMP TABLE met AS SELECT id FROM $table ORDER BY v <-> (SELECT v FROM $queries LIMIT 1);
SET enable_seqscan = on;
SET enable_indexscan = off;
SELECT (SELECT count(*) - count(DISTINCT id) FROM met)
	 + (SELECT count(*) FROM (SELECT id FROM met EXCEPT SELECT id FROM $table) x)
	 + (SELECT count(*) FROM (SELECT id FROM $table EXCEPT SELECT id FROM met) x);
COMMIT;
SQL
}

# not_once(NODE, TABLE, QUERIES): how many rows a search to the end meets twice, or misses, or has too many; on a standby too.
sub not_once
{
	my ($node, $table, $queries) = @_;
	return $node->safe_psql('postgres', <<"SQL");
BEGIN ISOLATION LEVEL REPEATABLE READ;
SET enable_seqscan = off;
SELECT count(*) - count(DISTINCT id) + abs(count(*) - (SELECT count(*) FROM $table))
FROM (SELECT id FROM $table ORDER BY v <-> (SELECT v FROM $queries LIMIT 1)) x;
COMMIT;
SQL
}

1;
