-- Arrays: distances between real[] and with vectors, which an index serves; columns of vector[], halfvec[] and sparsevec[].
CREATE SCHEMA am_arrays;
SET search_path = am_arrays, public;
\set SHOW_CONTEXT never
SELECT ARRAY[0, 0]::real[] <-> ARRAY[3, 4]::real[] AS l2, ARRAY[1, 2]::real[] <#> ARRAY[3, 4]::real[] AS negative_ip,
       ARRAY[1, 0]::real[] <=> ARRAY[0, 2]::real[] AS cosine, ARRAY[1, 2]::real[] <+> ARRAY[3, 5]::real[] AS l1;
-- What real[] can be had of by an implicit cast is taken as that; a literal is one of the other side's type.
SELECT ARRAY[0, 0] <-> ARRAY[3, 4] AS integers, ARRAY[0.5, 0] <-> ARRAY[3.5, 4] AS numerics,
       ARRAY[0, 0]::real[] <-> '{3,4}' AS literal;
SELECT '[0,0]'::vector <-> ARRAY[3, 4] AS l2, ARRAY[3, 4]::real[] <#> '[1,2]'::vector AS negative_ip,
       '[1,0]'::vector <=> ARRAY[0, 2]::real[] AS cosine, ARRAY[1.5, 2] <+> '[3,5]'::vector AS l1;
SELECT '[0,0]'::vector <-> '[3,4]' AS vectors, '[0,0]'::vector <-> '[3,4]'::halfvec AS halfvecs, '[0,0]'::vector <-> '{1:3,2:4}/2'::sparsevec AS sparsevecs;
SELECT ARRAY[0, 0]::real[] <=> ARRAY[1, 1]::real[] AS zero, '{NaN,1}'::real[] <-> '{1,1}'::real[] AS nan,
       '{Infinity,1}'::real[] <+> '{1,1}'::real[] AS infinite, NULL::real[] <-> ARRAY[1]::real[] AS null,
       '[0:1]={0,0}'::real[] <-> '{3,4}'::real[] AS bounds;
-- The same sums as vectors have, also where the arrays are long or compressed.
CREATE TABLE long AS
SELECT i AS id, (SELECT array_agg(((i * 31 + j * 17) % 101 / 10.0)::real ORDER BY j) FROM generate_series(1, 3000) j) AS a FROM generate_series(1, 20) i;
SELECT count(*) AS pairs, count(*) FILTER (WHERE l.a <-> r.a = l.a::vector <-> r.a::vector AND l.a <#> r.a = l.a::vector <#> r.a::vector
                                       AND l.a <=> r.a = l.a::vector <=> r.a::vector AND l.a <+> r.a = l.a::vector <+> r.a::vector
                                       AND l.a <-> r.a = l.a::vector <-> r.a AND l.a <-> r.a = l.a <-> r.a::vector) AS same
FROM long l, long r;

-- errors
SELECT ARRAY[1, 2]::real[] <-> ARRAY[1]::real[];
SELECT '{}'::real[] <-> '{}'::real[];
SELECT '{{1,2}}'::real[] <-> '{1,2}'::real[];
SELECT '{1,NULL}'::real[] <=> '{1,2}'::real[];
SELECT '[1,2]'::vector <-> ARRAY[1, 2, 3];
SELECT '[1,2]'::vector <-> '{1,NaN}'::real[];
SELECT '[1,2]'::halfvec <-> ARRAY[1, 2]::real[];
SELECT ARRAY[0, 0]::float8[] <-> ARRAY[3, 4];
SELECT array_fill(0, ARRAY[16001])::real[] <-> array_fill(0, ARRAY[16001])::real[];
\set VERBOSITY sqlstate
SELECT ARRAY[1, 2]::real[] <-> ARRAY[1]::real[];
SELECT '{}'::real[] <-> '{}'::real[];
SELECT '{1,NULL}'::real[] <=> '{1,2}'::real[];
\set VERBOSITY default

-- An index on a vector serves an array, on either side, as a constant and as a parameter.
CREATE TABLE items (id int, v vector(3));
INSERT INTO items SELECT i, ARRAY[i, 1, 2] FROM generate_series(1, 500) i;
CREATE INDEX ON items USING longbow (v);
SET enable_seqscan = off;
SET enable_sort = off;
EXPLAIN (COSTS OFF) SELECT id FROM items ORDER BY v <-> ARRAY[7, 1, 2] LIMIT 2;
SELECT id FROM items ORDER BY v <-> ARRAY[7.1, 1, 2] LIMIT 2;
SELECT id FROM items ORDER BY ARRAY[7.1, 1, 2]::real[] <-> v LIMIT 2;
PREPARE nearest(real[]) AS SELECT id FROM items ORDER BY v <-> $1 LIMIT 2;
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS OFF) EXECUTE nearest(ARRAY[9.1, 1, 2]);
EXECUTE nearest(ARRAY[9.1, 1, 2]);
-- An array column by an expression index.
CREATE TABLE raw (id int, a real[]);
INSERT INTO raw SELECT i, ARRAY[i, 1, 2] FROM generate_series(1, 500) i;
CREATE INDEX ON raw USING longbow ((a::vector(3)));
EXPLAIN (COSTS OFF) SELECT id FROM raw ORDER BY a::vector(3) <-> ARRAY[7, 1, 2] LIMIT 2;
SELECT id FROM raw ORDER BY a::vector(3) <-> ARRAY[7.1, 1, 2] LIMIT 2;
RESET enable_seqscan;
RESET enable_sort;

-- Columns of arrays of vectors.
CREATE TABLE many (id int, v vector(3)[], h halfvec(2)[], s sparsevec(4)[]);
INSERT INTO many VALUES
  (1, ARRAY['[1,2,3]', '[4,5,6]']::vector[], ARRAY['[1,2]', NULL]::halfvec[], ARRAY['{1:1}/4']::sparsevec[]),
  (2, '{"[7,8,9]"}', '{}', NULL),
  (3, ARRAY[ARRAY[1, 1, 1]::vector], ARRAY[ARRAY[1, 2]::halfvec], ARRAY['{4:2}/4'::sparsevec, '{2:-1}/4']);
SELECT * FROM many ORDER BY id;
SELECT id, v[1] <-> '[1,2,3]' AS first, array_length(v, 1) AS vectors, h[1], s[2] FROM many ORDER BY id;
SELECT id, min(u <-> '[4,5,7]') AS nearest FROM many, unnest(v) u GROUP BY id ORDER BY nearest, id;
SELECT avg(u) AS mean, sum(u) AS total FROM many, unnest(v) u;
SELECT id FROM many WHERE '[4,5,6]' = ANY (v);
SELECT id FROM many WHERE v = ARRAY['[7,8,9]'::vector];
SELECT count(DISTINCT v) FROM many;
SELECT array_agg(u ORDER BY u) FROM many, unnest(v) u;
UPDATE many SET v[2] = '[0,0,1]' WHERE id = 2;
UPDATE many SET v = v || '[9,9,9]'::vector WHERE id = 3;
SELECT id, v FROM many WHERE id > 1 ORDER BY id;
INSERT INTO many (id, v) VALUES (4, ARRAY['[1,2]']::vector[]);
INSERT INTO many (id, v) VALUES (4, '{"[1,2,3","[1,2,3]"}');
CREATE INDEX ON many USING longbow ((v[1]::vector(3)));
SELECT longbow_check('many_v_idx');
CREATE INDEX ON many USING longbow (v);
SET client_min_messages = warning;
DROP SCHEMA am_arrays CASCADE;
