# Subscribers of logical replication whose tables have an index: COPY of the first synchronisation, small and large (streamed)
# transactions, rolled back, prepared, with TRUNCATE inside, with triggers that search, with a conflict, over a crash. No
# executor runs in an apply worker, so batches end when they are full, before a query that reads their table and at the
# commit. One subscriber preloads the library, the other does not.
use strict;
use warnings;

use lib 't';
use Longbow;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $publisher = new_cluster('publisher', <<'CONF', allows_streaming => 'logical');
logical_decoding_work_mem = '64kB'
max_prepared_transactions = 10
CONF
$publisher->start;
add_data_functions($publisher);
add_point($publisher, 24);
$publisher->safe_psql('postgres', <<'SQL');
CREATE TABLE t (id int PRIMARY KEY, note text, v vector(24));
CREATE TABLE f (id int, v vector(24));
ALTER TABLE f REPLICA IDENTITY FULL;
INSERT INTO t SELECT i, '', point(i) FROM generate_series(1, 1250) i;
INSERT INTO f SELECT i, point(i) FROM generate_series(1, 330) i;
CREATE PUBLICATION p FOR TABLE t, f;
SQL

my %settings = (
	preloaded => "shared_preload_libraries = 'longbow'\nlongbow.gc_percent = -1\nlongbow.delta_memory = '8MB'\n",
	bare => '');
my %subscriber;
for my $name (sort keys %settings)
{
	my $node = new_cluster($name, <<"CONF", allows_streaming => 'logical');
$settings{$name}
max_prepared_transactions = 10
max_logical_replication_workers = 8
CONF
	$node->start;
	add_data_functions($node);
	add_point($node, 24);
	$node->safe_psql('postgres', <<'SQL');
CREATE TABLE q AS SELECT i AS id, blob(1000000 + i, 24) AS v FROM generate_series(1, 20) i;
CREATE TABLE t (id int PRIMARY KEY, note text, v vector(24));
CREATE TABLE f (id int, v vector(24));
CREATE INDEX t_v ON t USING longbow (v) WITH (leaf_size = 16);
CREATE INDEX f_v ON f USING longbow (v) WITH (leaf_size = 16);
SQL
	my $streaming = $node->pg_version >= 16 && $name eq 'bare' ? 'parallel' : 'on';
	$node->safe_psql('postgres', "CREATE SUBSCRIPTION $name CONNECTION '" . $publisher->connstr . " dbname=postgres'
		PUBLICATION p WITH (streaming = $streaming, two_phase = true)");
	$subscriber{$name} = $node;
}
$subscriber{$_}->wait_for_subscription_sync($publisher, $_) for sort keys %subscriber;

sub publish { return $publisher->safe_psql('postgres', $_[0]); }
sub content { return $_[0]->safe_psql('postgres', "SELECT count(*) || ' ' || coalesce(sum(hashint8(id) + vector_norm(v)::numeric), 0) FROM $_[1]"); }

# Right after a commit has been applied all is to be there: nothing may wait for a later one.
sub is_whole
{
	my ($when) = @_;
	for my $name (sort keys %subscriber)
	{
		my $node = $subscriber{$name};
		$publisher->wait_for_catchup($name);
		for my $table ('t', 'f')
		{
			is(content($node, $table), content($publisher, $table), "$when: $name has the rows of $table");
			is($node->safe_psql('postgres', "SELECT longbow_check('${table}_v')"), $node->safe_psql('postgres', "SELECT count(*) FROM $table"),
				"$when: $name: the index of $table is whole");
			is(strangers($node, $table, 'q'), 0, "$when: $name: a search of $table meets every row once");
			is(unfound($node, "(SELECT * FROM $table ORDER BY abs(id) DESC LIMIT 500)", $table), 0,
				"$when: $name: the last rows of $table are found by their own vectors");
		}
	}
	return;
}

is_whole('COPY');

# Fewer rows than a batch, one by one and together; changes of what the same transaction brought.
publish(<<'SQL');
INSERT INTO t VALUES (2001, '', point(2001));
INSERT INTO t SELECT i, '', point(i) FROM generate_series(2002, 2040) i;
UPDATE t SET v = point(id + 50000) WHERE id % 100 = 7;
UPDATE t SET note = 'HOT' WHERE id % 90 = 3;
DELETE FROM t WHERE id % 70 = 5;
INSERT INTO f SELECT i, point(i) FROM generate_series(2001, 2003) i;
UPDATE f SET v = point(id + 50000) WHERE id % 60 = 7;
DELETE FROM f WHERE id % 50 = 5;
SQL
is_whole('small transactions');
publish(<<'SQL');
BEGIN;
INSERT INTO t SELECT i, '', point(i) FROM generate_series(2101, 2330) i;
UPDATE t SET v = point(id + 60000) WHERE id BETWEEN 2111 AND 2130;
UPDATE t SET note = 'HOT' WHERE id BETWEEN 2121 AND 2140;
DELETE FROM t WHERE id BETWEEN 2131 AND 2150;
INSERT INTO t SELECT i, 'again', point(i + 70000) FROM generate_series(2131, 2140) i;
INSERT INTO f SELECT i, point(i) FROM generate_series(2101, 2205) i;
UPDATE f SET v = point(id + 60000) WHERE id BETWEEN 2103 AND 2107;
DELETE FROM f WHERE id BETWEEN 2105 AND 2109;
COMMIT;
SQL
is_whole('rows changed by the transaction that brought them');

# Large ones are streamed before they end.
my $streamed = publish('SELECT coalesce(sum(stream_txns), 0) FROM pg_stat_replication_slots');
publish(<<'SQL');
BEGIN;
INSERT INTO t SELECT i, '', point(i) FROM generate_series(3001, 3900) i;
SAVEPOINT a;
INSERT INTO t SELECT i, 'undone', point(i) FROM generate_series(4001, 4300) i;
ROLLBACK TO a;
INSERT INTO t SELECT i, '', point(i + 80000) FROM generate_series(4001, 4250) i;
UPDATE t SET v = point(id + 90000) WHERE id BETWEEN 3001 AND 3200;
DELETE FROM t WHERE id BETWEEN 3101 AND 3300;
COMMIT;
BEGIN;
INSERT INTO t SELECT -i, 'undone', point(i) FROM generate_series(1, 900) i;
ROLLBACK;
BEGIN;
INSERT INTO t SELECT i, '', point(i) FROM generate_series(5001, 5600) i;
PREPARE TRANSACTION 'kept';
BEGIN;
INSERT INTO t SELECT -i, '', point(i) FROM generate_series(5001, 5030) i;
PREPARE TRANSACTION 'undone';
SQL
is_whole('streamed and prepared transactions');
is($subscriber{$_}->safe_psql('postgres', 'SELECT count(*) FROM pg_prepared_xacts'), 2, "$_ has prepared both") for sort keys %subscriber;
ok($publisher->poll_query_until('postgres', "SELECT sum(stream_txns) > $streamed FROM pg_stat_replication_slots"), 'some were streamed');
publish($_) for "COMMIT PREPARED 'kept'", "ROLLBACK PREPARED 'undone'";
is_whole('prepared transactions ended');
publish(<<'SQL');
BEGIN;
INSERT INTO f SELECT i, point(i) FROM generate_series(6001, 6050) i;
TRUNCATE f;
INSERT INTO f SELECT i, point(i) FROM generate_series(6101, 6170) i;
COMMIT;
DELETE FROM t WHERE id BETWEEN 10 AND 900;
SQL
$subscriber{$_}->safe_psql('postgres', 'VACUUM t') for sort keys %subscriber;
is_whole('TRUNCATE inside a transaction');

# A trigger looks for the row that the same transaction has brought just before: it may still be in a batch.
for my $name (sort keys %subscriber)
{
	$subscriber{$name}->safe_psql('postgres', <<'SQL');
CREATE TABLE seen (id int, before_it int, after_it int);
CREATE FUNCTION look_up() RETURNS trigger LANGUAGE plpgsql
	SET search_path = public SET enable_seqscan = off SET longbow.probes = 1000 AS $$
BEGIN
  INSERT INTO seen SELECT NEW.id, (SELECT id FROM t ORDER BY v <-> point(NEW.id - 1) LIMIT 1), NULL;
  RETURN NEW;
END $$;
CREATE FUNCTION look_back() RETURNS trigger LANGUAGE plpgsql
	SET search_path = public SET enable_seqscan = off SET longbow.probes = 1000 AS $$
BEGIN
  UPDATE seen SET after_it = (SELECT id FROM t ORDER BY v <-> NEW.v LIMIT 1) WHERE id = NEW.id;
  RETURN NULL;
END $$;
CREATE TRIGGER look_up BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION look_up();
CREATE TRIGGER look_back AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION look_back();
ALTER TABLE t ENABLE ALWAYS TRIGGER look_up, ENABLE REPLICA TRIGGER look_back;
SQL
}
publish(<<'SQL');
BEGIN; INSERT INTO t SELECT i, '', point(i) FROM generate_series(7001, 7130) i; COMMIT;
BEGIN; INSERT INTO t VALUES (7131, '', point(7131)); INSERT INTO t VALUES (7132, '', point(7132)); COMMIT;
SQL
is_whole('triggers that search');
is($subscriber{$_}->safe_psql('postgres', 'SELECT count(*), count(*) FILTER (WHERE before_it = id - 1), count(*) FILTER (WHERE after_it = id) FROM seen'),
	'132|131|132', "$_: a trigger finds the row before, and its own") for sort keys %subscriber;

# A row that is there already: the transaction fails with rows in its batch, until the row is gone.
$subscriber{$_}->safe_psql('postgres', "ALTER TABLE t DISABLE TRIGGER USER; INSERT INTO t VALUES (8030, 'in the way', point(-8030))") for sort keys %subscriber;
publish("BEGIN; INSERT INTO t SELECT i, '', point(i) FROM generate_series(8001, 8060) i; COMMIT");
for my $name (sort keys %subscriber)
{
	my $node = $subscriber{$name};
	$node->wait_for_log(qr/duplicate key value violates unique constraint "t_pkey"|conflict=insert_exists/);
	is(unfound($node, 't'), 0, "conflict: $name: rows are found meanwhile");
	$node->safe_psql('postgres', 'DELETE FROM t WHERE id = 8030');
}
is_whole('conflict');

# The subscribers crash while rows come.
my $work = start_work($publisher, {
	many => "BEGIN;\nINSERT INTO t SELECT 10000 + nextval('n'), '', point((10000 + currval('n'))::int) FROM generate_series(1, 30);\n"
	  . "DELETE FROM t WHERE id = (SELECT min(id) FROM t WHERE id > 10000);\nCOMMIT;\n\\sleep 10 ms",
	single => "INSERT INTO f SELECT 10000 + nextval('n'), point((10000 + currval('n'))::int);\n\\sleep 5 ms" })
  if publish('CREATE SEQUENCE n; SELECT 1');
for my $name (sort keys %subscriber)
{
	ok($subscriber{$name}->poll_query_until('postgres', 'SELECT count(*) > 300 FROM t WHERE id > 10000'), "$name takes rows");
	$subscriber{$name}->kill9;
	ok(start_again($subscriber{$name}), "$name comes back");
}
$subscriber{$_}->poll_query_until('postgres', 'SELECT count(*) > 1000 FROM t WHERE id > 10000') for sort keys %subscriber;
stop_work($work, 'TERM', $publisher);
is_whole('after a crash');
cmp_ok($subscriber{preloaded}->safe_psql('postgres', "SELECT pending FROM longbow_stat_index WHERE index = 't_v'"), '>', 1000,
	'preloaded: rows are pending');
is($subscriber{bare}->safe_psql('postgres', "SELECT pending FROM longbow_stat_index WHERE index = 't_v'"), 0, 'bare: none is');
$subscriber{$_}->safe_psql('postgres', "SELECT longbow_merge('t_v'), longbow_merge('f_v')") for sort keys %subscriber;
is_whole('merged');
for my $name (sort keys %subscriber)
{
	unlike(slurp_file($subscriber{$name}->logfile), qr/PANIC|terminated by signal (?!9)|TRAP|snapshot|index returned tuples/, "$name: no process crashed");
	$subscriber{$name}->stop;
}
$publisher->stop;
done_testing();
