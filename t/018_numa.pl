# longbow.numa_interleave: what the server's log and longbow_stat_numa say of it, on whatever machine this is; and that the
# kernel knows of it where there is more than one node.
use strict;
use warnings;

use lib 't';
use Longbow;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

# The nodes with memory, as the kernel lists them: "0", "0-1", "0,2-3".
my $list = -r '/sys/devices/system/node/has_memory' ? slurp_file('/sys/devices/system/node/has_memory') : '';
chomp $list;
my $nodes = 0;
$nodes += /(\d+)-(\d+)/ ? $2 - $1 + 1 : 1 for split /,/, $list;
note("$nodes nodes");

my $node = new_cluster('numa', "shared_preload_libraries = 'longbow'\nlongbow.numa_interleave = on");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION longbow');
my $log = slurp_file($node->logfile);
my $state = $node->safe_psql('postgres', 'SELECT nodes, requested, interleaved_bytes > 0, state FROM longbow_stat_numa');
note($state);
if ($nodes < 2)
{
	like($log, qr/LOG:  longbow\.numa_interleave has no effect/, 'the log says that there is nothing to spread');
	like($log, $nodes == 1 ? qr/DETAIL:  This machine has one NUMA node\./ : qr/DETAIL:  This system lists no NUMA nodes\./, 'and why');
	is($state, $nodes == 1 ? '1|t|f|one node: nothing to spread' : '0|t|f|this system lists no NUMA nodes: nothing to spread', 'so does the view');
}
elsif ($log =~ /WARNING:  could not spread/)
{
	# A container may forbid the call.
	like($log, qr/HINT:  .*numactl --interleave=all/, 'the log says what to do instead');
	is($state, "$nodes|t|f|shared memory could not be spread over nodes: see the server's log", 'so does the view');
}
else
{
	like($log, qr/LOG:  longbow spread \d+ MB of shared memory over $nodes NUMA nodes/, 'the log says what was spread');
	is($state, "$nodes|t|t|shared memory is spread over all nodes", 'so does the view');
	my $pid = (split /\n/, slurp_file($node->data_dir . '/postmaster.pid'))[0];
	like(slurp_file("/proc/$pid/numa_maps"), qr/ interleave:/, 'and the kernel');
}
my (undef, undef, $error) = $node->psql('postgres', 'SET longbow.numa_interleave = off');
like($error, qr/cannot be changed without restarting the server/, 'it is for the start of the server');

# Answers of an index are as ever.
$node->safe_psql('postgres', "CREATE TABLE t (v vector(3)); INSERT INTO t VALUES ('[1,2,3]'), ('[4,5,6]'); CREATE INDEX t_v ON t USING longbow (v)");
is($node->safe_psql('postgres', "SET enable_seqscan = off; SELECT v FROM t ORDER BY v <-> '[4,5,5]' LIMIT 1"), '[4,5,6]', 'searches are as ever');
$node->stop;

# Without the preload nothing can be spread, and nobody says that it was.
set_config($node, shared_preload_libraries => '');
$node->start;
my $bare = $node->safe_psql('postgres', "LOAD 'longbow'; SELECT requested, interleaved_bytes, state FROM longbow_stat_numa");
note($bare);
like($bare, $nodes < 2 ? qr/^t\|0\|.*nothing to spread$/ : qr/^t\|0\|shared_preload_libraries does not name longbow: nothing was spread$/,
	'without the preload the view says that nothing was spread');
$node->stop;
done_testing();
