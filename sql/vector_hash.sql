-- Equality of vectors by hash: operator class, DISTINCT, GROUP BY, hash joins, hash indexes, set operations.
SELECT opcname, amname, opcdefault, amvalidate(c.oid) FROM pg_opclass c JOIN pg_am a ON a.oid = opcmethod
  WHERE opcname = 'vector_ops' AND opcintype = 'vector'::regtype AND amname = 'hash';

-- equal vectors hash equally: -0 and 0, short and long, read from memory or from a table
SELECT hash_vector('[0,1]') = hash_vector('[-0,1]') AS zeros, hash_vector('[1,2]') <> hash_vector('[2,1]') AS order_counts,
  hash_vector('[0]') <> hash_vector('[0,0]') AS length_counts;
SELECT hash_vector_extended('[0,1]', 42) = hash_vector_extended('[-0,1]', 42) AS zeros,
  hash_vector_extended('[0,1]', 42) <> hash_vector_extended('[0,1]', 43) AS seed_counts;
-- with seed 0 the low half of the extended hash is the hash
SELECT count(*) AS differ FROM generate_series(1, 200) n, LATERAL (SELECT array_agg(i)::vector AS v FROM generate_series(1, n) i) s
  WHERE hash_vector_extended(v, 0)::bit(64) << 32 <> hash_vector(v)::bigint::bit(64) << 32;
-- hardly a collision in 20,000 vectors: 32 random bits would have 0.05 on average
SELECT count(DISTINCT hash_vector(ARRAY[i % 100, i / 100, 0]::vector)) > 19995 AS spread FROM generate_series(1, 20000) i;
-- the sign of any zero is left out, at every place of a piece
SELECT count(*) AS differ FROM generate_series(1, 130) n,
  LATERAL (SELECT array_agg(CASE WHEN i = n THEN '-0'::real ELSE 0 END)::vector AS a, array_agg(0)::vector AS b FROM generate_series(1, 130) i) s
  WHERE hash_vector(a) <> hash_vector(b) OR a <> b;

CREATE TABLE vh (id int, v vector);
INSERT INTO vh SELECT i, ARRAY[i % 10, 1]::vector FROM generate_series(1, 1000) i;
INSERT INTO vh VALUES (2001, '[0,1]'), (2002, '[-0,1]'), (2003, NULL), (2004, NULL), (2005, '[1]');
ANALYZE vh;
SET enable_sort = off;
EXPLAIN (COSTS OFF) SELECT DISTINCT v FROM vh;
SELECT count(*) FROM (SELECT DISTINCT v FROM vh) s;
EXPLAIN (COSTS OFF) SELECT v, count(*) FROM vh GROUP BY v;
SELECT abs((v::real[])[1]) AS first, vector_dims(v) AS dims, count(*) FROM vh GROUP BY v HAVING count(*) <> 100 ORDER BY 1, 2;
RESET enable_sort;

SET enable_mergejoin = off;
SET enable_nestloop = off;
EXPLAIN (COSTS OFF) SELECT count(*) FROM vh a JOIN vh b ON a.v = b.v;
SELECT count(*) FROM vh a JOIN vh b ON a.v = b.v;
-- 9 values of 100 rows, one of 102, one of 1
SELECT 9 * 100 * 100 + 102 * 102 + 1 * 1 AS expected;
RESET enable_mergejoin;
RESET enable_nestloop;

SELECT count(*) FROM (SELECT v FROM vh EXCEPT SELECT v FROM vh WHERE id > 9) s;
SELECT count(*) FROM (SELECT v FROM vh INTERSECT SELECT '[-0,1]') s;
SELECT id FROM vh WHERE v IN ('[1]', '[100,1]', '[101,1]', '[102,1]', '[103,1]', '[104,1]', '[105,1]', '[106,1]', '[107,1]', '[108,1]') ORDER BY id;

-- a hash index
CREATE INDEX ON vh USING hash (v);
SET enable_seqscan = off;
SET enable_bitmapscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM vh WHERE v = '[1]';
SELECT id FROM vh WHERE v = '[1]';
SELECT count(*) FROM vh WHERE v = '[0,1]';
RESET ALL;
DROP TABLE vh;

-- partitions by hash of a vector
CREATE TABLE vp (v vector(1)) PARTITION BY HASH (v);
CREATE TABLE vp0 PARTITION OF vp FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE vp1 PARTITION OF vp FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO vp SELECT ARRAY[i]::vector FROM generate_series(1, 100) i;
SELECT count(*) FROM vp WHERE v = '[42]';
SELECT count(DISTINCT tableoid) FROM vp;
DROP TABLE vp;
