-- The planner: the index where it is cheaper, another plan where that is, never an error.
SET client_min_messages = warning;
CREATE SCHEMA am_cost;
SET search_path = am_cost, public;
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir /sql/am_helpers.inc
\set ECHO none
\i :helpers
\set ECHO all

CREATE TABLE t (id int, tag int, v vector(32)) WITH (autovacuum_enabled = off);
INSERT INTO t SELECT i, i % 100, vec(i, 32) FROM generate_series(1, 20000) i;
CREATE INDEX t_v ON t USING longbow (v);
CREATE INDEX t_id ON t (id);
VACUUM ANALYZE t;
SELECT index_of('SELECT id FROM t ORDER BY v <-> vec(1, 32) LIMIT 1') AS one,
       index_of('SELECT id FROM t ORDER BY v <-> vec(1, 32) LIMIT 10') AS ten,
       index_of('SELECT id FROM t ORDER BY v <-> vec(1, 32) LIMIT 100') AS hundred,
       index_of('SELECT id FROM t WHERE tag < 50 ORDER BY v <-> vec(1, 32) LIMIT 10') AS half;
PREPARE ten(vector) AS SELECT id FROM t ORDER BY v <-> $1 LIMIT 10;
SET plan_cache_mode = force_generic_plan;
EXPLAIN (COSTS OFF) EXECUTE ten(NULL);
RESET plan_cache_mode;
-- A filter that a btree answers better.
SELECT index_of('SELECT id FROM t WHERE id = 5 ORDER BY v <-> vec(1, 32) LIMIT 10') AS equal,
       index_of('SELECT id FROM t WHERE id BETWEEN 5 AND 15 ORDER BY v <-> vec(1, 32) LIMIT 10') AS few;
-- Not without an order, nor for another one.
SELECT index_of('SELECT id FROM t') AS plain, index_of('SELECT count(*) FROM t') AS count,
       index_of('SELECT id FROM t ORDER BY v LIMIT 10') AS btree_order, index_of('SELECT id FROM t WHERE v <-> vec(1, 32) < 0.5') AS range,
       index_of('SELECT id FROM t ORDER BY v <=> vec(1, 32) LIMIT 10') AS other_metric;
-- In a nested loop.
SELECT trim(line) AS line FROM plan_of('SELECT q.id, n.id FROM (SELECT * FROM t WHERE id < 5) q, LATERAL (SELECT id FROM t ORDER BY v <-> q.v LIMIT 3) n') line WHERE line ~ 't_v';
-- Costs are sane: they grow with LIMIT.
SELECT cost_of('SELECT id FROM t ORDER BY v <-> vec(1, 32) LIMIT 1') < cost_of('SELECT id FROM t ORDER BY v <-> vec(1, 32) LIMIT 1000') AS grows,
       cost_of('SELECT id FROM t ORDER BY v <-> vec(1, 32) LIMIT 1') > 0 AS positive;

-- Settings at their ends, alone and together.
CREATE FUNCTION plan_all() RETURNS int LANGUAGE plpgsql AS $$
DECLARE recall text; probes text; most text; strictly text; cost text; n int := 0;
BEGIN
  FOREACH recall IN ARRAY '{0.5,1}'::text[] LOOP
    FOREACH probes IN ARRAY '{0,1000000}'::text[] LOOP
      FOREACH most IN ARRAY '{0,2147483647}'::text[] LOOP
        FOREACH strictly IN ARRAY '{on,off}'::text[] LOOP
          FOREACH cost IN ARRAY '{0,1,1e10,1.7e308}'::text[] LOOP
            PERFORM set_config('longbow.target_recall', recall, true), set_config('longbow.probes', probes, true),
                    set_config('longbow.max_scan_tuples', most, true), set_config('longbow.strict_order', strictly, true),
                    set_config('random_page_cost', cost, true), set_config('seq_page_cost', cost, true),
                    set_config('cpu_operator_cost', cost, true), set_config('cpu_tuple_cost', cost, true),
                    set_config('cpu_index_tuple_cost', cost, true);
            PERFORM index_of('SELECT id FROM t ORDER BY v <-> vec(1, 32) LIMIT 10'), index_of('SELECT id FROM t ORDER BY v <-> vec(1, 32)'),
                    index_of('SELECT id FROM t WHERE tag = 3 ORDER BY v <-> vec(1, 32)'), index_of('SELECT id FROM t');
            n := n + 1;
          END LOOP;
        END LOOP;
      END LOOP;
    END LOOP;
  END LOOP;
  RETURN n;
END $$;
SET jit = off;
SELECT plan_all();
SET enable_seqscan = off;
SELECT plan_all();
SET enable_indexscan = off;
SELECT plan_all();
SELECT index_of('SELECT id FROM t ORDER BY v <-> vec(1, 32) LIMIT 10') = 't_v' AS used;
SELECT count(*) FROM (SELECT id FROM t ORDER BY v <-> vec(1, 32) LIMIT 10) s;
RESET enable_seqscan;
RESET enable_indexscan;
-- Sizes that are not known, an empty index, an index that is not valid, statistics that are out of date.
CREATE TABLE empty (id int, v vector(3));
CREATE INDEX empty_v ON empty USING longbow (v);
SELECT count(*) FROM (SELECT id FROM empty ORDER BY v <-> '[1,2,3]' LIMIT 10) s;
VACUUM ANALYZE empty;
SELECT count(*) FROM (SELECT id FROM empty ORDER BY v <-> '[1,2,3]' LIMIT 10) s;
SET enable_seqscan = off;
SELECT count(*) FROM (SELECT id FROM empty ORDER BY v <-> '[1,2,3]' LIMIT 10) s;
INSERT INTO empty SELECT i, vec(i, 3) FROM generate_series(1, 1000) i;
SELECT count(*) FROM (SELECT id FROM empty ORDER BY v <-> '[1,2,3]' LIMIT 10) s;
RESET enable_seqscan;
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 't_v'::regclass;
SELECT index_of('SELECT id FROM t ORDER BY v <-> vec(1, 32) LIMIT 10');
INSERT INTO t SELECT i, 1, vec(i, 32) FROM generate_series(20001, 20010) i;
UPDATE pg_index SET indisvalid = true WHERE indexrelid = 't_v'::regclass;
SELECT index_of('SELECT id FROM t ORDER BY v <-> vec(1, 32) LIMIT 10'), longbow_check('t_v');

DROP SCHEMA am_cost CASCADE;
