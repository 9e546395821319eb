# Pending rows whose side WAL is lost or damaged while the server is stopped: it starts, the answers are the same, the index is
# whole, and merging gives the same answers again. Then the server without the preloaded library, and with less memory.
use strict;
use warnings;

use lib 't';
use Longbow;
use File::Copy qw(copy);
use File::Path qw(remove_tree);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

use constant { SEGMENT => 16 * 1024 * 1024, HEADER => 4096, RECORD => 80 };
my $seed = $ENV{LONGBOW_SEED} // 1;
srand($seed);
note("seed $seed");

my $node = new_cluster('lost', <<'CONF');
shared_preload_libraries = 'longbow'
longbow.gc_percent = -1
longbow.delta_memory = '8MB'
CONF
$node->start;
add_data_functions($node);
add_point($node, 40);
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE q AS SELECT i AS id, blob(1000000 + i, 40) AS v FROM generate_series(1, 50) i;
CREATE TABLE t (id int PRIMARY KEY, note text, v vector(40)) WITH (fillfactor = 70);
INSERT INTO t SELECT i, '', point(i) FROM generate_series(1, 1500) i;
CREATE INDEX t_v ON t USING longbow (v) WITH (leaf_size = 16);
SQL

my $wal = $node->data_dir . '/longbow/wal';
my $last = 1500;

# Rows of every kind that the list can have: alone, together, compressible, not, rolled back, deleted, updated, vacuumed.
sub add_rows
{
	my ($from, $to) = ($last + 1, $last + 700);
	my ($a, $b) = ($from + 200, $from + 320);
	$last = $to;
	$node->safe_psql('postgres', <<"SQL");
INSERT INTO t SELECT i, '', point(i) FROM generate_series($from, $a) i;
BEGIN; INSERT INTO t SELECT -i, 'rolled back', point(i) FROM generate_series($from, $a) i; ROLLBACK;
SET longbow.wal_batch_size = 7;
SET longbow.wal_compression = off;
INSERT INTO t SELECT i, '', point(i) FROM generate_series($a + 1, $b) i;
SET longbow.wal_compression = on;
SET longbow.storage_async_fsync = on;
INSERT INTO t SELECT i, '', point(i) FROM generate_series($b + 1, $to) i;
INSERT INTO t VALUES ($from + 5000000, 'NULL', NULL);
DELETE FROM t WHERE id % 9 = 0 AND id >= $from;
UPDATE t SET note = 'HOT' WHERE id % 4 = 0 AND id >= $from;
UPDATE t SET v = point(id + 7000000) WHERE id % 11 = 0 AND id >= $from;
SQL
	return;
}

sub pending { return $node->safe_psql('postgres', "SELECT pending FROM longbow_stat_index WHERE index = 't_v'"); }

sub is_whole
{
	my ($when, $expected) = @_;
	same_lines(ten_nearest($node, 't', 'q'), $expected, "$when: the same answers") if defined $expected;
	is($node->safe_psql('postgres', "SELECT longbow_check('t_v')"), $node->safe_psql('postgres', 'SELECT count(*) FROM t'),
		"$when: the index is whole");
	is(strangers($node, 't', 'q'), 0, "$when: a search to the end meets every row once");
	return;
}

sub exact_answers { return ten_nearest($node, 't', 'q', 'exact'); }

sub segments { return sort grep { m{/[0-9A-F]{16}$} } glob("$wal/*"); }

# Calls f(bytes of a file) for each segment and writes what it returns.
sub rewrite
{
	my ($f) = @_;
	my $count = 0;
	for my $file (segments())
	{
		open(my $in, '<:raw', $file) or die "$file: $!";
		my $bytes = do { local $/; <$in> };
		close($in);
		my $new = $f->($bytes);
		open(my $out, '>:raw', $file) or die "$file: $!";
		print $out $new;
		close($out);
		$count++;
	}
	return $count;
}

# Where a segment's records begin, with their lengths: header fields at 40.
sub records
{
	my ($bytes) = @_;
	my @found;
	for (my $at = HEADER; $at + RECORD <= length($bytes); )
	{
		my ($magic, $length) = (unpack('V', substr($bytes, $at, 4)), unpack('V', substr($bytes, $at + 40 - 8, 4)));
		last if $magic != 0x4257424C || $length < RECORD;
		push @found, [ $at, $length ];
		$at += $length;
	}
	return @found;
}

sub random_bytes { return join('', map { pack('V', int(rand(2**32))) } 1 .. $_[0] / 4); }

my $flipped = 0;
my @damages = (
	[ 'nothing lost', sub { } ],
	[ 'longbow removed', sub { remove_tree($node->data_dir . '/longbow') } ],
	[ 'a file in its place', sub { remove_tree($node->data_dir . '/longbow'); append_to_file($node->data_dir . '/longbow', 'x'); } ],
	[ 'segments truncated', sub { rewrite(sub { substr($_[0], 0, HEADER + 3000 + int(rand(20000))) }) } ],
	[ 'segments empty', sub { rewrite(sub { '' }) } ],
	[ 'random bytes', sub { rewrite(sub { random_bytes(64 * 1024) x 256 }) } ],
	[ 'random bytes behind the header', sub { rewrite(sub { substr($_[0], 0, HEADER) . substr(random_bytes(64 * 1024) x 256, HEADER) }) } ],
	[ 'header damaged', sub { rewrite(sub { my $b = $_[0]; substr($b, int(rand(32)), 1) ^= chr(1 << int(rand(8))); $b }) } ],
	[ 'a bit flipped in each record', sub {
		rewrite(sub {
			my $b = $_[0];
			for my $record (records($b))
			{
				my ($at, $length) = @$record;
				# Anywhere, but most often where the vectors are or in the header.
				my $where = int(rand(3)) ? int(rand($length)) : int(rand(RECORD));
				substr($b, $at + $where, 1) ^= chr(1 << int(rand(8)));
				$flipped++;
			}
			return $b;
		}) } ],
	[ 'records in each other\'s places', sub {
		rewrite(sub {
			my $b = $_[0];
			my @r = records($b);
			for my $i (1 .. $#r)
			{
				my ($from, $to) = ($r[ $i - 1 ], $r[$i]);
				my $length = $from->[1] < $to->[1] ? $from->[1] : $to->[1];
				substr($b, $to->[0], $length) = substr($b, $from->[0], $length);
			}
			return $b;
		}) } ],
	[ 'segments in each other\'s places', sub {
		my @files = segments();
		rename($files[0], "$wal/x"), rename($files[-1], $files[0]), rename("$wal/x", $files[-1]) if @files > 1;
	} ],
	[ 'an empty folder', sub { unlink $_ for segments() } ]);

my $way = 0;
for my $damage (@damages)
{
	my ($name, $do) = @$damage;
	add_rows();
	$node->safe_psql('postgres', 'VACUUM (INDEX_CLEANUP off) t') if $way % 2;
	cmp_ok(pending(), '>', 600, "$name: there are pending rows") if $way % 2 == 0 || $way == 1;
	my $expected = ten_nearest($node, 't', 'q');
	same_lines($expected, exact_answers(), "$name: the answers before are right") if $way < 2;
	# Stopped in order, or not.
	$node->stop($way++ % 3 == 1 ? 'immediate' : 'fast');
	$do->();
	ok(start_again($node), "$name: the server starts") or last;
	is_whole($name, $expected);
	# Restarted again: what was read from the heap is in no log.
	if ($name =~ /removed|flipped/)
	{
		$node->restart;
		same_lines(ten_nearest($node, 't', 'q'), $expected, "$name: and after another start");
	}
	cmp_ok($node->safe_psql('postgres', "SELECT longbow_merge('t_v')"), '>', 400, "$name: rows are merged");
	is(pending(), 0, "$name: nothing is pending");
	is_whole("$name, merged", $expected);
	if ($name eq 'a file in its place')
	{
		is($node->safe_psql('postgres', 'SELECT effective FROM longbow_stat_storage'), 'none', "$name: the log is out of use");
		unlink $node->data_dir . '/longbow';
		$node->restart;
	}
	$node->safe_psql('postgres', 'VACUUM t') if $way % 4 == 0;
}
cmp_ok($flipped, '>', 10, 'bits were flipped in records');

# Insert, HOT update, prune, crash, no side WAL, search.
add_rows();
$node->safe_psql('postgres', "UPDATE t SET note = 'again' WHERE id > $last - 600 AND id % 3 <> 0") for 1 .. 4;
$node->safe_psql('postgres', 'SET enable_indexscan = off; SELECT sum(length(note)) FROM t');
my $hot = $node->safe_psql('postgres', "SELECT n_tup_hot_upd > 400 FROM pg_stat_xact_user_tables WHERE relname = 't' UNION SELECT n_tup_hot_upd > 400 FROM pg_stat_user_tables WHERE relname = 't' ORDER BY 1 DESC LIMIT 1");
is($hot, 't', 'there were HOT updates');
my $expected = ten_nearest($node, 't', 'q');
$node->stop('immediate');
remove_tree($node->data_dir . '/longbow');
ok(start_again($node), 'pruned: the server starts');
is_whole('pruned', $expected);
is(unfound($node, "(SELECT * FROM t WHERE id > $last - 600 AND v IS NOT NULL)", 't'), 0, 'pruned: rows are found by their own vectors');
is($node->safe_psql('postgres', 'VACUUM t') . pending() * 0, 0, 'pruned: vacuum works');
is_whole('pruned, vacuumed', $expected);

# Less memory than the list needs, then hardly any, then enough.
add_rows();
add_rows();
$expected = ten_nearest($node, 't', 'q');
for my $memory ('1MB', '8MB')
{
	$node->stop;
	remove_tree($node->data_dir . '/longbow') if $memory eq '8MB';
	set_config($node, 'longbow.delta_memory' => $memory);
	$node->start;
	is_whole("delta of $memory", $expected);
}

# Without the preload, and with it again.
cmp_ok(pending(), '>', 600, 'there are pending rows before the preload goes');
$expected = ten_nearest($node, 't', 'q');
$node->stop;
set_config($node, 'shared_preload_libraries' => '');
$node->start;
is_whole('no preload', $expected);
is($node->safe_psql('postgres', 'SELECT effective FROM longbow_stat_storage'), 'none', 'no preload: the view says so');
add_rows();
is(pending(), 0, 'no preload: a flush empties the list');
is_whole('no preload, inserted', exact_answers());
$node->safe_psql('postgres', 'VACUUM t');
set_config($node, 'shared_preload_libraries' => 'longbow');
$node->restart;
add_rows();
cmp_ok(pending(), '>', 600, 'preload: rows are pending again');
set_config($node, 'shared_preload_libraries' => '');
$node->stop('immediate');
start_again($node);
is_whole('no preload after a crash', exact_answers());
cmp_ok($node->safe_psql('postgres', "SELECT longbow_merge('t_v')"), '>', 500, 'no preload: longbow_merge empties the list');
is(pending(), 0, 'no preload: nothing is pending');
is_whole('no preload, merged', exact_answers());
$node->safe_psql('postgres', "DELETE FROM t WHERE id > $last - 300");
$node->safe_psql('postgres', 'VACUUM t');
set_config($node, 'shared_preload_libraries' => 'longbow');
$node->restart;
add_rows();
is_whole('preload again', exact_answers());

my $log = slurp_file($node->logfile);
unlike($log, qr/PANIC|was terminated by signal|TRAP/, 'no process crashed');
unlike($log, qr/ERROR: /, 'no error');
$node->stop;
done_testing();
