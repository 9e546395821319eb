# Pending rows where the delta has no codes of them: on servers without shared memory, and where it is too small. A session reads
# their vectors once and keeps codes within work_mem; what does not fit is found all the same; rows that VACUUM removed and row ids that
# are used again are seen.
use strict;
use warnings;

use lib 't';
use Longbow;
use File::Path qw(remove_tree);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# Without the side WAL, so that VACUUM leaves the list as it is.
my $primary = new_cluster('primary', <<'CONF', allows_streaming => 1);
shared_preload_libraries = 'longbow'
longbow.gc_percent = -1
longbow.workers = 0 # searches are to fill
longbow.delta_memory = '16MB'
longbow.storage_wal = off
track_functions = pl
CONF
$primary->start;
add_data_functions($primary);
add_point($primary, 24);
# Calls of gate() are vectors that are read from the table: by fills, and by the executor for rows that it orders itself.
$primary->safe_psql('postgres', <<'SQL');
CREATE TABLE t (id int, v vector(24));
CREATE FUNCTION gate(v vector) RETURNS vector IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN
  RETURN v;
END $$;
INSERT INTO t SELECT i, point(i) FROM generate_series(1, 500) i;
CREATE INDEX t_v ON t USING longbow (gate(v)) WITH (leaf_size = 16);
INSERT INTO t SELECT i, point(i) FROM generate_series(501, 4500) i;
-- Rows whose ids an exact search and one through the index name differently, over some queries.
CREATE FUNCTION nearest(query vector, exact bool) RETURNS int[] LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('enable_indexscan', (NOT exact)::text, true), set_config('enable_seqscan', exact::text, true);
  RETURN array(SELECT id FROM (SELECT id, gate(v) <-> query AS d FROM t ORDER BY gate(v) <-> query LIMIT 40) x ORDER BY d + 0, id LIMIT 10);
END $$;
CREATE FUNCTION differ() RETURNS bigint LANGUAGE sql SET longbow.probes = 1000 AS
$$ SELECT count(*) FROM generate_series(1, 12) i WHERE nearest(point(-i), true) <> nearest(point(-i), false) $$;
-- Vectors that one search for ten rows reads.
CREATE FUNCTION reads() RETURNS int LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE before bigint := coalesce(pg_stat_get_xact_function_calls('gate(vector)'::regprocedure), 0);
BEGIN
  PERFORM id FROM t ORDER BY gate(v) <-> '[1,0,1,0,1,0,1,0,1,0,1,0,1,0,1,0,1,0,1,0,1,0,1,0]' LIMIT 10;
  RETURN pg_stat_get_xact_function_calls('gate(vector)'::regprocedure) - before;
END $$;
CREATE FUNCTION bytes() RETURNS numeric LANGUAGE sql AS $$ SELECT sum(live_bytes) FROM longbow_stat_memory WHERE kind = 'fill' $$;
SQL
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
set_config($standby, shared_preload_libraries => '');
$standby->start;
sub catch_up { $primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert')); return; }
catch_up();

# One session on the standby, which goes on through all that the primary does.
my $session = $standby->background_psql('postgres');
sub ask { return $session->query_safe($_[0]); }
is(ask('SHOW shared_preload_libraries'), '', 'no shared memory');
cmp_ok(ask('SELECT reads()'), '>=', 4000, 'the first search reads what is pending');
cmp_ok(ask('SELECT reads()'), '<', 400, 'the second does not');
is(ask('SELECT differ()'), 0, 'they find what is there');
cmp_ok(ask('SELECT bytes()'), '>', 0, 'the codes are counted as memory');
my $most = ask('SELECT bytes()');

# Rows that go, row ids that are used again, by other vectors, and rows that come.
for my $round (1 .. 3)
{
	my $to = 5000 + $round * 1000;
	$primary->safe_psql('postgres', "DELETE FROM t WHERE id % 5 = $round");
	$primary->safe_psql('postgres', 'VACUUM (INDEX_CLEANUP on) t');
	my $ids = $primary->safe_psql('postgres', 'SELECT count(*) FROM t');
	$primary->safe_psql('postgres', "INSERT INTO t SELECT i, point(i) FROM generate_series($to + 1, $to + 700) i");
	catch_up();
	is($primary->safe_psql('postgres', "SELECT pending > 3000 FROM longbow_stat_index WHERE index = 't_v'"), 't', "round $round: rows are pending");
	my $reads = ask('SELECT reads()');
	cmp_ok($reads, '>=', 700, "round $round: new rows are read");
	cmp_ok($reads, '<', 1600, "round $round: the others are not");
	cmp_ok(ask('SELECT reads()'), '<', 400, "round $round: nor again");
	is(ask('SELECT differ()'), 0, "round $round: the index finds what is there");
}
is(not_once_here(), 0, 'every row once');
sub not_once_here
{
	return ask("SET enable_seqscan = off; SELECT count(*) - count(DISTINCT id) + abs(count(*) - (SELECT count(*) FROM t)) FROM (SELECT id FROM t ORDER BY gate(v) <-> point(-1)) x");
}

# Little memory: what fits is kept, the rest is found all the same.
ask("SET work_mem = '128kB'");
cmp_ok(ask('SELECT reads()'), '>', 2000, 'little work_mem: most rows go to the executor');
cmp_ok(ask('SELECT bytes()'), '<=', 128 * 1024, 'little work_mem: little is kept');
cmp_ok(ask('SELECT bytes()'), '>', 64 * 1024, 'but not nothing');
is(ask('SELECT differ()'), 0, 'little work_mem: the index finds what is there');
ask("SET work_mem = '4MB'");
ask('SELECT reads()');
cmp_ok(ask('SELECT reads()'), '<', 400, 'and with more all is kept again');

# What a merge has taken into the tree is forgotten, and so is what belongs to an index that is gone.
$primary->safe_psql('postgres', "SELECT longbow_merge('t_v')");
$primary->safe_psql('postgres', 'INSERT INTO t SELECT i, point(i) FROM generate_series(9001, 9020) i');
catch_up();
ask('SELECT reads()');
cmp_ok(ask('SELECT bytes()'), '<', $most / 10, 'merged rows take no memory');
is(ask('SELECT differ()'), 0, 'merged: the index finds what is there');
$primary->safe_psql('postgres', 'REINDEX INDEX t_v; INSERT INTO t SELECT i, point(i) FROM generate_series(9021, 9060) i');
catch_up();
cmp_ok(ask('SELECT reads()'), '>=', 40, 'a new index: its rows are read');
is(ask('SELECT differ()'), 0, 'a new index finds what is there');
$session->quit;

# A primary without shared memory, from the side WAL: no vector is read from the table but by the executor.
set_config($primary, 'longbow.storage_wal' => 'on');
$primary->reload;
$primary->safe_psql('postgres', 'INSERT INTO t SELECT i, point(i) FROM generate_series(10001, 13000) i');
set_config($primary, shared_preload_libraries => '');
$primary->restart;
my ($first, $second) = split /\n/, $primary->safe_psql('postgres', 'SELECT reads(); SELECT reads();');
cmp_ok($first, '<', 400, 'the side WAL of an earlier start is read');
cmp_ok($second, '<', 400, 'once');
is($primary->safe_psql('postgres', 'SELECT differ()'), 0, 'the index finds what is there');
is($primary->safe_psql('postgres', "SELECT pending >= 3000 FROM longbow_stat_index WHERE index = 't_v'"), 't', 'rows were pending');

# A delta that is too small for what was pending at the start, without a side WAL.
set_config($primary, shared_preload_libraries => 'longbow', 'longbow.delta_memory' => '16MB', 'longbow.storage_wal' => 'off');
$primary->restart;
$primary->safe_psql('postgres', 'INSERT INTO t SELECT i, point(i) FROM generate_series(20001, 35000) i');
set_config($primary, 'longbow.delta_memory' => '1MB');
$primary->stop;
remove_tree($primary->data_dir . '/longbow');
$primary->start;
my @reads = split /\n/, $primary->safe_psql('postgres', "SET work_mem = '16MB'; SELECT reads(); SELECT reads(); SELECT bytes();");
cmp_ok($reads[0], '>=', 15000, 'a small delta: the first search reads');
cmp_ok($reads[1], '<', 400, 'a small delta: the second does not');
cmp_ok($reads[2], '>', 0, 'since the session has what the delta has no room for');
is($primary->safe_psql('postgres', 'SELECT differ()'), 0, 'a small delta: the index finds what is there');
is($primary->safe_psql('postgres', "SELECT longbow_check('t_v') = (SELECT count(*) FROM t)"), 't', 'the index is whole');
unlike(slurp_file($_->logfile), qr/PANIC|terminated by signal|TRAP/, 'no crash') for $primary, $standby;
$_->stop for $standby, $primary;
done_testing();
