-- longbow_sizing(): against tables and indexes that are there, within a tenth; its rows and errors; where shared memory lies.
SET client_min_messages = warning;
CREATE SCHEMA am_sizing;
SET search_path = am_sizing, public;
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir /sql/am_helpers.inc
\set ECHO none
\i :helpers
\set ECHO all

-- A vector of uniform values, another one each time: sizes hardly depend on them.
CREATE FUNCTION uniform(dims int) RETURNS vector LANGUAGE sql VOLATILE AS $$ SELECT array_agg(random())::real[]::vector FROM generate_series(1, dims) $$;
-- Makes a table of `rows` values by an expression of i, and says how what was expected of it compares with what it is: table (without
-- its map of free space, a good part of a small one) and index, and the two parts of the index's file.
CREATE FUNCTION compare(type text, dims int, rows int, expression text, opclass text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE t numeric; x numeric; y numeric; parts bigint; whole bigint;
BEGIN
  EXECUTE format('CREATE TABLE s (id bigint, v %s(%s))', type, dims);
  EXECUTE format('INSERT INTO s SELECT i, %s FROM generate_series(1, %s) i', expression, rows);
  EXECUTE format('CREATE INDEX s_v ON s USING longbow (v %s)', opclass);
  SELECT bytes / (pg_table_size('s') - pg_relation_size('s', 'fsm'))::numeric INTO t FROM longbow_sizing(rows, dims, type) WHERE component = 'table';
  SELECT bytes / pg_relation_size('s_v')::numeric INTO x FROM longbow_sizing(rows, dims, type) WHERE component = 'index';
  SELECT bytes / pg_relation_size('s_v')::numeric INTO y FROM longbow_sizing('s_v') WHERE component = 'index';
  SELECT sum(bytes) INTO parts FROM longbow_sizing(rows, dims, type) WHERE component IN ('index, scan codes', 'index, refine codes');
  SELECT bytes INTO whole FROM longbow_sizing(rows, dims, type) WHERE component = 'index';
  DROP TABLE s;
  RETURN concat_ws('; ', CASE WHEN t BETWEEN 0.9 AND 1.1 THEN 'table ok' ELSE 'table ' || coalesce(round(t, 3)::text, 'unknown') END,
                   CASE WHEN x BETWEEN 0.9 AND 1.1 THEN 'index ok' ELSE 'index ' || round(x, 3) END,
                   CASE WHEN abs(x - y) < 0.0001 THEN 'same' ELSE 'by index ' || round(y, 3) END,
                   CASE WHEN abs(parts - whole) <= 1 THEN 'parts add up' ELSE 'parts ' || parts || ' of ' || whole END);
END $$;
SELECT compare('vector', 3, 8000, 'uniform(3)', 'vector_l2_ops');
SELECT compare('vector', 100, 4000, 'uniform(100)', 'vector_cosine_ops');
SELECT compare('vector', 300, 2000, 'uniform(300)', 'vector_ip_ops');
SELECT compare('vector', 784, 1000, 'uniform(784)', 'vector_l2_ops');
SELECT compare('vector', 2000, 500, 'uniform(2000)', 'vector_l1_ops');
SELECT compare('vector', 9000, 120, 'uniform(9000)', 'vector_l2_ops');
SELECT compare('halfvec', 200, 2000, 'uniform(200)::halfvec', 'halfvec_l2_ops');
SELECT compare('bit', 128, 4000, 'binary_quantize(uniform(128) - uniform(128))', 'bit_hamming_ops');
-- A value of sparsevec has any size: only the index is known.
SELECT compare('sparsevec', 1000, 1000, 'array_cat(array_fill(0::real, ARRAY[900]), uniform(100)::real[])::vector::sparsevec', 'sparsevec_l2_ops');

-- Options count, and rows that are pending or beside the tree; an index that was not built anew says so.
CREATE TABLE t (id bigint, v vector(64));
INSERT INTO t SELECT i, vec(i, 64) FROM generate_series(1, 2000) i;
CREATE INDEX t_v ON t USING longbow (v) WITH (leaf_size = 32, bits = 1);
INSERT INTO t VALUES (0, NULL), (0, NULL);
SELECT component, bytes FROM longbow_sizing('t_v') WHERE component = 'dataset';
SELECT bytes / pg_relation_size('t_v')::numeric BETWEEN 0.8 AND 1.2 AS near, explanation LIKE '%, 1-bit scan codes' AS bits
FROM longbow_sizing('t_v') WHERE component = 'index';
SELECT bytes = pg_relation_size('t_v') AS now, explanation ~ '^\d\.\d\d of what it would take built anew' AS said
FROM longbow_sizing('t_v') WHERE component = 'index, now';
SELECT bytes = pg_table_size('t') AS now FROM longbow_sizing('t_v') WHERE component = 'table';

-- All rows, and how they follow from each other.
SELECT component, bytes IS NOT NULL AS known FROM longbow_sizing(1000000, 100);
SELECT component, bytes IS NOT NULL AS known FROM longbow_sizing(1000000, 5000, 'sparsevec') WHERE component IN ('dataset', 'table', 'page cache', '2 x dataset');
CREATE TEMP TABLE size AS SELECT component, bytes, explanation FROM longbow_sizing(1000000, 100);
SELECT bytes AS dataset FROM size WHERE component = 'dataset' \gset
SELECT bytes = 2 * :dataset AS twice FROM size WHERE component = '2 x dataset';
SELECT abs(sum(CASE component WHEN 'total memory' THEN -bytes ELSE bytes END)) <= 5 AS adds_up FROM size
WHERE component IN ('shared_buffers', 'page cache', 'delta', 'side WAL, buffer', 'sessions', 'total memory');
SELECT abs(sum(CASE component WHEN 'least memory' THEN -bytes ELSE bytes END)) <= 5 AS adds_up FROM size
WHERE component IN ('index, scan codes', 'delta', 'side WAL, buffer', 'sessions', 'least memory');
-- A million rows merge at 2 % of them; a merge starts when half the delta is in use.
SELECT regexp_replace(explanation, ';.*', '') AS explanation FROM size WHERE component = 'delta';
-- 16 rows of long vectors are no chunk.
SELECT bytes, explanation FROM longbow_sizing(1000, 16000) WHERE component = 'delta';
-- What serves as a recommendation is at least PostgreSQL's default, and grows with the rows.
SELECT bytes, explanation LIKE 'the index and a tenth, at least 128 MB; shared_buffers is %' AS said FROM longbow_sizing(0, 100) WHERE component = 'shared_buffers';
SELECT bool_and(bigger) FROM (SELECT bytes > lag(bytes) OVER (ORDER BY n) AS bigger FROM generate_series(6, 12) n,
  longbow_sizing((10 ^ n)::bigint, 384) WHERE component = 'total memory') s;
SELECT explanation ~ '^(vm.nr_hugepages = \d+ for this shared_buffers and delta; settings now need -?\d+, the system has \d+, \d+ free; shared memory is in (huge|small) pages, huge_pages = (try|on|off)$|this system does not tell of huge pages$)' AS said
FROM size WHERE component = 'huge pages';
SELECT explanation ~ '^nodes: \d+; ' AS said FROM size WHERE component = 'NUMA';

-- Errors.
SELECT longbow_sizing(-1, 100);
SELECT longbow_sizing(1, 0);
SELECT longbow_sizing(1, 16001);
SELECT longbow_sizing(1, 64001, 'bit');
SELECT longbow_sizing(1, 0, 'sparsevec');
SELECT longbow_sizing(1, 3, 'point');
SELECT count(*) FROM longbow_sizing(NULL, 3);
SELECT longbow_sizing('t');
CREATE TABLE u (v vector);
CREATE INDEX u_v ON u USING longbow (v);
SELECT longbow_sizing('u_v');
INSERT INTO u VALUES ('[1,2,3]');
SELECT component, bytes FROM longbow_sizing('u_v') WHERE component = 'dataset';

-- Nothing was asked for here: nothing was spread.
SELECT nodes >= 0 AS nodes, requested, interleaved_bytes, state <> '' AS said FROM longbow_stat_numa;
SHOW longbow.numa_interleave;

DROP SCHEMA am_sizing CASCADE;
