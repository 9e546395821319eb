# Merges are paced as VACUUM is: a worker sleeps between rounds by autovacuum's settings and holds nothing meanwhile, longbow_merge()
# by vacuum_cost_delay; neither once half the delta is in use. Delays here are so long that a test which waits for one to end fails.
use strict;
use warnings;

use lib 't';
use Longbow;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_cluster('throttle', <<'CONF');
shared_preload_libraries = 'longbow'
longbow.gc_percent = -1
longbow.delta_memory = '4MB'
autovacuum_vacuum_cost_delay = '100ms'
autovacuum_vacuum_cost_limit = 1
CONF
$node->start;
sub value { return $node->safe_psql('postgres', $_[0]); }
value('CREATE DATABASE d');
add_data_functions($node);
add_point($node, 24);
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE t (id int, v vector(24));
INSERT INTO t SELECT i, point(i) FROM generate_series(1, 2000) i;
CREATE INDEX t_v ON t USING longbow (v);
INSERT INTO t SELECT i, point(i) FROM generate_series(2001, 12000) i;
CHECKPOINT;
SQL
sub pending { return value("SELECT pending FROM longbow_stat_index WHERE index = 't_v'"); }
sub sleeps
{
	my ($type) = @_;
	return $node->poll_query_until('postgres', "SELECT count(*) > 0 FROM pg_stat_activity WHERE backend_type = '$type' AND wait_event = 'VacuumDelay'");
}

# longbow_merge(): not at vacuum_cost_delay = 0, and so at another that it sleeps and can be cancelled there.
is(pending(), 10000, 'rows are pending');
my $session = $node->background_psql('postgres', on_error_stop => 0);
$session->query_until(qr/sent/, "\\echo sent\nSET vacuum_cost_delay = 100; SET vacuum_cost_limit = 1; SELECT longbow_merge('t_v');\n");
ok(sleeps('client backend'), 'longbow_merge() sleeps');
cmp_ok(pending(), '<', 10000, 'after a round');
cmp_ok(pending(), '>', 0, 'before the last');
is(value("SELECT count(*) FROM pg_locks WHERE locktype = 'tuple'"), 0, 'and holds neither the merge lock nor that of the structure');
like(value("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'VacuumDelay'"), qr/^t$/, 'it is cancelled');
ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE wait_event = 'VacuumDelay'"), 'and ends');
$session->{run}->kill_kill;
cmp_ok(value("SELECT longbow_merge('t_v')"), '>', 0, 'without a delay the rest is merged');
is(pending(), 0, 'all of it');

# VACUUM, where it merges.
value('INSERT INTO t SELECT i, point(i) FROM generate_series(22001, 22300) i');
value('CHECKPOINT');
$session = $node->background_psql('postgres', on_error_stop => 0);
$session->query_until(qr/sent/, "\\echo sent\nSET vacuum_cost_limit = 20; SET vacuum_cost_delay = 100; VACUUM t;\n");
ok($node->poll_query_until('postgres', "SELECT count(*) > 0 FROM longbow_stat_activity WHERE phase = 'merge' AND waits_for = 'VacuumDelay'"), 'VACUUM sleeps in its merge');
value("SELECT pg_cancel_backend(pid) FROM longbow_stat_activity WHERE phase = 'merge'");
ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM longbow_stat_activity WHERE phase = 'merge'"), 'and is cancelled there');
$session->{run}->kill_kill;
cmp_ok(value("SELECT longbow_merge('t_v')"), '>', 0, 'what it has begun is carried on');

# A worker.
value('INSERT INTO t SELECT i, point(i) FROM generate_series(12001, 22000) i');
set_config($node, 'longbow.gc_percent' => 5);
value('CHECKPOINT');
$node->reload;
ok(sleeps('longbow worker'), 'a worker sleeps');
is(value(<<'SQL'), 't', 'and holds no snapshot and no lock');
SELECT bool_and(backend_xmin IS NULL AND NOT EXISTS (SELECT FROM pg_locks l WHERE l.pid = a.pid AND granted AND locktype <> 'virtualxid'))
FROM pg_stat_activity a WHERE wait_event = 'VacuumDelay'
SQL
my $before = pending();
cmp_ok($before, '>', 0, 'rows wait');
is(value('DROP TABLE IF EXISTS t2; SELECT 1'), 1, 'others go on');
# It goes when the database is wanted: only then can that be a template.
$node->safe_psql('d', 'CREATE DATABASE copy TEMPLATE postgres');
pass('a copy of the database does not wait for the sleep');
ok(sleeps('longbow worker'), 'the next worker sleeps too');
# More rows than half the delta holds: what was asleep goes on.
value('INSERT INTO t SELECT i, point(i) FROM generate_series(30001, 65000) i');
ok($node->poll_query_until('postgres', "SELECT delta_bytes_used < delta_bytes * 0.5 FROM longbow_stat_gc"), 'half a delta is merged without delay');
is(value("SELECT longbow_check('t_v')"), 57300, 'the index is whole');
unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal|TRAP/, 'no crash');
$node->stop;
done_testing();
