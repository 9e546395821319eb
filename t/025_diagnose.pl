# longbow_diagnose(): nothing where all is well; each symptom is provoked and found.
use strict;
use warnings;

use lib 't';
use Longbow;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $node = new_cluster('diagnose', <<'CONF');
shared_preload_libraries = 'longbow'
longbow.gc_percent = -1
longbow.delta_memory = '1MB'
longbow.storage_use_iouring = off
fsync = off
CONF

# What a server says of one symptom, or of all: "severity: evidence" a line; SQL before it may set what it judges by.
sub found
{
	my ($of, $symptom, $before) = @_;
	# Recall is measured where it is asked for: its searches count as any.
	my $samples = !defined $symptom || $symptom eq 'low recall' ? 20 : 0;
	my $where = defined $symptom ? "WHERE symptom = '$symptom'" : '';
	return $of->safe_psql('postgres', ($before // '') . "; SELECT severity || ': ' || evidence || coalesce(nullif(remedy, '') IS NULL, true)::text FROM longbow_diagnose($samples) $where") =~ s/false$//gmr;
}
sub prepare
{
	my ($of) = @_;
	add_data_functions($of);
	add_point($of, 16);
	$of->safe_psql('postgres', <<'SQL');
CREATE TABLE t (id int PRIMARY KEY, v vector(16));
INSERT INTO t SELECT i, point(i) FROM generate_series(1, 3000) i;
CREATE INDEX t_v ON t USING longbow (v) WITH (leaf_size = 16);
CREATE FUNCTION search(n int, OUT found int) LANGUAGE plpgsql SET enable_seqscan = off AS
  'DECLARE q vector; BEGIN FOR i IN 1..n LOOP q := point(i); PERFORM id FROM t ORDER BY v <-> q LIMIT 10; END LOOP; END';
SELECT search(30);
SQL
	return;
}

$node->start;
prepare($node);
$node->safe_psql('postgres', 'INSERT INTO t SELECT i, point(i) FROM generate_series(3001, 3050) i');
$node->safe_psql('postgres', 'CREATE TABLE empty (v vector); CREATE INDEX ON empty USING longbow (v)');
is(found($node), '', 'all is well');
$node->safe_psql('postgres', "SELECT longbow_merge('t_v')");
is(found($node), '', 'and after a merge');

# Who may ask.
$node->safe_psql('postgres', 'CREATE ROLE watcher LOGIN; GRANT pg_monitor TO watcher; CREATE ROLE stranger LOGIN');
is($node->safe_psql('postgres', 'SET longbow.probes = 1; SELECT count(*) FROM longbow_diagnose()', extra_params => [ '-U', 'watcher' ]), '0',
	'pg_monitor may ask; recall of others\' indexes is not measured');
my ($ret, $out, $err) = $node->psql('postgres', 'SELECT * FROM longbow_diagnose()', extra_params => [ '-U', 'stranger' ]);
like($err, qr/permission denied for function longbow_diagnose/, 'others may not');

# -- searches
like(found($node, 'low recall', 'SET longbow.probes = 1'), qr/^(warning|critical): public\.t_v: 0\.\d+ of the 10 nearest/, 'low recall');
is($node->safe_psql('postgres', 'SET longbow.probes = 1; SELECT count(*) FROM longbow_diagnose(0)'), '0', 'is not measured with no samples');
is($node->safe_psql('postgres', 'SET longbow.probes = 1; SELECT count(*) FROM longbow_diagnose(20, 2000)'), '0', 'nor on larger indexes than asked for');

$node->safe_psql('postgres', 'CREATE TABLE s AS SELECT * FROM t; CREATE INDEX s_v ON s USING longbow (v)');
is(found($node, 'planner not using an index'), '', 'an index that was just built');
$node->safe_psql('postgres', join(';', 'SET enable_indexscan = off', ("SELECT id FROM s ORDER BY v <-> point(7) LIMIT 1") x 40, 'SELECT pg_stat_force_next_flush()'));
like(found($node, 'planner not using an index'), qr/^info: public\.s_v: \d+ searches, while its table was read from end to end 4\d times(, never analyzed)?$/, 'planner not using an index');
$node->safe_psql('postgres', 'DROP TABLE s');

# -- locks: a check waits within the index's expression, others wait for it
$node->safe_psql('postgres', <<'SQL');
CREATE FUNCTION slow(v vector) RETURNS vector IMMUTABLE LANGUAGE plpgsql AS 'BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN v; END';
CREATE TABLE w (v vector(2));
INSERT INTO w VALUES ('[1,2]'), ('[3,4]');
CREATE INDEX w_v ON w USING longbow ((slow(v)::vector(2)));
SQL
my $session = $node->background_psql('postgres');
$session->query_safe('SELECT pg_advisory_lock(7)');
my @checks;
for my $n (1, 2)
{
	my $check = $node->background_psql('postgres');
	$check->query_until(qr/begun/, "\\echo begun\nSELECT longbow_check('w_v');\n");
	push @checks, $check;
	$node->poll_query_until('postgres', "SELECT count(*) = $n FROM longbow_stat_activity WHERE phase = 'check' AND waits_for IS NOT NULL");
}
ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM longbow_diagnose(0) WHERE symptom = 'lock contention' AND evidence ~ '1 processes wait for LongbowStructureLock'"),
	'lock contention');
$session->query_safe('SELECT pg_advisory_unlock(7)');
$_->quit for @checks;
$session->quit;
is(found($node, 'lock contention'), '', 'and its end');
$node->safe_psql('postgres', 'DROP TABLE w');

# -- memory: many searches that stay open
my $cursors = "BEGIN; SET LOCAL work_mem = '64kB'; SET LOCAL longbow.probes = 100; SET LOCAL enable_seqscan = off; DO 'DECLARE c refcursor; x int; BEGIN FOR i IN 1..400 LOOP c := NULL; OPEN c FOR SELECT id FROM t ORDER BY v <-> point(i); FETCH c INTO x; END LOOP; END'";
like(found($node, 'memory growth', $cursors), qr/^warning: .* live in longbow, where .* are usual .*scan/, 'memory growth');

is($node->safe_psql('postgres', "$cursors; SELECT sum(used_bytes) > 10000000, sum(number) > 400 FROM longbow_profile_memory() WHERE source = 'arenas' AND name = 'scan'"),
	't|t', 'longbow_profile_memory() shows arenas of open scans');
is($node->safe_psql('postgres', "$cursors; SELECT max(number) >= 400 FROM longbow_profile_memory() WHERE source = 'contexts' AND name ~ 'longbow'"),
	't', 'and their contexts');
is($node->safe_psql('postgres', "SELECT count(DISTINCT source), bool_and(number > 0 AND most_bytes >= 0), sum(most_bytes) FILTER (WHERE source = 'shared memory') > 1048576 FROM longbow_profile_memory()",
		extra_params => [ '-U', 'watcher' ]), '3|t|t', 'and shared memory, to pg_monitor too');

# -- a delta that fills
$node->safe_psql('postgres', 'CREATE TABLE p (v vector(2)); CREATE INDEX p_v ON p USING longbow (v) WITH (leaf_size = 16); CREATE FUNCTION pair(i int) RETURNS vector IMMUTABLE LANGUAGE sql AS $$ SELECT ARRAY[noise(i, 1), noise(i, 2)]::vector $$');
my $many = 'INSERT INTO p SELECT pair(i) FROM generate_series(1, 21000) i';
$node->safe_psql('postgres', 'CREATE TABLE wide (v vector(1500)); CREATE INDEX wide_v ON wide USING longbow (v)');
my $wide = 'INSERT INTO wide SELECT (SELECT array_agg((random() + g * 1e-9 + i * 1e-9)::real) FROM generate_series(1, 1500) g)::vector FROM generate_series(1, 450) i';
$node->safe_psql('postgres', "SELECT longbow_stat_reset(); $wide; $many");
like(found($node, 'delta too small'), qr/^warning: .* of \d+ kB in use, full [1-9]\d* times/, 'delta too small');
like(found($node, 'GC pressure'), qr/^(warning|critical): \d+ flushes put their rows into the tree themselves/m, 'GC pressure: pauses');
$node->safe_psql('postgres', 'SELECT longbow_stat_reset()');
is(found($node, 'GC pressure'), '', 'GC pressure: a reset forgets them');

# -- rows that nobody merges
$node->safe_psql('postgres', 'TRUNCATE p, wide');
set_config($node, 'longbow.delta_memory' => '64MB');
$node->restart;
$node->safe_psql('postgres', $many);
like(found($node, 'GC pressure'), qr/^warning: public\.p_v: 21000 rows are pending, merges start at 10000$/, 'GC pressure: pending rows');
like($node->safe_psql('postgres', "SELECT remedy FROM longbow_diagnose(0) WHERE symptom = 'GC pressure'"), qr/gc_percent is -1/, 'with the remedy');
$node->safe_psql('postgres', "SELECT longbow_merge('p_v')");
is(found($node, 'GC pressure'), '', 'GC pressure: merged');
like(found($node, 'drifted centroids'), qr/^(info|warning): public\.p_v: /m, 'centroids that were never trained');
$node->safe_psql('postgres', 'REINDEX INDEX p_v');
is(found($node, 'drifted centroids'), '', 'REINDEX trains them');

# Rows beside those that an index was built from, and so many that the leaves double and drift is measured. How much it is then depends on
# the index's random rotation: so the data is inserted into new indexes until one has drifted.
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE d (v vector(16));
CREATE FUNCTION beside(i int, o float8) RETURNS vector LANGUAGE sql AS $$ SELECT array_agg((o + 0.5 * noise(i, g))::real)::vector FROM generate_series(1, 16) g $$;
CREATE TABLE data AS SELECT i, beside(i, CASE WHEN i > 2000 THEN 0.9 ELSE 0 END) AS v FROM generate_series(1, 8000) i;
SQL
my ($drifted, $agree) = ('', 0);
my $tries = 0;
while ($tries < 15 && $drifted eq '')
{
	$tries++;
	my $size = $tries % 2 ? 32 : 16;
	$node->safe_psql('postgres', "TRUNCATE d; DROP INDEX IF EXISTS d_v; INSERT INTO d SELECT v FROM data WHERE i <= 2000; CREATE INDEX d_v ON d USING longbow (v) WITH (leaf_size = $size)");
	is(found($node, 'drifted centroids'), '', 'centroids that were just trained') if $tries == 1;
	$node->safe_psql('postgres', "INSERT INTO d SELECT v FROM data WHERE i > 2000; SELECT longbow_merge('d_v')");
	$drifted = found($node, 'drifted centroids');
	$agree += $node->safe_psql('postgres', "SELECT drift > greatest(0.05, 1.0 / leaf_size) FROM longbow_stat_index WHERE index = 'd_v'") eq ($drifted eq '' ? 'f' : 't');
}
like($drifted, qr/^(info|warning): public\.d_v: drift 0\.\d+ where up to 0\.0[56] is usual/, "drifted centroids (index $tries)");
is($agree, $tries, 'where drift says so, and only there');
$node->safe_psql('postgres', 'DROP TABLE d, data');

# -- the side WAL written late, and TOAST
set_config($node, 'longbow.storage_async_fsync' => 'on', 'longbow.wal_flush_interval' => '10s');
$node->reload;
$node->poll_query_until('postgres', "SELECT current_setting('longbow.wal_flush_interval') = '10s'");
$node->safe_psql('postgres', 'SELECT longbow_stat_reset()');
my $lag = '';
for (1 .. 4)
{
	$node->safe_psql('postgres', $wide);
	last if ($lag = found($node, 'async lag')) ne '';
}
like($lag, qr/^info: \d+ kB of the side WAL are not on disk; written every 10s$/, 'async lag');
is(found($node, 'toasted recheck cost'), '', 'TOAST costs nothing before there are searches');
$node->safe_psql('postgres', "SET enable_seqscan = off; DO 'DECLARE q vector := (SELECT v FROM wide LIMIT 1); BEGIN FOR i IN 1..15 LOOP PERFORM v FROM wide ORDER BY v <-> q LIMIT 3; END LOOP; END'; SELECT pg_stat_force_next_flush()");
like(found($node, 'toasted recheck cost'), qr/^info: public\.wide_v: a search reads \d+ rows of 6000 bytes from the TOAST table \(\d+ [kM]B\)$/, 'toasted recheck cost');
set_config($node, 'longbow.wal_flush_interval' => '10ms');
$node->reload;
ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM longbow_diagnose(0) WHERE symptom = 'async lag'"), 'the side WAL catches up');

# -- without the preload
$node->safe_psql('postgres', 'DROP TABLE wide, p');
set_config($node, 'shared_preload_libraries' => '');
$node->restart;
like(found($node), qr/^info: shared_preload_libraries does not name longbow: no GC pressure[^\n]*$/, 'what cannot be judged is said in one row');
like(found($node, 'low recall', 'SET longbow.probes = 1'), qr/of the 10 nearest/, 'what can be is judged');
$node->stop;

# -- a slow disk, and a kernel without io_uring: by a library that stands before libc and liburing
SKIP:
{
	my $folder = PostgreSQL::Test::Utils::tempdir();
	append_to_file("$folder/slow.c", <<'C');
#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>
int fdatasync(int fd) { usleep(20000); return (int)syscall(SYS_fdatasync, fd); }
int io_uring_queue_init(unsigned entries, void *ring, unsigned flags) { (void)entries; (void)ring; (void)flags; return -ENOSYS; }
C
	skip 'no compiler', 2 if system("cc -shared -fPIC -o $folder/slow.so $folder/slow.c") != 0;
	my $slow = new_cluster('slow', "shared_preload_libraries = 'longbow'\nfsync = off");
	{
		local $ENV{LD_PRELOAD} = "$folder/slow.so";
		$slow->start;
	}
	prepare($slow);
	$slow->safe_psql('postgres', join(';', map { "INSERT INTO t SELECT $_, point($_)" } 10001 .. 10030));
	like(found($slow, 'io_uring not effective'), qr/^info: the side WAL works by standard: /, 'io_uring not effective');
	$slow->safe_psql('postgres', "INSERT INTO t SELECT $_, point($_)") for 10031 .. 10060;
	like(found($slow, 'I/O bottleneck'), qr/^warning: commits waited for the side WAL: median [1-9]\d\.\d ms/m, 'I/O bottleneck');
	$slow->stop;
}
done_testing();
