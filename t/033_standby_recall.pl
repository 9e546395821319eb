# A standby's searches at the default effort, against its own sequential scans under the same snapshot, while the primary
# inserts, deletes, changes and vacuums rows, so that row ids are used again, and merges them: mean recall@10 of at least 0.93
# where 0.95 is asked for, no row twice, no error.
use strict;
use warnings;

use lib 't';
use Longbow;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $dims = 24;
my $primary = new_cluster('primary', <<'CONF', allows_streaming => 1);
shared_preload_libraries = 'longbow'
longbow.gc_percent = 5
longbow.delta_memory = '16MB'
CONF
$primary->start;
add_data_functions($primary);
add_point($primary, $dims);
$primary->safe_psql('postgres', <<"SQL");
CREATE SEQUENCE n START 100000;
CREATE TABLE q AS SELECT i AS id, blob(1000000 + i, $dims) AS v FROM generate_series(1, 250) i;
CREATE TABLE t (id bigint PRIMARY KEY, note text, v vector($dims)) WITH (fillfactor = 80);
INSERT INTO t SELECT i, '', point(i) FROM generate_series(1, 8000) i;
CREATE INDEX t_v ON t USING longbow (v);
-- Searches for queries FROM to TO: how many of their ten nearest rows are found, and how many rows came twice.
CREATE FUNCTION score(first int, last int, OUT hits bigint, OUT twice bigint) LANGUAGE plpgsql AS \$\$
DECLARE
  query vector; exact bigint[]; found bigint[];
  statement text := 'SELECT array(SELECT id FROM t ORDER BY v <-> \$1 LIMIT 10)';
BEGIN
  hits := 0;
  twice := 0;
  FOR i IN first .. last LOOP
    SELECT v INTO query FROM q WHERE id = i;
    PERFORM set_config('enable_seqscan', 'off', true), set_config('enable_indexscan', 'on', true);
    EXECUTE statement INTO found USING query;
    PERFORM set_config('enable_seqscan', 'on', true), set_config('enable_indexscan', 'off', true);
    EXECUTE statement INTO exact USING query;
    hits := hits + (SELECT count(*) FROM unnest(exact) x WHERE x = ANY (found));
    twice := twice + cardinality(found) - (SELECT count(DISTINCT x) FROM unnest(found) x);
  END LOOP;
END \$\$;
SQL
$primary->backup('base');
# One holds back what the primary removes, the other only waits to replay it while a query runs.
my %standby;
for my $name ('patient', 'feedback')
{
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init_from_backup($primary, 'base', has_streaming => 1);
	$node->append_conf('postgresql.conf', 'max_standby_streaming_delay = -1');
	$node->append_conf('postgresql.conf', 'hot_standby_feedback = on') if $name eq 'feedback';
	$node->start;
	$standby{$name} = $node;
}

# Nobody waits for another's rows: two that took them in other orders would deadlock.
my $work = start_work($primary, {
	insert => "INSERT INTO t SELECT nextval('n'), '', point(currval('n')) FROM generate_series(1, 25);\n\\sleep 4 ms",
	undone => "BEGIN;\nINSERT INTO t SELECT nextval('n'), '', point(-currval('n')) FROM generate_series(1, 10);\nROLLBACK;\n\\sleep 15 ms",
	moved => "UPDATE t SET v = point(id + (random() * 1000)::int * 1000000) WHERE id IN (SELECT id FROM t WHERE id > (random() * 8000)::int ORDER BY id LIMIT 10 FOR UPDATE SKIP LOCKED);\n\\sleep 10 ms",
	hot => "UPDATE t SET note = 'x' WHERE id IN (SELECT id FROM t ORDER BY id DESC LIMIT 50 FOR NO KEY UPDATE SKIP LOCKED);\n\\sleep 20 ms",
	gone => "DELETE FROM t WHERE id IN (SELECT id FROM t WHERE id % 23 = (random() * 22)::int FOR UPDATE SKIP LOCKED);\nVACUUM (TRUNCATE off) t;\n\\sleep 40 ms" });

# Ten queries a snapshot, so that the standby goes on in between.
sub score_of
{
	my ($node, $chunks) = @_;
	my $script = join('', map { my $a = 10 * ($_ % 25) + 1; my $b = $a + 9;
		"BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT hits, twice FROM score($a, $b); COMMIT;\n" } 0 .. $chunks - 1);
	my ($hits, $twice) = (0, 0);
	for my $line (split /\n/, $node->safe_psql('postgres', $script))
	{
		my ($h, $t) = split /\|/, $line;
		$hits += $h;
		$twice += $t;
	}
	return ($hits / (100 * $chunks), $twice);
}

my $merged = $primary->safe_psql('postgres', 'SELECT rows_merged FROM longbow_stat_gc');
for my $round (1 .. 3)
{
	for my $name (sort keys %standby)
	{
		my $place = $standby{$name}->safe_psql('postgres', 'SELECT pg_last_wal_replay_lsn()');
		my ($recall, $twice) = score_of($standby{$name}, 30);
		note("round $round: $name $recall");
		cmp_ok($recall, '>=', 0.93, "round $round: recall of $name over 300 searches");
		is($twice, 0, "round $round: $name meets no row twice");
		cmp_ok($standby{$name}->safe_psql('postgres', "SELECT pg_last_wal_replay_lsn() - '$place'"), '>', 100000,
			"round $round: $name has gone on meanwhile");
	}
}
cmp_ok($primary->safe_psql('postgres', 'SELECT rows_merged FROM longbow_stat_gc'), '>', $merged + 1000, 'rows were merged');
is(stop_work($work, 'TERM', $primary) =~ /ERROR|aborted/ ? 1 : 0, 0, 'no statement of the primary failed');
is($primary->safe_psql('postgres', "SELECT longbow_check('t_v')"), $primary->safe_psql('postgres', 'SELECT count(*) FROM t'), 'the index is whole');
for my $name (sort keys %standby)
{
	$primary->wait_for_catchup($standby{$name}, 'replay', $primary->lsn('insert'));
	same_lines(ten_nearest($standby{$name}, 't', 'q'), ten_nearest($primary, 't', 'q', 'exact'), "at rest: $name gives what the primary has");
	is(not_once($standby{$name}, 't', 'q'), 0, "at rest: $name meets every row once");
	unlike(slurp_file($standby{$name}->logfile), qr/ERROR|PANIC|terminated by signal|TRAP/, "$name: no error");
	$standby{$name}->stop;
}
unlike(slurp_file($primary->logfile), qr/ERROR:  (?!canceling statement)|PANIC|terminated by signal|TRAP/, 'no error of the primary');
$primary->stop;
done_testing();
