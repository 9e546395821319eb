# Shared memory of every kind runs out: the delta's chunks and its table of 256 indexes, the table of counters with its 1,024
# places, PostgreSQL's lock table. Inserts go on or fail as a whole with PostgreSQL's error, queries are right, counters or the
# log say what happened, and what becomes free is used again.
use strict;
use warnings;

use lib 't';
use Longbow;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_cluster('full', <<'CONF');
shared_preload_libraries = 'longbow'
longbow.delta_memory = '1MB'
longbow.gc_percent = -1
max_connections = 10
max_worker_processes = 4
max_locks_per_transaction = 512
fsync = off
CONF
$node->start;
add_data_functions($node);
add_point($node, 8);

sub value { return $node->safe_psql('postgres', $_[0]); }
sub pauses { return value('SELECT pauses FROM longbow_stat_gc'); }
sub logged { return scalar(() = slurp_file($node->logfile) =~ /$_[0]/g); }

# -- more indexes than the delta's table and that of the counters have places; four of them take all chunks
my $tables = 1100;
$node->safe_psql('postgres', <<'SQL');
CREATE FUNCTION own(i int) RETURNS int LANGUAGE plpgsql SET enable_seqscan = off AS $$
DECLARE found int;
BEGIN
  EXECUTE format('SELECT id FROM t%s ORDER BY v <-> point($1) LIMIT 1', i) INTO found USING i;
  RETURN found;
END $$;
CREATE FUNCTION whole(i int) RETURNS bool LANGUAGE plpgsql AS $$
DECLARE yes bool;
BEGIN
  EXECUTE format('SELECT longbow_check(''t%1$s_v_idx'') = count(*) FROM t%1$s', i) INTO yes;
  RETURN yes;
END $$;
CREATE PROCEDURE make(tables int) LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1 .. tables LOOP
    EXECUTE format('CREATE TABLE t%1$s (id int, v vector(8)); CREATE INDEX ON t%1$s USING longbow (v)', i);
    IF i % 20 = 0 THEN COMMIT; END IF;
  END LOOP;
END $$;
CREATE PROCEDURE fill(a int, b int, step int DEFAULT 0) LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN a .. b LOOP
    EXECUTE format('INSERT INTO t%s VALUES ($1, point($1)), ($1 + 10000, point($1 + 10000))', i) USING i + step;
    IF i % 20 = 0 THEN COMMIT; END IF;
  END LOOP;
END $$;
SQL
value("CALL make($tables)");
value("CALL fill(1, $tables)");
is(value('SELECT sum(pending) FROM longbow_stat_index'), 8, 'four indexes have the memory');
cmp_ok(pauses(), '>=', $tables - 4, 'flushes that found none are counted');
is(value('SELECT delta_bytes_used = delta_bytes FROM longbow_stat_gc'), 't', 'memory is full');
is(value("SELECT count(*) FROM generate_series(1, $tables) i WHERE own(i) IS DISTINCT FROM i"), 0, 'every index finds its rows');
is(logged('longbow counts scans of no more than 1024 indexes'), 1, 'the log says once that counters of some are missing');
is(value('SELECT count(rows_inserted) BETWEEN 1000 AND 1024 FROM longbow_stat_index'), 't', 'the others have counters');

# Memory of merged indexes serves others, though each of 256 has had a place in the table.
value("SELECT sum(longbow_merge(format('t%s_v_idx', i)::regclass)) FROM generate_series(1, 300) i");
is(value('SELECT sum(pending) FROM longbow_stat_index'), 0, 'merged: nothing is pending');
is(value('SELECT delta_bytes_used FROM longbow_stat_gc'), 0, 'merged: all memory is free');
my $before = pauses();
value('CALL fill(801, 804, 20000)');
is(pauses() - $before, 0, 'merged: others have the memory now');
is(value('SELECT sum(pending) FROM longbow_stat_index'), 8, 'merged: and their rows are pending');
is(value("SELECT count(*) FROM generate_series(1, $tables) i WHERE own(i) IS DISTINCT FROM i"), 0, 'merged: every index finds its rows');

# Places and memory change hands all the time, under sessions that insert, search, merge and vacuum.
set_config($node, 'longbow.gc_percent' => 0);
$node->reload;
my $merged = value('SELECT rows_merged FROM longbow_stat_gc');
my $table = "\\set i random(1, 600)\n";
my $work = start_work($node, {
	insert => "${table}INSERT INTO t:i SELECT n, point(n) FROM generate_series(30000, 30004) n;",
	more => "${table}BEGIN;\nINSERT INTO t:i SELECT n, point(n) FROM generate_series(40000, 40150) n;\nEND;",
	search => "${table}SELECT 1 / (own(:i) = :i)::int;",
	merge => "${table}SELECT longbow_merge(format('t%s_v_idx', :i)::regclass);",
	gone => "${table}DELETE FROM t:i WHERE id >= 40000;\nVACUUM t:i;" });
$node->poll_query_until('postgres', "SELECT rows_merged > $merged + 2000 FROM longbow_stat_gc");
unlike(stop_work($work, 'TERM', $node), qr/ERROR|FATAL|aborted/, 'no session fails where places change hands');
set_config($node, 'longbow.gc_percent' => -1);
$node->reload;
is(value('SELECT count(*) FROM generate_series(1, 600) i WHERE NOT whole(i)'), 0, 'every index is whole');
is(value("SELECT count(*) FROM generate_series(1, $tables) i WHERE own(i) IS DISTINCT FROM i"), 0, 'every index finds its rows');
$node->restart;
is(value("SELECT count(*) FROM generate_series(1, $tables) i WHERE own(i) IS DISTINCT FROM i"), 0, 'restarted: every index finds its rows');

# -- the lock table is full, then has room for some locks
set_config($node, max_locks_per_transaction => 10);
$node->restart;
my ($rows, $errors) = (0, 0);
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE l (id int, v vector(8));
INSERT INTO l SELECT i, point(i) FROM generate_series(1, 300) i;
CREATE INDEX l_v ON l USING longbow (v) WITH (leaf_size = 16);
SQL
# All in a session that is there before: a new one would need locks, too.
my $session = $node->background_psql('postgres', on_error_stop => 0);
$session->query('\\set VERBOSITY verbose');
$session->query('SET enable_seqscan = off');
sub say
{
	$session->{stderr} = '';
	my $out = $session->query($_[0]);
	return ($out, $session->{stderr});
}
sub try_all
{
	my ($when) = @_;
	my $first = 100000 + 1000 * $rows++;
	for my $statement ("INSERT INTO l SELECT i, point(i) FROM generate_series($first, $first + 150) i",
		"DELETE FROM l WHERE id = 100 + $rows", "SELECT longbow_merge('l_v')", 'VACUUM l',
		"INSERT INTO l SELECT i, point(i) FROM generate_series($first + 500, $first + 520) i")
	{
		my ($out, $err) = say($statement);
		next if $err !~ /\S/;
		$errors++;
		like($err, qr/ERROR:  53200: out of shared memory\nHINT:  You might need to increase max_locks_per_transaction\./, "$when: $statement");
	}
	my ($found, $err) = say('SELECT id FROM l ORDER BY v <-> point(50) LIMIT 1');
	is($found, 50, "$when: rows are found") or diag($err);
	return;
}
say("SELECT longbow_check('l_v') FROM l WHERE v <-> point(1) < 10 ORDER BY v <-> point(1) LIMIT 1");
my $holder = $node->background_psql('postgres', on_error_stop => 0);
$holder->query('SELECT count(pg_advisory_lock(i)) FROM generate_series(1, 100000) i');
my $held = $holder->query("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'");
cmp_ok($held, '>', 50, "a session holds all locks that there are ($held)");
try_all('no lock is left');
for my $free (1 .. 6)
{
	$holder->query("SELECT pg_advisory_unlock($free)");
	try_all("$free locks are left");
}
cmp_ok($errors, '>', 0, "statements failed ($errors)");
$holder->quit;
$node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_locks WHERE locktype = 'advisory'");
my $failed = $errors;
try_all('all locks are there');
is($errors, $failed, 'then none fails');
is(value("SELECT longbow_check('l_v')"), value('SELECT count(*) FROM l'), 'the index is whole');
is(unfound($node, 'l'), 0, 'every row is found by its own vector');
value("SELECT longbow_merge('l_v')");
value('VACUUM l');
is(value("SELECT longbow_check('l_v')"), value('SELECT count(*) FROM l'), 'merged: the index is whole');
unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal|TRAP/, 'no process crashed');
$session->quit;
$node->stop;
done_testing();
