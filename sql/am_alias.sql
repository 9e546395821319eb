-- longbow_compat: DDL and settings that were written for pgvector, on aliases of longbow.
CREATE SCHEMA am_alias;
SET search_path = am_alias, public;
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir /sql/am_helpers.inc
\set ECHO none
\i :helpers
\set ECHO all
\set SHOW_CONTEXT never
CREATE EXTENSION longbow_compat SCHEMA public;

-- The same handler decides for all: what is ours, and what is not.
SELECT amname, longbow_serves(oid) FROM pg_am WHERE amtype = 'i' ORDER BY amname;
SELECT a.amname, count(*), count(*) FILTER (WHERE amvalidate(c.oid)) AS valid,
       string_agg(c.opcname, ', ' ORDER BY c.opcname) FILTER (WHERE c.opcdefault) AS "default"
FROM pg_opclass c JOIN pg_am a ON a.oid = c.opcmethod WHERE longbow_serves(a.oid) GROUP BY 1 ORDER BY 1;

-- DDL of pgvector's documentation.
CREATE TABLE items (id bigserial PRIMARY KEY, embedding vector(16), half halfvec(16), bits bit(16), sparse sparsevec(16));
INSERT INTO items (embedding, half, bits, sparse)
SELECT v, v::halfvec, binary_quantize(v)::bit(16), v::sparsevec
FROM (SELECT vec(i, 16) - array_fill(0.5, ARRAY[16])::vector AS v FROM generate_series(1, 3000) i) s;
CREATE INDEX items_hnsw ON items USING hnsw (embedding vector_l2_ops) WITH (m = 16, ef_construction = 64, leaf_size = 16);
CREATE INDEX items_ivfflat ON items USING ivfflat (embedding vector_cosine_ops) WITH (lists = 10, leaf_size = 16);
CREATE INDEX items_default ON items USING ivfflat (embedding);
CREATE INDEX CONCURRENTLY items_half ON items USING hnsw (half halfvec_ip_ops);
CREATE INDEX items_bits ON items USING hnsw (bits bit_hamming_ops);
CREATE INDEX items_jaccard ON items USING hnsw (bits bit_jaccard_ops);
CREATE INDEX items_sparse ON items USING hnsw (sparse sparsevec_cosine_ops);
CREATE INDEX items_own ON items USING hnsw ((embedding::halfvec(16)) halfvec_l1_ops) WITH (leaf_size = 32, bits = 4);
CREATE INDEX ON items USING hnsw (embedding);
CREATE INDEX ON items USING hnsw (embedding vector_l2_ops) WITH (m = 1);
CREATE INDEX ON items USING hnsw (embedding vector_l2_ops) WITH (lists = 1);
CREATE INDEX ON items USING ivfflat (embedding vector_l2_ops) WITH (lists = 32769);
ALTER INDEX items_ivfflat SET (lists = 20);
REINDEX INDEX items_ivfflat;
SELECT indexname, indexdef FROM pg_indexes WHERE tablename = 'items' AND indexname <> 'items_pkey' ORDER BY 1;

-- Everything that asks whether an index is ours says yes.
SELECT index, rows, pending, metric FROM longbow_stat_index WHERE "table" = 'items' ORDER BY index;
INSERT INTO items (embedding, half, bits, sparse)
SELECT embedding, half, bits, sparse FROM items WHERE id <= 100;
SELECT c.relname, longbow_merge(c.oid) >= 0 AS merged, longbow_check(c.oid)
FROM pg_class c WHERE c.relname ~ '^items_(hnsw|ivfflat|default|half|bits|jaccard|sparse|own)$' ORDER BY 1;
VACUUM items;
SELECT index, rows, pending FROM longbow_stat_index WHERE "table" = 'items' ORDER BY index;
SELECT longbow_check('items_pkey');

-- Settings of pgvector are placeholders: more looks further, and what pgvector refuses is refused.
EXPLAIN (COSTS OFF) SELECT id FROM items ORDER BY embedding <-> array_fill(0.5, ARRAY[16])::vector LIMIT 5;
SHOW hnsw.ef_search;
CREATE TABLE queries AS SELECT i AS id, vec(10000 + i, 16) - array_fill(0.5, ARRAY[16])::vector AS embedding FROM generate_series(1, 40) i;
DROP INDEX items_default;
CREATE TABLE recalls (what text, recall numeric);
SET longbow.target_recall = 0.5;
INSERT INTO recalls SELECT 'hnsw', recall_of('items', 'embedding', '<->', 'queries', 10);
INSERT INTO recalls SELECT 'ivfflat', recall_of('items', 'embedding', '<=>', 'queries', 10);
SET hnsw.ef_search = 1000;
SET ivfflat.probes = 20;
INSERT INTO recalls SELECT 'hnsw, ef_search', recall_of('items', 'embedding', '<->', 'queries', 10);
INSERT INTO recalls SELECT 'ivfflat, probes = lists', recall_of('items', 'embedding', '<=>', 'queries', 10);
SELECT s.what, s.recall > f.recall AND s.recall > 0.97 AS looks_further
FROM recalls f JOIN recalls s ON s.what LIKE f.what || ', %' ORDER BY 1;
-- Fewer than target_recall needs change nothing, and a LIMIT is filled beyond ef_search.
SET longbow.target_recall = 0.95;
SET hnsw.ef_search = 1;
SET ivfflat.probes = 1;
SELECT recall_of('items', 'embedding', '<->', 'queries', 10) > 0.9 AS hnsw, recall_of('items', 'embedding', '<=>', 'queries', 10) > 0.9 AS ivfflat;
SET enable_seqscan = off;
SET enable_sort = off;
SELECT count(*) FROM (SELECT id FROM items WHERE id % 50 = 1 ORDER BY embedding <-> vec(1, 16) LIMIT 50) s;
SET hnsw.iterative_scan = relaxed_order;
SET ivfflat.iterative_scan = relaxed_order;
SELECT count(*) FROM (SELECT id FROM items WHERE id % 50 = 1 ORDER BY embedding <-> vec(1, 16) LIMIT 50) s;
SET hnsw.iterative_scan = strict_order;
SELECT count(*) > 0 AS some, count(*) FILTER (WHERE d < before) AS disorder
FROM (SELECT d, lag(d) OVER () AS before FROM (SELECT embedding <-> vec(1, 16) AS d FROM items ORDER BY embedding <-> vec(1, 16) LIMIT 500) r) s;
SET hnsw.ef_search = 1001;
SELECT id FROM items ORDER BY embedding <-> array_fill(0.5, ARRAY[16])::vector LIMIT 1;
SET hnsw.ef_search = 'many';
SELECT id FROM items ORDER BY embedding <-> array_fill(0.5, ARRAY[16])::vector LIMIT 1;
RESET hnsw.ef_search;
SET hnsw.iterative_scan = sometimes;
SELECT id FROM items ORDER BY embedding <-> array_fill(0.5, ARRAY[16])::vector LIMIT 1;
RESET hnsw.iterative_scan;
SET ivfflat.probes = 0;
SELECT id FROM items ORDER BY embedding <=> array_fill(0.5, ARRAY[16])::vector LIMIT 1;
RESET ivfflat.probes;
SELECT count(*) FROM (SELECT id FROM items ORDER BY embedding <=> vec(1, 16) LIMIT 10) s;
RESET enable_sort;
RESET enable_seqscan;

-- Partitions, and what goes with the extension.
CREATE TABLE parts (id int, v vector(3)) PARTITION BY RANGE (id);
CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (10);
CREATE INDEX parts_v ON parts USING hnsw (v vector_l2_ops);
INSERT INTO parts SELECT i, ARRAY[i, 1, 2] FROM generate_series(0, 9) i;
SELECT id FROM parts ORDER BY v <-> '[4,1,2]' LIMIT 1;
SELECT longbow_check('parts_v');
DROP TABLE parts;
DROP EXTENSION longbow_compat;
DROP TABLE items;
DROP EXTENSION longbow_compat;

-- Where the names are taken it refuses.
CREATE ACCESS METHOD hnsw TYPE INDEX HANDLER bthandler;
CREATE EXTENSION longbow_compat;
SELECT longbow_serves(oid) FROM pg_am WHERE amname = 'hnsw';
DROP ACCESS METHOD hnsw;
SET client_min_messages = warning;
DROP SCHEMA am_alias CASCADE;
