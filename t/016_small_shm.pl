# Builds where /dev/shm is small, as in many containers: the sample goes to a file, then workers stay away and the user hears of it,
# and the index is the same. The server runs in a mount namespace with a /dev/shm of its own; where none can be had, skipped.
use strict;
use warnings;

use lib 't';
use Longbow;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'no mount namespace can be had here' if !may_mount();

my $node = new_cluster('small_shm', <<'CONF');
log_min_messages = debug1
dynamic_shared_memory_type = posix
max_worker_processes = 12
max_parallel_workers = 4
min_parallel_table_scan_size = 0
maintenance_work_mem = '128MB'
max_parallel_maintenance_workers = 2
CONF

my $read = 0;

sub built
{
	my $log = slurp_file($node->logfile, $read);
	$read += length $log;
	return $log =~ /longbow build: (.*training in .*)/ ? $1 : 'nothing';
}

sub index_is_right
{
	my ($what) = @_;
	is($node->safe_psql('postgres', "SELECT longbow_check('t_v')"), 20000, "$what: every row once");
	cmp_ok(recall($node, 't', 'q'), '>=', 0.93, "$what: recall");
	return;
}

start_with_mount($node, '/dev/shm', '64m');
add_data_functions($node);
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE t (id int PRIMARY KEY, v vector(40));
INSERT INTO t SELECT i, blob(i, 40) FROM generate_series(1, 20000) i;
CREATE TABLE q AS SELECT i AS id, blob(1000000 + i, 40) AS v FROM generate_series(1, 50) i;
VACUUM ANALYZE t;
SQL
built();
my ($code, $out, $err) = $node->psql('postgres', 'CREATE INDEX t_v ON t USING longbow (v)');
is("$code $err", '0 ', 'with room enough there is nothing to say');
is(built(), '2 of 2 parallel workers, training in shared memory', 'all is in shared memory');
$node->stop;

start_with_mount($node, '/dev/shm', '3m');
built();
($code, $out, $err) = $node->psql('postgres', 'REINDEX INDEX t_v');
is("$code $err", '0 ', 'with room for the workers alone');
like(built(), qr/^\d of \d parallel workers, training in a file$/, 'they share a file');
index_is_right('a file');
$node->stop;

start_with_mount($node, '/dev/shm', '1400k');
built();
($code, $out, $err) = $node->psql('postgres', 'REINDEX INDEX t_v');
is($code, 0, 'without room for workers');
like($err, qr/NOTICE:  index is built without parallel workers$/m, 'the user hears of it');
like($err, qr{DETAIL:  There is no room for their shared memory in /dev/shm\.$}m, 'and why');
like(built(), qr/^no parallel workers/, 'the build is serial');
index_is_right('serial');
$node->stop;
done_testing();
