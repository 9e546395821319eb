-- Functions, operators and casts of sparsevec.

-- distances
SELECT l2_distance('{}/2'::sparsevec, '{1:3,2:4}/2'), l2_distance('{1:3}/2'::sparsevec, '{2:4}/2'), l2_distance('{1:3,2:4}/2'::sparsevec, '{}/2'),
  '{}/2'::sparsevec <-> '{1:3,2:4}/2' AS operator, sparsevec_l2_squared_distance('{}/2', '{1:3,2:4}/2');
SELECT inner_product('{1:1,2:2}/2'::sparsevec, '{1:2,2:4}/2'), inner_product('{1:1,3:3,5:5}/5'::sparsevec, '{2:4,3:6,4:8}/5') AS "18",
  inner_product('{1:1,3:3}/4'::sparsevec, '{2:2,4:4}/4') AS "0", inner_product('{1:3e38}/1'::sparsevec, '{1:3e38}/1') AS overflow,
  '{1:1,2:2}/2'::sparsevec <#> '{1:3,2:4}/2' AS operator;
SELECT cosine_distance('{1:1,2:2}/2'::sparsevec, '{1:2,2:4}/2') AS same, cosine_distance('{1:1}/2'::sparsevec, '{2:2}/2') AS square,
  cosine_distance('{1:1,2:1}/2'::sparsevec, '{1:-1.1,2:-1.1}/2') AS opposite, cosine_distance('{1:1,2:2}/2'::sparsevec, '{}/2') AS zero,
  cosine_distance('{1:3e38}/1'::sparsevec, '{1:3e38}/1') AS overflow, '{1:1,2:2}/2'::sparsevec <=> '{1:2,2:4}/2' AS operator;
SELECT l1_distance('{}/2'::sparsevec, '{1:3,2:4}/2'), l1_distance('{1:1,3:3,5:5,7:7,9:9}/9'::sparsevec, '{2:2,4:4,6:6,8:8}/9') AS "45",
  l1_distance('{1:3e38}/1'::sparsevec, '{1:-3e38}/1') AS overflow, '{}/2'::sparsevec <+> '{1:3,2:-4}/2' AS operator;
SELECT sparsevec_negative_inner_product('{1:1,2:2}/2', '{1:2,2:4}/2');
SELECT '{1:1}/2'::sparsevec <-> '{1:3}/1';
SELECT '{1:1}/2'::sparsevec <#> '{1:3}/1';
SELECT '{1:1}/2'::sparsevec <=> '{1:3}/1';
SELECT '{1:1}/2'::sparsevec <+> '{1:3}/1';

-- the same as the distances of the vectors they stand for; integers, so that sums are exact
WITH v AS (SELECT array_agg(CASE WHEN (i * 7 + n) % 3 = 0 THEN i % 11 - 5 ELSE 0 END)::vector a, array_agg(CASE WHEN (i * 5 + n) % 4 < 2 THEN i % 7 - 3 ELSE 0 END)::vector b
  FROM generate_series(1, 100) n, generate_series(1, n) i GROUP BY n),
s AS (SELECT a, b, a::sparsevec sa, b::sparsevec sb FROM v)
SELECT count(*) AS pairs, count(*) FILTER (WHERE a <-> b <> sa <-> sb) AS l2, count(*) FILTER (WHERE a <#> b <> sa <#> sb) AS ip,
  count(*) FILTER (WHERE (a <=> b)::text <> (sa <=> sb)::text) AS cosine, count(*) FILTER (WHERE a <+> b <> sa <+> sb) AS l1,
  count(*) FILTER (WHERE sa::vector <> a OR vector_norm(a) <> l2_norm(sa) OR vector_cmp(a, b) <> sparsevec_cmp(sa, sb)) AS others,
  count(*) FILTER (WHERE l2_normalize(a) <> l2_normalize(sa)::vector) AS normalized FROM s;

-- norm and normalising
SELECT l2_norm('{1:3,2:4}/2'::sparsevec), l2_norm('{}/2'::sparsevec) AS zero, l2_norm('{1:3e37,2:4e37}/2'::sparsevec)::real AS large;
SELECT l2_normalize('{1:3,2:4}/2'::sparsevec), l2_normalize('{2:0.1}/2'::sparsevec), l2_normalize('{}/2'::sparsevec) AS zero, l2_normalize('{1:3e38}/1'::sparsevec) AS large,
  l2_normalize('{2:3e37,4:3e-37,6:4e37,8:4e-37}/9'::sparsevec) AS underflow;

-- comparison: as the vectors they stand for, then by dimensions
SELECT a, b, sparsevec_cmp(a, b) AS cmp, a < b AS lt, a <= b AS le, a = b AS eq, a <> b AS ne, a >= b AS ge, a > b AS gt
  FROM (VALUES ('{1:1,2:2,3:3}/3'::sparsevec, '{1:1,2:2,3:3}/3'::sparsevec), ('{1:1,2:2,3:3}/3', '{1:1,2:2}/2'), ('{}/3', '{1:1}/3'), ('{1:-1}/3', '{}/3'),
    ('{2:1}/3', '{1:1}/3'), ('{2:1}/3', '{1:-1}/3'), ('{1:2}/2', '{1:1,2:2,3:3}/3'), ('{}/2', '{}/3'), ('{3:-1}/3', '{}/2'), ('{}/2', '{3:1}/3')) v(a, b);
SELECT count(*) AS differ FROM
  (SELECT array_agg(CASE WHEN i < length(w) THEN ascii(substr(w, i, 1)) - 98 ELSE 0 END) FILTER (WHERE i < length(w))::vector AS v
   FROM unnest(ARRAY['aax','abx','bax','bbx','cax','abcx','bbbx','ax','bx','cx','bbbcx','bbbax','cbbx']) w, generate_series(1, 5) i GROUP BY w) a,
  LATERAL (SELECT array_agg(CASE WHEN i < length(w) THEN ascii(substr(w, i, 1)) - 98 ELSE 0 END) FILTER (WHERE i < length(w))::vector AS u
   FROM unnest(ARRAY['aax','abx','bax','bbx','cax','abcx','bbbx','ax','bx','cx','bbbcx','bbbax','cbbx']) w, generate_series(1, 5) i GROUP BY w) b
  WHERE vector_cmp(v, u) <> sparsevec_cmp(v, u);

-- sorts, joins, groups and indexes
SELECT hash_sparsevec('{1:1}/2') <> hash_sparsevec('{1:1}/3') AS dims_count, hash_sparsevec('{1:1}/2') <> hash_sparsevec('{2:1}/2') AS index_counts,
  hash_sparsevec('{1:0,2:1}/2') = hash_sparsevec('{2:1,1:-0}/2') AS equal, hash_sparsevec_extended('{}/2', 1) <> hash_sparsevec_extended('{}/2', 2) AS seed_counts,
  hash_sparsevec_extended('{7:1}/9', 0)::bit(64) << 32 = hash_sparsevec('{7:1}/9')::bigint::bit(64) << 32 AS low_half;
CREATE TABLE sb AS SELECT i, ARRAY[i % 5, 0, i % 3]::sparsevec AS v FROM generate_series(1, 600) i;
CREATE INDEX ON sb USING hash (v);
CREATE INDEX ON sb (v);
ANALYZE sb;
SELECT v, count(*) FROM sb GROUP BY v ORDER BY v LIMIT 4;
SELECT count(*) FROM sb a JOIN sb b ON a.v = b.v;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SELECT count(*) FROM sb WHERE v = '{1:1,3:2}/3';
SELECT v, count(*) FROM sb WHERE v > '{1:1,3:1}/3' AND v < '{1:3}/3' AND v <> '{1:2}/3' GROUP BY v ORDER BY v DESC;
RESET ALL;
DROP TABLE sb;

-- casts
SELECT '[0,1.5,0,3.5,0]'::vector::sparsevec, '[0,1.5,0,3.5,0]'::vector::sparsevec(5), '[0,1.5,0,3.5,-0]'::halfvec::sparsevec,
  '{2:1.5,4:3.5}/5'::sparsevec::vector, '{2:1.5,4:0.1}/5'::sparsevec::halfvec(5), '{1:1e-8}/1'::sparsevec::halfvec AS underflow;
SELECT ARRAY[1,0,2,0,3,0]::sparsevec AS int4, ARRAY[1.0,0.0,2.5]::sparsevec AS "numeric", ARRAY[1,0,2]::float4[]::sparsevec AS float4, '{1,0,1e-46}'::float8[]::sparsevec AS float8;
SELECT array_fill(0, ARRAY[100000])::sparsevec AS wide;
SELECT '[0,1]'::vector::sparsevec(4);
SELECT '[0,1]'::halfvec::sparsevec(4);
SELECT '{1:1}/5'::sparsevec::vector(4);
SELECT '{1:1}/5'::sparsevec::halfvec(4);
SELECT '{}/16001'::sparsevec::vector;
SELECT '{}/16001'::sparsevec::halfvec;
SELECT '{2:65520}/3'::sparsevec::halfvec;
SELECT '{1,0}'::real[]::sparsevec(5);
SELECT '{NULL}'::real[]::sparsevec;
SELECT '{0,NaN}'::real[]::sparsevec;
SELECT '{-Infinity}'::real[]::sparsevec;
SELECT '{4e38}'::float8[]::sparsevec;
SELECT '{}'::real[]::sparsevec;
SELECT '{{1}}'::real[]::sparsevec;
SELECT array_fill(1, ARRAY[16001])::sparsevec;
SELECT length(array_fill(1, ARRAY[16000])::sparsevec::text) AS most;
-- a vector or a halfvec beside a sparsevec becomes one
SELECT '[1,2]'::vector <-> '{1:1}/2'::sparsevec AS vector, '{1:1}/2'::sparsevec <#> '[1,2]'::halfvec AS halfvec;

-- what the planner knows of the operators
SELECT o.oprname, c.oprname AS commutator, n.oprname AS negator, o.oprcanhash AS hashes, o.oprcanmerge AS merges, o.oprrest, o.oprjoin
  FROM pg_operator o LEFT JOIN pg_operator c ON c.oid = o.oprcom LEFT JOIN pg_operator n ON n.oid = o.oprnegate
  WHERE o.oprleft = 'sparsevec'::regtype AND o.oprright = 'sparsevec'::regtype ORDER BY o.oprname COLLATE "C";
