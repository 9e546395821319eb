-- Building indexes: every opclass and code width, all sorts of tables, rows added after the build.
SET client_min_messages = warning;
CREATE SCHEMA am_build;
SET search_path = am_build, public;
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir /sql/am_helpers.inc
\set ECHO none
\i :helpers
\set ECHO all

-- Dimensions around the borders of code groups, of one code row a page, and of centroids inside a leaf's head.
CREATE TABLE source (dims int, id int, v vector);
INSERT INTO source
  SELECT d, i, CASE WHEN i % 20 = 0 THEN NULL WHEN i % 20 = 1 THEN array_fill(0, ARRAY[d])::vector ELSE vec(i, d) END
  FROM unnest('{1,2,3,4,5,7,8,9,15,16,17,31,32,33,63,64,65,100,200,400,1600,1601,2000,3900,4000}'::int[]) d, generate_series(1, 80) i;
CREATE FUNCTION build_all(d int, b int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE o text[]; msg text; q vector := vec(5, d);
BEGIN
  CREATE TEMP TABLE t (id int, v vector);
  FOREACH o SLICE 1 IN ARRAY '{{vector_l2_ops,<->},{vector_ip_ops,<#>},{vector_cosine_ops,<=>},{vector_l1_ops,<+>}}'::text[] LOOP
    INSERT INTO t SELECT id, v FROM source WHERE dims = d AND id <= 50;
    EXECUTE format('CREATE INDEX i ON t USING longbow (v %s) WITH (bits = %s, leaf_size = 16)', o[1], b);
    INSERT INTO t SELECT id, v FROM source WHERE dims = d AND id > 50;
    msg := whole('t', o[2], q);
    IF msg <> 'ok' THEN RAISE WARNING '% dimensions, % bits, %: %', d, b, o[1], msg; END IF;
    IF longbow_check('i') <> 80 THEN RAISE WARNING '% dimensions, % bits, %: longbow_check', d, b, o[1]; END IF;
    DROP INDEX i;
    TRUNCATE t;
  END LOOP;
  DROP TABLE t;
END $$;
SELECT DISTINCT dims, build_all(dims, bits) IS NOT NULL AS built, bits FROM (SELECT DISTINCT dims FROM source) d, unnest('{1,2,4}'::int[]) bits ORDER BY dims, bits;
DROP TABLE source;

-- The most dimensions there are, each width of codes, with splits after the build.
CREATE TABLE wide (id int, v vector);
INSERT INTO wide SELECT i, vec(i, 16000) FROM generate_series(1, 60) i;
CREATE FUNCTION build_wide(options text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE msg text; rows bigint;
BEGIN
  DELETE FROM wide WHERE id > 60;
  EXECUTE format('CREATE INDEX wide_v_idx ON wide USING longbow (v) WITH (%s)', options);
  INSERT INTO wide SELECT id + 100, v FROM wide;
  INSERT INTO wide SELECT id + 1000, v FROM wide;
  rows := longbow_check('wide_v_idx');
  msg := whole('wide', '<->', vec(7, 16000));
  DROP INDEX wide_v_idx;
  RETURN rows || ' rows: ' || msg;
END $$;
SELECT o, build_wide(o) FROM unnest('{bits=1,bits=2,bits=4,"bits=4,leaf_size=16","bits=4,leaf_size=1024","bits=1,leaf_size=1024"}'::text[]) o;
DROP TABLE wide;
-- A leaf size that long rows do not allow is lowered to what a leaf's directory holds.
CREATE TABLE long_rows (v vector(16000));
CREATE INDEX long_rows_idx ON long_rows USING longbow (v) WITH (leaf_size = 1024);
CREATE TABLE middle_rows (v vector(1600));
CREATE INDEX middle_rows_idx ON middle_rows USING longbow (v) WITH (leaf_size = 1024, bits = 4);
INSERT INTO long_rows SELECT vec(i, 16000) FROM generate_series(1, 5) i;
INSERT INTO middle_rows SELECT vec(i % 50, 1600) FROM generate_series(1, 1500) i;
SELECT longbow_merge('middle_rows_idx') >= 0 AS merged;
SELECT index, leaf_size BETWEEN 100 AND 500 AS lowered, rows, longbow_check(index::regclass)
FROM longbow_stat_index WHERE index IN ('long_rows_idx', 'middle_rows_idx') ORDER BY 1;
DROP TABLE long_rows, middle_rows;

-- Few rows or none.
CREATE TABLE few (id int, v vector(3));
CREATE INDEX few_idx ON few USING longbow (v);
SELECT longbow_check('few_idx'), whole('few', '<->', '[1,2,3]', true);
INSERT INTO few VALUES (1, '[1,2,3]');
SELECT longbow_check('few_idx'), whole('few', '<->', '[1,2,3]', true);
REINDEX INDEX few_idx;
SELECT longbow_check('few_idx'), whole('few', '<->', '[3,2,1]', true);
INSERT INTO few SELECT i, vec(i, 3) FROM generate_series(2, 12) i;
REINDEX INDEX few_idx;
SELECT longbow_check('few_idx'), whole('few', '<->', '[3,2,1]', true);
DROP TABLE few;
-- No vector at all.
CREATE TABLE nothing (id int, v vector(3));
INSERT INTO nothing SELECT i FROM generate_series(1, 3000) i;
CREATE INDEX nothing_idx ON nothing USING longbow (v);
SELECT longbow_check('nothing_idx'), whole('nothing', '<->', '[1,2,3]', true);
INSERT INTO nothing SELECT i, vec(i, 3) FROM generate_series(3001, 3300) i;
SELECT longbow_check('nothing_idx'), whole('nothing', '<->', '[1,2,3]');
DROP TABLE nothing;
-- Nothing that has a direction, nothing within the range of codes.
CREATE TABLE odd (id int, v vector(3));
INSERT INTO odd SELECT i, CASE i % 3 WHEN 0 THEN '[0,0,0]' WHEN 1 THEN '[1e30,1e30,1e30]' END::vector FROM generate_series(1, 300) i;
CREATE INDEX odd_cosine ON odd USING longbow (v vector_cosine_ops);
CREATE INDEX odd_l2 ON odd USING longbow (v vector_l2_ops);
SELECT longbow_check('odd_cosine'), longbow_check('odd_l2'), whole('odd', '<=>', '[1,2,3]', true), whole('odd', '<->', '[1,2,3]', true);
DROP TABLE odd;

-- All rows equal, before and after the build, for each metric.
CREATE TABLE equal (id int, v vector(8));
INSERT INTO equal SELECT i, '[1,2,3,4,5,6,7,8]' FROM generate_series(1, 5000) i;
CREATE INDEX equal_l2 ON equal USING longbow (v);
CREATE INDEX equal_ip ON equal USING longbow (v vector_ip_ops);
CREATE INDEX equal_cosine ON equal USING longbow (v vector_cosine_ops);
CREATE INDEX equal_l1 ON equal USING longbow (v vector_l1_ops);
INSERT INTO equal SELECT i, '[1,2,3,4,5,6,7,8]' FROM generate_series(5001, 10000) i;
SELECT longbow_check('equal_l2'), longbow_check('equal_ip'), longbow_check('equal_cosine'), longbow_check('equal_l1');
SELECT op, whole('equal', op, '[1,1,1,1,1,1,1,1]', true) FROM unnest('{<->,<#>,<=>,<+>}'::text[]) op;
-- A few different values, each many times.
UPDATE equal SET v = array_fill(id % 3, ARRAY[8])::vector WHERE id <= 5000;
SELECT longbow_check('equal_l2'), longbow_check('equal_ip'), longbow_check('equal_cosine'), longbow_check('equal_l1');
REINDEX TABLE equal;
SELECT op, whole('equal', op, '[1,1,1,1,1,1,1,1]') FROM unnest('{<->,<#>,<=>,<+>}'::text[]) op;
DROP TABLE equal;

-- A build with little memory, which samples and sorts in pieces.
CREATE TABLE spill (id int, v vector(64));
INSERT INTO spill SELECT i, vec(i, 64) FROM generate_series(1, 20000) i;
SET maintenance_work_mem = '1MB';
CREATE INDEX spill_idx ON spill USING longbow (v);
RESET maintenance_work_mem;
SELECT longbow_check('spill_idx'), whole('spill', '<->', vec(0, 64));
DROP TABLE spill;

DROP SCHEMA am_build CASCADE;
