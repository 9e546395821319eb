# What the launcher and the hooks look after: memory of indexes that are gone comes back, a statement's batch stays whole
# when its rows come from functions that query.
use strict;
use warnings;

use lib 't';
use Longbow;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_cluster('upkeep', <<'CONF');
shared_preload_libraries = 'longbow'
longbow.delta_memory = '1MB'
longbow.gc_percent = 100
CONF
$node->start;
add_data_functions($node);

sub records { return $node->safe_psql('postgres', 'SELECT records FROM longbow_stat_storage'); }

$node->safe_psql('postgres', <<'SQL');
CREATE TABLE t (id int, v vector(24));
CREATE INDEX ON t USING longbow (v);
INSERT INTO t VALUES (0, blob(0, 24));
SQL
my $before = records();
$node->safe_psql('postgres', 'INSERT INTO t SELECT i, blob(i, 24) FROM generate_series(1, 1000) i');
cmp_ok(records() - $before, '<=', 12, 'vectors from a function that queries: batches of 100 rows, not of one');
$node->safe_psql('postgres', 'DROP TABLE t');

for my $i (1 .. 4)
{
	$node->safe_psql('postgres', <<"SQL");
CREATE TABLE t$i (id int, v vector(24));
CREATE INDEX ON t$i USING longbow (v);
INSERT INTO t$i SELECT i, blob(i, 24) FROM generate_series(1, 200) i;
SQL
	$node->safe_psql('postgres', "DROP TABLE t$i");
}
ok($node->poll_query_until('postgres', 'SELECT delta_bytes_used = 0 FROM longbow_stat_gc'),
	'memory of dropped tables comes back');

for my $i (1 .. 4)
{
	$node->safe_psql('postgres', "CREATE DATABASE d$i");
	$node->safe_psql("d$i", <<'SQL');
CREATE EXTENSION longbow;
CREATE TABLE t (id int, v vector(3));
CREATE INDEX ON t USING longbow (v);
INSERT INTO t SELECT i, '[1,2,3]' FROM generate_series(1, 200) i;
SQL
	$node->safe_psql('postgres', "DROP DATABASE d$i");
}
ok($node->poll_query_until('postgres', 'SELECT delta_bytes_used = 0 FROM longbow_stat_gc'),
	'memory of dropped databases comes back');
my @missed = slurp_file($node->logfile) =~ /FATAL:.*database .* does not exist/g;
cmp_ok(scalar(@missed), '<=', 4, 'a worker may lose the race with a DROP DATABASE once, not again and again');

# The side WAL outlives a restart as long as pending rows need it.
$node->append_conf('postgresql.conf', "longbow.gc_percent = -1\n");
$node->reload;
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE kept (id int, v vector(24));
CREATE INDEX kept_v ON kept USING longbow (v);
INSERT INTO kept SELECT i, blob(i, 24) FROM generate_series(1, 500) i;
SQL
my $logged = q{SELECT coalesce(sum(rows), 0) FROM generate_series(0, 20) s, longbow_wal_dump(s) WHERE rows >= 50};
my $rows = $node->safe_psql('postgres', $logged);
cmp_ok($rows, '>=', 500, 'the rows are in the side WAL');
$node->restart;
ok($node->poll_query_until('postgres', q{SELECT count(*) = 0 FROM pg_stat_activity WHERE backend_type = 'longbow worker'}),
	'the first visits have ended');
$node->safe_psql('postgres', 'SELECT pg_sleep(2)');
is($node->safe_psql('postgres', $logged), $rows, 'and still after a restart');
is(unfound($node, 'kept'), '0', 'every row is found');
$node->stop;
done_testing();
