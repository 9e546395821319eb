-- Pending rows: longbow_merge, VACUUM, REINDEX and the views over them; whose rights a merge has.
SET client_min_messages = warning;
CREATE SCHEMA pending_merge;
SET search_path = pending_merge, public;
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir /sql/am_helpers.inc
\set ECHO none
\i :helpers
\set ECHO all
\set VERBOSITY terse
SET longbow.probes = 1000;

-- Rows in tree and list together, none pending after a merge.
CREATE FUNCTION facts(i text) RETURNS text LANGUAGE sql AS
$$ SELECT format('%s rows, %s beside the tree', rows + pending, plain_rows) FROM longbow_index_facts(i::regclass) $$;
CREATE FUNCTION merged(i text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE before bigint; merged bigint; f record;
BEGIN
  SELECT rows + pending INTO before FROM longbow_index_facts(i::regclass);
  merged := longbow_merge(i::regclass);
  SELECT rows, pending INTO f FROM longbow_index_facts(i::regclass);
  IF merged < 0 OR merged > before OR f.pending <> 0 OR longbow_merge(i::regclass) <> 0 THEN
    RETURN format('before %s, merged %s, rows %s, pending %s', before, merged, f.rows, f.pending);
  END IF;
  RETURN format('%s rows, checked %s', f.rows, longbow_check(i::regclass));
END $$;

-- == all metrics; NULL, zero and huge vectors ==
CREATE TABLE t (id int, v vector(8)) WITH (autovacuum_enabled = off);
CREATE INDEX t_l2 ON t USING longbow (v) WITH (leaf_size = 16);
CREATE INDEX t_ip ON t USING longbow (v vector_ip_ops) WITH (leaf_size = 16);
CREATE INDEX t_cosine ON t USING longbow (v vector_cosine_ops) WITH (leaf_size = 16);
CREATE INDEX t_l1 ON t USING longbow (v vector_l1_ops) WITH (leaf_size = 16);
SELECT i, merged(i) FROM unnest('{t_l2,t_ip,t_cosine,t_l1}'::text[]) i;
INSERT INTO t SELECT i, CASE i % 40 WHEN 7 THEN NULL WHEN 8 THEN array_fill(0, ARRAY[8])::vector ELSE vec(i, 8) END FROM generate_series(1, 600) i;
INSERT INTO t VALUES (601, '[1e30,1,1,1,1,1,1,1]'), (602, '[-1e30,1e30,0,0,0,0,0,1]');
SELECT i, facts(i) FROM unnest('{t_l2,t_ip,t_cosine,t_l1}'::text[]) i;
SELECT whole('t', '<->', vec(0, 8)), whole('t', '<#>', vec(0, 8)), whole('t', '<=>', vec(0, 8)), whole('t', '<+>', vec(0, 8));
SELECT i, merged(i) FROM unnest('{t_l2,t_ip,t_cosine,t_l1}'::text[]) i;
SELECT whole('t', '<->', vec(0, 8)), whole('t', '<#>', vec(0, 8)), whole('t', '<=>', vec(0, 8)), whole('t', '<+>', vec(0, 8));
DELETE FROM t WHERE id > 600;
CREATE TABLE q AS SELECT i AS id, vec(10000 + i, 8) AS v FROM generate_series(1, 30) i;
INSERT INTO t SELECT i, vec(i, 8) FROM generate_series(701, 1000) i;
SET longbow.probes = 1000;
SELECT op, recall('t', op, 'q', 10, 'vector_norm(v) > 0') >= 0.9 AS recalls FROM unnest('{<->,<#>,<=>,<+>}'::text[]) op;
-- Two indexes that one merge leaves alone; rows that come between.
SELECT merged('t_l2');
INSERT INTO t SELECT i, vec(i, 8) FROM generate_series(1001, 1100) i;
SELECT merged('t_l1'), facts('t_l2'), facts('t_cosine');

-- == in transactions ==
BEGIN;
INSERT INTO t SELECT i, vec(i, 8) FROM generate_series(1101, 1200) i;
SELECT merged('t_l2');
SAVEPOINT a;
INSERT INTO t SELECT i, vec(i, 8) FROM generate_series(1201, 1300) i;
SELECT longbow_merge('t_l2') >= 0 AS merged;
ROLLBACK TO a;
SELECT longbow_check('t_l2'), whole('t', '<->', vec(0, 8));
ROLLBACK;
SELECT longbow_check('t_l2'), whole('t', '<->', vec(0, 8));
-- Rows that never became visible go with VACUUM.
VACUUM t;
SELECT longbow_merge('t_l2') >= 0 AS merged;
SELECT i, facts(i), longbow_check(i::regclass) FROM unnest('{t_l2,t_ip,t_cosine,t_l1}'::text[]) i;

-- == VACUUM, and the space of dead rows used again ==
TRUNCATE t;
INSERT INTO t SELECT i, vec(i, 8) FROM generate_series(1, 500) i;
DELETE FROM t WHERE id % 3 = 0;
VACUUM t;
SELECT facts('t_l2'), longbow_check('t_l2'), whole('t', '<->', vec(0, 8));
INSERT INTO t SELECT i, vec(-i, 8) FROM generate_series(3, 498, 3) i;
SELECT whole('t', '<->', vec(0, 8)), whole('t', '<+>', vec(0, 8)), longbow_check('t_l2');
SELECT i, merged(i) FROM unnest('{t_l2,t_ip,t_cosine,t_l1}'::text[]) i;
DELETE FROM t WHERE id % 2 = 0;
INSERT INTO t SELECT i, vec(i, 8) FROM generate_series(501, 560) i;
VACUUM (INDEX_CLEANUP on) t;
INSERT INTO t SELECT i, vec(i + 7, 8) FROM generate_series(2, 500, 2) i;
DELETE FROM t WHERE id % 5 = 0;
VACUUM (INDEX_CLEANUP on) t;
VACUUM (INDEX_CLEANUP on) t;
SELECT i, facts(i), longbow_check(i::regclass) FROM unnest('{t_l2,t_ip,t_cosine,t_l1}'::text[]) i;
INSERT INTO t SELECT i, vec(i + 9, 8) FROM generate_series(5, 560, 5) i;
SELECT i, merged(i) FROM unnest('{t_l2,t_ip,t_cosine,t_l1}'::text[]) i;
SELECT whole('t', '<->', vec(0, 8)), whole('t', '<#>', vec(0, 8)), whole('t', '<=>', vec(0, 8)), whole('t', '<+>', vec(0, 8));
-- Rows changed in place (HOT) and not while they are pending.
ALTER TABLE t ADD note text;
INSERT INTO t SELECT i, vec(i, 8) FROM generate_series(2001, 2150) i;
UPDATE t SET note = 'x' WHERE id > 2000;
UPDATE t SET note = 'y' WHERE id > 2000 AND id % 2 = 0;
UPDATE t SET v = vec(-id, 8) WHERE id > 2100;
SELECT longbow_check('t_l2'), whole('t', '<->', vec(0, 8));
VACUUM t;
SELECT longbow_check('t_l2'), whole('t', '<->', vec(0, 8));
SELECT merged('t_l2'), whole('t', '<->', vec(0, 8));
-- Everything deleted while it is pending.
INSERT INTO t SELECT i, vec(i, 8) FROM generate_series(3001, 3150) i;
DELETE FROM t;
VACUUM (INDEX_CLEANUP on) t;
SELECT facts('t_l2'), merged('t_l2'), whole('t', '<->', vec(0, 8));
INSERT INTO t SELECT i, vec(i, 8) FROM generate_series(1, 300) i;
SELECT merged('t_l2'), whole('t', '<->', vec(0, 8));

-- == REINDEX with pending rows ==
INSERT INTO t SELECT i, vec(i, 8) FROM generate_series(301, 450) i;
REINDEX INDEX t_l2;
SELECT facts('t_l2'), longbow_merge('t_l2'), longbow_check('t_l2');
INSERT INTO t SELECT i, vec(i, 8) FROM generate_series(451, 600) i;
REINDEX INDEX CONCURRENTLY t_ip;
REINDEX TABLE CONCURRENTLY t;
SELECT i, merged(i) FROM unnest('{t_l2,t_ip,t_cosine,t_l1}'::text[]) i;
INSERT INTO t SELECT i, vec(i, 8) FROM generate_series(601, 700) i;
VACUUM FULL t;
SELECT facts('t_l2'), whole('t', '<->', vec(0, 8));
DROP TABLE t;

-- == expression and partial indexes, columns without a dimension ==
CREATE TABLE x (id int, v vector) WITH (autovacuum_enabled = off);
CREATE INDEX x_half ON x USING longbow ((subvector(v, 1, 4)::vector(4))) WITH (leaf_size = 16);
CREATE INDEX x_part ON x USING longbow (v) WHERE id % 2 = 0;
INSERT INTO x SELECT i, vec(i, 8) FROM generate_series(1, 300) i;
UPDATE x SET id = id + 1 WHERE id % 10 = 0;
INSERT INTO x SELECT i, vec(i, 9) FROM generate_series(301, 399, 2) i;
SELECT longbow_check('x_half'), longbow_check('x_part');
SET enable_seqscan = off;
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM x WHERE id % 2 = 0 ORDER BY v <-> vec(0, 8)) s;
SELECT count(*) FILTER (WHERE found) FROM (SELECT (SELECT i.id FROM x i ORDER BY subvector(i.v, 1, 4)::vector(4) <-> subvector(o.v, 1, 4)::vector(4) LIMIT 1) = id AS found FROM x o WHERE id % 10 IN (2, 5)) s;
RESET enable_seqscan;
SELECT merged('x_half'), merged('x_part');
DELETE FROM x WHERE id % 4 = 0;
INSERT INTO x SELECT i, vec(i, 8) FROM generate_series(501, 600) i;
VACUUM x;
SELECT merged('x_half'), merged('x_part');
-- The first pending row fixes the dimension.
CREATE TABLE u (id int, v vector);
CREATE INDEX u_v ON u USING longbow (v);
SELECT longbow_merge('u_v');
INSERT INTO u VALUES (1, NULL);
SELECT longbow_merge('u_v'), longbow_check('u_v');
INSERT INTO u VALUES (2, '[1,2,3]');
INSERT INTO u VALUES (3, '[1,2]');
SELECT merged('u_v'), whole('u', '<->', '[1,1,1]', true);
INSERT INTO u VALUES (3, '[1,2]');
TRUNCATE u;
INSERT INTO u VALUES (3, '[1,2]');
SELECT merged('u_v'), whole('u', '<->', '[1,1]', true);
-- The smallest and the largest dimension.
CREATE TABLE small (id int, v vector(1));
CREATE INDEX small_v ON small USING longbow (v) WITH (leaf_size = 16);
INSERT INTO small SELECT i, ARRAY[i]::vector FROM generate_series(1, 250) i;
SELECT longbow_check('small_v'), whole('small', '<->', '[0.4]');
SELECT merged('small_v'), whole('small', '<->', '[0.4]');
CREATE TABLE large (id int, v vector(16000));
CREATE INDEX large_v ON large USING longbow (v) WITH (leaf_size = 16, bits = 1);
INSERT INTO large SELECT i, array_fill(i % 7 + i / 1000.0, ARRAY[16000])::vector FROM generate_series(1, 60) i;
SELECT longbow_check('large_v'), whole('large', '<->', array_fill(1.5, ARRAY[16000])::vector);
SELECT merged('large_v'), whole('large', '<->', array_fill(1.5, ARRAY[16000])::vector);
DELETE FROM large WHERE id % 2 = 0;
INSERT INTO large SELECT i, array_fill(i % 7 + i / 1000.0, ARRAY[16000])::vector FROM generate_series(61, 90) i;
VACUUM large;
SELECT merged('large_v'), whole('large', '<->', array_fill(1.5, ARRAY[16000])::vector);

-- == longbow_merge on what is not its own ==
CREATE INDEX small_id ON small (id);
CREATE TABLE parts (id int, v vector(3)) PARTITION BY HASH (id);
CREATE INDEX parts_v ON parts USING longbow (v);
SELECT longbow_merge('small');
SELECT longbow_merge('small_id');
SELECT longbow_merge('pg_class');
SELECT longbow_merge('parts_v');
SELECT longbow_merge('nothing');
SELECT longbow_merge(0);
SELECT longbow_merge(NULL) IS NULL AS strict;
CREATE ROLE longbow_mallory;
CREATE ROLE longbow_other;
GRANT USAGE, CREATE ON SCHEMA pending_merge TO longbow_mallory, longbow_other;
ALTER TABLE small OWNER TO longbow_mallory;
INSERT INTO small SELECT i, ARRAY[i]::vector FROM generate_series(251, 300) i;
SET ROLE longbow_other;
SELECT longbow_merge('small_v');
SELECT longbow_check('small_v');
SELECT longbow_wal_dump(0);
RESET ROLE;
GRANT ALL ON small TO longbow_other;
GRANT EXECUTE ON FUNCTION longbow_wal_dump TO longbow_other;
SET ROLE longbow_other;
SELECT longbow_merge('small_v');
INSERT INTO small SELECT i, ARRAY[i]::vector FROM generate_series(301, 310) i;
SELECT count(*) FROM longbow_wal_dump(0);
SET ROLE longbow_mallory;
SELECT merged('small_v');
RESET ROLE;
REVOKE EXECUTE ON FUNCTION longbow_wal_dump FROM longbow_other;
BEGIN READ ONLY;
SELECT longbow_check('small_v');
ROLLBACK;

-- == an owner's expression gains nothing by whoever merges, checks, vacuums or searches ==
-- The function is harmless until it is armed; then it tries what its argument says.
CREATE TABLE treasure (who text);
SET ROLE longbow_mallory;
CREATE TABLE trap (id int, v real[]) WITH (autovacuum_enabled = off);
CREATE TABLE loot (who text);
CREATE FUNCTION spring(what int) RETURNS void LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  IF current_user <> 'longbow_mallory' THEN RAISE WARNING 'runs as another'; END IF;
  CASE what
    WHEN 1001 THEN INSERT INTO pending_merge.loot VALUES (current_user);
    WHEN 1002 THEN SET ROLE longbow_other;
    WHEN 1003 THEN RESET SESSION AUTHORIZATION;
    WHEN 1004 THEN CREATE TEMP TABLE left_behind (i int);
    WHEN 1005 THEN SET search_path = pending_merge; SET work_mem = '77MB';
    WHEN 1006 THEN INSERT INTO pending_merge.treasure VALUES (current_user);
    ELSE NULL;
  END CASE;
EXCEPTION WHEN OTHERS THEN
  RAISE WARNING '%: %', what, SQLERRM;
END $$;
CREATE FUNCTION trapped(a real[]) RETURNS vector LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  IF current_setting('trap.armed', true) = 'yes' THEN PERFORM pending_merge.spring(a[1]::int); END IF;
  RETURN a::public.vector(3);
END $$;
CREATE INDEX trap_v ON trap USING longbow ((trapped(v)::vector(3))) WITH (leaf_size = 16);
INSERT INTO trap SELECT i, ARRAY[i, 1, 2] FROM generate_series(1, 150) i;
INSERT INTO trap SELECT i, ARRAY[i, 1, 2] FROM generate_series(1001, 1006) i;
RESET ROLE;
SET trap.armed = 'yes';
SET work_mem = '5MB';
SELECT longbow_check('trap_v');
SELECT current_user = session_user AS ourselves, to_regclass('pg_temp.left_behind') IS NULL AS nothing_left;
SHOW work_mem;
SHOW search_path;
SELECT DISTINCT who FROM loot;
SELECT count(*) FROM treasure;
-- A merge may take the values from the side WAL: no warnings then.
TRUNCATE loot;
SET client_min_messages = error;
SELECT longbow_merge('trap_v') >= 0 AS merged;
VACUUM (INDEX_CLEANUP on) trap;
SET client_min_messages = warning;
SELECT current_user = session_user AS ourselves, to_regclass('pg_temp.left_behind') IS NULL AS nothing_left;
SHOW work_mem;
SELECT count(*) FILTER (WHERE who <> 'longbow_mallory') AS others FROM loot;
SELECT count(*) FROM treasure;
RESET work_mem;
RESET trap.armed;
SELECT longbow_check('trap_v');
DROP TABLE trap, loot, treasure;

-- == views ==
SELECT count(*) AS rows FROM longbow_stat_storage;
SELECT count(*) AS rows FROM longbow_stat_gc;
SELECT attname, atttypid::regtype FROM pg_attribute WHERE attrelid = 'longbow_stat_storage'::regclass AND attnum > 0 ORDER BY attnum;
SELECT attname, atttypid::regtype FROM pg_attribute WHERE attrelid = 'longbow_stat_gc'::regclass AND attnum > 0 ORDER BY attnum;
SELECT count(*) FROM pg_description d WHERE objoid IN ('longbow_stat_storage'::regclass, 'longbow_stat_gc'::regclass) AND objsubid > 0;
-- With a side WAL all figures are there and agree; without one all are NULL but the reason.
SELECT least(records, write_ops, fsyncs, bytes_raw, bytes_logged, bytes_written, lag_bytes, no_space, skipped, errors, takeovers) >= 0
         AND bytes_logged <= bytes_raw + 128 * records AND durable_position <= reserved_position AND (compression_ratio > 0) IS NOT FALSE
         AND effective IN ('none', 'standard', 'io_uring') AND (effective = requested OR reason IS NOT NULL)
         AND (latency_p50_us <= latency_p99_us) IS NOT FALSE AND (errors = 0 OR last_error IS NOT NULL)
       OR num_nulls(records, write_ops, fsyncs, bytes_raw, bytes_logged, bytes_written, lag_bytes, no_space, skipped, errors, takeovers) = 11 AS agree
FROM longbow_stat_storage;
SELECT least(indexes, pending_rows, delta_bytes - delta_bytes_used, delta_bytes_used, rounds, rows_merged, rows_stale, rows_unknown, pauses) >= 0
         AND (pauses > 0 OR pause_seconds_total = 0) AND (rounds > 0 OR rows_merged = 0) AND pause_seconds_total >= 0
         AND (round_p50_ms <= round_p99_ms) IS NOT FALSE AND (pause_p50_ms <= pause_p99_ms) IS NOT FALSE
       OR num_nulls(indexes, pending_rows, delta_bytes, delta_bytes_used, rounds, rows_merged, rows_stale, rows_unknown, pauses) = 9 AS agree
FROM longbow_stat_gc;
SELECT (a.rows_merged IS NULL) = (b.records IS NULL) AS both FROM longbow_stat_gc a, longbow_stat_storage b;
-- Records and merged rows are counted where there is shared memory.
SELECT coalesce(records, 0) AS records FROM longbow_stat_storage \gset
SELECT coalesce(rows_merged, 0) AS rows_merged FROM longbow_stat_gc \gset
INSERT INTO small SELECT i, ARRAY[i]::vector FROM generate_series(401, 500) i;
SELECT longbow_merge('small_v') >= 0 AS merged;
SELECT records IS NULL OR effective = 'none' OR records > :records AS counted FROM longbow_stat_storage;
SELECT (rows_merged >= :rows_merged + 100) IS NOT FALSE AS counted FROM longbow_stat_gc;
SET ROLE longbow_other;
SELECT count(*) AS rows FROM longbow_stat_storage, longbow_stat_gc;
RESET ROLE;

-- == longbow_wal_dump ==
SELECT count(*), bool_and(rows IS NULL AND status <> '') AS end FROM longbow_wal_dump(1000000);
SELECT * FROM longbow_wal_dump(-1);
SELECT * FROM longbow_wal_dump(9223372036854775807);
SELECT count(*) FROM longbow_wal_dump(NULL);
-- The segment that the log writes to now, if there is a log: records follow each other.
SELECT coalesce(durable_position >> 24, 1000000) AS segment FROM longbow_stat_storage \gset
SELECT count(*) > 0 AS rows, bool_and(length > 0 AND rows >= 0 AND dims >= 0 AND stored_bytes <= raw_bytes + 64) IS NOT FALSE AS sound,
       count(DISTINCT "position") = count(*) AS distinct FROM longbow_wal_dump(:segment);

DROP SCHEMA pending_merge CASCADE;
DROP ROLE longbow_mallory, longbow_other;
