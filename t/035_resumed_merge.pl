# A merge that is killed in the middle of its plan, and carried on under another longbow.simd, whose kernels round otherwise: no
# row is lost or comes twice, and the index finds as much as before.
use strict;
use warnings;

use lib 't';
use Longbow;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $node = new_cluster('resumed', <<'CONF');
shared_preload_libraries = 'longbow'
longbow.gc_percent = -1
longbow.delta_memory = '16MB'
CONF
$node->start;
add_data_functions($node);
add_point($node, 24);
# longbow_check() holds the structure lock while an index expression waits: a merge must then stop where a leaf is to split.
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE q AS SELECT i AS id, blob(1000000 + i, 24) AS v FROM generate_series(1, 100) i;
CREATE TABLE t (id int, v vector(24));
CREATE FUNCTION gate(v vector) RETURNS vector IMMUTABLE LANGUAGE plpgsql AS
$$ BEGIN IF current_setting('gate.closed', true) = 'yes' THEN PERFORM pg_advisory_xact_lock(7); END IF; RETURN v; END $$;
INSERT INTO t SELECT i, point(i) FROM generate_series(1, 64) i;
CREATE INDEX t_v ON t USING longbow (gate(v)) WITH (leaf_size = 16);
CREATE FUNCTION lost() RETURNS bigint LANGUAGE sql SET enable_seqscan = off SET longbow.probes = 1000 AS
$$ SELECT count(*) FROM t a WHERE (SELECT b.v <-> a.v FROM t b ORDER BY gate(b.v) <-> a.v LIMIT 1) IS DISTINCT FROM 0 $$;
CREATE FUNCTION ten(query vector, exact bool) RETURNS int[] LANGUAGE plpgsql AS $$
BEGIN
  PERFORM set_config('enable_indexscan', (NOT exact)::text, true), set_config('enable_seqscan', exact::text, true);
  RETURN array(SELECT id FROM t ORDER BY gate(v) <-> query LIMIT 10);
END $$;
SQL

sub value { return $node->safe_psql('postgres', $_[0]); }
# Rows that are in the tree while they are still in the list.
sub twice { return value("SELECT rows + pending - (SELECT count(*) FROM t) FROM longbow_stat_index WHERE index = 't_v'"); }

my $last = 64;
for my $tier ('scalar', 'avx2', 'sse4.2', 'auto')
{
	# Rows that all lie in one place, where leaves must split.
	my $to = $last + 1300;
	value("INSERT INTO t SELECT i, point($last) + l2_normalize(point(i)) FROM generate_series($last + 1, $to) i");
	$last = $to;
	my $keeper = $node->background_psql('postgres');
	$keeper->query_safe('SELECT pg_advisory_lock(7)');
	my $checker = $node->background_psql('postgres', on_error_stop => 0);
	$checker->query_until(qr/sent/, "\\echo sent\nSET gate.closed = yes; SELECT longbow_check('t_v');\n");
	$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'advisory'");
	my $merger = $node->background_psql('postgres', on_error_stop => 0);
	$merger->query_until(qr/sent/, "\\echo sent\nSELECT longbow_merge('t_v');\n");
	ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM longbow_stat_activity WHERE phase = 'merge' AND waits_for = 'LongbowStructureLock'"),
		"$tier: the merge waits in the middle");
	cmp_ok(twice(), '>', 0, "$tier: some of its rows are in the tree");
	# What it has logged so far is to survive.
	value('SELECT pg_switch_wal()');
	$node->kill9;
	eval { $_->{run}->kill_kill } for $keeper, $checker, $merger;
	set_config($node, 'longbow.simd' => $tier);
	ok(start_again($node), "$tier: the server comes back");
	is(value("SELECT lower(current_setting('longbow.simd'))"), $tier, "$tier: the kernels are others now");
	cmp_ok(twice(), '>', 0, "$tier: half a merge is there");
	is(value('SELECT lost()'), 0, "$tier: rows are found by their own vectors");
	is(value("SELECT longbow_check('t_v')"), $last, "$tier: the index is whole");
	value("INSERT INTO t SELECT i, point(i) FROM generate_series($last + 1, $last + 150) i");
	$last += 150;
	cmp_ok(value("SELECT longbow_merge('t_v')"), '>', 1000, "$tier: the merge goes on");
	is(value("SELECT pending || ' ' || rows FROM longbow_stat_index WHERE index = 't_v'"), "0 $last", "$tier: every row is in the tree once");
	is(value("SELECT longbow_check('t_v')"), $last, "$tier, merged: the index is whole");
	is(value('SELECT lost()'), 0, "$tier, merged: rows are found by their own vectors");
	cmp_ok(value('SELECT avg(cardinality(array(SELECT unnest(ten(v, true)) INTERSECT SELECT unnest(ten(v, false))))) / 10 FROM q'), '>=', 0.9,
		"$tier, merged: recall");
}
unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal (?!9)|TRAP|ERROR/, 'no error');
$node->stop;
done_testing();
