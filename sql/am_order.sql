-- Order: a whole ORDER BY through an index gives what a sequential scan gives.
SET client_min_messages = warning;
CREATE SCHEMA am_order;
SET search_path = am_order, public;
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir /sql/am_helpers.inc
\set ECHO none
\i :helpers
\set ECHO all

-- Few rows: the very same order, NaN before NULL at the end.
CREATE TABLE small (id int, v vector(3));
INSERT INTO small VALUES (1, '[1,0,0]'), (2, '[0,2,0]'), (3, '[0,0,3]'), (4, '[1,1,1]'), (5, '[-1,-2,-3]'), (6, '[0,0,0]'),
  (7, NULL), (8, '[5,5,5]'), (9, '[100,-100,0]'), (10, '[0.5,0.25,0.125]'), (11, NULL), (12, '[0,0,0]');
CREATE INDEX small_l2 ON small USING longbow (v vector_l2_ops);
CREATE INDEX small_ip ON small USING longbow (v vector_ip_ops);
CREATE INDEX small_cosine ON small USING longbow (v vector_cosine_ops);
CREATE INDEX small_l1 ON small USING longbow (v vector_l1_ops);
SELECT op, q, whole('small', op, q::vector, true)
FROM unnest('{<->,<#>,<=>,<+>}'::text[]) op,
     unnest('{"[1,2,3]","[0,0,0]","[-1,0,1e-3]","[1e30,-1e30,1e30]","[1e-30,1e-30,0]","[3e38,3e38,3e38]","[1e-45,0,0]"}'::text[]) q;
SET enable_seqscan = off;
SELECT * FROM (SELECT id, round((v <=> '[1,1,0]')::numeric, 4) AS d FROM small ORDER BY v <=> '[1,1,0]' OFFSET 7) s ORDER BY d, id;
-- A NULL query: every row.
SELECT op, uses_index(format('SELECT id FROM small ORDER BY v %s (SELECT NULL::vector)', op)) FROM unnest('{<->,<#>,<=>,<+>}'::text[]) op;
SELECT count(*), count(DISTINCT id), count(d) FROM (SELECT id, v <-> (SELECT NULL::vector) AS d FROM small ORDER BY 2) s;
SELECT count(*), count(DISTINCT id), count(d) FROM (SELECT id, v <#> (SELECT NULL::vector) AS d FROM small ORDER BY 2) s;
SELECT count(*), count(DISTINCT id), count(d) FROM (SELECT id, v <=> (SELECT NULL::vector) AS d FROM small ORDER BY 2) s;
SELECT count(*), count(DISTINCT id), count(d) FROM (SELECT id, v <+> (SELECT NULL::vector) AS d FROM small ORDER BY 2) s;
RESET enable_seqscan;
DROP TABLE small;

-- Many rows of all magnitudes, some NULL, some zero: every row once, the same distances, NaN and NULL last.
CREATE FUNCTION scaled(q vector, s float8) RETURNS vector LANGUAGE sql AS
$$ SELECT array_agg(CASE WHEN abs(x * s) < 1e-45 THEN 0 ELSE x * s END ORDER BY i)::vector FROM unnest(q::real[]) WITH ORDINALITY u(x, i) $$;
CREATE TABLE mixed (id int, v vector(20));
INSERT INTO mixed
  SELECT i, CASE WHEN i % 50 = 0 THEN NULL WHEN i % 50 = 1 THEN array_fill(0, ARRAY[20])::vector
                 ELSE scaled(vec(i, 20), CASE i % 97 WHEN 10 THEN 1e30 WHEN 11 THEN 1e-30 WHEN 12 THEN 1e15 WHEN 13 THEN 1e-15 WHEN 14 THEN 1e-38
                        WHEN 15 THEN 1e19 WHEN 16 THEN 3e38 WHEN 17 THEN 1e-44 WHEN 18 THEN 1e10 ELSE 1 END) END
  FROM generate_series(1, 4000) i;
CREATE FUNCTION all_orders() RETURNS TABLE (op text, scale float8, result text) LANGUAGE plpgsql AS $$
BEGIN
  FOREACH op IN ARRAY '{<->,<#>,<=>,<+>}'::text[] LOOP
    FOREACH scale IN ARRAY '{0,1,-1,1e-30,1e30,1e15,1e-15,3e38,1e-44}'::float8[] LOOP
      result := whole('mixed', op, scaled(vec(77, 20), scale));
      RETURN NEXT;
    END LOOP;
  END LOOP;
END $$;
CREATE INDEX mixed_l2 ON mixed USING longbow (v vector_l2_ops) WITH (leaf_size = 32);
CREATE INDEX mixed_ip ON mixed USING longbow (v vector_ip_ops) WITH (leaf_size = 32);
CREATE INDEX mixed_cosine ON mixed USING longbow (v vector_cosine_ops) WITH (leaf_size = 32);
CREATE INDEX mixed_l1 ON mixed USING longbow (v vector_l1_ops) WITH (leaf_size = 32);
SELECT result, count(*) FROM all_orders() GROUP BY 1;
SELECT longbow_check('mixed_l2'), longbow_check('mixed_ip'), longbow_check('mixed_cosine'), longbow_check('mixed_l1');
-- The same rows put in later.
CREATE TABLE later (LIKE mixed);
CREATE INDEX later_l2 ON later USING longbow (v vector_l2_ops) WITH (leaf_size = 32);
CREATE INDEX later_ip ON later USING longbow (v vector_ip_ops) WITH (leaf_size = 32);
CREATE INDEX later_cosine ON later USING longbow (v vector_cosine_ops) WITH (leaf_size = 32);
CREATE INDEX later_l1 ON later USING longbow (v vector_l1_ops) WITH (leaf_size = 32);
INSERT INTO later SELECT * FROM mixed;
DROP TABLE mixed;
ALTER TABLE later RENAME TO mixed;
SELECT result, count(*) FROM all_orders() GROUP BY 1;
SELECT longbow_check('later_l2'), longbow_check('later_ip'), longbow_check('later_cosine'), longbow_check('later_l1');
DROP TABLE mixed;

-- A large common offset: differences are at the edge of what floats hold.
CREATE TABLE offsets (id int, v vector(16));
INSERT INTO offsets SELECT i, (SELECT array_agg(x + 16384)::vector FROM unnest(vec(i, 16)::real[]) x) FROM generate_series(1, 2000) i;
CREATE INDEX offsets_l2 ON offsets USING longbow (v vector_l2_ops);
CREATE INDEX offsets_ip ON offsets USING longbow (v vector_ip_ops);
CREATE INDEX offsets_cosine ON offsets USING longbow (v vector_cosine_ops);
CREATE INDEX offsets_l1 ON offsets USING longbow (v vector_l1_ops);
SELECT op, whole('offsets', op, (SELECT v FROM offsets WHERE id = 5)) FROM unnest('{<->,<#>,<=>,<+>}'::text[]) op;
DROP TABLE offsets;

-- longbow.strict_order: distances never decrease; while it is off every row comes exactly once.
CREATE TABLE many (id int, v vector(8));
INSERT INTO many SELECT i, vec(i, 8) FROM generate_series(1, 6000) i;
CREATE INDEX many_idx ON many USING longbow (v) WITH (leaf_size = 16, bits = 1);
CREATE FUNCTION steps(n int) RETURNS TABLE (rows bigint, ids bigint, decreases bigint) LANGUAGE sql AS $$
  SELECT count(*), count(DISTINCT id), count(*) FILTER (WHERE d < before)
  FROM (SELECT id, d, lag(d) OVER (ORDER BY at) AS before
        FROM (SELECT id, d, row_number() OVER () AS at
              FROM (SELECT id, v <-> vec(99999, 8) AS d FROM many ORDER BY v <-> vec(99999, 8) LIMIT n) i) o) s $$;
SET enable_seqscan = off;
SET longbow.probes = 1;
SET longbow.strict_order = off;
SELECT n, rows, ids FROM unnest('{1,10,100,1000,7000}'::int[]) n, steps(n) ORDER BY n;
SET longbow.strict_order = on;
SELECT n, rows > 0 AS some, rows = ids AS once, decreases FROM unnest('{1,10,100,1000,7000}'::int[]) n, steps(n) ORDER BY n;
RESET longbow.probes;
SELECT n, rows > 0 AS some, rows = ids AS once, decreases FROM unnest('{1,10,100,1000,7000}'::int[]) n, steps(n) ORDER BY n;
RESET longbow.strict_order;
RESET enable_seqscan;

DROP SCHEMA am_order CASCADE;
