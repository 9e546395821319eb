# Workers fill the delta before anybody searches: on a primary after a restart, on a standby when it starts and as rows follow from the
# primary. They merge nothing there, hold no database back, and go on as a primary's after the promotion.
use strict;
use warnings;

use lib 't';
use Longbow;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $primary = new_cluster('primary', <<'CONF', allows_streaming => 1);
shared_preload_libraries = 'longbow'
longbow.gc_percent = -1
longbow.delta_memory = '16MB'
CONF
$primary->start;
add_data_functions($primary);
add_point($primary, 24);
$primary->safe_psql('postgres', <<'SQL');
CREATE TABLE t (id int, v vector(24));
INSERT INTO t SELECT i, point(i) FROM generate_series(1, 400) i;
CREATE INDEX t_v ON t USING longbow (v) WITH (leaf_size = 16);
INSERT INTO t SELECT i, point(i) FROM generate_series(401, 3400) i;
CREATE UNLOGGED TABLE u AS SELECT * FROM t;
CREATE INDEX u_v ON u USING longbow (v);
INSERT INTO u SELECT * FROM t;
CREATE DATABASE d TEMPLATE postgres;
SQL
my $used = 'SELECT delta_bytes_used FROM longbow_stat_gc';
my $pending = "SELECT pending FROM longbow_stat_index WHERE index = 't_v'";
sub value { my ($node, $query) = @_; return $node->safe_psql('postgres', $query); }
sub is_filled
{
	my ($node, $more, $what) = @_;
	ok($node->poll_query_until('postgres', "SELECT ($used) > $more"), $what);
	is(unfound($node, 't'), 0, 'and searches find every row');
	return;
}

$primary->restart;
is_filled($primary, 0, 'a primary that has been restarted fills by itself');
is(value($primary, $pending), 3000, 'and merges nothing');

$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;
is_filled($standby, 0, 'so does a standby');
my $before = value($standby, $used);
value($primary, 'INSERT INTO t SELECT i, point(i) FROM generate_series(3401, 20000) i');
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
is_filled($standby, $before, 'and what follows from the primary');
is(value($standby, $pending), 19600, 'all of it pending');

value($primary, 'DROP DATABASE d');
$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
is(value($standby, "SELECT count(*) FROM pg_database WHERE datname = 'd'"), 0, 'a database is dropped beside them');

$standby->promote;
value($standby, 'INSERT INTO t SELECT i, point(i) FROM generate_series(20001, 20100) i');
set_config($standby, 'longbow.gc_percent', 1);
$standby->reload;
ok($standby->poll_query_until('postgres', "SELECT ($pending) < 100"), 'after the promotion workers merge');
is(unfound($standby, 't'), 0, 'every row is found');
is(value($standby, "SELECT longbow_check('t_v')"), 20100, 'and the index is whole');
unlike(slurp_file($_->logfile), qr/(ERROR|PANIC|WARNING):.*/, $_->name . ' met no error') for $primary, $standby;
$standby->stop;
$primary->stop;
done_testing();
