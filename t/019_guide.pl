# docs/performance.md: every statement of it runs, in its order, on a table such as it speaks of; and what it says of their
# results is so.
use strict;
use warnings;

use lib 't';
use Longbow;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $guide = slurp_file('docs/performance.md');
my @blocks = $guide =~ /^```sql\n(.*?)^```$/msg;
my $node = new_cluster('guide', "shared_preload_libraries = 'longbow'\nfsync = off");
$node->start;
my $lacking = $node->safe_psql('postgres', <<'SQL');
SELECT string_agg(n, ', ') FROM unnest(ARRAY['postgres_fdw', 'pg_buffercache']) n WHERE n NOT IN (SELECT name FROM pg_available_extensions)
SQL
plan(skip_all => "this server lacks $lacking, which the guide uses") if $lacking ne '';
cmp_ok(scalar @blocks, '>', 20, scalar(@blocks) . ' statements or groups of them');
$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION longbow;
CREATE TABLE words (n bigserial, word text, embedding vector(100));
\copy words (word, embedding) FROM PROGRAM 'gzip -dc data/words.csv.gz' WITH (FORMAT csv, HEADER true)
CREATE TABLE items AS SELECT n AS id, 'tenant ' || n % 50 AS namespace, embedding FROM words;
CREATE INDEX items_embedding ON items USING longbow (embedding vector_cosine_ops);
ANALYZE items;
SQL
# The shards are two further databases of this server.
for my $shard (1, 2)
{
	$node->safe_psql('postgres', "CREATE DATABASE vectors$shard");
	$node->safe_psql("vectors$shard", <<'SQL');
CREATE EXTENSION longbow;
CREATE TABLE documents (namespace text NOT NULL, id bigint NOT NULL, embedding vector(100));
CREATE INDEX ON documents USING longbow (embedding vector_cosine_ops);
SQL
}
my ($host, $port) = ($node->host, $node->port);
my %said;
for my $block (@blocks)
{
	(my $sql = $block) =~ s/host 'shard\d\.example', dbname/host '$host', port '$port', dbname/g;
	my ($first) = grep { !/^--/ } split /\n/, $block;
	my $status = $node->psql('postgres', "SET client_min_messages = warning;\n$sql", on_error_stop => 1, stdout => \my $out, stderr => \my $error);
	is($status, 0, $first) || diag($error);
	is($error, '', 'without a warning');
	$said{documents} = $out if $block =~ /ON documents USING/;
	$said{ring} = $out if $block =~ /moved_by_modulo/;
	$said{fdw} = $out if $block =~ /Remote SQL|FROM everywhere/;
	$said{prepared} = $out if $block =~ /PREPARE nearest/;
	$said{search} = $out if $block =~ /longbow_last_scan/;
	$said{report} = $out if $block =~ /other_backend/;
	$said{recall} = $out if $block =~ /longbow_recall/;
	$said{good} = $out if $block =~ /longbow_check/;
}

like($said{documents}, qr/Index Scan using documents_\d_embedding_idx on documents_\d/, 'a partition is searched by its index');
is(() = $said{documents} =~ /Index Scan using documents/g, 1, 'and only one of them');
# "The three servers have 345, 339 and 316 of the namespaces; the fourth takes over 235"
my ($three, $fourth) = $guide =~ /three servers have ([\d, and]+) of the\s+namespaces; the fourth takes over (\d+)/;
my @shares = $said{ring} =~ /^shard\d\|(\d+)$/mg;
is(join(', ', @shares), $three =~ s/ and /, /r, 'namespaces are shared out as the guide says');
note($said{ring});
like($said{ring}, qr/^$fourth\|0$/m, 'and no more move than it says, none between the others');
my ($modulo) = $guide =~ /modulo would have\s+moved (\d+)/;
ok(defined $modulo && $said{ring} =~ /^$modulo$/m, 'by modulo as many would as it says');
is(() = $said{fdw} =~ /Remote SQL: SELECT .* ORDER BY \(?embedding OPERATOR\(public\.<=>\)/g, 2, 'shards sort') || diag($said{fdw});
like($said{prepared}, qr/Index Scan using items_embedding/, 'a prepared search uses the index');
like($said{search}, qr/Index Scan using items_embedding/, 'so does the search to be explained');
my @recall = $said{recall} =~ /^([\d.]+)\|[\d.]+\|[\d.]+$/mg;
is(scalar @recall, 3, "recall is estimated three times: @recall");
cmp_ok($recall[2], '>=', 0.97, 'and is high at a target of 0.99');
like($said{good}, qr/^t$/m, 'the index is right at the end');
like($said{report}, qr/^[tf]\|0\|f\|0\|\d+\|[\d.]*$/m, 'no alert');

# Every metric that the guide names is served.
my %metric = map { $_ => 1 } $guide =~ /\b(longbow_(?:storage|memory|gc|activity)_[a-z_]+)/g;
my $metrics = $node->safe_psql('postgres', 'SELECT longbow_metrics()');
cmp_ok(scalar keys %metric, '>=', 7, 'metrics are named');
for my $name (sort keys %metric)
{
	(my $family = $name) =~ s/_bucket$//;
	like($metrics, qr/^# TYPE $family /m, "there is $name");
}

# A shard asked by the merge uses its own index.
$node->safe_psql($_, 'ANALYZE documents') for qw(vectors1 vectors2);
is($node->safe_psql('postgres', <<'SQL'), 't', 'shards find what one table would');
SET longbow.target_recall = 1;
WITH here AS MATERIALIZED (SELECT id FROM items WHERE namespace IN ('tenant 1', 'tenant 2', 'tenant 3', 'tenant 4') ORDER BY (embedding <=> (SELECT embedding FROM items WHERE id = 1)) + 0 LIMIT 10),
     there AS MATERIALIZED (SELECT id FROM everywhere ORDER BY embedding <=> (SELECT embedding FROM items WHERE id = 1) LIMIT 10)
SELECT count(*) >= 9 FROM here JOIN there USING (id);
SQL
for my $shard (1, 2)
{
	ok($node->poll_query_until("vectors$shard", "SELECT sum(idx_scan) > 0 FROM pg_stat_user_indexes WHERE indexrelname LIKE 'documents%'"),
		"shard $shard used its index");
}
# What the guide says of extensions: without it the shards do not sort.
my $plan = $node->safe_psql('postgres', <<'SQL');
ALTER SERVER shard1 OPTIONS (DROP extensions);
ALTER SERVER shard2 OPTIONS (DROP extensions);
EXPLAIN (VERBOSE, COSTS OFF) SELECT id FROM everywhere ORDER BY embedding <=> (SELECT embedding FROM items WHERE id = 1) LIMIT 10;
SQL
unlike($plan, qr/Remote SQL: .* ORDER BY/, 'without the extension named rows are sorted here');
$node->stop;
done_testing();
