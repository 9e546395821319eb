# What operators look at: counters over restarts, crashes and damage of their file; reset; who sees what; a standby; waits and workers in
# longbow_stat_activity.
use strict;
use warnings;

use lib 't';
use Longbow;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_cluster('views', "shared_preload_libraries = 'longbow'\nlongbow.gc_percent = -1\nfsync = off", allows_streaming => 1);
$node->start;
add_data_functions($node);
add_point($node, 8);
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE t (id int, v vector(8));
INSERT INTO t SELECT i, point(i) FROM generate_series(1, 2000) i;
CREATE INDEX t_v ON t USING longbow (v);
CREATE ROLE watcher LOGIN;
GRANT pg_monitor TO watcher;
CREATE ROLE stranger LOGIN;
GRANT SELECT ON longbow_stat_activity TO stranger;
SQL
my $file = $node->data_dir . '/longbow/index_stats';

sub counters
{
	my ($of) = @_;
	$of //= $node;
	return $of->safe_psql('postgres',
		"SELECT leaves_probed, rows_scanned, rows_refined, rows_rechecked, pending_scanned, rows_inserted, counted_since FROM longbow_stat_index");
}
sub search { $node->safe_psql('postgres', "SET enable_seqscan = off; SELECT id FROM t ORDER BY v <-> point($_) LIMIT 10") for 1 .. $_[0]; return }

search(5);
$node->safe_psql('postgres', 'INSERT INTO t SELECT i, point(i) FROM generate_series(2001, 2050) i');
my $before = counters();
like($before, qr/^\d+\|[1-9]\d+\|[1-9]\d*\|[1-9]\d*\|0\|50\|/, 'searches and inserts are counted');

# A clean restart keeps them, and leaves no file behind.
$node->restart;
ok(!-e $file, 'the file goes at the start');
is(counters(), $before, 'counters survive a restart');
search(1);
isnt(counters(), $before, 'and go on');
# A crash loses them, as PostgreSQL's own.
$node->stop('fast');
ok(-s $file, 'a clean shutdown writes the file');
$node->start;
$node->stop('immediate');
$node->start;
like(counters(), qr/^0\|0\|0\|0\|0\|0\|/, 'no counters after a crash');
# A damaged file, one of another version and one that is cut off are ignored, said in the log, and removed.
for my $case ([ 'its checksum is wrong', 60, 'X' ], [ 'another version wrote it', 4, "\x7f" ], [ 'it is too short', undef, undef ])
{
	my ($what, $at, $byte) = @$case;
	search(1);
	$node->stop('fast');
	if (defined $at)
	{
		open(my $f, '+<:raw', $file) or die "$file: $!";
		seek($f, $at, 0);
		print $f $byte;
		close $f;
	}
	else { truncate($file, 100) or die "$file: $!"; }
	my $log = -s $node->logfile;
	$node->start;
	like(slurp_file($node->logfile, $log), qr/ignoring longbow's index counters in file "longbow\/index_stats": \Q$what\E/, "log: $what");
	like(counters(), qr/^0\|0\|0\|0\|0\|0\|/, "$what: counting begins anew");
	ok(!-e $file, "$what: the file goes");
}
# Whoever removes the folder of a stopped server loses counts, nothing else.
search(1);
$node->stop('fast');
PostgreSQL::Test::Utils::system_or_bail('rm', '-rf', $node->data_dir . '/longbow');
$node->start;
like(counters(), qr/^0\|0\|0/, 'without the folder counting begins anew');

# Reset: by superusers, and by whom they let.
search(2);
$node->safe_psql('postgres', "INSERT INTO t SELECT i, point(i) FROM generate_series(3001, 3010) i");
my ($ret, $out, $err) = $node->psql('postgres', 'SELECT longbow_stat_reset()', extra_params => [ '-U', 'watcher' ]);
like($err, qr/permission denied for function longbow_stat_reset/, 'pg_monitor may not reset');
$node->safe_psql('postgres', 'GRANT EXECUTE ON FUNCTION longbow_stat_reset() TO watcher');
my $sql = 'SELECT s.records, s.write_ops, s.bytes_raw, g.pauses, g.rounds, (SELECT sum(allocations) > 10 FROM longbow_stat_memory)
	FROM longbow_stat_storage s, longbow_stat_gc g';
like($node->safe_psql('postgres', $sql), qr/^[1-9]\d*\|.*\|t$/, 'something has been counted');
$node->safe_psql('postgres', 'SELECT longbow_stat_reset()', extra_params => [ '-U', 'watcher' ]);
like(counters(), qr/^0\|0\|0\|0\|0\|0\|/, 'reset: counters of indexes');
like($node->safe_psql('postgres', $sql), qr/^0\|\d+\|0\|0\|0\|/, 'reset: counters of the server');
is($node->safe_psql('postgres', "SELECT count(*) FROM longbow_stat_storage s, longbow_stat_gc g, longbow_stat_index i
	WHERE least(s.counted_since, g.counted_since, i.counted_since) > now() - interval '10 s'"), '1', 'reset: counted_since');

# pg_monitor sees everybody's activity, others their own.
my $session = $node->background_psql('postgres');
$session->query_safe("SET enable_seqscan = off; BEGIN; DECLARE c CURSOR FOR SELECT id FROM t ORDER BY v <-> point(1); FETCH c;");
my $look = "SELECT phase, index, note FROM longbow_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()";
is($node->safe_psql('postgres', $look, extra_params => [ '-U', 'watcher' ]), 'scan|t_v|', 'pg_monitor sees a scan');
is($node->safe_psql('postgres', "SELECT count(*), max(phase), max(note) FROM longbow_stat_activity WHERE note IS NOT NULL",
		extra_params => [ '-U', 'stranger' ]), '2||insufficient privilege', 'others do not: the scan and the launcher');
$session->query_safe('COMMIT');
is($node->safe_psql('postgres', $look), '', 'its end');
# What they wait for: one longbow_check runs the index's expression, which waits for us, another one waits for the first.
$node->safe_psql('postgres', <<'SQL');
CREATE FUNCTION slow(v vector) RETURNS vector IMMUTABLE LANGUAGE plpgsql AS
  'BEGIN PERFORM pg_advisory_xact_lock_shared(7); RETURN v; END';
CREATE TABLE w (v vector(2));
INSERT INTO w VALUES ('[1,2]'), ('[3,4]');
CREATE INDEX w_v ON w USING longbow ((slow(v)::vector(2)));
SELECT longbow_merge('w_v');
SQL
$session->query_safe('SELECT pg_advisory_lock(7)');
my @checks;
for my $n (1, 2)
{
	my $check = $node->background_psql('postgres');
	$check->query_until(qr/begun/, "\\echo begun\nSELECT longbow_check('w_v');\n");
	push @checks, $check;
	ok($node->poll_query_until('postgres', "SELECT count(*) = $n FROM longbow_stat_activity WHERE phase = 'check' AND waits_for IS NOT NULL"),
		"check $n waits");
}
is($node->safe_psql('postgres', "SELECT index, wait_event_type, waits_for FROM longbow_stat_activity WHERE phase = 'check' ORDER BY since"),
	"w_v|Lock|advisory\nw_v|Lock|LongbowStructureLock", 'what they wait for');
$session->query_safe('SELECT pg_advisory_unlock(7)');
$_->quit for @checks;
is($node->safe_psql('postgres', "SELECT phase, waits_for, wait_event_type FROM longbow_stat_activity WHERE backend_type = 'longbow launcher'"),
	'launcher|LongbowIdle|Extension', 'the launcher waits');
$session->quit;
# The lightweight locks have names of their own.
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_shmem_allocations WHERE name LIKE 'longbow %'"), '6', 'shared memory has names');

# docs/monitoring.md names every column, in its view's section.
my %section = map { /^(longbow_stat_\w+)/ ? ($1 => $_) : () } split /^### /m, slurp_file('docs/monitoring.md');
my $columns = $node->safe_psql('postgres', "SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
	WHERE c.relkind = 'v' AND c.relname ~ '^longbow_stat_'");
cmp_ok(scalar(split /\n/, $columns), q(>), 60, "columns");
is(join(' ', grep { my ($view, $column) = split /\|/; ($section{$view} // '') !~ /`\Q$column\E`/ } split /\n/, $columns), '',
	'docs/monitoring.md explains every column');

# A standby: every view can be read, searches there are counted there.
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('views_standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby);
$standby->safe_psql('postgres', 'SET enable_seqscan = off; SELECT id FROM t ORDER BY v <-> point(3) LIMIT 10');
like(counters($standby), qr/^[1-9]\d*\|[1-9]/, 'a standby counts its own searches');
is($standby->psql('postgres', 'SELECT * FROM longbow_diagnose()'), 0, 'longbow_diagnose() runs on a standby');
for my $view (qw(simd index storage gc memory activity numa))
{
	is($standby->safe_psql('postgres', "SELECT count(*) > 0 FROM longbow_stat_$view"), 't', "longbow_stat_$view on a standby");
}
$standby->safe_psql('postgres', 'SELECT longbow_stat_reset()');
like(counters($standby), qr/^0\|0/, 'reset on a standby');
$standby->stop;
$node->stop;
done_testing();
