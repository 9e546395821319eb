# longbow_profile_cpu(): the kernel's samples and those by signals find the functions of a search, google-pprof reads the profile, and
# nothing is left behind.
use strict;
use warnings;

use lib 't';
use Longbow;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

plan skip_all => 'profiles are for x86-64' if `uname -m` !~ /x86_64/;
my $node = new_cluster('profile', "shared_preload_libraries = 'longbow'\nfsync = off");
$node->start;
add_data_functions($node);
add_point($node, 32);
$node->safe_psql('postgres', <<'SQL');
CREATE TABLE t (id int, v vector(32));
INSERT INTO t SELECT i, point(i) FROM generate_series(1, 5000) i;
CREATE INDEX t_v ON t USING longbow (v);
CREATE ROLE plain LOGIN;
SQL

# A session that searches without end, and its process.
sub busy
{
	my ($of) = @_;
	my $work = start_work($of, { search => 'SET enable_seqscan = off; SELECT count(*) FROM (SELECT v AS q FROM t) q, LATERAL (SELECT id FROM t ORDER BY v <-> q LIMIT 10) x;' });
	$of->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE query ~ 'v AS q FROM t' AND state = 'active' AND pid <> pg_backend_pid()")
	  or die 'the search does not begin';
	return ($work, $of->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE query ~ 'v AS q FROM t' AND pid <> pg_backend_pid()"));
}
# What a process has open, by kind: descriptors, those of perf, and shared memory mapped from perf.
sub open_things
{
	my ($pid) = @_;
	# Files of relations come and go.
	my @fds = grep { !m{/(base|global)/} } map { readlink($_) // '' } glob("/proc/$pid/fd/*");
	my $maps = slurp_file("/proc/$pid/maps");
	return (scalar(@fds), scalar(grep { /perf_event/ } @fds), scalar(() = $maps =~ /perf_event/g));
}

my ($work, $pid) = busy($node);
my $session = $node->background_psql('postgres', on_error_stop => 0);
# A NOTICE would be an error to query_safe().
$session->query_safe('SET client_min_messages = warning');
my $me = $session->query_safe('SELECT pg_backend_pid()');
my $by_kernel = $node->psql('postgres', "SELECT longbow_profile_cpu($pid, 0.01, 1000, 'perf')", stderr => \my $why) == 0;
diag("no samples by the kernel here: $why") if !$by_kernel;

$session->query_safe("SELECT length(longbow_profile_cpu($pid, 0.1))");
$session->query_safe("SELECT count(*) FROM longbow_profile_cpu_folded($pid, 0.1)");
my @before = open_things($me);
for my $method ('signal', $by_kernel ? 'perf' : ())
{
	my $found = $session->query_safe(
		"SELECT sum(samples), sum(samples) FILTER (WHERE stack ~ 'longbow::am::.*;longbow::tree::Search'), sum(samples) FILTER (WHERE stack ~ 'PostgresMain;.*ExecutorRun.*longbow::') FROM longbow_profile_cpu_folded($pid, 1.5, 200, '$method')");
	my ($all, $search, $under) = map { $_ eq '' ? 0 : $_ } split /\|/, $found, -1;
	cmp_ok($all, '>=', 10, "$method: samples");
	cmp_ok($search, '>=', $all / 4, "$method: of searches ($found)");
	cmp_ok($under, '>=', $all / 2, "$method: whole stacks, from the main loop down");
}
is_deeply([ open_things($me) ], \@before, 'no descriptor or mapping stays open');

# A cancelled one leaves nothing either, and the next one works.
for my $method ('signal', $by_kernel ? 'perf' : ())
{
	my ($ret, $out, $err) = $node->psql('postgres', "SET statement_timeout = 300; SELECT longbow_profile_cpu($pid, 60, 99, '$method')");
	like($err, qr/canceling statement due to statement timeout/, "$method: can be cancelled");
}
$session->query("SET statement_timeout = 200; SELECT longbow_profile_cpu($pid, 60); SET statement_timeout = 0;");
is_deeply([ open_things($me) ], \@before, 'nor after a cancelled one');
is($node->safe_psql('postgres', "SELECT count(*) > 0 FROM longbow_profile_cpu_folded($pid, 0.5, 200, 'signal')"), 't', 'the place of signals is free again');

# Two at once: signals have one place, and the second says so.
my $first = $node->background_psql('postgres');
$first->query_until(qr/start/, "\\echo start\nSELECT length(longbow_profile_cpu($pid, 3, 99, 'signal'));\n");
$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE query ~ 'signal' AND state = 'active' AND pid <> pg_backend_pid() AND wait_event = 'Extension'");
my ($ret, $out, $err) = $node->psql('postgres', "SELECT longbow_profile_cpu($pid, 1, 99, 'signal')");
like($err, qr/could not sample the process.*another session profiles/s, 'two profiles by signals at once');
$first->quit;

# What is refused.
for my $case (
	[ 'pg_backend_pid()', qr/a session cannot profile itself/ ],
	[ '1', qr/PID 1 is not a PostgreSQL server process/ ],
	[ "$pid, 0", qr/seconds must be above 0/ ],
	[ "$pid, 'NaN'", qr/seconds must be above 0/ ],
	[ "$pid, 1, 0", qr/hz must be between 1 and 1000/ ],
	[ "$pid, 1, 9, 'magic'", qr/unrecognized method of profiling: "magic"/ ])
{
	($ret, $out, $err) = $node->psql('postgres', "SELECT longbow_profile_cpu($case->[0])");
	like($err, $case->[1], "refused: $case->[0]");
}
$node->safe_psql('postgres', 'GRANT EXECUTE ON FUNCTION longbow_profile_cpu TO plain');
($ret, $out, $err) = $node->psql('postgres', "SELECT longbow_profile_cpu($pid)", extra_params => [ '-U', 'plain' ]);
like($err, qr/must be superuser to profile a server process/, 'others may not, whatever is granted');

# A worker, and a process that ends meanwhile.
is($node->safe_psql('postgres', "SELECT count(longbow_profile_cpu(pid, 0.05)) FROM pg_stat_activity WHERE backend_type IN ('checkpointer', 'longbow launcher')"),
	2, 'auxiliary processes and background workers');
my $other = $node->background_psql('postgres');
my $its = $other->query_safe('SELECT pg_backend_pid()');
my $watch = $node->background_psql('postgres', on_error_stop => 0);
$watch->query_until(qr/start/, "\\echo start\nSELECT 'bytes', length(longbow_profile_cpu($its, 30));\n");
$node->poll_query_until('postgres', "SELECT count(*) = 1 FROM pg_stat_activity WHERE query ~ 'bytes' AND state = 'active' AND pid <> pg_backend_pid()");
$other->quit;
like($watch->query('SELECT 1'), qr/bytes\|\d+/, 'a process that ends ends its profile');
$watch->quit;

SKIP:
{
	my $pprof = $ENV{GOOGLE_PPROF};
	skip 'google-pprof is not to be had', 2 if !$pprof;
	my $file = PostgreSQL::Test::Utils::tempdir() . '/profile';
	my $hex = $node->safe_psql('postgres', "SELECT encode(longbow_profile_cpu($pid, 1.5, 200), 'hex')");
	append_to_file($file, pack('H*', $hex));
	my $postgres = readlink("/proc/$pid/exe");
	my ($text, $errors) = run_command([ $pprof, '--text', $postgres, $file ]);
	like($text, qr/^ *\d+ .*(longbow::|l2_|scan_block|Exec[A-Z]\w+|hash\w+extended)/m, 'google-pprof names functions')
	  or diag(substr("$text\n$errors", 0, 2000));
	like($errors . $text, qr/Total: \d\d+ samples/, 'and counts samples');
}
stop_work($work, 'TERM');
$session->quit;

# Without the preload the kernel alone can sample.
set_config($node, 'shared_preload_libraries' => '');
$node->restart;
($work, $pid) = busy($node);
($ret, $out, $err) = $node->psql('postgres', "SELECT longbow_profile_cpu($pid, 0.1, 99, 'signal')");
like($err, qr/could not sample the process.*shared_preload_libraries does not name longbow/s, 'no signals without the preload');
is($node->safe_psql('postgres', "SELECT pid FROM pg_stat_activity WHERE pid = $pid"), $pid, 'and the process lives');
SKIP:
{
	skip 'no samples by the kernel here', 1 if !$by_kernel;
	cmp_ok($node->safe_psql('postgres', "SELECT coalesce(sum(samples), 0) FROM longbow_profile_cpu_folded($pid, 1, 200) WHERE stack ~ 'ExecutorRun'"),
		'>', 0, 'but by the kernel');
}
stop_work($work, 'TERM');
$node->stop;
done_testing();
