# docs/from-pgvector.md as it is done: dump and restore into longbow with longbow_compat, longbow indexes on pgvector's own tables
# beside it, columns changed in place. Needs pgvector in this server's folders; without it only the aliases are tried.
use strict;
use warnings;

use lib 't';
use Longbow;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_cluster('migration', <<'CONF');
shared_preload_libraries = 'longbow'
longbow.gc_percent = 1
CONF
$node->start;
sub query { return $node->safe_psql(@_); }

# -- aliases alone: workers know their indexes, and a dump brings them back
query('postgres', 'CREATE DATABASE aliases');
query('aliases', <<'SQL');
CREATE EXTENSION longbow;
CREATE EXTENSION longbow_compat;
CREATE FUNCTION point(id bigint) RETURNS vector IMMUTABLE LANGUAGE sql AS
  $$ SELECT array_agg(((hashint8extended(id, d) & 1023) / 512.0 - 1)::real ORDER BY d)::vector FROM generate_series(1, 8) d $$;
CREATE TABLE source AS SELECT i AS id, point(i) AS v FROM generate_series(1, 2000) i;
CREATE TABLE t (id bigint, v vector(8));
CREATE INDEX t_v ON t USING hnsw (v vector_l2_ops) WITH (m = 8, ef_construction = 32);
INSERT INTO t SELECT * FROM source;
SQL
ok($node->poll_query_until('aliases', q{SELECT pending < 200 FROM longbow_stat_index WHERE index = 't_v'}),
	'a worker merges what is pending in an index of an alias');
is(query('aliases', q{SELECT longbow_check('t_v')}), '2000', 'and it is whole');
my $folder = PostgreSQL::Test::Utils::tempdir;
$node->command_ok([ 'pg_dump', '-f', "$folder/aliases.sql", $node->connstr('aliases') ], 'a database with aliases is dumped');
query('postgres', 'CREATE DATABASE again');
$node->command_ok([ 'psql', '-X', '-v', 'ON_ERROR_STOP=1', '-f', "$folder/aliases.sql", $node->connstr('again') ], 'and restored');
is(query('again', q{SELECT longbow_check('t_v')}), '2000', 'with its index');

SKIP:
{
	my $control = "$ENV{share_contrib_dir}/vector.control";
	if (!-f $control)
	{
		diag("no pgvector in $ENV{share_contrib_dir}: its migration is not tested");
		skip 'pgvector is not installed', 1;
	}
	skip 'pgvector is older than 0.7, whose types are not all there', 1 if slurp_file($control) =~ /default_version = '0\.[0-6]\./;
	query('postgres', 'CREATE DATABASE old');
	query('old', <<'SQL');
CREATE EXTENSION vector;
CREATE TABLE items (id bigserial PRIMARY KEY, embedding vector(16) NOT NULL, half halfvec(16), sparse sparsevec(16), bits bit(16), tags vector(2)[]);
INSERT INTO items (embedding, half, sparse, bits, tags)
SELECT v, v::halfvec, v::sparsevec, binary_quantize(v)::bit(16), ARRAY[subvector(v, 1, 2)]
FROM (SELECT array_agg(((hashint8extended(i, d) & 1023) / 512.0 - 1)::real ORDER BY d)::vector AS v
      FROM generate_series(1, 3000) i, generate_series(1, 16) d GROUP BY i) s;
CREATE INDEX items_l2 ON items USING hnsw (embedding vector_l2_ops) WITH (m = 16, ef_construction = 64);
CREATE INDEX items_cosine ON items USING ivfflat (embedding vector_cosine_ops) WITH (lists = 10);
CREATE INDEX items_default ON items USING ivfflat (embedding);
CREATE INDEX items_half ON items USING hnsw (half halfvec_ip_ops);
CREATE INDEX items_sparse ON items USING hnsw (sparse sparsevec_l2_ops);
CREATE INDEX items_bits ON items USING hnsw (bits bit_hamming_ops);
CREATE INDEX items_expression ON items USING hnsw ((embedding::halfvec(16)) halfvec_l2_ops) WHERE id % 2 = 0;
CREATE VIEW nearest AS SELECT id FROM items ORDER BY embedding <-> '[1,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]' LIMIT 5;
SQL
	my $contents = 'SELECT md5(string_agg(i::text, chr(10) ORDER BY id)) FROM items i';
	my $original = query('old', $contents);

	# -- dump and restore
	$node->command_ok([ 'pg_dump', '-Fc', '-f', "$folder/old.dump", $node->connstr('old') ], 'pg_dump of a database of pgvector');
	$node->command_ok([ 'pg_dump', '-f', "$folder/old.sql", $node->connstr('old') ], 'the same as SQL');
	query('postgres', "CREATE DATABASE $_") for ('new', 'newer');
	for my $db ('new', 'newer') { query($db, 'CREATE EXTENSION longbow'); query($db, 'CREATE EXTENSION longbow_compat'); }
	system_or_bail('sh', '-c', "pg_restore -l $folder/old.dump | grep -v -e 'EXTENSION - vector' -e 'COMMENT - EXTENSION vector' > $folder/list");
	$node->command_ok([ 'pg_restore', '-e', '-L', "$folder/list", '-d', $node->connstr('new'), "$folder/old.dump" ],
		'pg_restore but for the extension itself');
	system_or_bail('sh', '-c', "sed -e '/^CREATE EXTENSION .* vector /d' -e '/^COMMENT ON EXTENSION vector /d' $folder/old.sql > $folder/edited.sql");
	$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-f', "$folder/edited.sql", $node->connstr('newer') ], 'the edited SQL');
	for my $db ('new', 'newer')
	{
		is(query($db, $contents), $original, "$db: the same contents");
		is(query($db, q{SELECT count(*), sum(longbow_check(c.oid)) FROM pg_class c WHERE relkind = 'i' AND longbow_serves(relam)}),
			'7|' . (6 * 3000 + 1500), "$db: all indexes are longbow's, and whole");
		my $exact = 'SET enable_indexscan = off; SELECT * FROM nearest';
		is(query($db, $exact), query('old', $exact), "$db: a view gives the same answer");
		like(query($db, 'SET enable_seqscan = off; EXPLAIN SELECT * FROM nearest'), qr/Index Scan using items_(l2|default)/, "$db: and uses the index");
	}

	# -- beside pgvector
	my ($code, $out, $error) = $node->psql('old', 'CREATE EXTENSION longbow');
	like($error, qr/type "vector" already exists/, 'not in the same schema');
	query('old', 'CREATE SCHEMA longbow');
	query('old', 'CREATE EXTENSION longbow SCHEMA longbow');
	($code, $out, $error) = $node->psql('old', 'CREATE EXTENSION longbow_compat');
	like($error, qr/has access methods of these names already: hnsw and ivfflat/, 'longbow_compat refuses');
	($code, $out, $error) = $node->psql('old', 'CREATE EXTENSION longbow_pgvector SCHEMA longbow');
	like($error, qr/cannot be in the schema of longbow.*SCHEMA public/s, 'longbow_pgvector has a schema of its own');
	query('old', 'CREATE EXTENSION longbow_pgvector SCHEMA public');
	is(query('old', q{SELECT count(*), bool_and(amvalidate(oid)) FROM pg_opclass WHERE longbow.longbow_serves(opcmethod)}), '26|t',
		'operator classes for both');
	is(query('old', q{SELECT string_agg(amname, ',') FROM pg_am WHERE longbow.longbow_serves(oid)}), 'longbow', 'the access methods of pgvector stay its own');
	query('old', "CREATE INDEX CONCURRENTLY lb_$_->[0]_$_->[1] ON items USING longbow ($_->[0] $_->[2])")
	  for map { [ @$_ ] } (
		[ 'embedding', 'l2', '' ], [ 'embedding', 'ip', 'vector_ip_ops' ], [ 'embedding', 'cosine', 'vector_cosine_ops' ],
		[ 'embedding', 'l1', 'vector_l1_ops' ], [ 'half', 'l2', 'halfvec_l2_ops' ], [ 'half', 'ip', 'halfvec_ip_ops' ],
		[ 'half', 'cosine', 'halfvec_cosine_ops' ], [ 'half', 'l1', 'halfvec_l1_ops' ], [ 'sparse', 'l2', 'sparsevec_l2_ops' ],
		[ 'sparse', 'ip', 'sparsevec_ip_ops' ], [ 'sparse', 'cosine', 'sparsevec_cosine_ops' ], [ 'bits', 'hamming', 'bit_hamming_ops' ],
		[ 'bits', 'jaccard', 'bit_jaccard_ops' ]);
	query('old', 'DROP INDEX items_l2, items_cosine, items_default, items_half, items_sparse, items_bits, items_expression');
	query('old', 'INSERT INTO items (embedding, half, sparse, bits) SELECT embedding, half, sparse, bits FROM items WHERE id <= 200');
	query('old', 'DELETE FROM items WHERE id BETWEEN 100 AND 150');
	query('old', 'VACUUM items');
	is(query('old', q{SELECT count(*), sum(longbow.longbow_check(c.oid)) FROM pg_class c WHERE relname LIKE 'lb\_%'}), '13|' . 13 * 3149,
		'longbow indexes on the types of pgvector are whole');
	my %operators = (l2 => '<->', ip => '<#>', cosine => '<=>', l1 => '<+>', hamming => '<~>', jaccard => '<%>');
	for my $index (split /\n/, query('old', q{SELECT relname FROM pg_class WHERE relname LIKE 'lb\_%' ORDER BY 1}))
	{
		my (undef, $column, $metric) = split /_/, $index;
		my $order = "$column $operators{$metric} (SELECT $column FROM items WHERE id = 77)";
		like(query('old', "SET enable_seqscan = off; EXPLAIN (COSTS OFF) SELECT id FROM items ORDER BY $order LIMIT 10"), qr/Index Scan using $index/,
			"$index serves pgvector's operator");
		my $distances = "SELECT round((d)::numeric, 4) FROM (SELECT $order AS d FROM items ORDER BY $order) s ORDER BY 1";
		is(query('old', "SET enable_seqscan = off; SET enable_sort = off; SELECT md5(string_agg(round, ' ')) FROM (SELECT round::text FROM ($distances) r) t"),
			query('old', "SET enable_indexscan = off; SELECT md5(string_agg(round, ' ')) FROM (SELECT round::text FROM ($distances) r) t"),
			"$index hands out the whole table");
		my $share = query('old', <<"SQL");
SET enable_seqscan = off;
SELECT avg((SELECT count(*) FROM unnest(f.d) x WHERE x <= e.d)) FROM
  (SELECT q.id, (SELECT array_agg(d) FROM (SELECT i.$column $operators{$metric} q.$column AS d FROM items i ORDER BY i.$column $operators{$metric} q.$column LIMIT 10) s) AS d
   FROM items q WHERE q.id % 60 = 1) f
  JOIN (SELECT q.id, (SELECT max(d) FROM (SELECT i.$column $operators{$metric} q.$column AS d FROM items i ORDER BY 0 + (i.$column $operators{$metric} q.$column) LIMIT 10) s) AS d
        FROM items q WHERE q.id % 60 = 1) e USING (id)
SQL
		cmp_ok($share, '>=', 9, "$index finds nine of ten");
	}

	# -- in place: the rows stay where they are
	my $kept = query('old', $contents);
	my $file = query('old', q{SELECT pg_relation_filenode('items')});
	query('old', 'DROP VIEW nearest');
	($code, $out, $error) = $node->psql('old', 'ALTER TABLE items ALTER embedding TYPE longbow.vector(16)');
	like($error, qr/operator class .* does not accept data type/, 'indexes on the type of pgvector must go first');
	query('old', 'DROP INDEX ' . join(', ', split /\n/, query('old', q{SELECT relname FROM pg_class WHERE relname LIKE 'lb\_%'})));
	query('old', <<'SQL');
ALTER TABLE items ALTER embedding TYPE longbow.vector(16), ALTER half TYPE longbow.halfvec(16), ALTER sparse TYPE longbow.sparsevec(16),
  ALTER tags TYPE longbow.vector(2)[];
SQL
	isnt(query('old', q{SELECT pg_relation_filenode('items')}), $file, 'an array column is rewritten');
	$file = query('old', q{SELECT pg_relation_filenode('items')});
	query('old', 'ALTER TABLE items ALTER embedding TYPE public.vector, ALTER half TYPE public.halfvec, ALTER sparse TYPE public.sparsevec');
	query('old', 'ALTER TABLE items ALTER embedding TYPE longbow.vector, ALTER half TYPE longbow.halfvec, ALTER sparse TYPE longbow.sparsevec');
	is(query('old', q{SELECT pg_relation_filenode('items')}), $file, 'other columns are not, there and back');
	query('old', 'CREATE TABLE modified (v vector(3), h halfvec(3), s sparsevec(3))');
	query('old', q{INSERT INTO modified VALUES ('[1,2,3]', '[1,2,3]', '{1:1}/3')});
	$file = query('old', q{SELECT pg_relation_filenode('modified')});
	query('old', 'ALTER TABLE modified ALTER v TYPE longbow.vector(3), ALTER h TYPE longbow.halfvec(3), ALTER s TYPE longbow.sparsevec(3)');
	is(query('old', q{SELECT pg_relation_filenode('modified')}), $file, 'nor where the number of dimensions is said');
	($code, $out, $error) = $node->psql('old', 'ALTER TABLE modified ALTER v TYPE longbow.vector(4)');
	like($error, qr/expected 4 dimensions, not 3/, 'and it is checked where it differs');
	query('old', 'DROP EXTENSION longbow_pgvector; DROP EXTENSION vector; ALTER EXTENSION longbow SET SCHEMA public; DROP SCHEMA longbow');
	is(query('old', $contents), $kept, 'the same contents without pgvector');
	query('old', 'CREATE EXTENSION longbow_compat; ALTER TABLE items ALTER embedding TYPE vector(16); CREATE INDEX items_l2 ON items USING hnsw (embedding vector_l2_ops)');
	is(query('old', q{SELECT longbow_check('items_l2')}), '3149', 'and its DDL goes on');
	query('old', $_) for ('CREATE INDEX CONCURRENTLY items_new ON items USING longbow (embedding vector_l2_ops)',
		'DROP INDEX CONCURRENTLY items_l2', 'DROP EXTENSION longbow_compat');
	is(query('old', q{SELECT longbow_check('items_new')}), '3149', 'an index is swapped for one without alias');
}
$node->stop;
done_testing();
