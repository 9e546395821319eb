# The postmaster is killed while rows come, go, roll back and are vacuumed: after each recovery the index holds exactly
# the rows of its table. An unlogged index comes back empty and usable.
use strict;
use warnings;

use lib 't';
use Longbow;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $node = new_cluster('crash', <<'CONF');
max_wal_size = 64MB
checkpoint_timeout = 30s
wal_consistency_checking = 'Generic'
CONF
$node->start;
add_data_functions($node);
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE t (id bigserial PRIMARY KEY, kept bool NOT NULL, v vector(24));
CREATE INDEX t_v ON t USING longbow (v) WITH (leaf_size = 16);
CREATE UNLOGGED TABLE u (id int, v vector(24));
INSERT INTO u SELECT i, blob(i, 24) FROM generate_series(1, 500) i;
CREATE INDEX u_v ON u USING longbow (v) WITH (leaf_size = 16);
CREATE TABLE source AS SELECT i AS id, blob(i, 24) AS v FROM generate_series(1, 4000) i;
SQL

my $folder = PostgreSQL::Test::Utils::tempdir;
my $copied = "$folder/rows.copy";
$node->safe_psql('postgres', "COPY (SELECT true, v FROM source LIMIT 700) TO '$copied'");

# Each loop of work in a client of its own, without end.
my %work = (
	single => "INSERT INTO t (kept, v) SELECT true, v FROM source WHERE id = 1 + (random() * 3999)::int;",
	many => "INSERT INTO t (kept, v) SELECT true, v FROM source WHERE id % 40 = (random() * 39)::int;",
	undone => "BEGIN; INSERT INTO t (kept, v) SELECT false, v FROM source WHERE id % 100 = 3; ROLLBACK;",
	copy => "COPY t (kept, v) FROM '$copied';",
	gone => "DELETE FROM t WHERE id % 5 = (random() * 4)::int AND id > (SELECT max(id) - 2000 FROM t);\nVACUUM t;",
	unlogged => "INSERT INTO u SELECT 1, v FROM source WHERE id % 400 = 3;",
	checkpoint => "CHECKPOINT;\nSELECT pg_sleep(0.3);");

for my $cycle (1 .. 4)
{
	my @clients;
	for my $name (sort keys %work)
	{
		my $script = "$folder/$name.sql";
		append_to_file($script, "$work{$name}\n") unless -f $script;
		my ($out, $err) = ('', '');
		push @clients,
		  IPC::Run::start([ 'pgbench', '-n', '-c', '1', '-T', '60', '-f', $script, $node->connstr('postgres') ],
			'>', \$out, '2>', \$err);
	}
	usleep(900_000 + 300_000 * $cycle);
	$node->kill9;
	$_->finish for @clients;
	my $up = 0;
	for (1 .. 100)
	{
		last if $up = $node->start(fail_ok => 1);
		# Processes of the old server may still be about.
		$node->stop('fast', fail_ok => 1);
		usleep(200_000);
	}
	ok($up, "cycle $cycle: recovers");
	my $rows = $node->safe_psql('postgres', 'SELECT count(*) FROM t');
	note("cycle $cycle: $rows rows");
	is($node->safe_psql('postgres', "SELECT longbow_check('t_v')"), $rows, "cycle $cycle: the index holds the table's rows");
	is($node->safe_psql('postgres', 'SELECT count(*) FROM t WHERE NOT kept'), 0, "cycle $cycle: nothing rolled back came");
	is($node->safe_psql('postgres', 'SET enable_seqscan = off; SELECT count(*) FROM (SELECT id FROM t ORDER BY v <-> (SELECT v FROM source LIMIT 1)) x'),
		$rows, "cycle $cycle: a search to the end meets every row");
	is(unfound($node, '(SELECT * FROM t ORDER BY id DESC LIMIT 1500)', 't'), 0,
		"cycle $cycle: rows are found by their own vectors");
	is($node->safe_psql('postgres', 'SELECT count(*) FROM u'), 0, "cycle $cycle: the unlogged table is empty");
	is($node->safe_psql('postgres', <<'SQL'), "0|\n300", "cycle $cycle: its index is empty, and usable");
SET enable_seqscan = off;
SELECT longbow_check('u_v'), (SELECT id FROM u ORDER BY v <-> (SELECT v FROM source LIMIT 1) LIMIT 1);
INSERT INTO u SELECT id, v FROM source LIMIT 300;
SELECT longbow_check('u_v');
SQL
	is(unfound($node, 'u'), 0, "cycle $cycle: rows of the unlogged table are found");
	$node->safe_psql('postgres', 'VACUUM t');
	is($node->safe_psql('postgres', "SELECT longbow_check('t_v')"), $rows, "cycle $cycle: and after a vacuum");
}

my $log = slurp_file($node->logfile);
unlike($log, qr/PANIC|inconsistent page|was terminated by signal (?!9)/, 'no panic, no crash of its own');
$node->stop;
done_testing();
