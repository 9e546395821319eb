# A streaming standby holds the same index, answers queries while the primary changes it, and takes writes once promoted.
use strict;
use warnings;

use lib 't';
use Longbow;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = new_cluster('primary', "wal_consistency_checking = 'Generic'", allows_streaming => 1);
$primary->start;
add_data_functions($primary);
$primary->safe_psql('postgres', <<'SQL');
CREATE TABLE q AS SELECT i AS id, blob(1000000 + i, 40) AS v FROM generate_series(1, 200) i;
CREATE TABLE t (id int PRIMARY KEY, v vector(40));
INSERT INTO t SELECT i, blob(i, 40) FROM generate_series(1, 3000) i;
CREATE INDEX t_v ON t USING longbow (v) WITH (leaf_size = 16);
SQL
$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->append_conf('postgresql.conf', "max_standby_streaming_delay = -1\nhot_standby_feedback = off\n");
$standby->start;

my $ten = <<'SQL';
SET enable_seqscan = off;
SELECT string_agg(ids, ';' ORDER BY q) FROM (
  SELECT q.id AS q, (SELECT string_agg(x.id::text, ',') FROM
    (SELECT t.id FROM t ORDER BY t.v <-> q.v LIMIT 10) x) AS ids FROM q) y;
SQL

sub same_answers
{
	my ($when) = @_;
	$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
	my $expected = $primary->safe_psql('postgres', $ten);
	ok(length($expected) > 4000, "$when: there are answers");
	is($standby->safe_psql('postgres', $ten), $expected, "$when: the standby gives the same");
	return;
}

same_answers('after the build');

# Queries on the standby while the primary inserts, splits, deletes, vacuums and builds anew.
my $folder = PostgreSQL::Test::Utils::tempdir;
append_to_file("$folder/query.sql", <<'SQL');
\set i random(1, 200)
SET enable_seqscan = off;
SELECT count(*) FROM (SELECT t.id FROM t ORDER BY t.v <-> (SELECT v FROM q WHERE id = :i) LIMIT 10) x;
SELECT count(*) FROM (SELECT t.id FROM t ORDER BY t.v <-> (SELECT v FROM q WHERE id = :i)) x;
SQL
my ($out, $err) = ('', '');
my $readers = IPC::Run::start(
	[ 'pgbench', '-n', '-c', '2', '-T', '600', '-f', "$folder/query.sql", $standby->connstr('postgres') ],
	'>', \$out, '2>', \$err);
for my $round (1 .. 3)
{
	my ($from, $to) = (3000 * $round + 1, 3000 * $round + 3000);
	$primary->safe_psql('postgres', <<"SQL");
INSERT INTO t SELECT i, blob(i, 40) FROM generate_series($from, $to) i;
DELETE FROM t WHERE id % 7 = $round;
SQL
	$primary->safe_psql('postgres', 'VACUUM t');
	# Not CONCURRENTLY: that drops the old index without a lock that a standby would see, so a query planned before may find
	# it gone ("could not open relation with OID"), whatever the access method.
	$primary->safe_psql('postgres', 'REINDEX INDEX t_v') if $round == 2;
	$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
}
ok($readers->pumpable, 'the readers are still at work');
$readers->signal('TERM');
$readers->finish;
unlike($err, qr/ERROR|FATAL|PANIC|aborted/, 'no query on the standby failed');

same_answers('after the changes');
$primary->safe_psql('postgres', 'REINDEX INDEX CONCURRENTLY t_v');
same_answers('after REINDEX CONCURRENTLY');
is($standby->safe_psql('postgres', "SELECT longbow_check('t_v')"), $primary->safe_psql('postgres', 'SELECT count(*) FROM t'),
	'the standby can be checked');

$primary->stop;
$standby->promote;
$standby->safe_psql('postgres', <<'SQL');
INSERT INTO t SELECT i, blob(i, 40) FROM generate_series(20001, 22000) i;
DELETE FROM t WHERE id % 11 = 0;
SQL
$standby->safe_psql('postgres', 'VACUUM t');
is($standby->safe_psql('postgres', "SELECT longbow_check('t_v')"), $standby->safe_psql('postgres', 'SELECT count(*) FROM t'),
	'the promoted standby takes inserts');
is(unfound($standby, '(SELECT * FROM t WHERE id > 20000)', 't'), 0, 'and finds them');
my $log = slurp_file($standby->logfile);
unlike($log, qr/inconsistent page|PANIC|terminated by signal/, 'no page differed in replay');
$standby->stop;
done_testing();
