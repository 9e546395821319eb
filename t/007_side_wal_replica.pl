# Standbys of a primary with a pending list: they answer as the primary does whenever they have caught up, while rows are
# inserted, deleted, vacuumed (so that row ids are used again) and merged; one has less memory, one has no preloaded library.
# One is promoted after the primary's crash.
use strict;
use warnings;

use lib 't';
use Longbow;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = new_cluster('primary', <<'CONF', allows_streaming => 1);
shared_preload_libraries = 'longbow'
wal_consistency_checking = 'Generic'
longbow.gc_percent = -1
longbow.delta_memory = '16MB'
CONF
$primary->start;
add_data_functions($primary);
add_point($primary, 40);
$primary->safe_psql('postgres', <<'SQL');
CREATE TABLE q AS SELECT i AS id, blob(1000000 + i, 40) AS v FROM generate_series(1, 200) i;
CREATE TABLE t (id int PRIMARY KEY, note text, v vector(40));
INSERT INTO t SELECT i, '', point(i) FROM generate_series(1, 1500) i;
CREATE INDEX t_v ON t USING longbow (v) WITH (leaf_size = 16);
INSERT INTO t SELECT i, '', point(i) FROM generate_series(1501, 1600) i;
SQL
$primary->backup('base');

my %settings = (
	standby => {},
	small => { 'longbow.delta_memory' => '1MB' },
	bare => { 'shared_preload_libraries' => '' });
my %standby;
for my $name (sort keys %settings)
{
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init_from_backup($primary, 'base', has_streaming => 1);
	$node->append_conf('postgresql.conf', "max_standby_streaming_delay = -1\nhot_standby_feedback = off\nshared_buffers = 32MB\n");
	set_config($node, %{ $settings{$name} });
	$node->start;
	$standby{$name} = $node;
}

sub catch_up { $primary->wait_for_catchup($_, 'replay', $primary->lsn('insert')) for values %standby; return; }

sub same_answers
{
	my ($when) = @_;
	catch_up();
	my $expected = ten_nearest($primary, 't', 'q');
	same_lines($expected, ten_nearest($primary, 't', 'q', 'exact'), "$when: the primary's answers are right");
	for my $name (sort keys %standby)
	{
		same_lines(ten_nearest($standby{$name}, 't', 'q'), $expected, "$when: $name gives the same");
		is($standby{$name}->safe_psql('postgres', <<'SQL'), 0, "$when: $name meets every row once");
SET enable_seqscan = off;
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) - count(DISTINCT id) + abs(count(*) - (SELECT count(*) FROM t))
FROM (SELECT id FROM t ORDER BY v <-> (SELECT v FROM q LIMIT 1)) x;
SQL
	}
	return;
}

same_answers('from the backup');

# Queries on the standbys without end; each fails if a row comes twice. The second looks for what it has just read.
my $folder = PostgreSQL::Test::Utils::tempdir;
my %readers = (
	ten => "\\sleep 10 ms\n\\set i random(1, 200)\nSET enable_seqscan = off;\n"
	  . 'SELECT 1 / (count(*) = count(DISTINCT id))::int FROM (SELECT t.id FROM t ORDER BY t.v <-> (SELECT v FROM q WHERE id = :i) LIMIT 10) x;',
	all => "\\sleep 10 ms\n\\set i random(1, 200)\nSET enable_seqscan = off;\nBEGIN ISOLATION LEVEL REPEATABLE READ;\n"
	  . 'SELECT 1 / (count(*) = count(DISTINCT id) AND count(*) = (SELECT count(*) FROM t))::int FROM (SELECT id FROM t ORDER BY v <-> (SELECT v FROM q WHERE id = :i)) x;'
	  . "\nCOMMIT;");
my @clients = map { start_work($standby{$_}, \%readers) } 'small', 'standby';

my $last = 1600;
for my $round (1 .. 3)
{
	# Half of the new rows go at once and are vacuumed, so that the next ones take their places.
	for my $part (1 .. 3)
	{
		my ($from, $to) = ($last + 1, $last + 250);
		$last = $to;
		$primary->safe_psql('postgres', <<"SQL");
INSERT INTO t SELECT i, '', point(i) FROM generate_series($from, $to) i;
BEGIN; INSERT INTO t SELECT -i, '', point(i) FROM generate_series($from, $to) i; ROLLBACK;
UPDATE t SET note = 'HOT' WHERE id % 7 = $round;
UPDATE t SET v = point(id + 100000 * $round) WHERE id % 31 = $part;
DELETE FROM t WHERE id % 2 = 0 AND id >= $from OR id % 13 = $round;
SQL
		$primary->safe_psql('postgres', 'VACUUM t') if $part < 3;
		same_answers("round $round, vacuumed") if $part == 2 && $round == 2;
	}
	$primary->safe_psql('postgres', "SELECT longbow_merge('t_v')") if $round == 1;
	$primary->safe_psql('postgres', "INSERT INTO t SELECT i, '', point(i) FROM generate_series(50000 + 100 * $round, 50049 + 100 * $round) i");
	$primary->safe_psql('postgres', 'VACUUM t; ') if $round == 3;
	same_answers("round $round, merged") if $round < 3;
	if ($round == 2)
	{
		# Merging all the time from here on.
		set_config($primary, 'longbow.gc_percent' => 1);
		$primary->reload;
	}
	# Not CONCURRENTLY: that drops the old index without a lock that a standby would see, so a query planned before may find
	# it gone ("could not open relation with OID"), whatever the access method.
	$primary->safe_psql('postgres', 'REINDEX INDEX t_v') if $round == 3;
}
for my $reader (@clients)
{
	is(scalar(grep { $_->{run}->pumpable } @$reader), 2, 'the readers are still at work');
	unlike(stop_work($reader, 'TERM'), qr/ERROR|FATAL|PANIC|aborted/, 'and none failed');
}

# The primary is killed in the middle of things and comes back; the standbys go on with it.
set_config($primary, 'longbow.gc_percent' => -1);
my $work = start_work($primary, {
	insert => "INSERT INTO t SELECT 100000 + nextval('n'), '', blob(100000 + currval('n'), 40) FROM generate_series(1, 40);",
	merge => "SELECT longbow_merge('t_v');\n\\sleep 20 ms",
	gone => "DELETE FROM t WHERE id > 100000 AND id % 3 = 0;\nVACUUM t;\n\\sleep 20 ms" }) if $primary->safe_psql('postgres', 'CREATE SEQUENCE n; SELECT 1');
$primary->poll_query_until('postgres', 'SELECT count(*) > 500 FROM t WHERE id > 100000');
$primary->kill9;
stop_work($work);
ok(start_again($primary), 'the primary comes back after a crash');
$primary->poll_query_until('postgres', "SELECT count(*) = 3 FROM pg_stat_replication WHERE state = 'streaming'");
$primary->safe_psql('postgres', "INSERT INTO t SELECT i, '', point(i) FROM generate_series(60001, 60300) i");
same_answers('after the crash');
is($standby{standby}->safe_psql('postgres', "SELECT longbow_check('t_v')"),
	$primary->safe_psql('postgres', "SELECT longbow_check('t_v')"), 'the standby can be checked');

# A standby restarts with pending rows, then takes over with them.
$standby{small}->stop('immediate');
ok(start_again($standby{small}), 'a standby comes back after a crash');
same_answers('after a standby\'s crash');
my $expected = ten_nearest($primary, 't', 'q');
$primary->stop('immediate');
for my $name (sort keys %standby)
{
	my $node = $standby{$name};
	$node->promote;
	same_lines(ten_nearest($node, 't', 'q'), $expected, "$name promoted: the same answers");
	cmp_ok($node->safe_psql('postgres', 'SELECT pending FROM longbow_stat_index'), '>=', 300, "$name promoted: pending rows are there")
	  if $name ne 'bare';
	$node->safe_psql('postgres', <<'SQL');
INSERT INTO t SELECT i, '', point(i) FROM generate_series(20001, 20700) i;
DELETE FROM t WHERE id % 11 = 0;
SQL
	my $rows = $node->safe_psql('postgres', 'SELECT count(*) FROM t');
	is($node->safe_psql('postgres', "SELECT longbow_check('t_v')"), $rows, "$name promoted: takes inserts");
	is(unfound($node, '(SELECT * FROM t WHERE id > 20000 AND id < 20301)', 't'), 0, "$name promoted: and finds them");
	$node->safe_psql('postgres', "SELECT longbow_merge('t_v')");
	is($node->safe_psql('postgres', 'SELECT pending FROM longbow_stat_index'), 0, "$name promoted: merges");
	$node->safe_psql('postgres', 'VACUUM t');
	is($node->safe_psql('postgres', "SELECT longbow_check('t_v')"), $rows, "$name promoted: is whole");
	is(strangers($node, 't', 'q'), 0, "$name promoted: every row once");
	unlike(slurp_file($node->logfile), qr/inconsistent page|PANIC|terminated by signal|TRAP/, "$name: no page differed in replay");
	$node->stop;
}
done_testing();
