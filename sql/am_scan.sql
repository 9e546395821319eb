-- Scans: filters, rescans, cursors, prepared statements, several indexes, settings.
SET client_min_messages = warning;
CREATE SCHEMA am_scan;
SET search_path = am_scan, public;
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir /sql/am_helpers.inc
\set ECHO none
\i :helpers
\set ECHO all

CREATE TABLE t (id int PRIMARY KEY, tag int, v vector(16));
INSERT INTO t SELECT i, i % 1000, vec(i, 16) FROM generate_series(1, 20000) i;
CREATE INDEX t_v ON t USING longbow (v) WITH (leaf_size = 64);
ANALYZE t;
SET enable_seqscan = off;
SET enable_bitmapscan = off;

-- A filter that keeps 0.1 % of the rows still fills LIMIT.
PREPARE filtered(vector) AS SELECT id FROM t WHERE tag = 7 ORDER BY v <-> $1 LIMIT 10;
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS OFF) EXECUTE filtered(NULL);
RESET plan_cache_mode;
DEALLOCATE filtered;
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM t WHERE tag = 7 ORDER BY v <-> vec(0, 16) LIMIT 10) s;
SELECT count(*), count(DISTINCT id) FROM (SELECT id FROM t WHERE tag = 7 ORDER BY v <-> vec(0, 16) LIMIT 100) s;
SELECT count(*) FROM (SELECT id FROM t WHERE tag = -1 ORDER BY v <-> vec(0, 16) LIMIT 10) s;
-- The filtered rows are the nearest ones of their kind.
SELECT avg((s.id = ANY (nearest))::int) >= 0.9 AS good
FROM (SELECT id FROM t WHERE tag = 7 ORDER BY v <-> vec(0, 16) LIMIT 10) s,
     (SELECT array_agg(id) AS nearest FROM (SELECT id FROM t WHERE tag = 7 ORDER BY (v <-> vec(0, 16)) + 0 LIMIT 10) e) e;
-- A query row without a distance filter and with one.
SELECT count(*) FROM (SELECT id FROM t WHERE v <-> vec(17, 16) < 1e-3 ORDER BY v <-> vec(17, 16) LIMIT 1) s;

-- From here on enough leaves are visited to find the nearest row for sure, however the index was built.
SET longbow.probes = 1000;
-- Rescans: a nested loop with LIMIT, also one that is left early, and one with NULL queries in between.
SELECT count(*), count(DISTINCT (q.id, n.id)), count(*) FILTER (WHERE q.id = n.id) AS self
FROM (SELECT id, v FROM t WHERE id <= 50) q, LATERAL (SELECT id FROM t ORDER BY v <-> q.v LIMIT 5) n;
SELECT q.i, count(n.id)
FROM (SELECT i, CASE WHEN i % 2 = 0 THEN vec(i, 16) END AS v FROM generate_series(1, 4) i) q,
     LATERAL (SELECT id FROM t ORDER BY v <-> q.v LIMIT q.i * 100) n GROUP BY q.i ORDER BY q.i;
SELECT i, (SELECT id FROM t ORDER BY v <-> vec(i, 16) LIMIT 1) AS nearest FROM generate_series(100, 105) i;

-- Cursors in steps, forth, and back if declared with SCROLL; two at once; held.
BEGIN;
DECLARE a CURSOR FOR SELECT id FROM t ORDER BY v <-> vec(3, 16);
DECLARE b CURSOR FOR SELECT id FROM t ORDER BY v <-> vec(4, 16);
FETCH 1 FROM a;
FETCH 1 FROM b;
MOVE 9999 IN a;
MOVE 9999 IN b;
MOVE 20000 IN a;
MOVE 20000 IN b;
FETCH 1 FROM a;
CLOSE a;
DECLARE c SCROLL CURSOR FOR SELECT id FROM t ORDER BY v <-> vec(5, 16);
FETCH 1 FROM c;
MOVE FORWARD 20 IN c;
MOVE BACKWARD 20 IN c;
FETCH FIRST FROM c;
DECLARE h CURSOR WITH HOLD FOR SELECT id FROM t ORDER BY v <-> vec(6, 16) LIMIT 3;
COMMIT;
FETCH 1 FROM h;
MOVE ALL IN h;
CLOSE h;
-- Rows once each over many steps.
CREATE FUNCTION stepwise(step int) RETURNS TABLE (rows bigint, ids bigint) LANGUAGE plpgsql AS $$
DECLARE c CURSOR FOR SELECT id FROM t ORDER BY v <-> vec(8, 16); r record; seen int[] := '{}'; n int;
BEGIN
  OPEN c;
  LOOP
    n := 0;
    FOR k IN 1 .. step LOOP
      FETCH c INTO r;
      EXIT WHEN NOT FOUND;
      seen := seen || r.id;
      n := n + 1;
    END LOOP;
    EXIT WHEN n < step OR array_length(seen, 1) >= 3000;
  END LOOP;
  CLOSE c;
  RETURN QUERY SELECT count(*), count(DISTINCT i) FROM unnest(seen) i;
END $$;
SELECT * FROM stepwise(1);
SELECT * FROM stepwise(7);

-- Prepared statements, with custom and with generic plans.
PREPARE nearest(vector, int) AS SELECT id FROM t ORDER BY v <-> $1 LIMIT $2;
SET plan_cache_mode = force_custom_plan;
EXECUTE nearest(vec(11, 16), 1);
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS OFF) EXECUTE nearest(vec(11, 16), 1);
EXECUTE nearest(vec(11, 16), 1);
EXECUTE nearest(vec(12, 16), 1);
SELECT uses_index('EXECUTE nearest(NULL, 3)');
CREATE TEMP TABLE nulls AS EXECUTE nearest(NULL, 3);
SELECT count(*), count(DISTINCT id) FROM nulls;
RESET plan_cache_mode;
DEALLOCATE nearest;

-- longbow.probes, longbow.target_recall and longbow.max_scan_tuples.
RESET longbow.probes;
CREATE FUNCTION found(n int) RETURNS bigint LANGUAGE sql AS $$ SELECT count(*) FROM (SELECT id FROM t ORDER BY v <-> vec(-1, 16) LIMIT n) s $$;
SET longbow.max_scan_tuples = 1;
SELECT found(1), found(20000) BETWEEN 10 AND 1000 AS few;
SET longbow.max_scan_tuples = 2000;
SELECT found(1), found(20000) BETWEEN 10 AND 10000 AS some;
SET longbow.max_scan_tuples = 0;
SELECT found(1), found(20000);
SET longbow.probes = 1;
SELECT found(1), found(20000);
SET longbow.probes = 1000000;
SELECT found(1), found(20000);
SELECT count(*) >= 9 AS good FROM (SELECT id FROM t ORDER BY v <-> vec(-1, 16) LIMIT 10) s
JOIN (SELECT id FROM t ORDER BY (v <-> vec(-1, 16)) + 0 LIMIT 10) e USING (id);
RESET longbow.probes;
SET longbow.target_recall = 0.5;
SELECT found(1), found(20000);
SET longbow.target_recall = 1;
SELECT found(1), found(20000);
RESET longbow.target_recall;
-- A small work_mem: what waits is handed out in pieces.
SET work_mem = '64kB';
SELECT found(1), found(20000), whole('t', '<->', vec(-1, 16));
RESET work_mem;
SET longbow.probes = 1000;

-- Several indexes on one column: the operator decides.
CREATE INDEX t_ip ON t USING longbow (v vector_ip_ops);
CREATE INDEX t_cosine ON t USING longbow (v vector_cosine_ops);
CREATE INDEX t_l1 ON t USING longbow (v vector_l1_ops);
SELECT index_of('SELECT id FROM t ORDER BY v <-> vec(1, 16) LIMIT 1');
SELECT index_of('SELECT id FROM t ORDER BY v <#> vec(1, 16) LIMIT 1');
SELECT index_of('SELECT id FROM t ORDER BY v <=> vec(1, 16) LIMIT 1');
SELECT index_of('SELECT id FROM t ORDER BY v <+> vec(1, 16) LIMIT 1');
SELECT op, whole('t', op, vec(-2, 16)) FROM unnest('{<->,<#>,<=>,<+>}'::text[]) op;
SELECT longbow_check('t_v'), longbow_check('t_ip'), longbow_check('t_cosine'), longbow_check('t_l1');
-- Descending order and other expressions do not use them, and work.
SELECT uses_index('SELECT id FROM t ORDER BY v <-> vec(1, 16) DESC LIMIT 1') AS descending, uses_index('SELECT id FROM t ORDER BY (v <-> vec(1, 16)) + 1 LIMIT 1') AS expression,
       uses_index('SELECT id FROM t ORDER BY v <-> v LIMIT 1') AS itself;
-- The constant may stand on the left.
SELECT index_of('SELECT id FROM t ORDER BY vec(1, 16) <-> v LIMIT 1');
SELECT id FROM t ORDER BY vec(1, 16) <-> v LIMIT 1;
DROP INDEX t_v, t_ip, t_cosine, t_l1;

-- Partial and expression indexes.
CREATE INDEX t_part ON t USING longbow (v) WHERE tag < 100;
SELECT index_of('SELECT id FROM t WHERE tag < 100 ORDER BY v <-> vec(1, 16) LIMIT 1');
SELECT count(*), max(tag) FROM (SELECT id, tag FROM t WHERE tag < 100 ORDER BY v <-> vec(1, 16)) s;
SELECT uses_index('SELECT id FROM t WHERE tag < 101 ORDER BY v <-> vec(1, 16) LIMIT 1');
INSERT INTO t SELECT 20000 + i, i % 200, vec(i, 16) FROM generate_series(1, 200) i;
UPDATE t SET tag = 500 WHERE tag = 50;
UPDATE t SET tag = 51 WHERE tag = 501;
SELECT longbow_check('t_part'), (SELECT count(*) FROM t WHERE tag < 100) AS rows;
DROP INDEX t_part;
CREATE TABLE e (id int, a real[], v vector);
INSERT INTO e SELECT i, vec(i, 8)::real[], CASE WHEN i % 2 = 0 THEN vec(i, 8) ELSE vec(i, 4) END FROM generate_series(1, 1000) i;
CREATE INDEX e_cast ON e USING longbow ((a::vector(8)));
CREATE INDEX e_even ON e USING longbow ((v::vector(8)) vector_l2_ops) WHERE vector_dims(v) = 8;
CREATE INDEX e_odd ON e USING longbow ((v::vector(4)) vector_cosine_ops) WHERE vector_dims(v) = 4;
SELECT index_of('SELECT id FROM e ORDER BY a::vector(8) <-> vec(9, 8) LIMIT 1');
SELECT id FROM e ORDER BY a::vector(8) <-> vec(9, 8) LIMIT 1;
SELECT id FROM e WHERE vector_dims(v) = 8 ORDER BY v::vector(8) <-> vec(10, 8) LIMIT 1;
SELECT id FROM e WHERE vector_dims(v) = 4 ORDER BY v::vector(4) <=> vec(11, 4) LIMIT 1;
INSERT INTO e SELECT i, vec(i, 8)::real[], CASE WHEN i % 2 = 0 THEN vec(i, 8) ELSE vec(i, 4) END FROM generate_series(1001, 1100) i;
SELECT longbow_check('e_cast'), longbow_check('e_even'), longbow_check('e_odd');
DROP TABLE e;

-- Without an order, an index scan is never better than another.
SELECT count(*) FROM t WHERE v IS NOT NULL;
-- Parallel query beside an index scan.
CREATE INDEX t_v ON t USING longbow (v);
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SELECT count(*) FROM t a WHERE a.id IN (SELECT id FROM t ORDER BY v <-> vec(1, 16) LIMIT 10);
-- A scan that ends before its cursor is read, and one in a function that is left by an error.
DO $$
BEGIN
  FOR k IN 1 .. 20 LOOP
    BEGIN
      PERFORM 1 / (id % 3) FROM t ORDER BY v <-> vec(k, 16) LIMIT 50;
    EXCEPTION WHEN division_by_zero THEN NULL;
    END;
  END LOOP;
END $$;
SELECT id % 20000 AS id FROM t ORDER BY v <-> vec(13, 16) LIMIT 1;

DROP SCHEMA am_scan CASCADE;
