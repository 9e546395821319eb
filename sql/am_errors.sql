-- Errors: wrong dimensions, what indexes cannot be, functions on the wrong objects, permissions.
SET client_min_messages = warning;
CREATE SCHEMA am_errors;
SET search_path = am_errors, public;
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir /sql/am_helpers.inc
\set ECHO none
\i :helpers
\set ECHO all

-- A column without a dimension: the first row fixes it for the index.
CREATE TABLE t (id int, v vector);
CREATE INDEX t_v ON t USING longbow (v);
INSERT INTO t VALUES (1, NULL);
INSERT INTO t VALUES (2, '[1,2,3]');
INSERT INTO t VALUES (3, '[1,2]');
INSERT INTO t SELECT i, CASE WHEN i < 100 THEN '[1,2,3]' ELSE '[1,2,3,4]' END::vector FROM generate_series(3, 150) i;
UPDATE t SET v = '[1]' WHERE id = 2;
UPDATE t SET v = '[1]' WHERE id = 1;
SELECT longbow_check('t_v'), (SELECT count(*) FROM t) AS rows;
-- Rows of several dimensions cannot be built over, but by an expression or in parts.
DROP INDEX t_v;
INSERT INTO t VALUES (3, '[1,2]');
CREATE INDEX t_v ON t USING longbow (v);
CREATE INDEX t_v ON t USING longbow ((v::vector(3)));
CREATE INDEX t_v ON t USING longbow (v) WHERE vector_dims(v) = 3;
SELECT longbow_check('t_v');
-- A query of another dimension: the operator's error, with the index and without.
SET enable_seqscan = off;
SELECT id FROM t WHERE vector_dims(v) = 3 ORDER BY v <-> '[1,2]' LIMIT 1;
SET enable_indexscan = off;
SELECT id FROM t WHERE vector_dims(v) = 3 ORDER BY v <-> '[1,2]' LIMIT 1;
RESET enable_indexscan;
CREATE TABLE fixed (id int, v vector(3));
CREATE INDEX fixed_v ON fixed USING longbow (v);
SELECT id FROM fixed ORDER BY v <-> '[1,2]' LIMIT 1;
INSERT INTO fixed VALUES (1, '[1,2,3]');
SELECT id FROM fixed ORDER BY v <-> '[1,2]' LIMIT 1;
INSERT INTO fixed VALUES (1, '[1,2]');
-- An index without a row has no dimension to compare with.
CREATE TABLE open (id int, v vector);
CREATE INDEX open_v ON open USING longbow (v);
SELECT id FROM open ORDER BY v <-> '[1,2]' LIMIT 1;
RESET enable_seqscan;
-- A failed statement leaves the session and the index as they were.
INSERT INTO fixed SELECT i, CASE WHEN i < 150 THEN '[1,2,3]' ELSE NULL END::vector FROM generate_series(2, 149) i;
INSERT INTO fixed SELECT i, ('[1,2,' || 10 / (i - 250) || ']')::vector FROM generate_series(150, 300) i;
SELECT longbow_check('fixed_v'), (SELECT count(*) FROM fixed) AS rows;

-- What an index of ours cannot be.
CREATE UNIQUE INDEX ON fixed USING longbow (v);
CREATE INDEX ON fixed USING longbow (v, v);
CREATE INDEX ON fixed USING longbow (v) INCLUDE (id);
CREATE INDEX ON fixed USING longbow (v DESC);
CREATE INDEX ON fixed USING longbow (v NULLS FIRST);
CREATE INDEX ON fixed USING longbow (id);
CREATE INDEX ON fixed USING longbow (v int4_ops);
CREATE INDEX ON fixed USING btree (v vector_cosine_ops);
\set VERBOSITY sqlstate
ALTER TABLE fixed ADD EXCLUDE USING longbow (v WITH =);
\set VERBOSITY default
ALTER TABLE fixed ADD PRIMARY KEY USING INDEX fixed_v;
CREATE INDEX ON fixed USING longbow ((v::vector(4)));
CREATE INDEX ON fixed USING longbow ((v <-> '[1,2,3]'));

-- longbow_check and longbow_index_facts on other objects.
CREATE INDEX fixed_id ON fixed (id);
CREATE VIEW seen AS SELECT * FROM fixed;
SELECT longbow_check('fixed');
SELECT longbow_check('fixed_id');
SELECT longbow_check('seen');
SELECT longbow_check('pg_class');
SELECT longbow_check('nothing');
SELECT longbow_check(0);
SELECT longbow_check(NULL);
SELECT longbow_index_facts('fixed');
SELECT longbow_index_facts('fixed_id');
SELECT longbow_index_facts(0) IS NULL;

-- Permissions: the owner and superusers check; anyone may query what he may read.
CREATE ROLE longbow_am_owner;
CREATE ROLE longbow_am_other;
GRANT USAGE, CREATE ON SCHEMA am_errors TO longbow_am_owner, longbow_am_other;
ALTER TABLE fixed OWNER TO longbow_am_owner;
SET ROLE longbow_am_other;
SELECT longbow_check('fixed_v');
SELECT id FROM fixed ORDER BY v <-> '[1,2,3]' LIMIT 1;
CREATE INDEX ON fixed USING longbow (v);
RESET ROLE;
GRANT SELECT ON fixed TO longbow_am_other;
SET ROLE longbow_am_other;
SELECT longbow_check('fixed_v');
SELECT count(*) FROM (SELECT id FROM fixed ORDER BY v <-> '[1,2,3]' LIMIT 1) s;
SET ROLE longbow_am_owner;
SELECT longbow_check('fixed_v') > 0 AS checked;
SET longbow.probes = 5;
RESET longbow.probes;
RESET ROLE;
SELECT longbow_check('fixed_v') > 0 AS checked;
-- An index expression runs as the table's owner, whoever checks.
CREATE TABLE trap (id int, v real[]);
ALTER TABLE trap OWNER TO longbow_am_owner;
SET ROLE longbow_am_owner;
CREATE FUNCTION spy(a real[]) RETURNS vector(3) LANGUAGE plpgsql IMMUTABLE SET search_path = public AS
$$ BEGIN IF current_user <> 'longbow_am_owner' THEN RAISE EXCEPTION 'runs as %', current_user; END IF; RETURN a::vector(3); END $$;
CREATE INDEX trap_v ON trap USING longbow ((spy(v)::vector(3)));
INSERT INTO trap SELECT i, ARRAY[i, 1, 2] FROM generate_series(1, 200) i;
RESET ROLE;
SELECT longbow_check('trap_v');
REINDEX INDEX trap_v;
VACUUM FULL trap;
SELECT longbow_check('trap_v');
DROP TABLE trap;
DROP FUNCTION spy;
-- An expression that fails now and then.
CREATE FUNCTION moody(i int) RETURNS vector LANGUAGE plpgsql IMMUTABLE SET search_path = public AS
$$ BEGIN IF i = 77 THEN RAISE EXCEPTION 'not this one'; END IF; RETURN array_fill(i, ARRAY[3])::vector; END $$;
CREATE TABLE moods (id int);
INSERT INTO moods SELECT generate_series(1, 100);
CREATE INDEX moods_v ON moods USING longbow ((moody(id)::vector(3)));
DELETE FROM moods WHERE id = 77;
CREATE INDEX moods_v ON moods USING longbow ((moody(id)::vector(3)));
INSERT INTO moods SELECT generate_series(50, 200);
SELECT longbow_check('moods_v');

REVOKE ALL ON SCHEMA am_errors FROM longbow_am_owner, longbow_am_other;
DROP SCHEMA am_errors CASCADE;
DROP ROLE longbow_am_owner, longbow_am_other;
