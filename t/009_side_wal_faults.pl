# What goes wrong while the server runs: the side WAL's folder is lost, blocked, full of its limit, switched off and on;
# sessions end in the middle of an insert; a commit hangs in synchronous replication; databases go while workers merge.
use strict;
use warnings;

use lib 't';
use Longbow;
use File::Path qw(remove_tree);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $node = new_cluster('faults', <<'CONF', allows_streaming => 1);
shared_preload_libraries = 'longbow'
longbow.gc_percent = -1
longbow.delta_memory = '32MB'
longbow.max_wal_size = '64MB'
max_worker_processes = 16
CONF
$node->start;
add_data_functions($node);
add_point($node, 24);
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE q AS SELECT i AS id, blob(1000000 + i, 24) AS v FROM generate_series(1, 5) i;
CREATE SEQUENCE n;
CREATE TABLE t (id int PRIMARY KEY DEFAULT nextval('n'), v vector(24) GENERATED ALWAYS AS (point(id)) STORED);
CREATE INDEX t_v ON t USING longbow (v) WITH (leaf_size = 16);
INSERT INTO t SELECT FROM generate_series(1, 500);
-- Vectors that fill the side WAL, and do not compress.
CREATE TABLE wide (id int, v vector(1500));
CREATE INDEX wide_v ON wide USING longbow (v);
CREATE FUNCTION junk(i int) RETURNS vector VOLATILE LANGUAGE sql AS
  $$ SELECT array_agg((random() + i * 1e-6)::real)::vector FROM generate_series(1, 1500) $$;
CREATE TABLE junk AS SELECT i, junk(i) AS v FROM generate_series(1, 400) i;
SQL
my $folder = $node->data_dir . '/longbow';
my $wal = "$folder/wal";

sub value { return $node->safe_psql('postgres', $_[0]); }
sub effective { return value('SELECT effective FROM longbow_stat_storage'); }
sub is_whole
{
	my ($when) = @_;
	is(value("SELECT longbow_check('t_v')"), value('SELECT count(*) FROM t'), "$when: the index is whole");
	is(value(<<'SQL'), 0, "$when: the last rows are found");
SET enable_seqscan = off;
SET longbow.probes = 300;
SELECT count(*) FROM (SELECT id, v FROM t ORDER BY id DESC LIMIT 150) a
WHERE (SELECT t.id FROM t ORDER BY t.v <-> a.v LIMIT 1) IS DISTINCT FROM a.id;
SQL
	return;
}
sub insert { return $node->safe_psql('postgres', 'INSERT INTO t SELECT FROM generate_series(1, 60)'); }

# -- settings
my $uring = effective();
like($uring, qr/^(io_uring|standard)$/, "the log works by $uring");
for my $case (
	[ 'longbow.storage_use_iouring', 'off', 'standard|standard' ],
	[ 'longbow.storage_use_iouring', 'on', "io_uring|$uring" ],
	[ 'longbow.storage_wal', 'off', 'none|none' ],
	[ 'longbow.storage_wal', 'on', "io_uring|$uring" ])
{
	my ($name, $to, $expected) = @$case;
	# Sessions that are open change with the others.
	my $open = start_work($node, { insert => "INSERT INTO t SELECT FROM generate_series(1, 3);\n\\sleep 5 ms" });
	$node->poll_query_until('postgres', "SELECT count(*) > 0 FROM pg_stat_activity WHERE query LIKE 'INSERT INTO t%'");
	set_config($node, $name => $to);
	$node->reload;
	ok($node->poll_query_until('postgres', "SELECT requested || '|' || effective = '$expected' FROM longbow_stat_storage"),
		"$name = $to: $expected");
	insert();
	$node->poll_query_until('postgres', 'SELECT lag_bytes = 0 FROM longbow_stat_storage') if $expected !~ /none/;
	is(stop_work($open, 'TERM') =~ /ERROR|aborted/ ? 1 : 0, 0, "$name = $to: an open session goes on");
	is_whole("$name = $to");
}

# -- the folder is gone, or something else
sub broken
{
	my ($name, $break, $mend) = @_;
	my ($errors, $rows) = split /\|/, value('SELECT errors, (SELECT count(*) FROM t) FROM longbow_stat_storage');
	$break->();
	# Sessions that have the segment open may write to it; new ones cannot.
	for (1 .. 20)
	{
		insert();
		value("INSERT INTO wide SELECT i, v FROM junk") if $name =~ /unwritable/;
		last if effective() eq 'none';
	}
	is(effective(), 'none', "$name: the log stops");
	cmp_ok(value('SELECT errors FROM longbow_stat_storage'), '>', $errors, "$name: an error is counted");
	isnt(value('SELECT reason FROM longbow_stat_storage'), '', "$name: and explained");
	insert() for 1 .. 3;
	value('SET longbow.storage_async_fsync = on; INSERT INTO t SELECT FROM generate_series(1, 60)');
	is_whole($name);
	is(strangers($node, 't', 'q'), 0, "$name: every row once");
	$mend->();
	ok($node->poll_query_until('postgres', "SELECT effective = '$uring' FROM longbow_stat_storage"), "$name, mended: the log works again");
	my $records = value('SELECT records FROM longbow_stat_storage');
	insert();
	ok($node->poll_query_until('postgres', "SELECT lag_bytes = 0 AND records > $records FROM longbow_stat_storage"), "$name, mended: it is written");
	is_whole("$name, mended");
	return;
}
broken('a file in the folder\'s place',
	sub { rename($wal, "$wal.away") or die; append_to_file($wal, 'x'); },
	sub { unlink $wal; rename("$wal.away", $wal) or die; });
broken('folder removed', sub { remove_tree($folder); }, sub { mkdir $folder; mkdir $wal; });
SKIP:
{
	skip 'root may write everywhere', 9 if $> == 0;
	broken('folder unwritable', sub { chmod 0500, $wal; }, sub { chmod 0700, $wal; });
}
my $log = slurp_file($node->logfile);
like($log, qr/could not write the side WAL/, 'the log told of it');
like($log, qr/works again/, 'and of its end');
$node->stop('immediate');
ok(start_again($node), 'the server starts after all that');
is_whole('after a crash');

# -- sessions that end in the middle
my $work = start_work($node, {
	timeout => "SET statement_timeout = '15ms';\nINSERT INTO t SELECT FROM generate_series(1, 2000);",
	ended => "BEGIN;\nINSERT INTO t SELECT FROM generate_series(1, 400);\nINSERT INTO t SELECT FROM generate_series(1, 400);\nCOMMIT;",
	copy => "COPY (SELECT) TO STDOUT;\nINSERT INTO t SELECT FROM generate_series(1, 3);" });
for my $try (1 .. 15)
{
	my $more = start_work($node, { ended => "BEGIN;\nINSERT INTO t SELECT FROM generate_series(1, 300);\nCOMMIT;" });
	usleep(20_000 * ($try % 4));
	value("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE '%INSERT INTO t%' AND pid <> pg_backend_pid()");
	value("SELECT count(pg_cancel_backend(pid)) FROM pg_stat_activity WHERE query LIKE '%INSERT INTO t%' AND pid <> pg_backend_pid()");
	stop_work($more, 'TERM');
}
stop_work($work, 'TERM', $node);
is_whole('sessions were ended');
is(strangers($node, 't', 'q'), 0, 'sessions were ended: every row once');
value('VACUUM t');
is_whole('sessions were ended, vacuumed');

# -- a commit that waits for a standby which is not there
set_config($node, 'synchronous_standby_names' => 'nobody');
$node->reload;
my @stuck = map { start_work($node, { stuck => 'INSERT INTO t SELECT FROM generate_series(1, 5);' }) } 1 .. 2;
ok($node->poll_query_until('postgres', "SELECT count(*) = 2 FROM pg_stat_activity WHERE wait_event = 'SyncRep'"), 'two commits wait for a standby');
value('SET synchronous_commit = local; ' . 'INSERT INTO t DEFAULT VALUES; ' x 200);
pass('other sessions commit');
ok($node->poll_query_until('postgres', 'SELECT lag_bytes = 0 FROM longbow_stat_storage'), 'and their records are written');
is(value("SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"), 2, 'the two still wait');
set_config($node, 'synchronous_standby_names' => '');
$node->reload;
stop_work($_, 'TERM') for @stuck;
is_whole('after the wait');

# -- databases go, are copied and renamed while workers merge
$node->safe_psql('postgres', 'CREATE DATABASE model');
$node->safe_psql('model', <<'SQL');
CREATE EXTENSION longbow;
CREATE TABLE t (id serial, v vector(24));
CREATE INDEX t_v ON t USING longbow (v) WITH (leaf_size = 16);
INSERT INTO t (v) SELECT (SELECT array_agg(random() + i * d * 0) FROM generate_series(1, 24) d)::real[]::vector FROM generate_series(1, 15000) i;
SQL
set_config($node, 'longbow.gc_percent' => 1);
$node->reload;
my $last = 'model';
for my $try (1 .. 4)
{
	ok($node->poll_query_until('postgres', "SELECT count(*) > 0 FROM pg_stat_activity WHERE backend_type = 'longbow worker' AND datname = '$last'"),
		"try $try: a worker merges") if $try == 1;
	my ($rc, $out, $err) = $node->psql('postgres', "ALTER DATABASE $last RENAME TO renamed_$try");
	is($err, '', "try $try: renamed");
	($rc, $out, $err) = $node->psql('postgres', "CREATE DATABASE copy_$try TEMPLATE renamed_$try");
	is($err, '', "try $try: copied");
	$node->safe_psql("copy_$try", 'INSERT INTO t (v) SELECT v FROM t LIMIT 3000');
	$last = "renamed_$try";
	($rc, $out, $err) = $node->psql('postgres', "DROP DATABASE copy_$try");
	is($err, '', "try $try: dropped");
}
is($node->safe_psql($last, "SELECT longbow_check('t_v')"), 15000, 'what is left is whole');
set_config($node, 'longbow.gc_percent' => -1);
$node->reload;

# -- an index that is not merged does not keep the side WAL's segments
value('INSERT INTO wide SELECT i, v FROM junk') for 1 .. 36;
my $bytes;
for (1 .. 600)
{
	$bytes = 0;
	$bytes += -s $_ // 0 for glob("$wal/*");
	last if $bytes <= 128 << 20;
	usleep(100_000);
}
cmp_ok($bytes, '<=', 128 << 20, 'the side WAL stays within reach of longbow.max_wal_size');
cmp_ok(value("SELECT pending FROM longbow_stat_index WHERE index = 'wide_v'"), '>', 12000, 'though nothing was merged');
is(value("SELECT longbow_check('wide_v')"), value('SELECT count(*) FROM wide'), 'the wide index is whole');
my $wide = <<'SQL';
SET enable_seqscan = off;
SELECT count(*) FROM (SELECT v FROM junk ORDER BY i LIMIT 5) a,
	LATERAL (SELECT b.v <-> a.v AS d FROM wide b ORDER BY b.v <-> a.v LIMIT 1) x WHERE d = 0;
SQL
is(value($wide), 5, 'its rows are found');
$node->stop('immediate');
ok(start_again($node), 'the server starts');
is(value($wide), 5, 'and again after a crash');
is_whole('at the end');
unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal|TRAP/, 'no process crashed');
$node->stop;
done_testing();
