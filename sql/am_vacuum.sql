-- VACUUM: dead rows go, their space is used again, nothing else is touched.
SET client_min_messages = warning;
CREATE SCHEMA am_vacuum;
SET search_path = am_vacuum, public;
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir /sql/am_helpers.inc
\set ECHO none
\i :helpers
\set ECHO all

-- Delete everything, vacuum, insert the same rows: the index stays about as large.
CREATE TABLE t (id int, v vector(24)) WITH (autovacuum_enabled = off);
INSERT INTO t SELECT i, CASE WHEN i % 50 > 0 THEN vec(i, 24) END FROM generate_series(1, 8000) i;
CREATE TABLE copy AS SELECT * FROM t;
CREATE INDEX t_v ON t USING longbow (v) WITH (leaf_size = 32);
CREATE TABLE q AS SELECT i AS id, vec(100000 + i, 24) AS v FROM generate_series(1, 60) i;
SELECT pg_relation_size('t_v') AS before \gset
DELETE FROM t;
VACUUM t;
SELECT rows, dead AS places_kept FROM longbow_stat_index WHERE index = 't_v';
SELECT longbow_check('t_v'), whole('t', '<->', vec(0, 24), true);
INSERT INTO t SELECT * FROM copy;
SELECT longbow_check('t_v'), whole('t', '<->', vec(0, 24));
SELECT pg_relation_size('t_v') <= 1.3 * :before AS as_large;
-- Codes written over dead ones order as well as those of a new index.
SELECT recall('t', '<->', 'q', 10, 'v IS NOT NULL') >= 0.9 AS recalls;
DELETE FROM t;
VACUUM t;
INSERT INTO t SELECT * FROM copy ORDER BY id DESC;
SELECT pg_relation_size('t_v') <= 1.4 * :before AS as_large;
SELECT longbow_check('t_v'), whole('t', '<->', vec(0, 24));
SELECT recall('t', '<->', 'q', 10, 'v IS NOT NULL') >= 0.9 AS recalls;
-- A queue: old rows go, new ones come.
CREATE TABLE turn (id int, v vector(24)) WITH (autovacuum_enabled = off);
CREATE INDEX turn_v ON turn USING longbow (v) WITH (leaf_size = 32);
INSERT INTO turn SELECT i, vec(i, 24) FROM generate_series(1, 2000) i;
SELECT longbow_merge('turn_v') >= 0 AS merged;
SELECT pg_relation_size('turn_v') AS before \gset
DO $$ BEGIN FOR k IN 1 .. 10 LOOP UPDATE turn SET v = vec(id + 2000 * k, 24) WHERE id % 10 = k % 10; END LOOP; END $$;
VACUUM turn;
SELECT longbow_check('turn_v'), whole('turn', '<->', vec(0, 24));
DELETE FROM turn WHERE id <= 1000;
VACUUM turn;
INSERT INTO turn SELECT i, vec(i, 24) FROM generate_series(2001, 3000) i;
DELETE FROM turn WHERE id <= 2000;
VACUUM turn;
INSERT INTO turn SELECT i, vec(i, 24) FROM generate_series(3001, 4000) i;
VACUUM turn;
SELECT longbow_check('turn_v'), whole('turn', '<->', vec(0, 24)), pg_relation_size('turn_v') <= 2.5 * :before AS bounded;
DROP TABLE turn;

-- Rows outside of the tree: NULL, zero and huge ones.
CREATE TABLE odd (id int, v vector(3)) WITH (autovacuum_enabled = off);
CREATE INDEX odd_v ON odd USING longbow (v vector_cosine_ops);
INSERT INTO odd SELECT i, CASE i % 4 WHEN 0 THEN '[0,0,0]' WHEN 1 THEN '[1e30,1,1]' WHEN 2 THEN vec(i, 3) END::vector FROM generate_series(1, 4000) i;
SELECT longbow_merge('odd_v') >= 0 AS merged;
SELECT rows, plain_rows FROM longbow_stat_index WHERE index = 'odd_v';
DELETE FROM odd WHERE id % 2 = 0;
VACUUM odd;
SELECT rows, plain_rows FROM longbow_stat_index WHERE index = 'odd_v';
SELECT longbow_check('odd_v'), whole('odd', '<=>', '[1,1,1]');
SELECT pg_relation_size('odd_v') AS before \gset
INSERT INTO odd SELECT i, CASE i % 4 WHEN 0 THEN '[0,0,0]' WHEN 2 THEN vec(i, 3) END::vector FROM generate_series(2, 4000, 2) i;
SELECT longbow_check('odd_v'), whole('odd', '<=>', '[1,1,1]'), pg_relation_size('odd_v') <= 1.3 * :before AS as_large;
DROP TABLE odd;

-- Long rows, whose codes span pages.
CREATE TABLE long_rows (id int, v vector(9000)) WITH (autovacuum_enabled = off);
CREATE INDEX long_v ON long_rows USING longbow (v) WITH (leaf_size = 16, bits = 4);
INSERT INTO long_rows SELECT i, array_fill(i % 7 + i / 1000.0, ARRAY[9000])::vector FROM generate_series(1, 200) i;
SELECT longbow_merge('long_v') >= 0 AS merged;
SELECT pg_relation_size('long_v') AS before \gset
DELETE FROM long_rows WHERE id % 3 > 0;
VACUUM long_rows;
SELECT longbow_check('long_v'), whole('long_rows', '<->', array_fill(1, ARRAY[9000])::vector);
INSERT INTO long_rows SELECT i, array_fill(i % 7 + i / 1000.0, ARRAY[9000])::vector FROM generate_series(1, 200) i WHERE i % 3 > 0;
SELECT longbow_check('long_v'), whole('long_rows', '<->', array_fill(1, ARRAY[9000])::vector), pg_relation_size('long_v') <= 1.3 * :before AS as_large;
DROP TABLE long_rows;

-- An index with dead rows only in its middle; several indexes at once; every way to run VACUUM.
CREATE INDEX t_cosine ON t USING longbow (v vector_cosine_ops) WHERE id % 3 = 0;
CREATE INDEX t_l1 ON t USING longbow (v vector_l1_ops);
DELETE FROM t WHERE id BETWEEN 1000 AND 3000;
VACUUM (PARALLEL 2) t;
SELECT longbow_check('t_v'), longbow_check('t_cosine'), longbow_check('t_l1');
DELETE FROM t WHERE id BETWEEN 3000 AND 4000;
VACUUM (INDEX_CLEANUP off) t;
SELECT longbow_check('t_v'), whole('t', '<->', vec(0, 24));
VACUUM (INDEX_CLEANUP on) t;
SELECT longbow_check('t_v'), whole('t', '<+>', vec(0, 24));
VACUUM (FREEZE, ANALYZE) t;
ANALYZE t;
SELECT reltuples = (SELECT count(*) FROM t) AS counted FROM pg_class WHERE oid = 't_v'::regclass;
VACUUM FULL t;
SELECT longbow_check('t_v'), longbow_check('t_cosine'), longbow_check('t_l1'), whole('t', '<->', vec(0, 24));
-- Nothing to do, and an empty index.
VACUUM t;
VACUUM t;
TRUNCATE t;
VACUUM t;
SELECT longbow_check('t_v');
CREATE TABLE empty (v vector);
CREATE INDEX empty_v ON empty USING longbow (v);
VACUUM empty;
INSERT INTO empty VALUES (NULL);
DELETE FROM empty;
VACUUM empty;
VACUUM empty;
SELECT longbow_check('empty_v');
-- Rows of a transaction that failed.
BEGIN;
INSERT INTO t SELECT * FROM copy;
ROLLBACK;
SELECT rows BETWEEN 0 AND 8000 AS may_stay FROM longbow_stat_index WHERE index = 't_v';
VACUUM t;
SELECT rows FROM longbow_stat_index WHERE index = 't_v';
SELECT longbow_check('t_v'), whole('t', '<->', vec(0, 24), true);

DROP SCHEMA am_vacuum CASCADE;
