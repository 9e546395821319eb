-- What scans did: longbow_last_scan(), longbow.explain, the counters of longbow_stat_index, longbow_stat_activity. The same with
-- shared memory and without, where counters are NULL.
SET client_min_messages = warning;
CREATE SCHEMA am_observe;
SET search_path = am_observe, public;
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir /sql/am_helpers.inc
\set ECHO none
\i :helpers
\set ECHO all
SELECT current_setting('shared_preload_libraries') LIKE '%longbow%' AS preloaded \gset
SET enable_seqscan = off;

-- No scan yet: one row of NULLs.
SELECT index IS NULL AND searches IS NULL AND effort IS NULL AS nothing FROM longbow_last_scan();

CREATE TABLE t (id int, v vector(4)) WITH (autovacuum_enabled = off);
INSERT INTO t SELECT i, vec(i, 4) FROM generate_series(1, 2000) i;
CREATE INDEX t_v ON t USING longbow (v) WITH (leaf_size = 16);
CREATE FUNCTION run(sql text) RETURNS void LANGUAGE plpgsql AS 'BEGIN EXECUTE ''SELECT count(*) FROM ('' || sql || '') s''; END';

-- Effort by target recall: leaves as planned, every row that is handed out is rechecked.
SELECT run('SELECT id FROM t ORDER BY v <-> ''[1,2,3,4]'' LIMIT 5');
SELECT index, searches, waves, leaves > 50 AS many, leaves_probed BETWEEN 1 AND leaves AS probed, leaves_probed >= planned_probes AS planned,
       rows_scanned BETWEEN 10 AND 2000 AS scanned, rows_refined BETWEEN 5 AND rows_scanned AS refined,
       rows_rechecked = rows_returned AS rechecked, rows_returned >= 5 AS returned, pending_scanned, effort, target_recall, stopped_early
FROM longbow_last_scan();
-- By probes.
SET longbow.probes = 7;
SELECT run('SELECT id FROM t ORDER BY v <-> ''[1,2,3,4]'' LIMIT 5');
SELECT leaves_probed, planned_probes, effort FROM longbow_last_scan();
RESET longbow.probes;
-- A whole ORDER BY visits every leaf and returns every row.
SELECT run('SELECT id FROM t ORDER BY v <-> ''[1,2,3,4]''');
SELECT waves > 1 AS waves, leaves_probed >= leaves AS all_leaves, rows_scanned >= 2000 AS scanned, rows_returned, stopped_early FROM longbow_last_scan();
-- A limit of rows stops it.
SET longbow.max_scan_tuples = 100;
SELECT run('SELECT id FROM t ORDER BY v <-> ''[1,2,3,4]''');
SELECT rows_returned < 2000 AS fewer, stopped_early FROM longbow_last_scan();
RESET longbow.max_scan_tuples;
-- A NULL query.
SELECT run('SELECT id FROM t ORDER BY v <-> (SELECT NULL::vector)');
SELECT effort, rows_returned, stopped_early FROM longbow_last_scan();
-- The inner side of a nested loop: one scan of many searches.
SELECT run('SELECT q.id, x.id FROM (SELECT * FROM t WHERE id <= 20) q, LATERAL (SELECT id FROM t ORDER BY v <-> q.v LIMIT 3) x');
SELECT searches, waves >= 20 AS waves, rows_returned >= 60 AS returned FROM longbow_last_scan();
-- An open cursor's scan has not ended; a failed one never does.
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM t ORDER BY v <-> '[4,3,2,1]';
MOVE c;
SELECT searches FROM longbow_last_scan();
CLOSE c;
SELECT searches FROM longbow_last_scan();
COMMIT;
SELECT run('SELECT id FROM t WHERE 1 / (id - id) = 1 ORDER BY v <-> ''[1,2,3,4]''');
SELECT searches, effort FROM longbow_last_scan();

-- An index that has not been calibrated, and rows that are pending where there is shared memory.
CREATE TABLE s (id int, v vector(2));
CREATE INDEX s_v ON s USING longbow (v);
INSERT INTO s SELECT i, ARRAY[i, 1]::vector FROM generate_series(1, 5) i;
SELECT run('SELECT id FROM s ORDER BY v <-> ''[1,2]''');
SELECT index, effort, rows_scanned >= 5 AS scanned, (pending_scanned >= 5) = :'preloaded' AS pending, rows_returned FROM longbow_last_scan();
SELECT longbow_merge('s_v') = CASE WHEN :'preloaded' THEN 5 ELSE 0 END AS merged;
-- longbow.explain says it in a NOTICE.
SET client_min_messages = notice;
SET longbow.explain = on;
SELECT id FROM s ORDER BY v <-> '[1,2]' LIMIT 1;
SET longbow.max_scan_tuples = 1;
SET longbow.probes = 1;
SELECT id FROM s ORDER BY v <-> '[1,2]' LIMIT 1;
RESET longbow.max_scan_tuples;
RESET longbow.probes;
RESET longbow.explain;
SET client_min_messages = warning;

-- EXPLAIN (ANALYZE, VERBOSE) shows ten lines of it, where PostgreSQL has hooks for that (18).
SELECT current_setting('server_version_num')::int >= 180000 AS hooks \gset
CREATE FUNCTION explained(options text, sql text) RETURNS SETOF text LANGUAGE plpgsql AS
  'BEGIN RETURN QUERY EXECUTE ''EXPLAIN ('' || options || '') '' || sql; END';
SELECT count(*) = CASE WHEN :'hooks' THEN 10 ELSE 0 END AS lines, bool_and(l NOT LIKE '%Probed: 0') IS NOT FALSE AS probed
FROM explained('ANALYZE, VERBOSE', 'SELECT id FROM t ORDER BY v <-> ''[1,2,3,4]'' LIMIT 5') l WHERE l LIKE '%Longbow %';
SELECT count(*) FROM explained('ANALYZE', 'SELECT id FROM t ORDER BY v <-> ''[1,2,3,4]'' LIMIT 5') l WHERE l LIKE '%Longbow %';
SELECT count(*) FROM explained('VERBOSE', 'SELECT id FROM t ORDER BY v <-> ''[1,2,3,4]'' LIMIT 5') l WHERE l LIKE '%Longbow %';
-- sparsevec: the search measures rows itself.
CREATE TABLE p (v sparsevec(1000));
INSERT INTO p SELECT format('{%s:1,%s:2}/1000', i, i + 300)::sparsevec FROM generate_series(1, 200) i;
CREATE INDEX p_v ON p USING longbow (v sparsevec_l2_ops);
SELECT run('SELECT v FROM p ORDER BY v <-> ''{5:1,305:2}/1000'' LIMIT 3');
SELECT rows_rechecked > rows_returned AS measured FROM longbow_last_scan();

-- Sums by index, in shared memory alone.
SELECT leaves_probed > 50 AS leaves, rows_scanned > 4000 AS scanned, rows_refined > 100 AS refined,
       rows_rechecked > 2000 AS rechecked, stopped_early = 1 AS stopped, rows_inserted = 0 AS inserted, counted_since <= now() AS since
FROM longbow_stat_index WHERE schema = 'am_observe' AND index = 't_v' AND :'preloaded'
UNION ALL
SELECT leaves_probed IS NULL, rows_scanned IS NULL, rows_refined IS NULL, rows_rechecked IS NULL, stopped_early IS NULL, rows_inserted IS NULL,
       counted_since IS NULL
FROM longbow_stat_index WHERE schema = 'am_observe' AND index = 't_v' AND NOT :'preloaded';
SELECT CASE WHEN :'preloaded' THEN rows_inserted = 5 AND rows_merged = 5 AND pending_scanned >= 5
            ELSE rows_inserted IS NULL AND rows_merged IS NULL AND pending_scanned IS NULL END AS counted
FROM longbow_stat_index WHERE schema = 'am_observe' AND index = 's_v';
-- REINDEX keeps them; an index dropped and made again begins anew.
SELECT coalesce(rows_scanned, -1) AS scanned FROM longbow_stat_index WHERE schema = 'am_observe' AND index = 't_v' \gset
REINDEX INDEX t_v;
SELECT coalesce(rows_scanned, -1) = :scanned AS kept FROM longbow_stat_index WHERE schema = 'am_observe' AND index = 't_v';
DROP INDEX t_v;
CREATE INDEX t_v ON t USING longbow (v);
SELECT coalesce(rows_scanned, 0) AS anew FROM longbow_stat_index WHERE schema = 'am_observe' AND index = 't_v';
-- Those of temporary indexes are not counted.
CREATE TEMP TABLE tmp (v vector(2));
INSERT INTO tmp VALUES ('[1,2]');
CREATE INDEX tmp_v ON tmp USING longbow (v);
SELECT run('SELECT v FROM tmp ORDER BY v <-> ''[1,2]''');
SELECT index, rows_returned FROM longbow_last_scan();
SELECT coalesce(rows_scanned, 0) AS scanned FROM longbow_stat_index WHERE index = 'tmp_v';

-- What processes do: an open cursor scans; without shared memory one row says why there is nothing.
BEGIN;
DECLARE c CURSOR FOR SELECT id FROM t ORDER BY v <-> '[4,3,2,1]';
MOVE c;
SELECT count(*) = 1 AS one, bool_and(CASE WHEN :'preloaded' THEN phase = 'scan' AND index = 't_v' AND since <= clock_timestamp() AND note IS NULL
                       ELSE pid IS NULL AND phase IS NULL AND note = 'shared_preload_libraries does not name longbow' END) AS as_expected
FROM longbow_stat_activity WHERE pid = pg_backend_pid() OR NOT :'preloaded';
-- An error in a subtransaction ends it, and the transaction's end does.
SAVEPOINT s;
SELECT run('SELECT id FROM t WHERE 1 / (id - id) = 1 ORDER BY v <-> ''[1,2,3,4]''');
ROLLBACK TO s;
SELECT count(*) FROM longbow_stat_activity WHERE pid = pg_backend_pid();
-- Several may be open, and end in any order.
DECLARE a CURSOR FOR SELECT id FROM t ORDER BY v <-> '[4,3,2,1]';
DECLARE b CURSOR FOR SELECT id FROM s ORDER BY v <-> '[4,3]';
MOVE a;
MOVE b;
CLOSE a;
SELECT count(*) = :'preloaded'::bool::int AS shown FROM longbow_stat_activity WHERE pid = pg_backend_pid() AND phase = 'scan';
CLOSE b;
SELECT count(*) FROM longbow_stat_activity WHERE pid = pg_backend_pid();
COMMIT;
SELECT count(*) FROM longbow_stat_activity WHERE pid = pg_backend_pid();
SELECT note IS NOT NULL AND pauses IS NULL = NOT :'preloaded' OR note IS NULL AND :'preloaded' AS said FROM longbow_stat_gc;

-- Every column of every view is explained.
SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
WHERE c.relkind = 'v' AND c.relname LIKE 'longbow\_stat\_%' AND col_description(c.oid, a.attnum) IS NULL;
SELECT relname FROM pg_class c WHERE relkind = 'v' AND relname LIKE 'longbow\_stat\_%' AND obj_description(oid) IS NOT NULL ORDER BY relname;
-- pg_monitor may look, nobody but superusers and who is granted it may reset.
CREATE ROLE longbow_looker IN ROLE pg_monitor;
SET ROLE longbow_looker;
SELECT count(*) > 0 AS rows FROM longbow_stat_index;
SELECT count(*) > 0 AS rows FROM longbow_stat_activity;
SELECT count(*) AS rows FROM longbow_stat_storage, longbow_stat_gc;
SELECT relname FROM pg_class WHERE relkind = 'v' AND relname LIKE 'longbow\_stat\_%' AND NOT has_table_privilege(oid, 'SELECT');
SELECT longbow_stat_reset();
RESET ROLE;
DROP ROLE longbow_looker;

DROP SCHEMA am_observe CASCADE;
