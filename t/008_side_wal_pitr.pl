# Base backups with pending rows, recovery to a point between two commits although the side WAL of a later time lies there,
# and prepared transactions.
use strict;
use warnings;

use lib 't';
use Longbow;
use File::Path qw(remove_tree);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::RecursiveCopy;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_cluster('primary', <<'CONF', has_archiving => 1, allows_streaming => 1);
shared_preload_libraries = 'longbow'
max_prepared_transactions = 10
longbow.gc_percent = -1
longbow.delta_memory = '8MB'
CONF
$node->start;
add_data_functions($node);
add_point($node, 40);
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE q AS SELECT i AS id, blob(1000000 + i, 40) AS v FROM generate_series(1, 50) i;
CREATE TABLE t (id int PRIMARY KEY, v vector(40));
INSERT INTO t SELECT i, point(i) FROM generate_series(1, 800) i;
CREATE INDEX t_v ON t USING longbow (v) WITH (leaf_size = 16);
INSERT INTO t SELECT i, point(i) FROM generate_series(801, 1100) i;
SQL

sub rows_of { return $_[0]->safe_psql('postgres', "SELECT count(*) || ' ' || sum(hashint4(id)::bigint) FROM t"); }
sub is_whole
{
	my ($at, $when, $rows, $expected) = @_;
	is(rows_of($at), $rows, "$when: the rows of that point");
	same_lines(ten_nearest($at, 't', 'q'), $expected // ten_nearest($at, 't', 'q', 'exact'), "$when: the answers");
	is($at->safe_psql('postgres', "SELECT longbow_check('t_v')"), $at->safe_psql('postgres', 'SELECT count(*) FROM t'), "$when: the index is whole");
	is(strangers($at, 't', 'q'), 0, "$when: every row once");
	return;
}

# A backup that is taken while rows come.
my $work = start_work($node, {
	insert => "INSERT INTO t SELECT 10000 + nextval('n'), blob(10000 + currval('n'), 40) FROM generate_series(1, 20);\n\\sleep 3 ms",
	single => "INSERT INTO t SELECT 10000 + nextval('n'), blob(10000 + currval('n'), 40);\n\\sleep 3 ms" })
  if $node->safe_psql('postgres', 'CREATE SEQUENCE n; SELECT 1');
$node->poll_query_until('postgres', 'SELECT count(*) > 1200 FROM t');
$node->backup('base');
stop_work($work, 'TERM');

# It starts by itself and has all that was there when it ended; with more rows than its side WAL knows of.
my $copy = PostgreSQL::Test::Cluster->new('copy');
$copy->init_from_backup($node, 'base');
$copy->start;
cmp_ok($copy->safe_psql('postgres', 'SELECT count(*) FROM t'), '>', 1200, 'the copy has rows');
cmp_ok($copy->safe_psql('postgres', 'SELECT pending FROM longbow_stat_index'), '>', 300, 'and pending ones');
is_whole($copy, 'base backup', rows_of($copy));
$copy->safe_psql('postgres', 'INSERT INTO t SELECT -i, point(-i) FROM generate_series(1, 200) i');
$copy->safe_psql('postgres', "SELECT longbow_merge('t_v')");
is_whole($copy, 'base backup, merged', rows_of($copy));
$copy->stop;

# Commits, and points between them: by name and by LSN.
$node->safe_psql('postgres', 'INSERT INTO t SELECT i, point(i) FROM generate_series(1201, 1500) i');
$node->safe_psql('postgres', "BEGIN; INSERT INTO t SELECT i, point(i) FROM generate_series(1601, 1650) i; PREPARE TRANSACTION 'p1'");
$node->safe_psql('postgres', "SELECT pg_create_restore_point('here')");
my ($rows_here, $ten_here) = (rows_of($node), ten_nearest($node, 't', 'q'));
# Row ids of the rows after the point are used again, by others: here and, in another way, after the recovery.
$node->safe_psql('postgres', <<'SQL');
INSERT INTO t SELECT i, point(i) FROM generate_series(2001, 2300) i;
DELETE FROM t WHERE id > 2150;
SQL
$node->safe_psql('postgres', 'VACUUM t');
$node->safe_psql('postgres', 'INSERT INTO t SELECT i, point(i) FROM generate_series(3001, 3100) i');
my ($rows_lsn, $ten_lsn, $lsn) = (rows_of($node), ten_nearest($node, 't', 'q'), $node->lsn('insert'));
$node->safe_psql('postgres', "SELECT longbow_merge('t_v')");
$node->safe_psql('postgres', "COMMIT PREPARED 'p1'");
$node->safe_psql('postgres', 'INSERT INTO t SELECT i, point(i) FROM generate_series(4001, 4400) i');
$node->safe_psql('postgres', 'DELETE FROM t WHERE id % 5 = 0');
is_whole($node, 'the end', rows_of($node));
$node->safe_psql('postgres', 'SELECT pg_switch_wal()');
my $later = $node->data_dir . '/longbow';

my %points = (
	name => { conf => "recovery_target_name = 'here'", rows => $rows_here, ten => $ten_here, prepared => 1 },
	LSN => { conf => "recovery_target_lsn = '$lsn'", rows => $rows_lsn, ten => $ten_lsn, prepared => 1 });
$node->poll_query_until('postgres', 'SELECT last_archived_wal >= pg_walfile_name(\'' . $lsn . '\') FROM pg_stat_archiver');
for my $how (sort keys %points)
{
	my $point = $points{$how};
	my $at = PostgreSQL::Test::Cluster->new("at_$how");
	$at->init_from_backup($node, 'base', has_restoring => 1, standby => 0);
	# The side WAL of a time that never came to pass here.
	remove_tree($at->data_dir . '/longbow');
	PostgreSQL::Test::RecursiveCopy::copypath($later, $at->data_dir . '/longbow');
	$at->append_conf('postgresql.conf', "$point->{conf}\nrecovery_target_action = 'promote'\narchive_mode = off\n");
	$at->start;
	$at->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()');
	is_whole($at, "to a point by $how", $point->{rows}, $point->{ten});
	# New rows take the row ids and ordinals that others had in the time that did not come to pass.
	$at->safe_psql('postgres', 'INSERT INTO t SELECT i, point(i) FROM generate_series(6001, 6500) i');
	is(unfound($at, '(SELECT * FROM t WHERE id > 6000 AND id < 6500)', 't'), 0, "to a point by $how: new rows are found");
	$at->stop('immediate');
	ok(start_again($at), "to a point by $how: starts again after a crash");
	is_whole($at, "to a point by $how, new rows", rows_of($at));
	$at->safe_psql('postgres', "COMMIT PREPARED 'p1'");
	is(unfound($at, '(SELECT * FROM t WHERE id BETWEEN 1601 AND 1650)', 't'), 0, "to a point by $how: a prepared transaction's rows are found");
	$at->safe_psql('postgres', "SELECT longbow_merge('t_v')");
	is_whole($at, "to a point by $how, merged", rows_of($at));
	$at->stop;
}

# Prepared transactions over a restart, a crash, a merge and a vacuum.
for my $how ('fast', 'immediate')
{
	my $from = $how eq 'fast' ? 7001 : 8001;
	my ($middle, $end) = ($from + 60, $from + 120);
	$node->safe_psql('postgres', <<"SQL");
BEGIN; INSERT INTO t SELECT i, point(i) FROM generate_series($from, $middle - 1) i; PREPARE TRANSACTION 'kept';
BEGIN; INSERT INTO t SELECT i, point(i) FROM generate_series($middle, $end) i; PREPARE TRANSACTION 'undone';
BEGIN; INSERT INTO t SELECT -i, point(i) FROM generate_series($from, $from + 2) i; SAVEPOINT a;
INSERT INTO t SELECT -i, point(i) FROM generate_series($from + 3, $from + 150) i; ROLLBACK TO a;
INSERT INTO t SELECT -i, point(i) FROM generate_series($from + 3, $from + 5) i; PREPARE TRANSACTION 'part';
SQL
	my $rows = rows_of($node);
	$node->stop($how);
	ok(start_again($node), "prepared, $how: starts");
	is_whole($node, "prepared, $how", $rows);
	$node->safe_psql('postgres', "SELECT longbow_merge('t_v')") if $how eq 'fast';
	$node->safe_psql('postgres', 'VACUUM t');
	$node->safe_psql('postgres', "COMMIT PREPARED 'kept'");
	$node->safe_psql('postgres', "ROLLBACK PREPARED 'undone'");
	$node->safe_psql('postgres', "COMMIT PREPARED 'part'");
	is($node->safe_psql('postgres', "SELECT count(*) || ' ' || count(*) FILTER (WHERE id < 0) FROM t WHERE id BETWEEN $from AND $end OR id < -$from + 1 AND id > -$from - 200"),
		'66 6', "prepared, $how: rows of those that committed");
	is(unfound($node, "(SELECT * FROM t WHERE id BETWEEN $from AND $end)", 't'), 0, "prepared, $how: are found");
	$node->safe_psql('postgres', "SELECT longbow_merge('t_v')") if $how ne 'fast';
	is_whole($node, "prepared, $how, then committed", rows_of($node));
	$node->safe_psql('postgres', 'VACUUM t');
	is_whole($node, "prepared, $how, vacuumed", rows_of($node));
}
unlike(slurp_file($node->logfile), qr/PANIC|terminated by signal|TRAP/, 'no process crashed');
$node->stop;
done_testing();
