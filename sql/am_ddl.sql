-- DDL: REINDEX, CONCURRENTLY, TRUNCATE, unlogged and temporary tables, tablespaces, ALTER TABLE.
SET client_min_messages = warning;
CREATE SCHEMA am_ddl;
SET search_path = am_ddl, public;
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir /sql/am_helpers.inc
\set ECHO none
\i :helpers
\set ECHO all

CREATE TABLE t (id int PRIMARY KEY, v vector(10), note text);
INSERT INTO t SELECT i, vec(i, 10) FROM generate_series(1, 3000) i;
CREATE INDEX CONCURRENTLY t_v ON t USING longbow (v);
SELECT longbow_check('t_v'), whole('t', '<->', vec(0, 10)), indisvalid FROM pg_index WHERE indexrelid = 't_v'::regclass;
DELETE FROM t WHERE id % 3 = 0;
REINDEX INDEX t_v;
SELECT longbow_check('t_v'), whole('t', '<->', vec(0, 10));
REINDEX INDEX CONCURRENTLY t_v;
SELECT longbow_check('t_v'), whole('t', '<->', vec(0, 10));
REINDEX TABLE CONCURRENTLY t;
SELECT longbow_check('t_v'), whole('t', '<->', vec(0, 10));
-- On an empty table, and on one whose column has no dimension.
CREATE TABLE u (id int, v vector);
CREATE INDEX CONCURRENTLY u_v ON u USING longbow (v);
REINDEX INDEX CONCURRENTLY u_v;
INSERT INTO u VALUES (1, '[1,2,3]');
REINDEX INDEX u_v;
INSERT INTO u VALUES (2, '[1,2]');
DELETE FROM u;
-- Its first row fixed the dimension until the next build.
INSERT INTO u VALUES (2, '[1,2]');
TRUNCATE u;
INSERT INTO u VALUES (2, '[1,2]');
SELECT longbow_check('u_v'), whole('u', '<->', '[0,0]');
DROP TABLE u;
-- A concurrent build that fails leaves an index that neither plans nor inserts touch.
CREATE TABLE mixed (id int, v vector);
INSERT INTO mixed VALUES (1, '[1,2,3]'), (2, '[1,2]');
CREATE INDEX CONCURRENTLY mixed_v ON mixed USING longbow (v);
SELECT indisvalid FROM pg_index WHERE indexrelid = 'mixed_v'::regclass;
SELECT longbow_check('mixed_v');
SELECT count(*) FROM (SELECT id FROM mixed WHERE id = 1 ORDER BY v <-> '[1,1,1]') s;
INSERT INTO mixed VALUES (3, '[1,2,3,4]');
DELETE FROM mixed WHERE id > 1;
VACUUM mixed;
REINDEX INDEX CONCURRENTLY mixed_v;
SELECT longbow_check('mixed_v'), whole('mixed', '<->', '[0,0,0]');
DROP TABLE mixed;

-- TRUNCATE, ALTER TABLE that rewrites and that does not, CLUSTER, DROP and rename of columns.
ALTER TABLE t ALTER note TYPE varchar(10);
ALTER TABLE t ADD extra int DEFAULT 5;
ALTER TABLE t ADD stamp timestamptz DEFAULT clock_timestamp();
SELECT longbow_check('t_v'), whole('t', '<->', vec(0, 10));
ALTER TABLE t ALTER v TYPE vector;
INSERT INTO t VALUES (5001, vec(5001, 10));
INSERT INTO t VALUES (5002, vec(5002, 11));
ALTER TABLE t ALTER v TYPE vector(10);
ALTER TABLE t ALTER v TYPE vector(11);
CLUSTER t USING t_pkey;
SELECT longbow_check('t_v'), whole('t', '<->', vec(0, 10));
CLUSTER t USING t_v;
ALTER TABLE t DROP COLUMN note;
ALTER TABLE t RENAME COLUMN v TO w;
ALTER INDEX t_v RENAME TO t_w;
ALTER TABLE t RENAME COLUMN w TO v;
SELECT longbow_check('t_w'), whole('t', '<->', vec(0, 10));
TRUNCATE t;
SELECT longbow_check('t_w'), whole('t', '<->', vec(0, 10));
INSERT INTO t(id, v) SELECT i, vec(i, 10) FROM generate_series(1, 1000) i;
SELECT longbow_check('t_w'), whole('t', '<->', vec(0, 10));
-- An index goes with its column.
ALTER TABLE t DROP COLUMN v;
SELECT count(*) FROM pg_class WHERE relname = 't_w' AND relnamespace = 'am_ddl'::regnamespace;
DROP TABLE t;

-- Unlogged and temporary tables; changes between unlogged and logged.
CREATE UNLOGGED TABLE ul (id int, v vector(10));
CREATE INDEX ul_v ON ul USING longbow (v);
INSERT INTO ul SELECT i, vec(i, 10) FROM generate_series(1, 1000) i;
SELECT longbow_check('ul_v'), whole('ul', '<->', vec(0, 10)), pg_relation_size('ul_v', 'init') > 0 AS init;
ALTER TABLE ul SET LOGGED;
SELECT longbow_check('ul_v'), whole('ul', '<->', vec(0, 10)), pg_relation_size('ul_v', 'init') > 0 AS init;
ALTER TABLE ul SET UNLOGGED;
SELECT longbow_check('ul_v'), whole('ul', '<->', vec(0, 10)), pg_relation_size('ul_v', 'init') > 0 AS init;
DROP TABLE ul;
CREATE TEMP TABLE tmp (id int, v vector(10));
CREATE INDEX tmp_v ON tmp USING longbow (v);
INSERT INTO tmp SELECT i, vec(i, 10) FROM generate_series(1, 1000) i;
DELETE FROM tmp WHERE id < 500;
VACUUM tmp;
INSERT INTO tmp SELECT i, vec(i, 10) FROM generate_series(1, 499) i;
SELECT longbow_check('tmp_v'), whole('tmp', '<->', vec(0, 10));
-- A temporary index splits leaf after leaf in one session: its pages have no locks that tell which are taken.
CREATE TEMP TABLE grown (id int, v vector(6));
CREATE INDEX grown_v ON grown USING longbow (v) WITH (leaf_size = 16);
INSERT INTO grown SELECT i, ARRAY[i, 0, 0, 0, 0, 0]::vector FROM generate_series(301, 320) i;
INSERT INTO grown SELECT i, ARRAY[i, 0, 0, 0, 0, 0]::vector FROM generate_series(321, 340) i;
INSERT INTO grown SELECT i, ARRAY[i, 0, 0, 0, 0, 0]::vector FROM generate_series(341, 380) i;
INSERT INTO grown SELECT i, ARRAY[i, 0, 0, 0, 0, 0]::vector FROM generate_series(381, 420) i;
SELECT longbow_check('grown_v');
DROP TABLE grown;
BEGIN;
CREATE TEMP TABLE gone (id int, v vector(10)) ON COMMIT DROP;
CREATE INDEX gone_v ON gone USING longbow (v);
INSERT INTO gone SELECT i, vec(i, 10) FROM generate_series(1, 150) i;
COMMIT;
CREATE TEMP TABLE emptied (id int, v vector(10)) ON COMMIT DELETE ROWS;
CREATE INDEX emptied_v ON emptied USING longbow (v);
BEGIN;
INSERT INTO emptied SELECT i, vec(i, 10) FROM generate_series(1, 150) i;
SELECT longbow_check('emptied_v');
COMMIT;
SELECT longbow_check('emptied_v');

-- Tablespaces.
SET allow_in_place_tablespaces = on;
CREATE TABLESPACE longbow_am_ddl LOCATION '';
CREATE TABLE s (id int, v vector(10));
INSERT INTO s SELECT i, vec(i, 10) FROM generate_series(1, 1000) i;
CREATE INDEX s_v ON s USING longbow (v) TABLESPACE longbow_am_ddl;
INSERT INTO s SELECT i, vec(i, 10) FROM generate_series(1001, 2000) i;
SELECT longbow_check('s_v'), whole('s', '<->', vec(0, 10));
ALTER INDEX s_v SET TABLESPACE pg_default;
SELECT longbow_check('s_v'), whole('s', '<->', vec(0, 10));
BEGIN;
INSERT INTO s SELECT i, vec(i, 10) FROM generate_series(2001, 2150) i;
ALTER INDEX s_v SET TABLESPACE longbow_am_ddl;
INSERT INTO s SELECT i, vec(i, 10) FROM generate_series(2151, 2300) i;
COMMIT;
SELECT longbow_check('s_v'), whole('s', '<->', vec(0, 10));
REINDEX (TABLESPACE pg_default) INDEX s_v;
ALTER TABLE s SET TABLESPACE longbow_am_ddl;
SELECT longbow_check('s_v'), whole('s', '<->', vec(0, 10));
DROP TABLE s;
DROP TABLESPACE longbow_am_ddl;

-- A build that is rolled back leaves nothing; a REINDEX that is rolled back leaves the index as it was.
CREATE TABLE r (id int, v vector(3));
INSERT INTO r SELECT i, vec(i, 3) FROM generate_series(1, 500) i;
BEGIN;
CREATE INDEX r_v ON r USING longbow (v);
INSERT INTO r SELECT i, vec(i, 3) FROM generate_series(501, 700) i;
ROLLBACK;
SELECT count(*) FROM pg_class WHERE relname = 'r_v' AND relnamespace = 'am_ddl'::regnamespace;
CREATE INDEX r_v ON r USING longbow (v);
BEGIN;
REINDEX INDEX r_v;
INSERT INTO r SELECT i, vec(i, 3) FROM generate_series(501, 700) i;
ROLLBACK;
SELECT longbow_check('r_v'), whole('r', '<->', vec(0, 3));
-- Definitions come back as they were given.
CREATE INDEX r_full ON r USING longbow (v vector_cosine_ops) WITH (bits = 2, leaf_size = 64) WHERE id > 5;
SELECT pg_get_indexdef('r_full'::regclass), pg_get_indexdef('r_v'::regclass);
SELECT amname, opcname, opcdefault, opckeytype::regtype FROM pg_opclass o JOIN pg_am a ON a.oid = opcmethod WHERE amname = 'longbow' AND opcname ~ '^vector_' ORDER BY 2;
SELECT opcname, amvalidate(o.oid) FROM pg_opclass o JOIN pg_am a ON a.oid = opcmethod WHERE amname = 'longbow' AND opcname ~ '^vector_' ORDER BY 1;
SELECT p, pg_indexam_has_property(a.oid, p) FROM pg_am a, unnest('{can_order,can_unique,can_multi_col,can_exclude,can_include}'::text[]) p WHERE amname = 'longbow';
SELECT p, pg_index_has_property('r_v', p) FROM unnest('{clusterable,index_scan,bitmap_scan,backward_scan}'::text[]) p;
SELECT p, pg_index_column_has_property('r_v', 1, p) FROM unnest('{asc,desc,nulls_first,orderable,returnable,search_array,search_nulls}'::text[]) p;

DROP SCHEMA am_ddl CASCADE;
