# With a pending list, shared memory and side WAL: the postmaster or one process is killed while rows come one by one, by
# statement and by COPY, go, roll back, are merged and vacuumed. After each recovery every row that a client saw committed is
# found, none twice, none that was rolled back. LONGBOW_CYCLES sets the number of cycles.
use strict;
use warnings;

use lib 't';
use Longbow;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $cycles = $ENV{LONGBOW_CYCLES} || 15;
my $node = new_cluster('crash', <<'CONF');
shared_preload_libraries = 'longbow'
restart_after_crash = on
max_wal_size = 64MB
checkpoint_timeout = 30s
wal_consistency_checking = 'Generic'
longbow.gc_percent = 3
longbow.delta_memory = '64MB'
CONF
$node->start;
add_data_functions($node);
add_point($node, 24);
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE q AS SELECT i AS id, blob(1000000 + i, 24) AS v FROM generate_series(1, 5) i;
CREATE TABLE t (id bigserial PRIMARY KEY, kept bool NOT NULL, v vector(24) GENERATED ALWAYS AS (point(id)) STORED);
CREATE INDEX t_v ON t USING longbow (v) WITH (leaf_size = 16);
CREATE TABLE ledger (id bigint);
SQL

my $folder = PostgreSQL::Test::Utils::tempdir;
append_to_file("$folder/rows", "t\n" x 400);
append_to_file("$folder/seen.sql", "INSERT INTO t (kept) VALUES (true) RETURNING id;\n" x 20000);

# `many` writes what it inserts into a plain table too.
my %work = (
	many => "WITH n AS (INSERT INTO t (kept) SELECT true FROM generate_series(1, 25) RETURNING id) INSERT INTO ledger TABLE n;\n\\sleep 5 ms",
	undone => "BEGIN;\nINSERT INTO t (kept) SELECT false FROM generate_series(1, 30);\nROLLBACK;\n\\sleep 5 ms",
	savepoint => "BEGIN;\nINSERT INTO t (kept) VALUES (true), (true);\nSAVEPOINT a;\n"
	  . "INSERT INTO t (kept) SELECT false FROM generate_series(1, 130);\nROLLBACK TO a;\nINSERT INTO t (kept) VALUES (true);\nCOMMIT;\n\\sleep 5 ms",
	copy => "COPY t (kept) FROM '$folder/rows';\n\\sleep 40 ms",
	gone => "DELETE FROM t WHERE id % 5 = (random() * 4)::int AND id > (SELECT max(id) - 2000 FROM t) AND NOT EXISTS (SELECT 1 FROM ledger l WHERE l.id = t.id);\nVACUUM t;",
	moved => "UPDATE t SET kept = true WHERE id > (SELECT max(id) - 20 FROM t);\n\\sleep 20 ms",
	merge => "SELECT longbow_merge('t_v');\n\\sleep 10 ms",
	checkpoint => "CHECKPOINT;\n\\sleep 300 ms");

# Who is killed in the cycles that kill one process: only one that has been merging, inserting, writing.
my @victims = ("backend_type = 'client backend' AND query LIKE 'COPY%'", "query LIKE 'SELECT longbow_merge%'",
	"backend_type = 'longbow launcher'", "query LIKE 'INSERT INTO t%RETURNING%'", "query LIKE 'VACUUM%' OR query LIKE 'DELETE%'",
	"backend_type = 'checkpointer'");

for my $cycle (1 .. $cycles)
{
	my $way = ('postmaster', 'immediate', 'process')[ $cycle % 3 ];
	my $async = $cycle % 2 ? 'off' : 'on';
	my $clients = start_work($node, \%work, "-c longbow.storage_async_fsync=$async");
	unlink "$folder/seen";
	my $seen = do
	{
		local $ENV{PGOPTIONS} = "-c longbow.storage_async_fsync=$async";
		IPC::Run::start([ 'psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('postgres'), '-f', "$folder/seen.sql" ],
			'>', "$folder/seen", '2>', "$folder/seen.err");
	};
	usleep(600_000 + 150_000 * ($cycle % 5));
	my $up;
	if ($way eq 'process')
	{
		my $whom = $victims[ int($cycle / 3) % @victims ];
		$node->poll_query_until('postgres', "SELECT count(*) > 0 FROM pg_stat_activity WHERE $whom");
		my $pid = $node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE $whom AND pid <> pg_backend_pid() LIMIT 1");
		# The connection is lost at once, or the victim was gone already.
		kill 'KILL', $pid if $pid;
		note("cycle $cycle: killed $pid, $whom");
		stop_work($clients, 'TERM');
		$seen->signal('TERM') if $seen->pumpable;
		$seen->finish;
		$up = $node->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()');
	}
	else
	{
		$way eq 'postmaster' ? $node->kill9 : $node->stop('immediate');
		stop_work($clients);
		$seen->finish;
		# The next server has little memory for pending rows, or much.
		set_config($node, 'longbow.delta_memory' => $cycle % 4 < 2 ? '1MB' : '64MB',
			'longbow.gc_percent' => $cycle % 5 == 4 ? -1 : 3);
		$up = start_again($node);
	}
	my $name = "cycle $cycle ($way, async fsync $async)";
	ok($up, "$name: recovers") or last;
	my @ids = split /\n/, slurp_file("$folder/seen");
	# The last line may be cut.
	pop @ids;
	$node->safe_psql('postgres', "CREATE TABLE IF NOT EXISTS seen (id bigint); TRUNCATE seen");
	$node->safe_psql('postgres', 'INSERT INTO seen SELECT unnest(\'{' . join(',', @ids) . '}\'::bigint[])');
	my $rows = $node->safe_psql('postgres', 'SELECT count(*) FROM t');
	note("$name: $rows rows, " . @ids . ' seen committed, '
		  . $node->safe_psql('postgres', "SELECT pending || ' pending' FROM longbow_stat_index"));
	is($node->safe_psql('postgres', "SELECT longbow_check('t_v')"), $rows, "$name: the index holds the table's rows");
	is($node->safe_psql('postgres', 'SELECT count(*) FROM t WHERE NOT kept'), 0, "$name: nothing rolled back came");
	is(strangers($node, 't', 'q'), 0, "$name: a search to the end meets every row once");
	# Rows of the ledger are never deleted; of those that the single inserter saw, some may be.
	is($node->safe_psql('postgres', <<'SQL'), 0, "$name: committed rows are found by their own vectors");
SET enable_seqscan = off;
SET longbow.probes = 300;
SELECT count(*) FROM (
	(SELECT id FROM ledger ORDER BY id DESC LIMIT 150) UNION (SELECT id FROM ledger ORDER BY hashint8(id) LIMIT 50)
	UNION (SELECT id FROM t ORDER BY id DESC LIMIT 100)
	UNION (SELECT id FROM t JOIN seen USING (id) ORDER BY id DESC LIMIT 100)) a
WHERE (SELECT t.id FROM t ORDER BY t.v <-> blob(a.id, 24) LIMIT 1) IS DISTINCT FROM a.id;
SQL
	$node->safe_psql('postgres', "SELECT longbow_merge('t_v')") if $cycle % 4 == 1;
	if ($rows > 12000)
	{
		$node->safe_psql('postgres', 'DELETE FROM t WHERE id < (SELECT max(id) - 4000 FROM t); DELETE FROM ledger WHERE id NOT IN (SELECT id FROM t)');
		$node->safe_psql('postgres', 'VACUUM t');
	}
	is($node->safe_psql('postgres', "SELECT longbow_check('t_v')"), $node->safe_psql('postgres', 'SELECT count(*) FROM t'),
		"$name: and later");
}

my $log = slurp_file($node->logfile);
unlike($log, qr/PANIC|inconsistent page|TRAP|was terminated by signal (?!9)/, 'no panic, no crash of its own');
unlike($log, qr/ERROR:  (?!canceling statement|could not attach to|lost connection to parallel worker|parallel worker failed)/, 'no error');
$node->stop;
done_testing();
