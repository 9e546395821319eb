-- longbow_stat_index, the statistics of scans, progress and sizes.
SET client_min_messages = warning;
CREATE SCHEMA am_stat;
SET search_path = am_stat, public;
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir /sql/am_helpers.inc
\set ECHO none
\i :helpers
\set ECHO all

CREATE VIEW stat AS SELECT * FROM longbow_stat_index WHERE schema = 'am_stat' ORDER BY index;
SELECT count(*) FROM stat;
-- An empty index, with a dimension and without.
CREATE TABLE t (id int, v vector(4)) WITH (autovacuum_enabled = off);
CREATE INDEX t_v ON t USING longbow (v vector_cosine_ops) WITH (leaf_size = 16);
CREATE TABLE u (v vector);
CREATE INDEX u_v ON u USING longbow (v vector_l1_ops);
SELECT "table", index, rows, pending, dead, plain_rows, leaves, height, dims, metric, bits, leaf_size, splits, calibration_queries, calibrated_rows,
       planned_probes, bytes > 0 AS bytes FROM stat;
-- Rows in the tree, and rows beside it.
INSERT INTO t VALUES (1, '[1,2,3,4]'), (2, '[4,3,2,1]'), (3, NULL), (4, '[0,0,0,0]'), (5, '[1e30,1,1,1]');
INSERT INTO u VALUES ('[1,2,3]');
SELECT longbow_merge('t_v') >= 0 AS merged;
SELECT longbow_merge('u_v') >= 0 AS merged;
SELECT index, rows, pending, dead, plain_rows, leaves, height, dims, splits FROM stat;
DELETE FROM t WHERE id IN (1, 3);
SELECT index, rows, dead, plain_rows FROM stat WHERE index = 't_v';
VACUUM t;
SELECT index, rows, dead, plain_rows FROM stat WHERE index = 't_v';
-- A build calibrates; so it knows recall and the leaves it takes.
TRUNCATE t;
INSERT INTO t SELECT i, vec(i, 4) FROM generate_series(1, 2000) i;
SELECT longbow_merge('t_v') >= 0 AS merged;
SELECT rows, leaves > 30 AS many, splits > 30 AS split, height FROM stat WHERE index = 't_v';
SELECT last_trained IS NULL AS untrained, trained_rows, drift IS NULL OR drift BETWEEN 0 AND 1 AS drift FROM stat WHERE index = 't_v';
REINDEX INDEX t_v;
SELECT rows, leaves > 50 AS many, splits, height, calibration_queries > 0 AS calibrated, calibrated_rows,
       planned_probes BETWEEN 1 AND leaves AS planned FROM stat WHERE index = 't_v';
SELECT last_trained BETWEEN now() - interval '1 hour' AND clock_timestamp() AS trained, trained_rows, drift > 0 AND drift < 0.3 AS little FROM stat WHERE index = 't_v';
SET longbow.target_recall = 0.5;
SELECT planned_probes AS low FROM stat WHERE index = 't_v' \gset
SET longbow.target_recall = 1;
SELECT planned_probes >= :low AS more FROM stat WHERE index = 't_v';
RESET longbow.target_recall;
SELECT metric, index FROM stat;
-- Scans are counted as for any index.
SET enable_seqscan = off;
SELECT count(*) FROM (SELECT id FROM t ORDER BY v <=> '[1,2,3,4]' LIMIT 10) s;
SELECT count(*) FROM (SELECT id FROM t ORDER BY v <=> '[1,2,3,4]' LIMIT 10) s;
RESET enable_seqscan;
SELECT pg_stat_force_next_flush();
SELECT scans, rows_returned >= 20 AS returned FROM stat WHERE index = 't_v';
-- The view shows indexes of ours only, and all of them to everyone.
CREATE INDEX t_id ON t (id);
CREATE TEMP TABLE tmp (v vector(2));
CREATE INDEX tmp_v ON tmp USING longbow (v);
CREATE TABLE p (v vector(2)) PARTITION BY HASH (v);
CREATE TABLE p_0 PARTITION OF p FOR VALUES WITH (MODULUS 1, REMAINDER 0);
CREATE INDEX p_v ON p USING longbow (v);
INSERT INTO p VALUES ('[1,2]');
SELECT index, rows + pending AS rows FROM stat;
SELECT index, rows FROM longbow_stat_index WHERE index = 'tmp_v';
-- Builds are counted; those of temporary indexes and of indexes without rows are not.
SELECT builds, build_bytes FROM longbow_stat_storage \gset
REINDEX INDEX t_v;
SELECT build_backend IN ('io_uring', 'standard') AS backend, build_reason IS NULL OR build_backend = 'standard' OR
       build_reason LIKE 'the file system has no direct I/O%' AS reason, builds - :builds AS builds,
       (build_bytes - :build_bytes) BETWEEN 8192 AND pg_relation_size('t_v') AS bytes FROM longbow_stat_storage;
INSERT INTO tmp VALUES ('[1,2]');
REINDEX INDEX tmp_v;
SELECT builds - :builds AS builds FROM longbow_stat_storage;
-- One index directly.
SELECT rows, metric, dims FROM longbow_index_facts('t_v');

DROP SCHEMA am_stat CASCADE;
