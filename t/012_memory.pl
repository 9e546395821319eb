# One backend's memory after many scans, merges and builds: where it was after a few, in PostgreSQL's memory contexts and in the
# process. 2,000 scans, 100 merges and 20 builds; with LONGBOW_LEAK_SCALE=full 10,000, 1,000 and 100.
use strict;
use warnings;

use lib 't';
use Longbow;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $full = ($ENV{LONGBOW_LEAK_SCALE} // '') eq 'full';
my %times = $full ? (scan => 10_000, merge => 1_000, build => 100) : (scan => 2_000, merge => 100, build => 20);

# Contexts come out exactly as they were (PostgreSQL 15). A block or two of a cache is allowed: 8 bytes a scan or 160 a
# merge would be more.
my $few = 16 * 1024;
# Of the process anonymous memory counts (RssAnon, VmRSS without shared buffers and code, which a process touches more of as it
# goes on). With malloc's defaults it differs by some MB, up and down: what is free below something in use stays.
$ENV{MALLOC_TRIM_THRESHOLD_} = $ENV{MALLOC_MMAP_THRESHOLD_} = 65536;
$ENV{MALLOC_TOP_PAD_} = 0;
my $slack = 256 * 1024;

my %work = (
	scan => sub { "SELECT count(*) FROM (SELECT id FROM t ORDER BY v <-> (SELECT v FROM t WHERE id = 1 + $_[0] % 2000) LIMIT 10) s;" },
	merge => sub { "INSERT INTO t SELECT 2000 + i, point($_[0] * 10 + i) FROM generate_series(1, 10) i; SELECT longbow_merge('t_v');" },
	build => sub { 'REINDEX INDEX t_v;' },
);

sub script { return join("\n", map { $work{ $_[0] }->($_) } $_[1] .. $_[2]) . "\n"; }

my $measure = <<'SQL';
\pset tuples_only on
SELECT 'memory ' || sum(total_bytes) || ' ' || sum(used_bytes) || ' ' ||
       1024 * substring(pg_read_file('/proc/' || pg_backend_pid() || '/status') FROM 'RssAnon:\s+(\d+)')::bigint
FROM pg_backend_memory_contexts;
SQL

my $node = new_cluster('memory', "max_parallel_maintenance_workers = 0\nlongbow.workers = 0\nfsync = off");
for my $preload ('longbow', '')
{
	my $with = $preload ? 'preloaded' : 'bare';
	set_config($node, shared_preload_libraries => $preload);
	$node->start;
	if ($preload)
	{
		add_data_functions($node);
		add_point($node, 16);
	}
	$node->safe_psql('postgres', <<'SQL');
DROP TABLE IF EXISTS t;
CREATE TABLE t (id int, v vector(16));
INSERT INTO t SELECT i, point(i) FROM generate_series(1, 2000) i;
CREATE INDEX t_v ON t USING longbow (v);
CREATE INDEX t_id ON t (id);
ANALYZE t;
SQL
	for my $name (sort keys %work)
	{
		# Relations, plans and buffers are known after a few.
		my $warm = $times{$name} / 10;
		my $said = $node->safe_psql('postgres', "SET enable_seqscan = off;\nSET enable_sort = off;\n" . script($name, 1, $warm) . $measure
			  . script($name, $warm + 1, $warm + $times{$name}) . $measure
			  . "SELECT 'live ' || coalesce(sum(live_bytes), 0) || ' ' || (sum(allocations) > 0) FROM longbow_stat_memory WHERE kind = '$name';\n");
		my @memory = map { [ split / / ] } $said =~ /memory (\d+ \d+ \d+)/g;
		is(scalar @memory, 2, "$with, $name: measured twice");
		my ($total, $used, $process) = map { $memory[1][$_] - $memory[0][$_] } 0 .. 2;
		note("$with, $times{$name} times $name: contexts $total bytes more, $used more in use of $memory[1][1], process $process of $memory[1][2]");
		cmp_ok($total, '<=', $few, "$with, $name: memory contexts are no larger");
		cmp_ok($used, '<=', $few, "$with, $name: no more of them is in use");
		cmp_ok($process, '<=', $slack, "$with, $name: nor is the process larger");
		# Without a preload merges go another way: there is nothing pending.
		my $any = $name eq 'merge' && !$preload ? '(true|false)' : 'true';
		like($said, qr/live 0 $any/, "$with, $name: the library counts no live bytes");
	}
	$node->stop;
}
done_testing();
