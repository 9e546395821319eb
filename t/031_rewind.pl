# pg_rewind: a standby with pending rows is promoted, the old primary goes on for a while, is rewound and follows the new one.
# What its own side WAL says of rows, positions and ordinals that another timeline used for others is never believed: it answers
# as the new primary does. First with the side WAL that pg_rewind brings, then, roles changed, with the server's own put back.
use strict;
use warnings;

use lib 't';
use Longbow;
use File::Path qw(remove_tree);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::RecursiveCopy;
use PostgreSQL::Test::Utils;
use Test::More;

my $first = new_cluster('first', <<'CONF', allows_streaming => 1);
shared_preload_libraries = 'longbow'
longbow.gc_percent = -1
longbow.delta_memory = '8MB'
wal_log_hints = on
wal_keep_size = '512MB'
CONF
$first->start;
add_data_functions($first);
add_point($first, 40);
$first->safe_psql('postgres', <<'SQL');
CREATE TABLE q AS SELECT i AS id, blob(1000000 + i, 40) AS v FROM generate_series(1, 200) i;
CREATE TABLE t (id int PRIMARY KEY, v vector(40));
INSERT INTO t SELECT i, point(i) FROM generate_series(1, 1500) i;
CREATE INDEX t_v ON t USING longbow (v) WITH (leaf_size = 16);
INSERT INTO t SELECT i, point(i) FROM generate_series(1501, 1800) i;
SQL
$first->backup('base');
my $second = PostgreSQL::Test::Cluster->new('second');
$second->init_from_backup($first, 'base', has_streaming => 1);
$second->start;

# Both go on in the same segment of the side WAL: at first its positions, the row ids and the ordinals are the same on both
# sides, the vectors are not.
sub diverge
{
	my ($old, $new, $from) = @_;
	my ($a, $b) = ($from + 10000, $from + 20000);
	my $remove = "DELETE FROM t WHERE id % 11 = 4; VACUUM t; SET longbow.wal_compression = off;";
	$old->safe_psql('postgres', "$remove INSERT INTO t SELECT i, point(i) FROM generate_series($a, $a + 499) i");
	$new->safe_psql('postgres', "$remove INSERT INTO t SELECT i, point(i) FROM generate_series($b, $b + 499) i");
	my %there = map { $_ => 1 } split /\n/, records($old);
	cmp_ok(scalar(grep { $there{$_} } split /\n/, records($new)), '>=', 5, 'both sides have records of the same positions, row ids and index');
	$old->safe_psql('postgres', <<"SQL");
DELETE FROM t WHERE id % 7 = 3;
VACUUM (INDEX_CLEANUP off) t;
INSERT INTO t SELECT i, point(i) FROM generate_series($a + 500, $a + 1199) i;
SQL
	$new->safe_psql('postgres', "INSERT INTO t SELECT i, point(i) FROM generate_series($b + 500, $b + 799) i");
	return;
}

# The records of the segment that is written to.
sub records
{
	return $_[0]->safe_psql('postgres', <<'SQL');
SELECT d.position, length, filenode, incarnation, rows FROM longbow_stat_storage s, longbow_wal_dump(s.durable_position >> 24) d WHERE rows > 50
SQL
}

# rewind(OLD, NEW, OWN): OLD, stopped, becomes a standby of NEW; if OWN with the side WAL that it had.
sub rewind
{
	my ($old, $new, $own) = @_;
	my $folder = PostgreSQL::Test::Utils::tempdir;
	PostgreSQL::Test::RecursiveCopy::copypath($old->data_dir . '/longbow', "$folder/longbow");
	# pg_rewind takes the new primary's settings too.
	my $conf = slurp_file($old->data_dir . '/postgresql.conf');
	command_ok([ 'pg_rewind', '--source-server', $new->connstr('postgres'), '--target-pgdata', $old->data_dir, '--no-sync' ],
		$old->name . ' is rewound');
	if ($own)
	{
		remove_tree($old->data_dir . '/longbow');
		PostgreSQL::Test::RecursiveCopy::copypath("$folder/longbow", $old->data_dir . '/longbow');
	}
	unlink $old->data_dir . '/postgresql.conf';
	append_to_file($old->data_dir . '/postgresql.conf', $conf);
	$old->enable_streaming($new);
	$old->start;
	return;
}

sub same_answers
{
	my ($primary, $standby, $when) = @_;
	$primary->wait_for_catchup($standby, 'replay', $primary->lsn('insert'));
	my $expected = ten_nearest($primary, 't', 'q', 'exact');
	same_lines(ten_nearest($primary, 't', 'q'), $expected, "$when: the primary's answers");
	same_lines(ten_nearest($standby, 't', 'q'), $expected, "$when: the standby's");
	is(not_once($standby, 't', 'q'), 0, "$when: the standby meets every row once");
	is_whole($primary, $when);
	return;
}

sub is_whole
{
	my ($node, $when) = @_;
	is($node->safe_psql('postgres', "SELECT longbow_check('t_v')"), $node->safe_psql('postgres', 'SELECT count(*) FROM t'),
		"$when: the index is whole");
	is(unfound($node, 't'), 0, "$when: every row is found by its own vector");
	return;
}

$first->wait_for_catchup($second, 'replay', $first->lsn('insert'));
my ($old, $new) = ($first, $second);
for my $case ([ 'rewound', 100000, 'immediate', 0 ], [ 'with its own side WAL', 200000, 'fast', 1 ])
{
	my ($name, $from, $stop, $own) = @$case;
	same_lines(ten_nearest($new, 't', 'q'), ten_nearest($old, 't', 'q', 'exact'), "$name: the standby's answers before");
	# The standby's side WAL is what a new backup would give it, and both go on behind it.
	$_->stop for $old, $new;
	remove_tree($new->data_dir . '/longbow');
	PostgreSQL::Test::RecursiveCopy::copypath($old->data_dir . '/longbow', $new->data_dir . '/longbow');
	$_->start for $old, $new;
	$old->wait_for_catchup($new, 'replay', $old->lsn('insert'));
	$new->promote;
	diverge($old, $new, $from);
	cmp_ok($old->safe_psql('postgres', 'SELECT pending FROM longbow_stat_index'), '>=', 400, "$name: the old primary has pending rows");
	cmp_ok($new->safe_psql('postgres', 'SELECT pending FROM longbow_stat_index'), '>=', 400, "$name: the new one too");
	# Without it the new timeline is not in the control file yet.
	$new->safe_psql('postgres', 'CHECKPOINT');
	$old->stop($stop);
	rewind($old, $new, $own);
	same_answers($new, $old, $name);
	# It fills what it lacks and takes what comes, over a restart too.
	$new->safe_psql('postgres', "INSERT INTO t SELECT i, point(i) FROM generate_series($from + 30000, $from + 30149) i; DELETE FROM t WHERE id % 13 = 5");
	same_answers($new, $old, "$name, new rows");
	$new->safe_psql('postgres', 'VACUUM t; ');
	$new->safe_psql('postgres', "INSERT INTO t SELECT i, point(i) FROM generate_series($from + 40000, $from + 40149) i");
	$old->stop('immediate');
	ok(start_again($old), "$name: starts again after a crash");
	same_answers($new, $old, "$name, vacuumed and restarted");
	($old, $new) = ($new, $old);
}

# The one that was rewound last takes over.
$old->stop('immediate');
$new->promote;
is_whole($new, 'promoted');
$new->safe_psql('postgres', "INSERT INTO t SELECT i, point(i) FROM generate_series(300001, 300300) i; SELECT longbow_merge('t_v')");
is_whole($new, 'promoted, merged');
for my $node ($first, $second)
{
	unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal|TRAP|index returned tuples/, $node->name . ': no process crashed');
}
$new->stop;
done_testing();
