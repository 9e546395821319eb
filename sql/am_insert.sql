-- Inserts, updates and deletes: growth from nothing, transactions and savepoints, rows seen by the same statement.
SET client_min_messages = warning;
CREATE SCHEMA am_insert;
SET search_path = am_insert, public;
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir /sql/am_helpers.inc
\set ECHO none
\i :helpers
\set ECHO all
\set VERBOSITY terse

-- An empty index grows to 5,000 rows: leaves split many times, the root grows.
CREATE TABLE t (id int, v vector);
CREATE INDEX t_v ON t USING longbow (v) WITH (leaf_size = 16);
INSERT INTO t VALUES (1, vec(1, 12));
INSERT INTO t VALUES (2, vec(2, 12)), (3, vec(3, 12)), (4, NULL);
INSERT INTO t SELECT i, vec(i, 12) FROM generate_series(5, 5000) i;
SELECT longbow_check('t_v'), whole('t', '<->', vec(0, 12));
SELECT longbow_merge('t_v') >= 0 AS merged;
SELECT height >= 2 AS grown, leaves > 150 AS split, splits > 150 AS counted, rows, plain_rows FROM longbow_stat_index WHERE index = 't_v';
CREATE TABLE q AS SELECT i AS id, vec(10000 + i, 12) AS v FROM generate_series(1, 50) i;
SELECT recall('t', '<->', 'q', 10) >= 0.9 AS recalls;
-- One statement a row.
CREATE TABLE singly (id int, v vector(12));
CREATE INDEX singly_v ON singly USING longbow (v) WITH (leaf_size = 16);
DO $$ BEGIN FOR i IN 1 .. 1000 LOOP INSERT INTO singly VALUES (i, vec(i, 12)); END LOOP; END $$;
SELECT longbow_check('singly_v'), whole('singly', '<->', vec(0, 12));
DROP TABLE singly;
-- Long rows: inner nodes split too, so that the tree is three levels high.
CREATE TABLE long_rows (id int, v vector(8192));
CREATE INDEX long_rows_v ON long_rows USING longbow (v) WITH (leaf_size = 16, bits = 1);
INSERT INTO long_rows SELECT i, array_fill((i * 7919 % 5003) / 1000.0, ARRAY[8192])::vector FROM generate_series(1, 4500) i;
SELECT longbow_check('long_rows_v'), whole('long_rows', '<->', array_fill(1.5, ARRAY[8192])::vector);
SELECT longbow_merge('long_rows_v') >= 0 AS merged;
SELECT height >= 3 AS high, rows FROM longbow_stat_index WHERE index = 'long_rows_v';
DROP TABLE long_rows;

-- Updates, HOT and not; deletes.
ALTER TABLE t ADD note text;
UPDATE t SET note = 'x' WHERE id % 10 = 0;
UPDATE t SET v = vec(id + 20000, 12) WHERE id % 10 = 1;
UPDATE t SET v = v WHERE id % 10 = 2;
UPDATE t SET v = NULL WHERE id % 100 = 3;
UPDATE t SET v = vec(id, 12) WHERE id = 4;
DELETE FROM t WHERE id % 10 = 5;
SELECT longbow_check('t_v'), whole('t', '<->', vec(0, 12));
INSERT INTO t SELECT 10000 + i, vec(i, 12) FROM generate_series(1, 2000) i;
SELECT longbow_check('t_v'), whole('t', '<->', vec(0, 12));

-- Rows are found at once: in the transaction, in the statement after, by a trigger's query, in the same statement where MVCC lets them.
CREATE TABLE s (id int PRIMARY KEY, v vector(3));
CREATE INDEX s_v ON s USING longbow (v);
INSERT INTO s SELECT i, vec(i, 3) FROM generate_series(1, 500) i;
SET enable_seqscan = off;
-- Enough leaves to find the nearest row for sure, however the leaves were split.
SET longbow.probes = 1000;
BEGIN;
INSERT INTO s VALUES (1001, '[9,9,9]');
SELECT id FROM s ORDER BY v <-> '[9,9,9]' LIMIT 1;
INSERT INTO s VALUES (1002, '[9,9,10]'), (1003, '[9,9,11]');
SELECT id FROM s ORDER BY v <-> '[9,9,11]' LIMIT 3;
-- The same statement does not see its own rows; a later one does.
WITH new AS (INSERT INTO s VALUES (1004, '[20,20,20]') RETURNING id)
SELECT n.id, (SELECT id FROM s ORDER BY v <-> '[20,20,20]' LIMIT 1) AS nearest FROM new n;
SELECT id FROM s ORDER BY v <-> '[20,20,20]' LIMIT 1;
WITH gone AS (DELETE FROM s WHERE id = 1004 RETURNING id)
SELECT g.id, (SELECT id FROM s ORDER BY v <-> '[20,20,20]' LIMIT 1) AS nearest FROM gone g;
SELECT id FROM s ORDER BY v <-> '[20,20,20]' LIMIT 1;
-- An open cursor goes on with its snapshot.
DECLARE c CURSOR FOR SELECT id FROM s ORDER BY v <-> '[0,0,0]';
MOVE 1 IN c;
INSERT INTO s SELECT 2000 + i, vec(i, 3) FROM generate_series(1, 700) i;
MOVE ALL IN c;
CLOSE c;
ROLLBACK;
SELECT id <= 500 AS old FROM s ORDER BY v <-> '[9,9,9]' LIMIT 1;
SELECT longbow_check('s_v'), whole('s', '<->', '[0,0,0]');
-- A volatile function reads what its own statement has inserted so far.
CREATE FUNCTION nearest(q vector) RETURNS int LANGUAGE plpgsql VOLATILE AS
$$ BEGIN RETURN (SELECT id FROM s ORDER BY v <-> q LIMIT 1); END $$;
CREATE TABLE seen (inserted int, nearest int);
CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN INSERT INTO seen VALUES (NEW.id, nearest(NEW.v)); RETURN NULL; END $$;
CREATE TRIGGER look AFTER INSERT ON s FOR EACH ROW EXECUTE FUNCTION look();
INSERT INTO s SELECT 3000 + i, ('[' || 50 + i || ',0,0]')::vector FROM generate_series(1, 250) i;
SELECT count(*), count(*) FILTER (WHERE inserted = nearest) AS right FROM seen;
TRUNCATE seen;
DROP TRIGGER look ON s;
CREATE FUNCTION look_before() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN INSERT INTO seen VALUES (NEW.id, nearest(NEW.v)); RETURN NEW; END $$;
CREATE TRIGGER look BEFORE INSERT ON s FOR EACH ROW EXECUTE FUNCTION look_before();
INSERT INTO s SELECT 4000 + i, ('[0,' || 50 + i || ',0]')::vector FROM generate_series(1, 250) i;
-- Each row's nearest is the one inserted just before it.
SELECT count(*), count(*) FILTER (WHERE inserted = nearest + 1) AS right FROM seen WHERE inserted > 4001;
DROP TRIGGER look ON s;
WITH new AS (INSERT INTO s SELECT 5000 + i, ('[0,0,' || 50 + i || ']')::vector FROM generate_series(1, 250) i RETURNING id, nearest(v) AS nearest)
SELECT count(*), count(*) FILTER (WHERE id = nearest OR id = nearest + 1) AS right FROM new;
SELECT longbow_check('s_v');

-- Transactions and savepoints.
BEGIN;
INSERT INTO s VALUES (6001, '[300,300,300]');
SAVEPOINT a;
INSERT INTO s SELECT 6100 + i, ('[300,300,' || i || ']')::vector FROM generate_series(1, 150) i;
SAVEPOINT b;
INSERT INTO s VALUES (6002, '[300,300,301]');
ROLLBACK TO a;
INSERT INTO s VALUES (6003, '[300,300,302]');
RELEASE a;
SELECT id FROM s ORDER BY v <-> '[300,300,300]' LIMIT 2;
COMMIT;
SELECT id FROM s ORDER BY v <-> '[300,300,300]' LIMIT 2;
SELECT longbow_check('s_v'), whole('s', '<->', '[300,300,300]');
-- An error that is caught drops its rows only, wherever it strikes.
CREATE FUNCTION half(n int, fail_at int) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO s VALUES (7000 + n, ('[400,400,' || n || ']')::vector);
  BEGIN
    INSERT INTO s SELECT 8000 + 1000 * n + i, ('[500,' || n || ',' || i / (fail_at - i) || ']')::vector FROM generate_series(1, 400) i;
    RETURN 'no error';
  EXCEPTION WHEN division_by_zero THEN
    INSERT INTO s VALUES (7500 + n, ('[400,401,' || n || ']')::vector);
    RETURN 'caught';
  END;
END $$;
SELECT n, half(n, fail_at) FROM (VALUES (1, 1), (2, 99), (3, 100), (4, 101), (5, 250), (6, 400), (7, 401)) f(n, fail_at);
SELECT count(*) FROM s WHERE id > 7000;
SELECT longbow_check('s_v'), whole('s', '<->', '[400,400,1]');
-- The error may be the index's own, after rows of the statement are on their way.
CREATE TABLE d (id int, v vector);
CREATE INDEX d_v ON d USING longbow (v);
INSERT INTO d VALUES (1, '[1,2]');
DO $$
BEGIN
  INSERT INTO d VALUES (2, '[3,4]');
  BEGIN
    INSERT INTO d SELECT i, CASE WHEN i = 157 THEN '[1,2,3]' ELSE '[5,6]' END::vector FROM generate_series(3, 300) i;
    RAISE WARNING 'no error';
  EXCEPTION WHEN data_exception THEN
    RAISE WARNING 'caught: %', SQLERRM;
  END;
  INSERT INTO d VALUES (1000, '[7,8]');
END $$;
SELECT longbow_check('d_v'), whole('d', '<->', '[0,0]', true);
DROP TABLE d;

-- ON CONFLICT: rows that lose leave nothing behind.
INSERT INTO s SELECT i % 20 + 20000, vec(i, 3) FROM generate_series(1, 300) i ON CONFLICT DO NOTHING;
INSERT INTO s SELECT i + 20000, vec(i + 5, 3) FROM generate_series(0, 39) i ON CONFLICT (id) DO UPDATE SET v = excluded.v;
SELECT longbow_check('s_v'), (SELECT count(*) FROM s WHERE id >= 20000), whole('s', '<->', '[0,0,0]');
MERGE INTO s USING (SELECT i + 20030 AS id, vec(i, 3) AS v FROM generate_series(1, 30) i) n ON s.id = n.id
WHEN MATCHED THEN UPDATE SET v = n.v WHEN NOT MATCHED THEN INSERT VALUES (n.id, n.v);
SELECT longbow_check('s_v'), (SELECT count(*) FROM s WHERE id >= 20000), whole('s', '<->', '[0,0,0]');

-- TRUNCATE in the transaction of the inserts, before and after; rolled back and not.
BEGIN;
INSERT INTO s SELECT 30000 + i, vec(i, 3) FROM generate_series(1, 150) i;
TRUNCATE s;
INSERT INTO s SELECT i, vec(i, 3) FROM generate_series(1, 150) i;
SELECT longbow_check('s_v'), whole('s', '<->', '[0,0,0]');
ROLLBACK;
SELECT longbow_check('s_v') = (SELECT count(*) FROM s) AS kept;
BEGIN;
INSERT INTO s SELECT 30000 + i, vec(i, 3) FROM generate_series(1, 150) i;
SAVEPOINT a;
TRUNCATE s;
INSERT INTO s VALUES (1, '[1,1,1]');
ROLLBACK TO a;
INSERT INTO s VALUES (40000, '[1,1,1]');
COMMIT;
SELECT longbow_check('s_v') = (SELECT count(*) FROM s) AS kept;
BEGIN;
INSERT INTO s SELECT 50000 + i, vec(i, 3) FROM generate_series(1, 150) i;
TRUNCATE s;
INSERT INTO s SELECT i, vec(i, 3) FROM generate_series(1, 250) i;
COMMIT;
SELECT longbow_check('s_v'), whole('s', '<->', '[0,0,0]');
RESET enable_seqscan;

-- COPY, and COPY FREEZE into a table made or truncated by the same transaction.
COPY (SELECT i, CASE WHEN i % 10 > 0 THEN vec(i, 3) END FROM generate_series(1, 3000) i) TO PROGRAM 'cat > longbow_am_insert.copy';
TRUNCATE s;
COPY s FROM PROGRAM 'cat longbow_am_insert.copy';
SELECT longbow_check('s_v'), whole('s', '<->', '[0,0,0]');
COPY s FROM PROGRAM 'cat longbow_am_insert.copy';
SELECT longbow_check('s_v');
BEGIN;
CREATE TABLE f (id int, v vector(3));
CREATE INDEX f_v ON f USING longbow (v);
COPY f FROM PROGRAM 'cat longbow_am_insert.copy' WITH (FREEZE);
SELECT longbow_check('f_v'), whole('f', '<->', '[0,0,0]');
COMMIT;
SELECT longbow_check('f_v'), whole('f', '<->', '[0,0,0]');
BEGIN;
TRUNCATE f;
COPY f FROM PROGRAM 'cat longbow_am_insert.copy' WITH (FREEZE);
INSERT INTO f VALUES (0, '[1,1,1]');
COMMIT;
SELECT longbow_check('f_v'), whole('f', '<->', '[0,0,0]');
COPY (SELECT 1) TO PROGRAM 'cat > /dev/null; rm longbow_am_insert.copy';
-- An index made and dropped, or built anew, in the transaction of the inserts.
BEGIN;
INSERT INTO f SELECT i, vec(i, 3) FROM generate_series(1, 50) i;
DROP INDEX f_v;
INSERT INTO f SELECT i, vec(i, 3) FROM generate_series(1, 50) i;
CREATE INDEX f_v ON f USING longbow (v);
INSERT INTO f SELECT i, vec(i, 3) FROM generate_series(1, 50) i;
REINDEX INDEX f_v;
INSERT INTO f SELECT i, vec(i, 3) FROM generate_series(1, 50) i;
COMMIT;
SELECT longbow_check('f_v') = (SELECT count(*) FROM f) AS all_there;
BEGIN;
INSERT INTO f SELECT i, vec(i, 3) FROM generate_series(1, 50) i;
DROP TABLE f;
COMMIT;

-- Rows moved between tables by one statement.
CREATE TABLE a (id int, v vector(3));
CREATE TABLE b (LIKE a);
CREATE INDEX a_v ON a USING longbow (v);
CREATE INDEX b_v ON b USING longbow (v);
INSERT INTO a SELECT i, vec(i, 3) FROM generate_series(1, 400) i;
WITH moved AS (DELETE FROM a WHERE id <= 200 RETURNING *) INSERT INTO b SELECT * FROM moved;
SELECT longbow_check('a_v'), longbow_check('b_v'), whole('a', '<->', '[0,0,0]'), whole('b', '<->', '[0,0,0]');
-- Two-phase commit.
SHOW max_prepared_transactions \gset
SELECT :max_prepared_transactions > 0 AS two_phase \gset
\if :two_phase
BEGIN;
INSERT INTO a SELECT i, vec(i, 3) FROM generate_series(1001, 1150) i;
PREPARE TRANSACTION 'am_insert';
COMMIT PREPARED 'am_insert';
\else
INSERT INTO a SELECT i, vec(i, 3) FROM generate_series(1001, 1150) i;
\endif
SELECT longbow_check('a_v'), whole('a', '<->', '[0,0,0]');

DROP SCHEMA am_insert CASCADE;
