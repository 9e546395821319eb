-- longbow_recall(): on the index's own rows and on a table of queries. Samples are drawn at random, so figures are bounded, not shown.
SET client_min_messages = warning;
CREATE SCHEMA am_recall_estimate;
SET search_path = am_recall_estimate, public;
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir /sql/am_helpers.inc
\set ECHO none
\i :helpers
\set ECHO all
CREATE TABLE t (id int, v vector(8), c int) WITH (autovacuum_enabled = off);
INSERT INTO t SELECT i, vec(i, 8), i % 4 FROM generate_series(1, 3000) i;
CREATE INDEX t_v ON t USING longbow (v) WITH (leaf_size = 16);

-- Every leaf visited: scan codes alone lose a row now and then (one in 10,000 here), and the interval still is one of 50 queries.
SET longbow.probes = 100000;
SELECT recall >= 0.99 AS all, high BETWEEN recall AND 1 AS high, low BETWEEN 0.9 AND 0.995 AS low, queries, rows FROM longbow_recall('t_v', 10, 50);
-- One leaf: much is missed.
SET longbow.probes = 1;
SELECT recall < 0.95 AS less, recall > 0.1 AS some, low < recall AND recall < high AS interval, queries, rows FROM longbow_recall('t_v', samples => 100);
-- The target goes before the session's settings, and leaves them alone.
SELECT a.recall >= b.recall AS better, a.recall >= 0.95 AS good FROM longbow_recall('t_v', 10, 200, 1.0) a, longbow_recall('t_v', 10, 200) b;
SHOW longbow.probes;
RESET longbow.probes;
SHOW longbow.target_recall;
SELECT recall >= 0.8 AS floor, low >= 0.75 AS low FROM longbow_recall('t_v', 10, 200);
-- k beyond the rows, more samples than rows; k of which the first wave finds only some.
CREATE TABLE few (v vector(8));
INSERT INTO few SELECT vec(i, 8) FROM generate_series(1, 5) i;
CREATE INDEX few_v ON few USING longbow (v);
SELECT recall, queries, rows FROM longbow_recall('few_v', 10, 100);
SELECT recall >= 0.9 AS good, queries FROM longbow_recall('t_v', 200, 20, 1);
-- No rows, and none but NULL.
TRUNCATE few;
SELECT * FROM longbow_recall('few_v');
INSERT INTO few VALUES (NULL);
SELECT * FROM longbow_recall('few_v');

-- It says what SQL says: the same neighbours, for queries of which all are taken.
CREATE TABLE q (id int, "the query" vector(8));
INSERT INTO q SELECT i, vec(i + 10000, 8) FROM generate_series(1, 40) i;
SET longbow.probes = 2;
SET enable_seqscan = off;
CREATE TABLE found AS SELECT q.id AS q, x.id, x.d FROM q, LATERAL (SELECT id, v <-> "the query" AS d FROM t ORDER BY v <-> "the query" LIMIT 10) x;
SET enable_seqscan = on;
SET enable_indexscan = off;
CREATE TABLE exact AS SELECT q.id AS q, x.id, x.d FROM q, LATERAL (SELECT id, v <-> "the query" AS d FROM t ORDER BY v <-> "the query" LIMIT 10) x;
RESET enable_indexscan;
RESET enable_seqscan;
SELECT avg(s) AS by_sql FROM (SELECT count(*) FILTER (WHERE f.d <= m.d) / 10.0 AS s
  FROM found f JOIN (SELECT q, max(d) AS d FROM exact GROUP BY q) m USING (q) GROUP BY q) s \gset
SELECT abs(recall - :by_sql) < 1e-9 AS same, recall < 1 AS less, queries, rows FROM longbow_recall('t_v', 'q', 'the query', 10, 1000);
RESET longbow.probes;

-- Parts of a table, expressions, other types and metrics; pending rows.
CREATE INDEX t_part ON t USING longbow ((v::halfvec(8)) halfvec_cosine_ops) WHERE c = 1;
SELECT recall >= 0.8 AS good, queries, rows FROM longbow_recall('t_part', 10, 60);
CREATE INDEX t_bits ON t USING longbow ((binary_quantize(v)::bit(8)) bit_hamming_ops);
SELECT recall >= 0.8 AS good, queries, rows FROM longbow_recall('t_bits', 10, 30);
CREATE TABLE s (v sparsevec(500));
INSERT INTO s SELECT format('{%s:1,%s:2,%s:%s}/500', i % 499 + 1, 500, 1, i)::sparsevec FROM generate_series(2, 300) i WHERE i % 499 NOT IN (0, 498, 499);
CREATE INDEX s_v ON s USING longbow (v sparsevec_l2_ops);
SELECT recall >= 0.8 AS good, queries FROM longbow_recall('s_v', 5, 30);
INSERT INTO t SELECT i, vec(i, 8), 0 FROM generate_series(3001, 3100) i;
SELECT rows, recall >= 0.8 AS good FROM longbow_recall('t_v', 10, 50);
BEGIN;
DELETE FROM t WHERE id > 1000;
SELECT rows, recall >= 0.8 AS good FROM longbow_recall('t_v', 10, 50);
ROLLBACK;

-- Errors.
SELECT * FROM longbow_recall('t');
SELECT * FROM longbow_recall('t_v', 0);
SELECT * FROM longbow_recall('t_v', 10, 0);
SELECT * FROM longbow_recall('t_v', 10, 10, 0.2);
SELECT * FROM longbow_recall('t_v', NULL);
SELECT * FROM longbow_recall('t_v', 'q', 'no column');
SELECT * FROM longbow_recall('t_v', 'q', 'id');
SELECT * FROM longbow_recall('t_v', 'q_v', 'id');
CREATE VIEW w AS SELECT * FROM q;
SELECT * FROM longbow_recall('t_v', 'w', 'the query');
DROP VIEW w;
ALTER TABLE q ALTER COLUMN "the query" TYPE vector USING '[1,2,3]';
SELECT * FROM longbow_recall('t_v', 'q', 'the query');
SET maintenance_work_mem = '1MB';
SELECT * FROM longbow_recall('t_v', 10000, 100);
RESET maintenance_work_mem;
CREATE ROLE longbow_stranger;
GRANT USAGE ON SCHEMA am_recall_estimate TO longbow_stranger;
SET ROLE longbow_stranger;
SELECT * FROM longbow_recall('t_v');
RESET ROLE;
CREATE TABLE own (v vector(8));
INSERT INTO own SELECT vec(i, 8) FROM generate_series(1, 20) i;
CREATE INDEX own_v ON own USING longbow (v);
ALTER TABLE own OWNER TO longbow_stranger;
SET ROLE longbow_stranger;
SELECT recall, queries FROM longbow_recall('own_v');
SELECT * FROM longbow_recall('own_v', 'q', 'the query');
RESET ROLE;
GRANT SELECT ON q TO longbow_stranger;
ALTER TABLE q ENABLE ROW LEVEL SECURITY;
SET ROLE longbow_stranger;
SELECT * FROM longbow_recall('own_v', 'q', 'the query');
RESET ROLE;
DROP TABLE own;
REVOKE ALL ON SCHEMA am_recall_estimate FROM longbow_stranger;
REVOKE ALL ON q FROM longbow_stranger;
DROP ROLE longbow_stranger;
-- It can be cancelled.
SET statement_timeout = '5ms';
SELECT * FROM longbow_recall('t_v', 10, 20000);
RESET statement_timeout;

DROP SCHEMA am_recall_estimate CASCADE;
