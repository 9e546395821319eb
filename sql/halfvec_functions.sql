-- Functions and operators of halfvec.

-- distances
SELECT l2_distance('[0,0]'::halfvec, '[3,4]'), '[0,0]'::halfvec <-> '[3,4]' AS operator, halfvec_l2_squared_distance('[0,0]', '[3,4]');
SELECT inner_product('[1,2]'::halfvec, '[3,4]'), '[1,2]'::halfvec <#> '[3,4]' AS operator, inner_product('[65504]'::halfvec, '[65504]') AS largest;
SELECT cosine_distance('[1,2]'::halfvec, '[2,4]') AS same, cosine_distance('[1,0]'::halfvec, '[0,2]') AS square,
  cosine_distance('[1,1]'::halfvec, '[-1,-1]') AS opposite, '[1,2]'::halfvec <=> '[2,4]' AS operator, cosine_distance('[1,2]'::halfvec, '[0,0]') AS zero;
SELECT cosine_distance('[1,1]'::halfvec, '[1.1,1.1]') AS same, cosine_distance('[1,1]'::halfvec, '[-1.1,-1.1]') AS opposite;
SELECT l1_distance('[0,0]'::halfvec, '[3,4]'), '[0,0]'::halfvec <+> '[3,-4]' AS operator;
SELECT halfvec_negative_inner_product('[1,2]', '[3,4]'), halfvec_spherical_distance('[1,0]', '[0,1]') AS square,
  halfvec_spherical_distance('[2,0]', '[2,0]') AS clamped;
SELECT '[1,2]'::halfvec <-> '[3]';
SELECT '[1,2]'::halfvec <#> '[3]';
SELECT '[1,2]'::halfvec <=> '[3]';
SELECT '[1,2]'::halfvec <+> '[3]';
SELECT halfvec_spherical_distance('[1,2]', '[3]');

-- a vector beside a halfvec becomes one; the types without their names are ambiguous, as in pgvector
SELECT '[1,2]'::vector <-> '[1,4]'::halfvec AS mixed, l2_distance('[1,2]'::halfvec, '[1,4]'::vector) AS mixed;
SELECT l2_distance('[1,2]', '[3,4]');

-- every length from 1 to 70, where kernels change from whole registers to tails; integers, so that sums are exact
WITH v AS (
  SELECT n, array_agg(i % 7)::halfvec a, array_agg(i % 5)::halfvec b,
    sum((i % 7 - i % 5) ^ 2) l2, sum((i % 7) * (i % 5)) ip, sum(abs(i % 7 - i % 5)) l1,
    sum((i % 7) ^ 2) aa, sum((i % 5) ^ 2) bb
  FROM generate_series(1, 70) n, generate_series(1, n) i GROUP BY n)
SELECT count(*) AS lengths, count(*) FILTER (WHERE halfvec_l2_squared_distance(a, b) <> l2) AS l2_differ,
  count(*) FILTER (WHERE inner_product(a, b) <> ip) AS ip_differ, count(*) FILTER (WHERE l1_distance(a, b) <> l1) AS l1_differ,
  count(*) FILTER (WHERE abs(cosine_distance(a, b) - (1 - ip / sqrt(aa * bb))) > 1e-15) AS cosine_differ,
  count(*) FILTER (WHERE abs(l2_norm(a) - sqrt(aa)) > 1e-14) AS norm_differ
FROM v;

-- dimensions, norm, normalising, signs, parts
SELECT vector_dims('[1,2,3]'::halfvec), l2_norm('[3,4]'::halfvec), l2_norm('[0,0]'::halfvec) AS zero, round(l2_norm('[1,1]'::halfvec)::numeric, 5) AS root_2;
SELECT l2_normalize('[3,4]'::halfvec), l2_normalize('[0,0.1]'::halfvec), l2_normalize('[0,0]'::halfvec) AS zero,
  l2_normalize('[65504]'::halfvec) AS large, l2_normalize('[-6e-8]'::halfvec) AS small;
SELECT binary_quantize('[1,0,-1,-0,6e-8,-6e-8]'::halfvec), binary_quantize('[0,0.1,-0.2,-0.3,0.4,0.5,0.6,-0.7,0.8,-0.9,1]'::halfvec);
SELECT subvector('[1,2,3,4,5]'::halfvec, 1, 3) AS a, subvector('[1,2,3,4,5]'::halfvec, 3, 2) AS b,
  subvector('[1,2,3,4,5]'::halfvec, -1, 3) AS c, subvector('[1,2,3,4,5]'::halfvec, 3, 2147483647) AS d;
SELECT subvector('[1,2,3,4,5]'::halfvec, 1, 0);
SELECT subvector('[1,2,3,4,5]'::halfvec, 6, 1);

-- arithmetic
SELECT '[1,2,3]'::halfvec + '[4,5,6]' AS sum, '[1,2,3]'::halfvec - '[4,5,6]' AS difference,
  '[1,2,3]'::halfvec * '[4,5,6]' AS product, '[1,2,3]'::halfvec || '[4,5]' AS concatenation;
SELECT '[2048,2048]'::halfvec + '[1,3]' AS rounded_to_even, '[0,6e-8]'::halfvec * '[6e-8,0]' AS zero_is_no_underflow;
SELECT vector_dims(a + a), subvector(a + a, 256, 2), subvector(a * a, 299, 2) FROM (SELECT array_agg(i)::halfvec a FROM generate_series(-150, 149) i) s;
SELECT '[1,65504]'::halfvec + '[1,65504]';
SELECT '[65504]'::halfvec + '[15]' AS still_finite;
SELECT '[65504]'::halfvec + '[16]';
SELECT '[-65504]'::halfvec - '[65504]';
SELECT '[1,1,1000]'::halfvec * '[1,1,1000]';
SELECT '[1e-7]'::halfvec * '[-1e-7]';
SELECT array_fill(1, ARRAY[300])::halfvec * (array_fill(1, ARRAY[298])::halfvec || '[1,0.00001]') * (array_fill(1, ARRAY[299])::halfvec || '[0.00001]');
SELECT '[1,2]'::halfvec + '[3]';
SELECT '[1,2]'::halfvec - '[3]';
SELECT '[1,2]'::halfvec * '[3]';
SELECT array_fill(0, ARRAY[16000])::halfvec || '[1]';

-- comparison
SELECT b, '[1,2,3]' < b AS lt, '[1,2,3]' <= b AS le, '[1,2,3]' = b AS eq, '[1,2,3]' <> b AS ne, '[1,2,3]' >= b AS ge,
  '[1,2,3]' > b AS gt, halfvec_cmp('[1,2,3]', b) AS cmp
  FROM unnest('{"[1,2,3]","[1,2]","[1,2,3,0]","[0,0,0]","[1,2,4]","[2]","[1,2,-3]"}'::halfvec[]) b;
SELECT halfvec_eq('[0]', '[-0]') AS zeros;

-- order and equality in sorts, joins, groups and indexes
SELECT opcname, amname, opcdefault, amvalidate(c.oid) FROM pg_opclass c JOIN pg_am a ON a.oid = opcmethod
  WHERE opcname IN ('halfvec_ops', 'sparsevec_ops') AND amname IN ('btree', 'hash') ORDER BY 1, 2;
SELECT hash_halfvec('[0,1]') = hash_halfvec('[-0,1]') AS zeros, hash_halfvec('[1,2]') <> hash_halfvec('[2,1]') AS order_counts,
  hash_halfvec_extended('[0,1]', 42) <> hash_halfvec_extended('[0,1]', 43) AS seed_counts,
  hash_halfvec('[1,2.5]') = hash_vector('[1,2.5]') AS as_vector;
CREATE TABLE hb AS SELECT i, ARRAY[i % 50, i % 3]::halfvec AS v FROM generate_series(1, 600) i;
INSERT INTO hb VALUES (700, '[0,0]'), (701, '[-0,-0]'), (702, NULL);
CREATE INDEX ON hb USING hash (v);
CREATE UNIQUE INDEX ON hb (v, i);
ANALYZE hb;
SELECT count(DISTINCT v), count(*) FROM hb;
SELECT count(*) FROM hb a JOIN hb b ON a.v = b.v;
SELECT v, count(*) FROM hb GROUP BY v ORDER BY v LIMIT 3;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
EXPLAIN (COSTS OFF) SELECT i FROM hb WHERE v > '[48,0]' AND v < '[49,2]' ORDER BY v, i;
SELECT v, count(*) FROM hb WHERE v > '[48,0]' AND v < '[49,2]' AND v <> '[49,0]' GROUP BY v ORDER BY v DESC;
SELECT count(*) FROM hb WHERE v = '[0,0]';
RESET ALL;
DROP TABLE hb;

-- SQLSTATEs
\set VERBOSITY sqlstate
SELECT '[1,2]'::halfvec <-> '[3]';
SELECT '[65504]'::halfvec + '[65504]';
SELECT '[1e-7]'::halfvec * '[1e-7]';
SELECT array_fill(0, ARRAY[16000])::halfvec || '[1]';
SELECT subvector('[1]'::halfvec, 1, 0);
\set VERBOSITY default

-- what the planner knows of the operators
SELECT o.oprname, c.oprname AS commutator, n.oprname AS negator, o.oprcanhash AS hashes, o.oprcanmerge AS merges, o.oprrest, o.oprjoin
  FROM pg_operator o LEFT JOIN pg_operator c ON c.oid = o.oprcom LEFT JOIN pg_operator n ON n.oid = o.oprnegate
  WHERE o.oprleft = 'halfvec'::regtype AND o.oprright = 'halfvec'::regtype ORDER BY o.oprname COLLATE "C";

-- equal results in every tier: integers have exact sums; a tier that the CPU lacks becomes its best
CREATE TABLE hs AS
  SELECT n, array_agg((i * 37 + n) % 19 - 9)::halfvec AS a, array_agg((i * 53 + n) % 23 - 11)::halfvec AS b,
    string_agg(((i * 7 + n) % 3 % 2)::text, '' ORDER BY i)::bit(200) AS p, string_agg(((i * 5 + n) % 4 % 2)::text, '' ORDER BY i)::bit(200) AS q
  FROM generate_series(1, 200) n, generate_series(1, n) i GROUP BY n;
CREATE FUNCTION sums() RETURNS text LANGUAGE sql AS
  $$ SELECT md5(string_agg(concat_ws(' ', n, a <-> b, a <#> b, a <=> b, a <+> b, a + b, p <~> q, p <%> q), ',' ORDER BY n)) FROM hs $$;
SET longbow.simd = 'scalar';
SELECT sums() AS scalar \gset
SET longbow.simd = 'sse4.2';
SELECT sums() = :'scalar' AS "sse4.2";
SET longbow.simd = 'avx2';
SELECT sums() = :'scalar' AS avx2;
SET longbow.simd = 'avx512';
SELECT sums() = :'scalar' AS avx512;
RESET longbow.simd;
DROP FUNCTION sums();
DROP TABLE hs;
