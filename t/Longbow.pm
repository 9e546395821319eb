# What the TAP tests share: clusters, data that is the same in every run, and questions to ask of an index.
package Longbow;

use strict;
use warnings;

use Exporter 'import';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(new_cluster add_data_functions recall unfound);

# new_cluster(NAME, SETTINGS, INIT-OPTIONS...): a cluster that is initialised, not yet started.
sub new_cluster
{
	my ($name, $settings, @init) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init(@init);
	$node->append_conf('postgresql.conf', <<"CONF");
autovacuum = off
shared_buffers = 64MB
maintenance_work_mem = 64MB
max_wal_size = 512MB
log_min_messages = warning
log_statement = 'none'
$settings
CONF
	return $node;
}

# Loads the extension and makes blob(id, dims): a point of one of 50 clusters, always the same for the same arguments.
sub add_data_functions
{
	my ($node) = @_;
	$node->safe_psql('postgres', <<'SQL');
CREATE EXTENSION longbow;
CREATE FUNCTION noise(a bigint, b bigint) RETURNS float8 IMMUTABLE STRICT PARALLEL SAFE LANGUAGE sql AS
  $$ SELECT (hashint8extended(a, b) & 1048575) / 524288.0 - 1.0 $$;
CREATE FUNCTION blob(id bigint, dims int) RETURNS vector IMMUTABLE STRICT PARALLEL SAFE LANGUAGE sql AS
  $$ SELECT array_agg((noise(hashint8extended(id, 7) & 31, d) +
                       0.5 * (noise(id, d) + noise(id, d + 100000)))::real ORDER BY d)::vector
     FROM generate_series(1, dims) d $$;
SQL
	return;
}

# recall(NODE, TABLE, QUERIES): share of the 10 nearest rows that the index finds for the rows of a table of queries.
sub recall
{
	my ($node, $table, $queries) = @_;
	my $lateral = "SELECT q.id AS q, x.id FROM $queries q,
		LATERAL (SELECT t.id FROM $table t ORDER BY t.v <-> q.v LIMIT 10) x";
	return $node->safe_psql('postgres', <<"SQL");
SET max_parallel_workers_per_gather = 0;
SET enable_indexscan = off;
CREATE TEMP TABLE exact AS $lateral;
SET enable_indexscan = on;
SET enable_seqscan = off;
CREATE TEMP TABLE found AS $lateral;
SELECT round((SELECT count(*) FROM exact JOIN found USING (q, id))::numeric / (SELECT count(*) FROM exact), 4);
SQL
}

# unfound(NODE, ROWS, TABLE): how many of ROWS (the table itself or a part of it) a search of the table for their own
# vector does not find as the nearest, with effort enough that none is missed by approximation.
sub unfound
{
	my ($node, $rows, $table) = @_;
	$table //= $rows;
	return $node->safe_psql('postgres', <<"SQL");
SET enable_seqscan = off;
SET longbow.probes = 1000;
SELECT count(*) FROM $rows a
WHERE (SELECT b.v <-> a.v FROM $table b ORDER BY b.v <-> a.v LIMIT 1) IS DISTINCT FROM 0;
SQL
}

1;
