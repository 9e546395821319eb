# VACUUM, the reuse of row ids and merges come between a search's look at the pending list and the codes that it fills in for
# it, on a primary after a restart without its side WAL and on a standby: an index expression waits in the middle of the fill.
# The search that filled gives its snapshot's rows, later ones theirs. Isolation tests cannot have this: a server that has not
# been restarted has nothing to fill.
use strict;
use warnings;

use lib 't';
use Longbow;
use File::Path qw(remove_tree);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = new_cluster('primary', <<'CONF', allows_streaming => 1);
shared_preload_libraries = 'longbow'
longbow.gc_percent = -1
longbow.workers = 0 # searches are to fill
longbow.delta_memory = '8MB'
CONF
$primary->start;
add_data_functions($primary);
add_point($primary, 24);
# The gate's place is counted in calls: a fill makes one a vector that it reads.
$primary->safe_psql('postgres', <<'SQL');
CREATE TABLE t (id int, v vector(24));
CREATE FUNCTION gate(v vector) RETURNS vector IMMUTABLE LANGUAGE plpgsql AS $$
DECLARE place int := nullif(current_setting('gate.place', true), '')::int; calls int;
BEGIN
  IF place IS NOT NULL THEN
    calls := coalesce(nullif(current_setting('gate.calls', true), '')::int, 0) + 1;
    PERFORM set_config('gate.calls', calls::text, false);
    IF calls = place THEN PERFORM pg_advisory_lock(7), pg_advisory_unlock(7); END IF;
  END IF;
  RETURN v;
END $$;
INSERT INTO t SELECT i, point(i) FROM generate_series(1, 400) i;
CREATE INDEX t_v ON t USING longbow (gate(v)) WITH (leaf_size = 16);
CREATE FUNCTION met() RETURNS text LANGUAGE plpgsql SET enable_seqscan = off SET longbow.probes = 1000 AS $$
DECLARE ids int[];
BEGIN
  ids := array(SELECT id FROM t ORDER BY gate(v) <-> point(-1));
  RETURN (SELECT count(*) || ' ' || count(DISTINCT i) || ' ' || sum(hashint4(i)::bigint) FROM unnest(ids) i);
END $$;
CREATE FUNCTION lost() RETURNS bigint LANGUAGE sql SET enable_seqscan = off SET longbow.probes = 1000 AS
$$ SELECT count(*) FROM t a WHERE (SELECT b.v <-> a.v FROM t b ORDER BY gate(b.v) <-> a.v LIMIT 1) IS DISTINCT FROM 0 $$;
SQL
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', "max_standby_streaming_delay = -1\nhot_standby_feedback = off");
$standby->start;

my $rows = "SELECT count(*) || ' ' || count(DISTINCT id) || ' ' || sum(hashint4(id)::bigint) FROM t";
sub value { return $primary->safe_psql('postgres', $_[0]); }
sub catch_up { $primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert')); return; }

# What comes between. Rows with the vectors of those that went, and with others, take the free places.
my %between = (
	# Another session fills, and from then on the delta is believed without the list.
	covered => [ 'SELECT met()', 'SELECT met()', 'VACUUM (TRUNCATE off) t', 'INSERT INTO t SELECT id, v FROM again LIMIT 100' ],
	vacuumed => [ 'VACUUM (TRUNCATE off) t', 'INSERT INTO t SELECT id, v FROM again' ],
	merged => [ 'VACUUM (TRUNCATE off) t', 'INSERT INTO t SELECT id, v FROM again', "SELECT longbow_merge('t_v')", 'DELETE FROM t WHERE id % 7 = 1', 'VACUUM (TRUNCATE off) t',
		'INSERT INTO t SELECT id + 1000000, point(-id) FROM again' ],
	'all merged at first' => [ "SELECT longbow_merge('t_v')", 'VACUUM (TRUNCATE off) t', 'INSERT INTO t SELECT id, v FROM again', 'VACUUM (TRUNCATE off) t' ]);

my $from = 1000;
for my $name (sort keys %between)
{
	# The first 256 codes are published before the gate, the others after it.
	for my $place (40, 300)
	{
		my $when = "$name, gate $place";
		my $to = $from + 899;
		value(<<"SQL");
DROP TABLE IF EXISTS again;
INSERT INTO t SELECT i, point(i) FROM generate_series($from, $to) i;
BEGIN;
INSERT INTO t SELECT -i, point(i) FROM generate_series($from, $to, 5) i;
ROLLBACK;
CREATE TABLE again AS SELECT id + 500000 AS id, CASE WHEN id % 2 = 0 THEN v ELSE point(-id) END AS v FROM t WHERE id % 3 = 0 AND id >= $from AND id <= $to;
DELETE FROM t WHERE id % 3 = 0 AND id >= $from AND id <= $to;
SQL
		$from = $to + 1;
		catch_up();
		my $expected = value($rows);
		$_->stop for $primary, $standby;
		remove_tree($_->data_dir . '/longbow') for $primary, $standby;
		$_->start for $primary, $standby;
		my @searches;
		for my $node ($primary, $standby)
		{
			my $keeper = $node->background_psql('postgres');
			$keeper->query_safe('SELECT pg_advisory_lock(7)');
			my $search = $node->background_psql('postgres');
			$search->query_safe("SET gate.place = $place; BEGIN ISOLATION LEVEL REPEATABLE READ");
			$search->query_until(qr/sent/, "\\echo sent\nSELECT met();\n");
			ok($node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE wait_event = 'advisory'"),
				"$when: the fill waits on the " . $node->name);
			push @searches, [ $node, $keeper, $search ];
		}
		my $blocks = value("SELECT pg_relation_size('t')");
		value($_) for @{ $between{$name} };
		is(value("SELECT pg_relation_size('t')"), $blocks, "$when: row ids are used again") if $name eq 'vacuumed';
		catch_up();
		my $now = value($rows);
		isnt($now, $expected, "$when: the rows are others now");
		for my $search (@searches)
		{
			my ($node, $keeper, $session) = @$search;
			$keeper->query_safe('SELECT pg_advisory_unlock(7)');
			my ($first) = $session->query_safe("SELECT 'and ' || met()") =~ /^(.*?)\s*and /s;
			is($first, $expected, "$when: the search that filled, on the " . $node->name);
			is($session->query_safe("SET gate.place = ''; SELECT met()"), $expected, "$when: its snapshot once more");
			$session->query_safe('COMMIT');
			is($session->query_safe('SELECT met()'), $now, "$when: a later search");
			is($node->safe_psql('postgres', 'SELECT met()'), $now, "$when: another session's");
			is($node->safe_psql('postgres', 'SELECT lost()'), 0, "$when: rows are found by their own vectors");
			$_->quit for $keeper, $session;
		}
		is(value("SELECT longbow_check('t_v')"), value('SELECT count(*) FROM t'), "$when: the index is whole");
		# Where nothing is compared, only rows that are there are counted.
		is(value('SET enable_seqscan = off; SELECT count(id) FROM (SELECT id FROM t ORDER BY gate(v) <-> (SELECT NULL::vector) LIMIT 10) x; SELECT pending_scanned FROM longbow_last_scan()'),
			"10\n" . value('SELECT count(*) - 400 FROM t'), "$when: every pending row is met once") if $name eq 'covered';
		# Rows whose codes have been filled in go, and others take their places: on a standby nobody but the list says so.
		value($_) for "DELETE FROM t WHERE id % 2 = 1 AND id > 400", 'VACUUM (TRUNCATE off) t', 'INSERT INTO t SELECT id + 2000000, point(-id) FROM again';
		catch_up();
		for my $node ($primary, $standby)
		{
			is($node->safe_psql('postgres', 'SELECT met()'), value($rows), "$when: reused once more, on the " . $node->name);
			is($node->safe_psql('postgres', 'SELECT lost()'), 0, "$when: and rows are found by their own vectors");
		}
		value('DELETE FROM t WHERE id > 400');
		value('VACUUM (TRUNCATE off) t');
		value("SELECT longbow_merge('t_v')");
		is(value("SELECT longbow_check('t_v')"), value('SELECT count(*) FROM t'), "$when: merged: the index is whole");
	}
}
unlike(slurp_file($_->logfile), qr/ERROR|PANIC|terminated by signal|TRAP/, $_->name . ': no error') for $primary, $standby;
$_->stop for $standby, $primary;
done_testing();
