# longbow_metrics() and GET /metrics: the format as promtool judges it, figures that move, the dashboard's queries against what is there;
# the server with garbage, slow and oversized requests, on a standby, and at shutdown. promtool is $PROMTOOL or in the path; without it
# its tests are skipped.
use strict;
use warnings;

use lib 't';
use IO::Socket::INET;
use JSON::PP;
use Longbow;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes ();

my $port = PostgreSQL::Test::Cluster::get_free_port();
my $node = new_cluster('metrics', "shared_preload_libraries = 'longbow'\nlongbow.gc_percent = -1\nlongbow.metrics_listen = '$port'\nfsync = off",
	allows_streaming => 1);
$node->start;
add_data_functions($node);
add_point($node, 8);
$node->safe_psql('postgres', <<'SQL');
CREATE SCHEMA "odd ""name\";
CREATE TABLE t (id int, v vector(8));
INSERT INTO t SELECT i, point(i) FROM generate_series(1, 2000) i;
CREATE INDEX t_v ON t USING longbow (v);
CREATE TABLE "odd ""name\"."t" (v vector(8));
CREATE INDEX "i""\x" ON "odd ""name\"."t" USING longbow (v);
INSERT INTO t SELECT i, point(i) FROM generate_series(2001, 2100) i;
INSERT INTO "odd ""name\"."t" VALUES (point(1));
SET enable_seqscan = off;
SELECT id FROM t ORDER BY v <-> point(7) LIMIT 10;
SQL

# -- HTTP
sub connected
{
	my ($to) = @_;
	my $socket;
	for (1 .. 100)
	{
		$socket = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $to // $port, Timeout => 10);
		last if $socket;
		Time::HiRes::usleep(100_000);
	}
	die "cannot connect: $!" unless $socket;
	$socket->autoflush(1);
	return $socket;
}
sub answer_of
{
	my ($socket) = @_;
	my $text = '';
	while (sysread($socket, my $some, 65536)) { $text .= $some; }
	return $text;
}
sub request
{
	my ($text, $to) = @_;
	my $socket = connected($to);
	print $socket $text;
	return answer_of($socket);
}
my $get = "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n";
local $SIG{PIPE} = 'IGNORE';

my $answer = request($get);
like($answer, qr/^HTTP\/1\.1 200 OK\r\nContent-Type: text\/plain; version=0\.0\.4; charset=utf-8\r\nContent-Length: (\d+)\r\n/, 'GET /metrics');
my ($head, $body) = split /\r\n\r\n/, $answer, 2;
my ($length) = $head =~ /Content-Length: (\d+)/;
is(length $body, $length, 'the whole body');

# -- names and values
sub parse
{
	my ($text) = @_;
	my %metric;
	for (split /\n/, $text)
	{
		next if /^#/;
		my ($name, undef, $labels, $value) = /^([a-z0-9_]+)(\{(.*)\})? ([-+.0-9eInf]+)$/ or die "no sample: $_";
		my %label;
		if (defined $labels)
		{
			while ($labels =~ /\G,?([a-z_]+)="((?:[^"\\]|\\.)*)"/gc) { $label{$1} = $2; }
		}
		push @{ $metric{$name} }, { labels => \%label, value => $value };
	}
	return \%metric;
}
sub value
{
	my ($metrics, $name, %want) = @_;
	for my $sample (@{ $metrics->{$name} // [] })
	{
		return $sample->{value} unless grep { ($sample->{labels}{$_} // '') ne $want{$_} } keys %want;
	}
	return undef;
}
my $m = parse($body);
for my $name (qw(longbow_storage_write_ops_total longbow_storage_write_latency_seconds_bucket longbow_storage_write_latency_seconds_sum
	longbow_storage_write_latency_seconds_count longbow_memory_alloc_bytes_total longbow_gc_pause_seconds_total longbow_gc_pause_seconds_bucket))
{
	ok(exists $m->{$name}, $name);
}
is(value($m, 'longbow_index_scans_total', index => 't_v', schema => 'public', database => 'postgres'), 1, 'searches of an index');
is(value($m, 'longbow_index_rows_inserted_total', index => 't_v'), 100, 'rows inserted');
is(value($m, 'longbow_index_pending_rows', index => 't_v'), 100, 'rows pending');
is(value($m, 'longbow_index_rows_inserted_total', schema => 'odd \\"name\\\\', index => 'i\\"\\\\x'), 1, 'odd names are escaped');
is(value($m, 'longbow_activity_processes', phase => 'metrics server'), 1, 'the server itself');
# Buckets do not fall, and the last is the count.
for my $name (grep { /_bucket$/ } keys %$m)
{
	my @values = map { $_->{value} } @{ $m->{$name} };
	(my $count = $name) =~ s/_bucket$/_count/;
	ok((!grep { $values[$_] < $values[ $_ - 1 ] } 1 .. $#values) && $values[-1] == value($m, $count), "$name grows to its count");
}
# Each series once.
my %seen;
is((scalar grep { $seen{$_}++ } map { s/ [^ ]*$//r } grep { !/^#/ } split /\n/, $body), 0, 'no series twice');
# What the function gives has the same names; waiting for commits is counted.
$node->safe_psql('postgres', 'INSERT INTO t VALUES (5000, point(5000))');
$node->safe_psql('postgres', "SELECT longbow_merge('t_v')");
my $text = $node->safe_psql('postgres', 'SELECT longbow_metrics()') . "\n";
my $f = parse($text =~ s/\n+$/\n/r);
is_deeply([ sort keys %$f ], [ sort keys %$m ], 'longbow_metrics() has the same names');
cmp_ok(value($f, 'longbow_storage_write_latency_seconds_count'), '>', 0, 'commits that waited');
is(value($f, 'longbow_gc_rows_merged_total'), 101, 'rows merged');
is(value($f, 'longbow_index_pending_rows', index => 't_v'), 0, 'nothing pending');
$node->safe_psql('postgres', 'DROP TABLE t');
is(value(parse($node->safe_psql('postgres', 'SELECT longbow_metrics()')), 'longbow_index_scans_total', index => 't_v'), undef, 'a dropped index goes');
$node->safe_psql('postgres', 'CREATE ROLE nobody LOGIN; CREATE ROLE watcher LOGIN IN ROLE pg_monitor');
my (undef, undef, $err) = $node->psql('postgres', 'SELECT longbow_metrics()', extra_params => [ '-U', 'nobody' ]);
like($err, qr/permission denied for function longbow_metrics/, 'not for everyone');
ok($node->safe_psql('postgres', 'SELECT longbow_metrics()', extra_params => [ '-U', 'watcher' ]), 'for pg_monitor');

# docs/monitoring.md lists every family, and none that is not there.
my %family = map { s/_(bucket|sum|count)$//r => 1 } keys %$f;
my %listed = map { $_ => 1 } slurp_file('docs/monitoring.md') =~ /`(longbow_(?:shared|counters|index|simd|builds?|storage|memory|gc|activity)_\w+)`/g;
is(join(' ', grep { !$listed{$_} } sort keys %family), '', 'docs/monitoring.md lists every metric');
is(join(' ', grep { !$family{$_} } sort keys %listed), '', 'and none that is not there');

# -- promtool and the dashboard
my $dashboard = decode_json(slurp_file('monitoring/grafana-dashboard.json'));
my @queries = map { map { $_->{expr} } @{ $_->{targets} // [] } } @{ $dashboard->{panels} };
cmp_ok(scalar @queries, '>', 40, 'the dashboard has queries');
for my $expr (@queries)
{
	my @bad;
	my @names = $expr =~ /\b(longbow_\w+)/g;
	push @bad, grep { !exists $f->{$_} } @names;
	for my $name (grep { exists $f->{$_} } @names)
	{
		# Labels of its selector; Prometheus adds instance. Those of "by" must be had by a metric of the query.
		while ($expr =~ /\b\Q$name\E\{([^}]*)\}/g)
		{
			my $selector = $1;
			push @bad, map { "$name: $_" } grep { $_ ne 'instance' && !exists $f->{$name}[0]{labels}{$_} } $selector =~ /(\w+)=~?"/g;
		}
	}
	for my $by ($expr =~ /\bby \(([^)]*)\)/g)
	{
		for my $label (split /\s*,\s*/, $by) { push @bad, "by $label" if grep { !exists $f->{$_}[0]{labels}{$label} } @names; }
	}
	ok(@names > 0 && @bad == 0, "dashboard: $expr") or diag("unknown: @bad");
}
my $promtool = $ENV{PROMTOOL} // (grep { -x } map { "$_/promtool" } split /:/, $ENV{PATH})[0];
SKIP:
{
	skip 'promtool not found: package prometheus has it', 3 unless $promtool && -x $promtool;
	my ($out, $why) = ('', '');
	my $good = IPC::Run::run([ $promtool, 'check', 'metrics' ], '<', \$text, '>', \$out, '2>', \$why);
	ok($good && $out . $why eq '', 'promtool check metrics') or diag("$out$why");
	my $folder = PostgreSQL::Test::Utils::tempdir;
	my $n = 0;
	my $rules = "groups:\n- name: dashboard\n  rules:\n"
	  . join('', map { my $e = $_ =~ s/\$__rate_interval/5m/gr =~ s/\$(database|index|instance)/.*/gr; $n++; "  - record: 'dashboard:query$n'\n    expr: '$e'\n" } @queries);
	append_to_file("$folder/rules.yml", $rules);
	$good = IPC::Run::run([ $promtool, 'check', 'rules', "$folder/rules.yml" ], '>', \$out, '2>', \$why);
	ok($good, 'promtool check rules: the queries are PromQL') or diag("$out$why");
	$good = IPC::Run::run([ $promtool, 'check', 'config', 'monitoring/prometheus.yml' ], '>', \$out, '2>', \$why);
	ok($good, 'promtool check config') or diag("$out$why");
}

# -- requests that are none
like(request("GET /metrics?x=1 HTTP/1.0\r\n\r\n"), qr/^HTTP\/1\.1 200 /, 'a query is ignored');
like(request("GET /metrics HTTP/1.1\n\n"), qr/^HTTP\/1\.1 200 /, 'bare newlines');
my $only_head = request("HEAD /metrics HTTP/1.1\r\n\r\n");
ok($only_head =~ /^HTTP\/1\.1 200 / && $only_head =~ /\r\n\r\n$/, 'HEAD');
like(request("GET / HTTP/1.1\r\n\r\n"), qr/^HTTP\/1\.1 404 /, 'another path');
like(request("POST /metrics HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello"), qr/^HTTP\/1\.1 405 .*\r\nAllow: GET, HEAD\r\n/s, 'another method');
for my $garbage ("\r\n\r\n", "GET\r\n\r\n", "GET /metrics\r\n\r\n", "GET /metrics FTP/1.1\r\n\r\n", "\0\0\0\0\r\n\r\n", "\x16\x03\x01\x02\0\n\n", "GET  HTTP/1.1\n\n",
	join('', map { chr(($_ * 7919) % 256) } 1 .. 3000) . "\n\n")
{
	like(request($garbage), qr/^HTTP\/1\.1 40[045] /, 'garbage of ' . length($garbage) . ' bytes');
}
like(request("GET /metrics HTTP/1.1\r\n" . ("X-Long: " . ('x' x 1000) . "\r\n") x 100 . "\r\n"), qr/^HTTP\/1\.1 431 /, 'a request too long');
close connected();    # nothing at all
my $slow = connected();
for my $byte (split //, "GET /met")
{
	print $slow $byte;
	Time::HiRes::usleep(100_000);
}
like(answer_of($slow), qr/^HTTP\/1\.1 408 /, 'a request too slow');
like(request($get), qr/^HTTP\/1\.1 200 /, 'and the next one is served');
is($node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'longbow metrics server'"), 1, 'the worker lives');
unlike(slurp_file($node->logfile), qr/terminated by signal|exited with exit code/, 'no process has died');

# -- who ends one of the processes does not end it for good
my $processes = "SELECT string_agg(pid::text, ' ' ORDER BY backend_type) FROM pg_stat_activity WHERE backend_type IN ('longbow launcher', 'longbow metrics server')";
my ($launcher, $server) = split / /, $node->safe_psql('postgres', $processes);
$node->safe_psql('postgres', "SELECT pg_terminate_backend($launcher), pg_terminate_backend($server)");
ok($node->poll_query_until('postgres', "SELECT coalesce(array_length(p, 1) = 2 AND NOT p && ARRAY['$launcher', '$server'], false) FROM (SELECT string_to_array(($processes), ' ')) AS s (p)"),
	'launcher and metrics server come back');
like(request($get), qr/^HTTP\/1\.1 200 /, 'and serve');

# -- a standby serves too; a port that is taken is said in the log, and nothing else suffers
$node->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('metrics_standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
ok($standby->poll_query_until('postgres', "SELECT pg_read_file('$_') ~ 'could not listen on' FROM (SELECT 1) x"), 'a port that is taken')
  for $standby->logfile;
my $other = PostgreSQL::Test::Cluster::get_free_port();
set_config($standby, 'longbow.metrics_listen' => "127.0.0.1:$other");
$standby->restart;
like(request($get, $other), qr/^HTTP\/1\.1 200 .*longbow_shared_memory 1\n/s, 'a standby serves');
$standby->stop;

# -- shutdown is not held up by a client that says nothing, and waits for no timeout
my $silent = connected();
print $silent 'GET ';
Time::HiRes::usleep(200_000);
$node->stop('fast');
pass('shutdown with an open request');

# -- off by default; what is no address is refused; without shared memory the function still answers
for my $address ('', 'nowhere', '127.0.0.1', '70000', ':', '[::1:9')
{
	set_config($node, 'longbow.metrics_listen' => $address);
	my $log = -s $node->logfile;
	$node->start;
	is($node->safe_psql('postgres', "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'longbow metrics server'"), 0, "off: \"$address\"");
	like(slurp_file($node->logfile, $log), qr/invalid value for parameter "longbow.metrics_listen": "\Q$address\E"/, 'said in the log') if $address;
	$node->stop;
}
set_config($node, 'longbow.metrics_listen' => '', 'shared_preload_libraries' => '');
$node->start;
my $bare = parse($node->safe_psql('postgres', 'SELECT longbow_metrics()'));
is(value($bare, 'longbow_shared_memory'), 0, 'without shared memory');
ok(!exists $bare->{longbow_storage_write_ops_total} && exists $bare->{longbow_memory_alloc_bytes_total}, 'what a session knows');
$node->stop;
done_testing();
