# Parallel builds: workers take part, the index is right, little memory changes nothing but the place of the sample, and what
# goes wrong in a worker or before the end leaves nothing behind.
use strict;
use warnings;

use lib 't';
use Longbow;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_cluster('build', <<'CONF');
log_min_messages = debug1
max_parallel_workers = 4
max_worker_processes = 12
min_parallel_table_scan_size = 0
maintenance_work_mem = '128MB'
max_parallel_maintenance_workers = 2
CONF
$node->start;
add_data_functions($node);
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE t (id int PRIMARY KEY, v vector(40));
INSERT INTO t SELECT i, CASE WHEN i % 50 <> 0 THEN blob(i, 40) END FROM generate_series(1, 20000) i;
CREATE TABLE q AS SELECT i AS id, blob(1000000 + i, 40) AS v FROM generate_series(1, 100) i;
VACUUM ANALYZE t;
SQL

# What the log says of the last build.
my $read = 0;

sub built
{
	my $log = slurp_file($node->logfile, $read);
	$read += length $log;
	return $log =~ /longbow build: (\d of \d parallel workers, training in .*)/ ? $1 : 'no workers';
}

# Files that belong to no relation.
sub strays
{
	return $node->safe_psql('postgres', <<'SQL');
CHECKPOINT;
SELECT count(*) FROM pg_database d, pg_ls_dir('base/' || d.oid) f
WHERE d.datname = current_database() AND f ~ '^[0-9]+$' AND pg_filenode_relation(0, f::oid) IS NULL;
SQL
}

sub index_is_right
{
	my ($what) = @_;
	is($node->safe_psql('postgres', "SELECT longbow_check('t_v')"), 20000, "$what: every row once");
	my $found = recall($node, 't', 'q');
	note("$what: recall\@10 = $found");
	cmp_ok($found, '>=', 0.93, "$what: recall");
	return;
}

built();
$node->safe_psql('postgres', 'CREATE INDEX t_v ON t USING longbow (v)');
is(built(), '2 of 2 parallel workers, training in shared memory', 'workers take part');
index_is_right('parallel');

$node->safe_psql('postgres', 'REINDEX INDEX CONCURRENTLY t_v');
like(built(), qr/^2 of 2/, 'and in a concurrent build');
index_is_right('concurrent');

$node->safe_psql('postgres', 'ALTER TABLE t SET (parallel_workers = 1); REINDEX INDEX t_v; ALTER TABLE t RESET (parallel_workers)');
like(built(), qr/^1 of 1/, "the table's parallel_workers is honoured");

# Members reckon with the same table although it grows under a concurrent build.
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE growing (id int, v vector(400));
INSERT INTO growing SELECT i, (SELECT array_agg((hashint8extended(i, d) & 1023)::real)::vector FROM generate_series(1, 400) d) FROM generate_series(1, 2000) i;
SQL
append_to_file($node->basedir . '/grow.sql', "INSERT INTO growing SELECT id, v FROM growing WHERE id <= 300 LIMIT 300;\n");
my $grower = IPC::Run::start([ 'pgbench', '-n', '-c', '1', '-R', '40', '-T', '600', '-f', $node->basedir . '/grow.sql', $node->connstr('postgres') ],
	'>', \my $ignored, '2>', \my $complaints);
for my $round (1 .. 4)
{
	my ($status, undef, $error) = $node->psql('postgres', "SET statement_timeout = '60s'; SET client_min_messages = error; CREATE INDEX CONCURRENTLY growing_v ON growing USING longbow (v)");
	is($status, 0, "round $round beside a writer") or diag($error);
	$node->safe_psql('postgres', 'DROP INDEX growing_v') if $round < 4;
}
$grower->signal('TERM');
$grower->finish;
# What it was doing goes on to its end without it.
$node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE query LIKE 'INSERT INTO growing%'");
unlike($complaints, qr/ERROR/, 'which goes on');
is($node->safe_psql('postgres', "SELECT longbow_check('growing_v')"), $node->safe_psql('postgres', 'SELECT count(*) FROM growing'), 'every row once');
$node->safe_psql('postgres', 'DROP TABLE growing');
built();

# Two workers need 96 MB by core's rule; alone a build works with anything.
my $small = "SET maintenance_work_mem = '1MB'; SET max_parallel_maintenance_workers = 0;";
$node->safe_psql('postgres', "$small REINDEX INDEX t_v");
like(slurp_file($node->logfile, $read), qr/no parallel workers, training in a file/, 'what does not fit into memory lies in a file');
built();
index_is_right('little memory');
is(`find @{[ $node->data_dir ]}/base/pgsql_tmp -type f 2>/dev/null`, '', 'which is gone afterwards');

my ($code, $out, $err) = $node->psql('postgres', "$small SET temp_file_limit = '100kB'; REINDEX INDEX t_v");
like($err, qr/ERROR:  temporary file size exceeds temp_file_limit/, 'temp_file_limit is kept');

# Errors and cancelled builds.
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE odd (id int, v vector);
INSERT INTO odd SELECT i, blob(i, 40) FROM generate_series(1, 20000) i;
INSERT INTO odd VALUES (0, '[1,2]');
SQL
($code, $out, $err) = $node->psql('postgres', 'CREATE INDEX ON odd USING longbow (v)');
like($err, qr/ERROR:  expected 40 dimensions, not 2/, 'a row of another dimension ends the build');
is(strays(), 0, 'and leaves no file');
for my $ms (20, 60, 120, 200, 300)
{
	$node->psql('postgres', "SET statement_timeout = $ms; CREATE INDEX cancelled ON t USING longbow (v)");
	$node->safe_psql('postgres', 'DROP INDEX IF EXISTS cancelled');
}
is(strays(), 0, 'nor does a cancelled one');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'parallel worker'"), 0, 'no worker is left');

# A worker that is ended takes the build with it.
$node->safe_psql('postgres', 'INSERT INTO t SELECT i, blob(i, 40) FROM generate_series(20001, 60000) i');
my ($o, $e) = ('', '');
my $run = IPC::Run::start([ 'psql', '-X', '-d', $node->connstr('postgres'), '-c', 'CREATE INDEX ended ON t USING longbow (v)' ],
	'>', \$o, '2>', \$e);
my $ended = $node->poll_query_until('postgres',
	"SELECT coalesce(bool_or(pg_terminate_backend(pid)), false) FROM pg_stat_activity WHERE backend_type = 'parallel worker'");
$run->finish;
ok($ended, 'a worker was ended');
like($e, qr/ERROR|FATAL/, 'the build ends with it');
is(strays(), 0, 'without a trace');
is($node->safe_psql('postgres', "SELECT longbow_check('t_v')"), 60000, 'the server goes on');
$node->stop;
done_testing();
