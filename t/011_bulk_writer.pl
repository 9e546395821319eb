# The direct page writer: both backends, with checksums; a replica's copy is the same bytes; crashes after commit under
# wal_level replica and minimal; a tablespace; a cancelled and a killed build leave nothing; a full disk.
use strict;
use warnings;

use File::Find;
use FindBin;
use lib $FindBin::RealBin;

use Longbow;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $settings = "shared_preload_libraries = 'longbow'\nlongbow.storage_use_iouring = on";
my $node = new_cluster('primary', "$settings\nwal_consistency_checking = 'all'\nmax_wal_size = '1GB'", allows_streaming => 1,
	extra => ['--data-checksums']);
$node->start;
add_data_functions($node);
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE t AS SELECT i AS id, blob(i, 96) AS v FROM generate_series(1, 20000) i;
INSERT INTO t VALUES (0, NULL), (-1, NULL);
CREATE TABLE q AS SELECT -i AS id, blob(-i, 96) AS v FROM generate_series(1, 30) i;
SQL
my $backup = $node->backup('before');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'before', has_streaming => 1);
$standby->start;

sub switch_ring
{
	my ($server, $on) = @_;
	set_config($server, 'longbow.storage_use_iouring' => $on);
	$server->reload;
	$server->poll_query_until('postgres', "SELECT current_setting('longbow.storage_use_iouring') = '$on'");
	return;
}

# The file of an index, from block 0 on.
sub file_of
{
	my ($server, $index) = @_;
	my $path = $server->safe_psql('postgres', "SELECT pg_relation_filepath('$index')");
	return slurp_file($server->data_dir . "/$path");
}

my $exact = ten_nearest($node, 't', 'q', 'exact');

# -- both backends: the same answers, every row, every checksum; on the replica the same bytes
my $have_ring;
for my $ring ('on', 'off')
{
	switch_ring($node, $ring);
	$node->safe_psql('postgres', 'DROP INDEX IF EXISTS t_v; CREATE INDEX t_v ON t USING longbow (v vector_l2_ops)');
	my ($backend, $reason, $bytes) = split /\|/,
	  $node->safe_psql('postgres', 'SELECT build_backend, build_reason, build_bytes > 1000000 FROM longbow_stat_storage');
	if ($ring eq 'on' && $backend ne 'io_uring')
	{
		like($reason, qr/io_uring is not to be had: ./, 'the view says why not');
		diag("no io_uring here: $reason");
	}
	else
	{
		is($backend, $ring eq 'on' ? 'io_uring' : 'standard', "storage_use_iouring = $ring is obeyed");
		$have_ring = 1 if $ring eq 'on';
	}
	is($bytes, 't', 'bytes are counted');
	is($node->safe_psql('postgres', "SELECT longbow_check('t_v')"), 20002, "longbow_check, $ring");
	same_lines(ten_nearest($node, 't', 'q'), $exact, "the ten nearest, $ring");
	$node->safe_psql('postgres', 'CHECKPOINT');
	$node->wait_for_catchup($standby);
	same_lines(ten_nearest($standby, 't', 'q'), $exact, "the ten nearest on the standby, $ring");
	$standby->safe_psql('postgres', 'CHECKPOINT');
	# Block 0 is left out: the meta page goes through shared buffers.
	my ($here, $there) = (file_of($node, 't_v'), file_of($standby, 't_v'));
	is(length($here), length($there), "files have the same length, $ring");
	my @differ = grep { substr($here, $_ * 8192, 8192) ne substr($there, $_ * 8192, 8192) } 1 .. length($here) / 8192 - 1;
	is(scalar(@differ), 0, "what was written is what was logged, $ring");
}

# -- a crash right after a committed build
switch_ring($node, 'on');
$node->safe_psql('postgres', 'DROP INDEX t_v; CREATE INDEX t_v ON t USING longbow (v vector_l2_ops)');
$node->stop('immediate');
ok(start_again($node), 'the server comes back');
same_lines(ten_nearest($node, 't', 'q'), $exact, 'the ten nearest after a crash');
is($node->safe_psql('postgres', "SELECT longbow_check('t_v')"), 20002, 'longbow_check after a crash');

# -- a checkpoint in the middle, then a crash: pages whose WAL lies before it must be on disk
my $busy = $node->background_psql('postgres');
$busy->query_safe('SET application_name = busy');
$busy->{stdin} .= "REINDEX INDEX t_v;\n\\echo reindexed\n";
$busy->{run}->pump_nb;
for (1 .. 20)
{
	$node->safe_psql('postgres', 'CHECKPOINT');
	usleep(50_000);
	$busy->{run}->pump_nb;
	last if $busy->{stdout} =~ /reindexed/;
}
$busy->{run}->pump until $busy->{stdout} =~ /reindexed/;
$node->stop('immediate');
eval { $busy->{run}->kill_kill };
ok(start_again($node), 'the server comes back after checkpoints');
is($node->safe_psql('postgres', "SELECT longbow_check('t_v')"), 20002, 'longbow_check after checkpoints and a crash');

# The standby would take the same folder for the tablespace.
$standby->stop;

# -- a tablespace; a cancelled build leaves neither file nor descriptor
my $folder = PostgreSQL::Test::Utils::tempdir;
$node->safe_psql('postgres', "CREATE TABLESPACE other LOCATION '$folder'");
$node->safe_psql('postgres', 'CREATE INDEX t_other ON t USING longbow (v vector_l2_ops) TABLESPACE other');
is($node->safe_psql('postgres', "SELECT longbow_check('t_other')"), 20002, 'an index in a tablespace');
$node->safe_psql('postgres', 'DROP INDEX t_other; CHECKPOINT');

sub files_in
{
	my $count = 0;
	find({ wanted => sub { $count++ if -f $_ && -s $_ }, no_chdir => 1 }, $folder);
	return $count;
}
sub descriptors
{
	my ($pid) = @_;
	opendir(my $dir, "/proc/$pid/fd") or return undef;
	return scalar(grep { (readlink("/proc/$pid/fd/$_") // '') =~ /io_uring|\Q$folder\E/ } readdir $dir);
}
is(files_in(), 0, 'nothing is left of a dropped index');
# Cancelled while pages are being written, or soon after: wherever the moment, nothing may be left.
$node->safe_psql('postgres', 'CREATE TABLE big AS SELECT * FROM t UNION ALL SELECT id, v FROM t UNION ALL SELECT id, v FROM t');
my $worker = $node->background_psql('postgres', on_error_stop => 0);
$worker->query('SET client_min_messages = error');
my $pid = $worker->query_safe('SELECT pg_backend_pid()');
my $met = 0;
for my $round (1 .. 8)
{
	$worker->{stdin} .= "CREATE INDEX big_v ON big USING longbow (v vector_l2_ops) WITH (leaf_size = 32) TABLESPACE other;\n";
	$worker->{stdin} .= "\\echo done $round\n";
	$worker->{run}->pump_nb;
	my $phase = '';
	for (1 .. 2000)
	{
		$phase = $node->safe_psql('postgres', "SELECT phase FROM pg_stat_progress_create_index WHERE pid = $pid");
		last if $phase =~ /writing/;
		$worker->{run}->pump_nb;
		last if $worker->{stdout} =~ /done $round/;
		usleep(2_000);
	}
	$met++ if $phase =~ /writing/;
	usleep(3_000 * $round);
	$node->safe_psql('postgres', "SELECT pg_cancel_backend($pid)");
	$worker->{run}->pump until $worker->{stdout} =~ /done $round/;
	$worker->query('DROP INDEX IF EXISTS big_v');
}
ok($met > 0, "builds were cancelled while they wrote ($met)");
$node->safe_psql('postgres', 'CHECKPOINT');
is(files_in(), 0, 'cancelled builds leave no file');
SKIP:
{
	my $open = descriptors($pid);
	skip 'no /proc', 1 unless defined $open;
	is($open, 0, 'cancelled builds leave no descriptor');
}
$worker->query('CREATE INDEX big_v ON big USING longbow (v vector_l2_ops) TABLESPACE other');
is($node->safe_psql('postgres', "SELECT longbow_check('big_v')"), 60006, 'the same session builds after cancelled builds');
$worker->quit;

# -- a session that is ended in the middle
$worker = $node->background_psql('postgres', on_error_stop => 0);
$pid = $worker->query_safe('SELECT pg_backend_pid()');
$worker->{stdin} .= "REINDEX INDEX big_v;\n";
$worker->{run}->pump_nb;
$node->poll_query_until('postgres', "SELECT count(*) > 0 FROM pg_stat_progress_create_index WHERE phase LIKE '%writing%'");
$node->safe_psql('postgres', "SELECT pg_terminate_backend($pid, 10000)");
eval { $worker->{run}->finish };
is($node->safe_psql('postgres', "SELECT longbow_check('big_v')"), 60006, 'the old index is there after a terminated REINDEX');

# -- every checksum on disk
$node->stop;
command_ok([ 'pg_checksums', '--check', '-D', $node->data_dir ], 'all checksums are right');

# -- wal_level minimal: nothing is logged, the files are synced
my $minimal = new_cluster('minimal', "$settings\nwal_level = minimal\nmax_wal_senders = 0\nwal_skip_threshold = 0");
$minimal->start;
add_data_functions($minimal);
$minimal->safe_psql('postgres', 'CREATE TABLE q AS SELECT -i AS id, blob(-i, 96) AS v FROM generate_series(1, 20) i');
for my $ring ('on', 'off')
{
	switch_ring($minimal, $ring);
	$minimal->safe_psql('postgres', <<'SQL');
DROP TABLE IF EXISTS t;
CHECKPOINT;
BEGIN;
CREATE TABLE t AS SELECT i AS id, blob(i, 96) AS v FROM generate_series(1, 10000) i;
CREATE INDEX t_v ON t USING longbow (v vector_l2_ops);
COMMIT;
SQL
	my $answers = ten_nearest($minimal, 't', 'q');
	$minimal->stop('immediate');
	ok(start_again($minimal), "wal_level minimal: the server comes back, $ring");
	same_lines(ten_nearest($minimal, 't', 'q'), $answers, "wal_level minimal: the same answers after a crash, $ring");
	is($minimal->safe_psql('postgres', "SELECT longbow_check('t_v')"), 10000, "wal_level minimal: longbow_check, $ring");
}

# -- a file system that is full: needs root to mount one
SKIP:
{
	my $full = "$folder.full";
	mkdir $full;
	my $mounted = system("mount -t tmpfs -o size=3m,mode=0777 tmpfs $full 2>/dev/null") == 0;
	skip 'a small file system cannot be mounted (not root)', 4 unless $mounted;
	mkdir "$full/space";
	$minimal->safe_psql('postgres', "CREATE TABLESPACE small LOCATION '$full/space'");
	for my $ring ('on', 'off')
	{
		switch_ring($minimal, $ring);
		my ($status, $out, $err) =
		  $minimal->psql('postgres', 'CREATE INDEX t_full ON t USING longbow (v vector_l2_ops) WITH (leaf_size = 16) TABLESPACE small');
		like($err, qr/could not (extend|write) file ".*": .*No space left on device/, "a full disk is reported, $ring");
		is($minimal->safe_psql('postgres', "SELECT longbow_check('t_v')"), 10000, "the server lives on a full disk, $ring");
	}
	$minimal->safe_psql('postgres', 'DROP TABLESPACE small');
	$minimal->stop;
	system("umount $full");
}

done_testing();
