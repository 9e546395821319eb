-- What VACUUM costs: WAL only for pages that change, and space that rows come back to.
SET client_min_messages = warning;
CREATE SCHEMA am_vacuum_cost;
SET search_path = am_vacuum_cost, public;
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir /sql/am_helpers.inc
\set ECHO none
\i :helpers
\set ECHO all

CREATE TABLE source AS SELECT i AS id, vec(i, 64)::vector(64) AS v FROM generate_series(1, 5000) i;
CREATE TABLE t (id int, v vector(64)) WITH (autovacuum_enabled = off);
INSERT INTO t TABLE source;
CREATE INDEX t_v ON t USING longbow (v);
VACUUM (FREEZE) t;
SELECT pg_relation_size('t_v') AS built \gset
SELECT :built > 100 * 8192 AS large;
-- Without dead rows: nothing but what the server writes by itself now and then. Not a page's image.
SELECT pg_current_wal_insert_lsn() AS start \gset
VACUUM (INDEX_CLEANUP on) t;
SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), :'start') < 4096 AS nothing;
-- One row: its scan page, its leaf's head and the meta page, and what the table needs.
DELETE FROM t WHERE id = 2500;
SELECT pg_current_wal_insert_lsn() AS start \gset
VACUUM (INDEX_CLEANUP on) t;
SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), :'start') < 10 * 8192 AS few_pages;
SELECT dead FROM longbow_stat_index WHERE index = 't_v' AND schema = 'am_vacuum_cost';
-- A tenth of them: at most 1.2 times the index's pages, all of which change here, though many a page is changed twice.
DELETE FROM t WHERE id % 10 = 0 AND id <> 2500;
SELECT pg_current_wal_insert_lsn() AS start \gset
VACUUM (INDEX_CLEANUP on) t;
SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), :'start') < 1.2 * (pg_relation_size('t_v') + pg_relation_size('t')) AS bounded;
SELECT dead FROM longbow_stat_index WHERE index = 't_v' AND schema = 'am_vacuum_cost';
SELECT pg_current_wal_insert_lsn() AS start \gset
VACUUM (INDEX_CLEANUP on) t;
SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), :'start') < 4096 AS nothing;
-- All of them, twice: rows that come again take the places of those that went. The pending list needs its 24 bytes a row,
-- which merges give back for the next time.
DELETE FROM t;
VACUUM t;
SELECT pg_relation_size('t_v') - :built AS grown;
INSERT INTO t TABLE source;
SELECT longbow_merge('t_v') >= 0 AS merged;
SELECT pg_relation_size('t_v') <= :built * 1.05 + 5000 * 24 AS small, longbow_check('t_v') AS rows;
SELECT pg_relation_size('t_v') AS once \gset
DELETE FROM t;
VACUUM t;
INSERT INTO t TABLE source;
SELECT longbow_merge('t_v') >= 0 AS merged;
SELECT pg_relation_size('t_v') <= :once * 1.05 AS small, longbow_check('t_v') AS rows;

DROP SCHEMA am_vacuum_cost CASCADE;
