-- Batches: whatever statement inserts, and whatever comes between it and the search, every row is found, once.
SET client_min_messages = warning;
CREATE SCHEMA batch_statements;
SET search_path = batch_statements, public;
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir /sql/am_helpers.inc
\set ECHO none
\i :helpers
\set ECHO all
\set VERBOSITY terse
-- All leaves, so that a row that is not found is a row that is lost.
SET longbow.probes = 1000;

-- The table's last rows among the nearest of their own vectors (late ones count); the whole table in order; the check.
CREATE FUNCTION well(tab text, op text DEFAULT '<->', index text DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE lost bigint; checked bigint; rows bigint; ordered text; query text;
BEGIN
  PERFORM set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true), set_config('enable_bitmapscan', 'off', true);
  query := format('SELECT count(*) FROM (SELECT * FROM %1$s ORDER BY ctid DESC LIMIT 120) o WHERE v IS NOT NULL AND NOT EXISTS (SELECT FROM '
                  '(SELECT id FROM %1$s i ORDER BY i.v %2$s o.v LIMIT 5) n WHERE n.id = o.id)', tab, op);
  IF NOT uses_index(query) THEN RETURN 'no index scan'; END IF;
  EXECUTE query INTO lost;
  ordered := whole(tab, op, (SELECT array_agg(0.5)::vector FROM generate_series(1, 6)));
  checked := longbow_check(coalesce(index, tab || '_v')::regclass);
  EXECUTE format('SELECT count(*) FROM %s', tab) INTO rows;
  PERFORM set_config('enable_seqscan', 'on', true);
  -- A search is approximate; the whole in order is not.
  RETURN format('%s rows, %s, order %s%s', rows, CASE WHEN lost = 0 THEN 'found' ELSE lost || ' lost' END, ordered,
                CASE WHEN checked <> rows THEN ', checked ' || checked END);
END $$;
CREATE FUNCTION nearest(tab text, q vector) RETURNS int LANGUAGE plpgsql VOLATILE AS $$
DECLARE found int;
BEGIN
  PERFORM set_config('enable_seqscan', 'off', true), set_config('enable_sort', 'off', true);
  EXECUTE format('SELECT id FROM %s ORDER BY v <-> $1 LIMIT 1', tab) INTO found USING q;
  RETURN found;
END $$;
-- A vector for a pair of numbers; the program that makes rows :from to :to for COPY.
CREATE FUNCTION at(x int, y int DEFAULT 0) RETURNS vector LANGUAGE sql IMMUTABLE AS $$ SELECT vec(x * 128 + y, 6) $$;
\set lines 'BEGIN { for (i = a; i <= b; i++) printf "%d\\t[%.4f,%.4f,%.4f,%.4f,%.4f,%.4f]\\n", i, i*37%101/101, i*53%103/103, i*29%107/107, i*61%109/109, i*43%113/113, i*71%127/127 }'

CREATE TABLE t (id int, v vector(6)) WITH (autovacuum_enabled = off);
CREATE INDEX t_v ON t USING longbow (v) WITH (leaf_size = 16);

-- == COPY, INSERT ... SELECT, rows one by one ==
COPY t FROM STDIN;
1	[1,2,3,4,5,6]
2	\N
3	[6,5,4,3,2,1]
\.
SELECT well('t');
\set rows 'awk -v a=10 -v b=360 \'' :lines '\''
COPY t FROM PROGRAM :'rows';
SELECT well('t');
-- A COPY that fails after some batches leaves nothing that is seen; neither does one that is rolled back.
\set rows 'awk -v a=401 -v b=650 \'' :lines '\'; echo "9;[1,2]" | tr ";" "\\t"'
COPY t FROM PROGRAM :'rows';
SELECT count(*), well('t') FROM t;
BEGIN;
\set rows 'awk -v a=401 -v b=650 \'' :lines '\''
COPY t FROM PROGRAM :'rows';
SELECT count(*), well('t') FROM t;
ROLLBACK;
SELECT count(*), well('t') FROM t;
INSERT INTO t SELECT i, vec(i, 6) FROM generate_series(1001, 1250) i;
INSERT INTO t VALUES (2001, vec(2001, 6)), (2002, NULL), (2003, vec(2003, 6)), (2004, vec(2004, 6));
DO $$ BEGIN FOR i IN 3001 .. 3040 LOOP INSERT INTO t VALUES (i, vec(i, 6)); END LOOP; END $$;
SELECT well('t');
-- Batches of other sizes, changed between statements of a transaction.
SET longbow.wal_batch_size = 1;
INSERT INTO t SELECT i, vec(i, 6) FROM generate_series(4001, 4050) i;
BEGIN;
SET LOCAL longbow.wal_batch_size = 10000;
INSERT INTO t SELECT i, vec(i, 6) FROM generate_series(4051, 4170) i;
SET LOCAL longbow.wal_batch_size = 7;
INSERT INTO t SELECT i, vec(i, 6) FROM generate_series(4401, 4450) i;
\set rows 'awk -v a=451 -v b=500 \'' :lines '\''
COPY t FROM PROGRAM :'rows';
SELECT well('t');
COMMIT;
RESET longbow.wal_batch_size;
SELECT well('t');

-- == searches between the rows of one statement ==
-- A function that inserts row by row and searches in between.
CREATE FUNCTION by_row(start int, rows int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE own int := 0; former int := 0;
BEGIN
  FOR i IN start .. start + rows - 1 LOOP
    INSERT INTO t VALUES (i, at(i, 5));
    own := own + (nearest('t', at(i, 5)) = i)::int;
    former := former + (i = start OR nearest('t', at(i - 1, 5)) = i - 1)::int;
  END LOOP;
  RETURN format('%s own, %s former', own, former);
END $$;
SELECT by_row(10000, 115);
SELECT well('t');
-- Static SQL in functions: cached plans, a SQL function, a loop over a query whose rows are searched for.
SET enable_seqscan = off;
CREATE FUNCTION add(i int) RETURNS int LANGUAGE sql VOLATILE AS
$$ INSERT INTO t VALUES (i, at(i, 6)); SELECT id FROM t ORDER BY v <-> at(i, 6) LIMIT 1 $$;
SELECT count(*), count(*) FILTER (WHERE add(i) = i) AS own FROM generate_series(11000, 11030) i;
CREATE FUNCTION chain(start int, rows int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE r record; own int := 0; last int;
BEGIN
  INSERT INTO t VALUES (start, at(start, 7));
  FOR i IN 1 .. rows LOOP
    FOR r IN SELECT id FROM t ORDER BY v <-> at(start + i - 1, 7) LIMIT 1 LOOP
      own := own + (r.id = start + i - 1)::int;
      INSERT INTO t VALUES (r.id + 1, at(r.id + 1, 7));
    END LOOP;
  END LOOP;
  RETURN own;
END $$;
SELECT chain(12000, 30);
-- A volatile function in RETURNING sees the row too.
WITH new AS (INSERT INTO t SELECT i, at(i, 8) FROM generate_series(13000, 13109) i RETURNING id, nearest('t', v) AS nearest)
SELECT count(*), count(*) FILTER (WHERE nearest = id) AS found FROM new;
SELECT nearest('t', at(13109, 8)), well('t');

-- == triggers ==
-- BEFORE ROW: each row is given the id of the row before it, found by its vector.
CREATE TABLE b (id int, v vector(6), before_it int);
CREATE INDEX b_v ON b USING longbow (v) WITH (leaf_size = 16);
CREATE FUNCTION look_up() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN NEW.before_it := (SELECT id FROM b ORDER BY v <-> current_setting('batch.last', true)::vector LIMIT 1);
   PERFORM set_config('batch.last', NEW.v::text, false); RETURN NEW; END $$;
SET batch.last = '[0,0,0,0,0,0]';
CREATE TRIGGER look_up BEFORE INSERT ON b FOR EACH ROW EXECUTE FUNCTION look_up();
INSERT INTO b SELECT i, at(i) FROM generate_series(1, 230) i;
\set rows 'awk -v a=231 -v b=340 \'' :lines '\''
COPY b (id, v) FROM PROGRAM :'rows';
DO $$ BEGIN FOR i IN 341 .. 350 LOOP INSERT INTO b VALUES (i, at(i)); END LOOP; END $$;
SELECT count(*), count(*) FILTER (WHERE before_it = id - 1) AS right, well('b') FROM b;
DROP TRIGGER look_up ON b;
-- AFTER ROW that inserts into the same table, and into another; AFTER STATEMENT that looks at what came.
CREATE TABLE c (id int, v vector(6));
CREATE INDEX c_v ON c USING longbow (v) WITH (leaf_size = 16);
CREATE TABLE log (what text, own bigint);
CREATE FUNCTION more() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO c VALUES (NEW.id, NEW.v);
  IF NEW.id < 100000 AND NEW.id % 3 = 0 THEN INSERT INTO b VALUES (NEW.id + 100000, at(NEW.id, 50)); END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER more AFTER INSERT ON b FOR EACH ROW EXECUTE FUNCTION more();
CREATE FUNCTION at_end() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN INSERT INTO log SELECT TG_OP, count(*) FROM new n WHERE nearest('b', n.v) = n.id; RETURN NULL; END $$;
CREATE TRIGGER see AFTER INSERT ON b REFERENCING NEW TABLE AS new FOR EACH STATEMENT EXECUTE FUNCTION at_end();
INSERT INTO b SELECT i, at(i) FROM generate_series(1001, 1110) i;
\set rows 'awk -v a=1151 -v b=1260 \'' :lines '\''
COPY b (id, v) FROM PROGRAM :'rows';
SELECT sum(own) FROM log;
SELECT well('b'), well('c');
-- A deferred trigger inserts at the commit.
DROP TRIGGER more ON b;
CREATE CONSTRAINT TRIGGER more AFTER INSERT ON b INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION more();
BEGIN;
INSERT INTO b SELECT i, at(i) FROM generate_series(2001, 2120) i;
SELECT well('b'), well('c');
COMMIT;
SELECT well('b'), well('c');
DROP TABLE b, log;
-- A trigger that catches errors: subtransactions end between rows of one batch.
CREATE TABLE e (id int, v vector(6));
CREATE INDEX e_v ON e USING longbow (v) WITH (leaf_size = 16);
CREATE FUNCTION try() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  BEGIN
    IF NEW.id < 1000 THEN INSERT INTO e VALUES (NEW.id + 1000, at(NEW.id, 20)), (NEW.id + 2000, at(NEW.id, 30)); END IF;
    IF NEW.id % 3 = 0 THEN PERFORM 1 / 0; END IF;
  EXCEPTION WHEN division_by_zero THEN
    IF NEW.id % 2 = 0 THEN RETURN NULL; END IF;
  END;
  RETURN NEW;
END $$;
CREATE TRIGGER try BEFORE INSERT ON e FOR EACH ROW EXECUTE FUNCTION try();
INSERT INTO e SELECT i, at(i) FROM generate_series(1, 120) i;
\set rows 'awk -v a=241 -v b=330 \'' :lines '\''
COPY e FROM PROGRAM :'rows';
SELECT count(*) FILTER (WHERE id < 1000) AS first, count(*) FILTER (WHERE id BETWEEN 1000 AND 1999) AS second, well('e') FROM e;
DROP TRIGGER try ON e;

-- == savepoints and caught errors ==
BEGIN;
INSERT INTO e VALUES (5001, at(5001));
SAVEPOINT a;
INSERT INTO e SELECT i, at(i) FROM generate_series(5100, 5230) i;
SAVEPOINT b;
INSERT INTO e SELECT i, at(i) FROM generate_series(5300, 5330) i;
ROLLBACK TO b;
INSERT INTO e VALUES (5401, at(5401));
SELECT well('e');
RELEASE a;
SAVEPOINT a;
INSERT INTO e VALUES (5501, at(5501));
ROLLBACK TO a;
ROLLBACK TO a;
INSERT INTO e VALUES (5601, at(5601));
SELECT well('e');
COMMIT;
SELECT nearest('e', at(5320)) = 5320 AS gone, nearest('e', at(5501)) = 5501 AS gone, nearest('e', at(5601)), well('e');
-- An error in the middle of a batch that an outer block began, with rows of the blocks between.
CREATE FUNCTION nested(fail_at int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE caught text := 'none';
BEGIN
  INSERT INTO e SELECT 6000 + fail_at * 1000 + i, at(fail_at * 1000 + i, 60) FROM generate_series(1, 20) i;
  BEGIN
    INSERT INTO e SELECT 6100 + fail_at * 1000 + i, at(fail_at * 1000 + i, 61) FROM generate_series(1, 20) i;
    BEGIN
      INSERT INTO e SELECT 6200 + fail_at * 1000 + i, at(fail_at * 1000 + i, 62 / (fail_at - i)) FROM generate_series(1, 120) i;
    EXCEPTION WHEN division_by_zero THEN caught := 'inner';
    END;
    INSERT INTO e SELECT 6500 + fail_at * 1000 + i, at(fail_at * 1000 + i, 63) FROM generate_series(1, 20) i;
    IF fail_at % 2 = 0 THEN RAISE EXCEPTION USING ERRCODE = 'raise_exception'; END IF;
  EXCEPTION WHEN raise_exception THEN caught := caught || ', outer';
  END;
  INSERT INTO e SELECT 6600 + fail_at * 1000 + i, at(fail_at * 1000 + i, 64) FROM generate_series(1, 20) i;
  RETURN caught;
END $$;
SELECT fail_at, nested(fail_at) FROM unnest('{11,79,80,81,100,120,122}'::int[]) fail_at;
SELECT count(*) FROM e WHERE id > 6000;
SELECT well('e');
-- The whole is rolled back in the end.
BEGIN;
SELECT nested(51), nested(50);
ROLLBACK;
SELECT count(*) FROM e WHERE id > 6000;
SELECT well('e');

-- == open cursors ==
BEGIN;
DECLARE near CURSOR FOR SELECT id FROM e ORDER BY v <-> at(0, 0);
DECLARE held SCROLL CURSOR WITH HOLD FOR SELECT id FROM e ORDER BY v <-> at(0, 0);
DECLARE unread CURSOR FOR SELECT id FROM e ORDER BY v <-> at(0, 0) LIMIT 5;
MOVE 3 FROM near;
INSERT INTO e SELECT -i, at(-i) FROM generate_series(1, 130) i;
SELECT nearest('e', at(-77)), nearest('e', at(-130));
MOVE 3 FROM near;
MOVE 2 FROM unread;
\set rows 'awk -v a=20131 -v b=20250 \'' :lines '\''
COPY e FROM PROGRAM :'rows';
MOVE 2 FROM near;
MOVE 3 FROM unread;
SAVEPOINT a;
INSERT INTO e VALUES (-1000, at(-1000));
MOVE 1 FROM near;
ROLLBACK TO a;
MOVE ALL FROM near;
COMMIT;
MOVE ABSOLUTE 0 IN held;
MOVE 2 FROM held;
CLOSE held;
SELECT well('e');
-- A loop over a cursor that inserts what it will not meet; an update through a cursor.
BEGIN;
DO $$
DECLARE r record; n int := 0;
BEGIN
  FOR r IN SELECT id, v FROM e WHERE id BETWEEN 1 AND 25 ORDER BY v <-> at(0, 0) LOOP
    INSERT INTO e VALUES (r.id + 50000, at(r.id, 90));
    UPDATE e SET v = at(id, 91) WHERE id = r.id;
    n := n + 1;
  END LOOP;
  RAISE WARNING '% rows', n;
END $$;
SELECT well('e');
COMMIT;
SELECT well('e');

-- == a parallel query right after an insert ==
CREATE TABLE p (id int, v vector(6));
CREATE INDEX p_v ON p USING longbow (v) WITH (leaf_size = 16);
BEGIN;
SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL max_parallel_workers_per_gather = 2;
INSERT INTO p SELECT i, vec(i, 6) FROM generate_series(1, 170) i;
PREPARE twice AS SELECT count(*) FROM p o WHERE o.id = (SELECT i.id FROM p i ORDER BY i.v <-> o.v LIMIT 1);
EXECUTE twice;
INSERT INTO p SELECT i, vec(i, 6) FROM generate_series(351, 370) i;
EXECUTE twice;
SAVEPOINT a;
\set rows 'awk -v a=381 -v b=400 \'' :lines '\''
COPY p FROM PROGRAM :'rows';
EXECUTE twice;
ROLLBACK TO a;
SET LOCAL enable_seqscan = on;
SELECT count(*) FROM p o WHERE o.id = (SELECT i.id FROM p i ORDER BY i.v <-> o.v LIMIT 1);
COMMIT;
DEALLOCATE twice;
SELECT well('p');
DROP TABLE p;

-- == the index or its table changed by the transaction that inserts ==
CREATE TABLE x (id int PRIMARY KEY, v vector(6)) WITH (autovacuum_enabled = off);
CREATE INDEX x_v ON x USING longbow (v) WITH (leaf_size = 16);
INSERT INTO x SELECT i, vec(i, 6) FROM generate_series(1, 120) i;
-- TRUNCATE, kept and rolled back.
BEGIN;
INSERT INTO x SELECT i, vec(i, 6) FROM generate_series(201, 330) i;
TRUNCATE x;
SELECT well('x');
INSERT INTO x SELECT i, vec(i, 6) FROM generate_series(1, 130) i;
SELECT well('x');
ROLLBACK;
SELECT well('x');
BEGIN;
INSERT INTO x SELECT i, vec(i, 6) FROM generate_series(201, 250) i;
SAVEPOINT a;
TRUNCATE x;
INSERT INTO x SELECT i, vec(i, 6) FROM generate_series(1, 20) i;
SELECT well('x');
ROLLBACK TO a;
SELECT well('x');
INSERT INTO x SELECT i, vec(i, 6) FROM generate_series(251, 300) i;
COMMIT;
SELECT well('x');
BEGIN;
SAVEPOINT a;
INSERT INTO x SELECT i, vec(i, 6) FROM generate_series(401, 450) i;
TRUNCATE x;
INSERT INTO x SELECT i, vec(i, 6) FROM generate_series(1, 220) i;
RELEASE a;
COMMIT;
SELECT well('x');
-- REINDEX, DROP INDEX, CREATE INDEX, CLUSTER, ALTER TABLE.
BEGIN;
INSERT INTO x SELECT i, vec(i, 6) FROM generate_series(501, 530) i;
REINDEX INDEX x_v;
SELECT well('x');
INSERT INTO x SELECT i, vec(i, 6) FROM generate_series(531, 560) i;
REINDEX TABLE x;
INSERT INTO x SELECT i, vec(i, 6) FROM generate_series(561, 590) i;
SELECT well('x');
SAVEPOINT a;
REINDEX INDEX x_v;
INSERT INTO x SELECT i, vec(i, 6) FROM generate_series(591, 600) i;
ROLLBACK TO a;
INSERT INTO x SELECT i, vec(i, 6) FROM generate_series(601, 610) i;
COMMIT;
SELECT well('x');
BEGIN;
INSERT INTO x SELECT i, vec(i, 6) FROM generate_series(701, 730) i;
DROP INDEX x_v;
INSERT INTO x SELECT i, vec(i, 6) FROM generate_series(731, 760) i;
CREATE INDEX x_v ON x USING longbow (v) WITH (leaf_size = 16);
SELECT well('x');
INSERT INTO x SELECT i, vec(i, 6) FROM generate_series(761, 790) i;
COMMIT;
SELECT well('x');
BEGIN;
INSERT INTO x SELECT i, vec(i, 6) FROM generate_series(801, 830) i;
SAVEPOINT a;
DROP INDEX x_v;
INSERT INTO x SELECT i, vec(i, 6) FROM generate_series(831, 860) i;
ROLLBACK TO a;
INSERT INTO x SELECT i, vec(i, 6) FROM generate_series(861, 890) i;
COMMIT;
SELECT well('x');
BEGIN;
INSERT INTO x SELECT i, vec(i, 6) FROM generate_series(901, 930) i;
CLUSTER x USING x_pkey;
SELECT well('x');
INSERT INTO x SELECT i, vec(i, 6) FROM generate_series(931, 960) i;
SAVEPOINT a;
CLUSTER x;
INSERT INTO x SELECT i, vec(i, 6) FROM generate_series(961, 990) i;
ROLLBACK TO a;
INSERT INTO x SELECT i, vec(i, 6) FROM generate_series(991, 999) i;
COMMIT;
SELECT well('x');
BEGIN;
INSERT INTO x SELECT i, vec(i, 6) FROM generate_series(1001, 1030) i;
ALTER TABLE x SET UNLOGGED;
INSERT INTO x SELECT i, vec(i, 6) FROM generate_series(1031, 1060) i;
SELECT well('x');
ALTER TABLE x SET LOGGED;
INSERT INTO x SELECT i, vec(i, 6) FROM generate_series(1061, 1090) i;
ALTER TABLE x SET (fillfactor = 80);
ALTER INDEX x_v SET (leaf_size = 32);
ALTER TABLE x ADD note text DEFAULT random()::text;
INSERT INTO x SELECT i, vec(i, 6) FROM generate_series(1091, 1100) i;
ALTER TABLE x ALTER v TYPE vector;
INSERT INTO x SELECT i, vec(i, 6) FROM generate_series(1101, 1110) i;
SELECT well('x');
COMMIT;
SELECT well('x');
-- All of that while a cursor is open over the table is an error of its own, after which nothing is lost.
BEGIN;
DECLARE opened CURSOR FOR SELECT id FROM x ORDER BY v <-> at(0, 0);
MOVE 1 IN opened;
INSERT INTO x SELECT i, vec(i, 6) FROM generate_series(1201, 1230) i;
SAVEPOINT a;
TRUNCATE x;
ROLLBACK TO a;
REINDEX INDEX x_v;
ROLLBACK TO a;
DROP INDEX x_v;
ROLLBACK TO a;
SELECT well('x');
MOVE ALL IN opened;
COMMIT;
SELECT well('x');
-- A table made by the transaction itself: TRUNCATE empties its files in place.
BEGIN;
CREATE TABLE n (id int, v vector(6));
INSERT INTO n SELECT i, vec(i, 6) FROM generate_series(1, 50) i;
CREATE INDEX n_v ON n USING longbow (v) WITH (leaf_size = 16);
SELECT well('n');
INSERT INTO n SELECT i, vec(i, 6) FROM generate_series(51, 200) i;
TRUNCATE n;
SELECT well('n');
INSERT INTO n SELECT i, vec(i, 6) FROM generate_series(301, 430) i;
SELECT well('n');
SAVEPOINT a;
INSERT INTO n SELECT i, vec(i, 6) FROM generate_series(431, 450) i;
TRUNCATE n;
INSERT INTO n SELECT i, vec(i, 6) FROM generate_series(501, 540) i;
SELECT well('n');
ROLLBACK TO a;
SELECT well('n');
TRUNCATE n;
TRUNCATE n;
INSERT INTO n SELECT i, vec(i, 6) FROM generate_series(601, 650) i;
COMMIT;
SELECT well('n');
DROP TABLE n;
-- An index made after an insert of the same transaction, twice, with the same rows in both; one that is rolled back.
BEGIN;
INSERT INTO x SELECT i, vec(i, 6) FROM generate_series(1301, 1330) i;
CREATE INDEX x_l1 ON x USING longbow (v vector_l1_ops);
ROLLBACK;
BEGIN;
ALTER TABLE x ALTER v TYPE vector(6);
INSERT INTO x SELECT i, vec(i, 6) FROM generate_series(1301, 1330) i;
CREATE INDEX x_l1 ON x USING longbow (v vector_l1_ops) WITH (leaf_size = 16);
INSERT INTO x SELECT i, vec(i, 6) FROM generate_series(1331, 1360) i;
SAVEPOINT a;
CREATE INDEX x_cosine ON x USING longbow (v vector_cosine_ops) WITH (leaf_size = 16);
INSERT INTO x SELECT i, vec(i, 6) FROM generate_series(1361, 1390) i;
SELECT well('x'), well('x', '<+>', 'x_l1'), well('x', '<=>', 'x_cosine');
ROLLBACK TO a;
INSERT INTO x SELECT i, vec(i, 6) FROM generate_series(1391, 1399) i;
COMMIT;
SELECT well('x'), well('x', '<+>', 'x_l1');
DROP INDEX x_l1;

-- == COPY FREEZE ==
BEGIN;
CREATE TABLE f (id int, v vector(6));
CREATE INDEX f_v ON f USING longbow (v) WITH (leaf_size = 16);
\set rows 'awk -v a=1 -v b=240 \'' :lines '\''
COPY f FROM PROGRAM :'rows' WITH (FREEZE);
SELECT well('f');
SAVEPOINT a;
TRUNCATE f;
\set rows 'awk -v a=1 -v b=10 \'' :lines '\''
COPY f FROM PROGRAM :'rows' WITH (FREEZE);
SELECT well('f');
ROLLBACK TO a;
COMMIT;
SELECT well('f');
DROP TABLE f;

-- == ON CONFLICT, MERGE, UPDATE between partitions, delete and insert again ==
INSERT INTO x SELECT i, vec(i, 6) FROM generate_series(1100, 1330) i ON CONFLICT DO NOTHING;
INSERT INTO x SELECT i % 40 + 3000, vec(i, 6) FROM generate_series(1, 150) i ON CONFLICT DO NOTHING;
SELECT count(*) FROM x WHERE id >= 3000;
INSERT INTO x SELECT i, vec(i + 7, 6) FROM generate_series(2900, 3050) i ON CONFLICT (id) DO UPDATE SET v = excluded.v WHERE x.id % 2 = 0;
-- The same row twice is an error.
INSERT INTO x SELECT 3000 + i % 2, vec(i, 6) FROM generate_series(1, 3) i ON CONFLICT (id) DO UPDATE SET v = excluded.v;
SELECT well('x');
BEGIN;
INSERT INTO x VALUES (3999, at(3999, 3));
SAVEPOINT a;
INSERT INTO x VALUES (3998, at(3998, 3)), (3999, at(3999, 4));
ROLLBACK TO a;
INSERT INTO x VALUES (3998, at(3998, 5)), (3999, at(3999, 5)) ON CONFLICT (id) DO UPDATE SET v = excluded.v;
COMMIT;
SELECT nearest('x', at(3998, 5)), nearest('x', at(3999, 5)), well('x');
MERGE INTO x USING (SELECT i AS id, vec(i + 9, 6) AS v FROM generate_series(2980, 3130) i) n ON x.id = n.id
  WHEN MATCHED AND x.id % 5 = 0 THEN DELETE WHEN MATCHED THEN UPDATE SET v = n.v WHEN NOT MATCHED THEN INSERT (id, v) VALUES (n.id, n.v);
SELECT well('x');
CREATE TABLE parts (id int, part int, v vector(6)) PARTITION BY LIST (part);
CREATE TABLE part_1 PARTITION OF parts FOR VALUES IN (1);
CREATE TABLE part_2 PARTITION OF parts FOR VALUES IN (2);
CREATE TABLE part_3 PARTITION OF parts DEFAULT;
CREATE INDEX parts_v ON parts USING longbow (v) WITH (leaf_size = 16);
BEGIN;
INSERT INTO parts SELECT i, i % 4, vec(i, 6) FROM generate_series(1, 240) i;
UPDATE parts SET part = part + 1 WHERE id % 3 = 0;
WITH moved AS (UPDATE parts SET part = part % 2 + 1 WHERE id % 7 = 0 RETURNING id, v)
SELECT count(*), count(*) FILTER (WHERE nearest('parts', v) = id) AS found FROM moved;
SELECT whole('parts', '<->', at(0)), count(*) FILTER (WHERE nearest('parts', v) = id) AS found FROM parts;
COMMIT;
\set rows 'awk -v a=401 -v b=520 \'' :lines '\' | awk \'{ print $1 "\\t" $1 % 5 "\\t" $2 }\''
COPY parts FROM PROGRAM :'rows';
SELECT well('part_1', '<->', 'part_1_v_idx'), well('part_2', '<->', 'part_2_v_idx'), well('part_3', '<->', 'part_3_v_idx');
SELECT whole('parts', '<->', at(0)), count(*) FILTER (WHERE nearest('parts', v) = id) AS found FROM parts;
BEGIN;
INSERT INTO parts SELECT i, 1, vec(i, 6) FROM generate_series(701, 730) i;
ALTER TABLE parts DETACH PARTITION part_1;
INSERT INTO part_1 SELECT i, 1, vec(i, 6) FROM generate_series(731, 760) i;
ALTER TABLE parts ATTACH PARTITION part_1 FOR VALUES IN (1);
INSERT INTO parts SELECT i, 1, vec(i, 6) FROM generate_series(761, 790) i;
COMMIT;
SELECT well('part_1', '<->', 'part_1_v_idx');
DROP TABLE parts;
BEGIN;
DELETE FROM x WHERE id < 700;
SELECT well('x');
INSERT INTO x SELECT i, vec(i, 6) FROM generate_series(1, 699) i;
DELETE FROM x WHERE id BETWEEN 300 AND 399;
INSERT INTO x SELECT i, vec(i + 1, 6) FROM generate_series(300, 399) i;
UPDATE x SET v = vec(id, 6) WHERE id BETWEEN 350 AND 450;
SELECT well('x');
COMMIT;
SELECT well('x');
VACUUM x;
SELECT well('x');
WITH gone AS (DELETE FROM x WHERE id < 200 RETURNING id, v) INSERT INTO x SELECT id + 20000, v FROM gone;
SELECT well('x');
VACUUM x;
INSERT INTO x SELECT i, vec(i + 3, 6) FROM generate_series(1, 199) i;
SELECT well('x');

-- == transactions' ends ==
SHOW max_prepared_transactions \gset
SELECT :max_prepared_transactions > 1 AS two_phase \gset
CREATE TABLE w (id int, v vector(6)) WITH (autovacuum_enabled = off);
CREATE INDEX w_v ON w USING longbow (v) WITH (leaf_size = 16);
INSERT INTO w SELECT i, vec(i, 6) FROM generate_series(1, 150) i;
\if :two_phase
BEGIN;
INSERT INTO w SELECT i, vec(i, 6) FROM generate_series(201, 330) i;
SAVEPOINT a;
INSERT INTO w VALUES (331, vec(331, 6));
ROLLBACK TO a;
PREPARE TRANSACTION 'batch_kept';
BEGIN;
\set rows 'awk -v a=401 -v b=530 \'' :lines '\''
COPY w FROM PROGRAM :'rows';
PREPARE TRANSACTION 'batch_undone';
\endif
SELECT well('w');
SELECT longbow_merge('w_v') >= 0 AS merged;
VACUUM w;
SELECT well('w');
INSERT INTO w SELECT i, vec(i, 6) FROM generate_series(601, 630) i;
\if :two_phase
COMMIT PREPARED 'batch_kept';
ROLLBACK PREPARED 'batch_undone';
\else
INSERT INTO w SELECT i, vec(i, 6) FROM generate_series(201, 330) i;
\endif
SELECT well('w');
SELECT longbow_merge('w_v') >= 0 AS merged;
VACUUM w;
SELECT well('w');
CREATE PROCEDURE steps() LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 700 .. 730 LOOP
    INSERT INTO w VALUES (i, vec(i, 6)), (i + 100, vec(i + 100, 6));
    IF i % 3 = 0 THEN ROLLBACK; ELSIF i % 5 = 0 THEN COMMIT; END IF;
  END LOOP;
END $$;
CALL steps();
SELECT well('w');
BEGIN;
INSERT INTO w SELECT i, vec(i, 6) FROM generate_series(901, 930) i;
COMMIT AND CHAIN;
INSERT INTO w SELECT i, vec(i, 6) FROM generate_series(931, 960) i;
ROLLBACK AND CHAIN;
INSERT INTO w SELECT i, vec(i, 6) FROM generate_series(961, 990) i;
COMMIT;
SELECT well('w');
SET longbow.storage_async_fsync = on;
SET synchronous_commit = off;
INSERT INTO w SELECT i, vec(i, 6) FROM generate_series(1001, 1030) i;
RESET longbow.storage_async_fsync;
RESET synchronous_commit;
SET longbow.wal_compression = off;
INSERT INTO w SELECT i, vec(i, 6) FROM generate_series(1031, 1060) i;
RESET longbow.wal_compression;
-- Snapshots of a whole transaction.
BEGIN ISOLATION LEVEL REPEATABLE READ;
INSERT INTO w SELECT i, vec(i, 6) FROM generate_series(1101, 1130) i;
SELECT well('w');
SELECT longbow_merge('w_v') >= 0 AS merged;
SELECT well('w');
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE;
SELECT nearest('w', vec(1101, 6));
INSERT INTO w SELECT i, vec(i, 6) FROM generate_series(1131, 1160) i;
SELECT well('w');
COMMIT;
SELECT well('w');

-- == views, rules, materialized views, other tables ==
CREATE VIEW wv AS SELECT * FROM w WHERE id > 0;
INSERT INTO wv SELECT i, vec(i, 6) FROM generate_series(1201, 1230) i;
CREATE RULE twice AS ON INSERT TO c DO ALSO INSERT INTO w SELECT NEW.id + 100000, NEW.v;
INSERT INTO c VALUES (500, at(500, 40)), (501, at(501, 40));
SELECT (SELECT id FROM wv ORDER BY v <-> at(501, 40) LIMIT 1), well('w'), well('c');
CREATE MATERIALIZED VIEW m AS SELECT * FROM w WHERE id < 500;
CREATE UNIQUE INDEX m_id ON m (id);
CREATE INDEX m_v ON m USING longbow (v) WITH (leaf_size = 16);
UPDATE w SET v = at(id, 70) WHERE id < 60;
INSERT INTO w SELECT i, at(i, 80) FROM generate_series(401, 450) i;
REFRESH MATERIALIZED VIEW CONCURRENTLY m;
SELECT well('m');
DELETE FROM w WHERE id BETWEEN 20 AND 40;
REFRESH MATERIALIZED VIEW m;
SELECT well('m');
DROP RULE twice ON c;
WITH one AS (INSERT INTO c SELECT i, vec(i, 6) FROM generate_series(9001, 9120) i RETURNING *),
     two AS (INSERT INTO t SELECT id + 50000, v FROM one RETURNING *)
SELECT count(*) FROM two;
SELECT well('c'), well('t');

-- == unlogged tables ==
CREATE UNLOGGED TABLE unlogged (id int, v vector(6));
CREATE INDEX unlogged_v ON unlogged USING longbow (v) WITH (leaf_size = 16);
INSERT INTO unlogged SELECT i, vec(i, 6) FROM generate_series(1, 230) i;
BEGIN;
\set rows 'awk -v a=301 -v b=440 \'' :lines '\''
COPY unlogged FROM PROGRAM :'rows';
SELECT well('unlogged');
TRUNCATE unlogged;
INSERT INTO unlogged SELECT i, vec(i, 6) FROM generate_series(1, 130) i;
COMMIT;
SELECT well('unlogged');
SELECT longbow_merge('unlogged_v') >= 0 AS merged;
ALTER TABLE unlogged SET LOGGED;
SELECT well('unlogged');

RESET enable_seqscan;
DROP SCHEMA batch_statements CASCADE;
