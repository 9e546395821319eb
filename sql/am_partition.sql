-- Partitioned tables and inheritance: an index a partition, merged in order.
SET client_min_messages = warning;
CREATE SCHEMA am_partition;
SET search_path = am_partition, public;
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir /sql/am_helpers.inc
\set ECHO none
\i :helpers
\set ECHO all

CREATE TABLE t (id int, part int, v vector(8)) PARTITION BY LIST (part);
CREATE TABLE t_1 PARTITION OF t FOR VALUES IN (1);
CREATE TABLE t_2 PARTITION OF t FOR VALUES IN (2);
CREATE TABLE t_3 PARTITION OF t FOR VALUES IN (3) PARTITION BY RANGE (id);
CREATE TABLE t_3_low PARTITION OF t_3 FOR VALUES FROM (0) TO (1500);
CREATE TABLE t_3_high PARTITION OF t_3 FOR VALUES FROM (1500) TO (100000);
INSERT INTO t SELECT i, i % 3 + 1, vec(i, 8) FROM generate_series(1, 3000) i;
CREATE INDEX t_v ON t USING longbow (v);
SELECT relid::regclass, isleaf FROM pg_partition_tree('t_v') ORDER BY 1;
SET enable_seqscan = off;
PREPARE nearest(vector) AS SELECT id FROM t ORDER BY v <-> $1 LIMIT 5;
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS OFF) EXECUTE nearest(NULL);
RESET plan_cache_mode;
SELECT whole('t', '<->', vec(0, 8));
SET longbow.probes = 1000;
SELECT id FROM t ORDER BY v <-> vec(1234, 8) LIMIT 1;
RESET longbow.probes;
CREATE TABLE q AS SELECT i AS id, vec(10000 + i, 8) AS v FROM generate_series(1, 50) i;
SELECT recall('t', '<->', 'q', 10) >= 0.9 AS recalls;
SET enable_seqscan = off;
-- Rows that go to several partitions, and that move between them.
INSERT INTO t SELECT i, i % 3 + 1, vec(i, 8) FROM generate_series(3001, 4000) i;
UPDATE t SET part = part % 3 + 1 WHERE id % 7 = 0;
DELETE FROM t WHERE id % 11 = 0;
SELECT sum(longbow_check(relid)) = (SELECT count(*) FROM t) AS checked FROM pg_partition_tree('t_v') WHERE isleaf;
SELECT whole('t', '<->', vec(0, 8));
-- One partition: its own index only.
SELECT index_of('SELECT id FROM t WHERE part = 2 ORDER BY v <-> vec(1, 8) LIMIT 3');
SELECT count(*) FROM (SELECT id FROM t WHERE part = 2 ORDER BY v <-> vec(1, 8) LIMIT 3) s;
-- A partition that is attached, one that is detached, one that is added.
CREATE TABLE t_4 (id int, part int, v vector(8));
INSERT INTO t_4 SELECT 50000 + i, 4, vec(i, 8) FROM generate_series(1, 300) i;
CREATE INDEX t_4_own ON t_4 USING longbow (v);
ALTER TABLE t ATTACH PARTITION t_4 FOR VALUES IN (4);
SELECT inhparent::regclass FROM pg_inherits WHERE inhrelid = 't_4_own'::regclass;
ALTER TABLE t DETACH PARTITION t_1;
CREATE TABLE t_5 PARTITION OF t FOR VALUES IN (5);
INSERT INTO t SELECT 60000 + i, 4 + i % 2, vec(i, 8) FROM generate_series(1, 300) i;
SELECT whole('t', '<->', vec(0, 8)), longbow_check('t_1_v_idx') > 0 AS detached;
REINDEX INDEX t_v;
SELECT sum(longbow_check(relid)) = (SELECT count(*) FROM t) AS checked FROM pg_partition_tree('t_v') WHERE isleaf;
-- The parent has nothing to check.
SELECT longbow_check('t_v');
-- ON ONLY, then partition by partition.
CREATE INDEX t_cosine ON ONLY t USING longbow (v vector_cosine_ops);
SELECT indisvalid FROM pg_index WHERE indexrelid = 't_cosine'::regclass;
DROP INDEX t_cosine;

-- Inheritance.
CREATE TABLE parent (id int, v vector(8));
CREATE TABLE child () INHERITS (parent);
CREATE INDEX parent_v ON parent USING longbow (v);
CREATE INDEX child_v ON child USING longbow (v);
INSERT INTO parent SELECT i, vec(i, 8) FROM generate_series(1, 300) i;
INSERT INTO child SELECT i, vec(i, 8) FROM generate_series(301, 600) i;
SELECT whole('parent', '<->', vec(0, 8));

DROP SCHEMA am_partition CASCADE;
