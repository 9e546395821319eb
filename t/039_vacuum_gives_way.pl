# VACUUM's pass over an index gives way to inserts whose leaf is full: they split it between two pages of a pass that still goes on,
# dead rows that the split has copied go all the same, and the index stays whole.
use strict;
use warnings;

use lib 't';
use Longbow;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# Without shared memory each statement's rows go straight into the tree.
my $node = new_cluster('gives_way', "lock_timeout = '60s'");
$node->start;
add_data_functions($node);
add_point($node, 24);
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE t (id int, v vector(24));
INSERT INTO t SELECT i, point(i) FROM generate_series(1, 3000) i;
CREATE INDEX t_v ON t USING longbow (v) WITH (leaf_size = 16);
DELETE FROM t WHERE id % 3 = 0;
SQL
sub value { return $node->safe_psql('postgres', $_[0]); }
sub leaves { return value("SELECT leaves FROM longbow_stat_index WHERE index = 't_v'"); }
my $sweeps = "SELECT count(*) FROM pg_stat_progress_vacuum WHERE phase = 'vacuuming indexes'";
my $before = leaves();

my $vacuum = $node->background_psql('postgres', on_error_stop => 0);
$vacuum->query_until(qr/sent/, "\\echo sent\nSET lock_timeout = 0; SET vacuum_cost_limit = 1; SET vacuum_cost_delay = 15; VACUUM (INDEX_CLEANUP on) t;\n");
ok($node->poll_query_until('postgres', "SELECT ($sweeps) = 1"), 'VACUUM passes over the index, slowly');
# Rows around points whose leaves the pass may have behind it or before it, many times what a leaf holds.
for my $i (1 .. 8)
{
	value("INSERT INTO t SELECT 10000 * $i + i, point($i * 100 + 1) + point(i) * array_fill(0.3, ARRAY[24])::vector FROM generate_series(1, 90) i");
}
is(value($sweeps), 1, 'the inserts are done, and the pass is not');
cmp_ok(leaves(), '>', $before, 'leaves have been split');
is(value("SELECT count(*) FROM pg_locks WHERE locktype = 'tuple' AND NOT granted"), 0, 'nobody waits for anybody');
# Answered when VACUUM has ended.
$vacuum->query_safe('SELECT 1');
is(value($sweeps), 0, 'VACUUM ends');
is(value("SELECT longbow_check('t_v') - (SELECT count(*) FROM t)"), 0, 'the index has the rows of the table and no others');
is(unfound($node, 't', 't'), 0, 'and finds each by its own vector');
# Row ids that VACUUM has given back are other rows' now: a dead entry that was left would lead to them.
value('INSERT INTO t SELECT 900000 + i, point(70000 + i) FROM generate_series(1, 1500) i');
is(value("SELECT longbow_check('t_v') - (SELECT count(*) FROM t)"), 0, 'the same when row ids have been used again');
is(unfound($node, 't', 't'), 0, 'and again all are found');
$vacuum->quit;
$node->stop;
done_testing();
