-- Order of vectors: ORDER BY, B-tree indexes, merge joins, extremes.
SELECT opcname, amname, opcdefault, amvalidate(c.oid) FROM pg_opclass c JOIN pg_am a ON a.oid = opcmethod
  WHERE opcname = 'vector_ops' AND opcintype = 'vector'::regtype AND amname = 'btree';
CREATE TABLE vb (id int, v vector);
INSERT INTO vb VALUES (1, '[0,0,0]'), (2, '[1,2,3]'), (3, '[1,1,1]'), (4, NULL), (5, '[1,2]'), (6, '[-1]'), (7, '[1,2,3,0]'), (8, '[10]');
SELECT * FROM vb ORDER BY v;
SELECT * FROM vb ORDER BY v DESC NULLS LAST;
CREATE INDEX ON vb (v);
SET enable_seqscan = off;
SET enable_sort = off;
SET enable_bitmapscan = off;
EXPLAIN (COSTS OFF) SELECT id FROM vb WHERE v = '[1,2,3]';
SELECT id FROM vb WHERE v = '[1,2,3]';
EXPLAIN (COSTS OFF) SELECT id FROM vb ORDER BY v;
SELECT id FROM vb ORDER BY v;
SELECT id FROM vb WHERE v < '[1,2,3]' ORDER BY v;
SELECT id FROM vb WHERE v <= '[1,2,3]' ORDER BY v DESC;
SELECT id FROM vb WHERE v > '[1,2]' ORDER BY v;
SELECT id FROM vb WHERE v >= '[1,2]' AND v < '[10]' ORDER BY v;
RESET ALL;
DROP TABLE vb;

-- uniqueness takes -0 for 0
CREATE TABLE vb (v vector(2) PRIMARY KEY);
INSERT INTO vb VALUES ('[0,1]'), ('[1,0]');
INSERT INTO vb VALUES ('[-0,1]');
INSERT INTO vb VALUES ('[1,-0]') ON CONFLICT DO NOTHING;
TABLE vb;
DROP TABLE vb;

-- merge join
CREATE TABLE vb AS SELECT i, ARRAY[i % 50, i % 3]::vector AS v FROM generate_series(1, 600) i;
ANALYZE vb;
SET enable_hashjoin = off;
SET enable_nestloop = off;
EXPLAIN (COSTS OFF) SELECT count(*) FROM vb a JOIN vb b ON a.v = b.v;
SELECT count(*) FROM vb a JOIN vb b ON a.v = b.v;
RESET ALL;
-- the same count without an operator of vectors
SELECT count(*) FROM vb a JOIN vb b ON a.i % 50 = b.i % 50 AND a.i % 3 = b.i % 3;
DROP TABLE vb;

-- a sort of vectors that are stored out of line
CREATE TABLE vb AS SELECT i, array_fill((i * 7919) % 1000, ARRAY[1024])::vector AS v FROM generate_series(0, 299) i;
SELECT count(*) AS out_of_order FROM (SELECT v < lag(v) OVER (ORDER BY v) AS before FROM vb) s WHERE before;
DROP TABLE vb;
