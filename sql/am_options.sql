-- Storage options of an index: defaults, limits, errors.
SET client_min_messages = warning;
CREATE SCHEMA am_options;
SET search_path = am_options, public;
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir /sql/am_helpers.inc
\set ECHO none
\i :helpers
\set ECHO all

CREATE TABLE t (id int, v vector(3));
-- Sizes that tests name; what is chosen by default is a matter of measurement.
CREATE FUNCTION named(size int) RETURNS text LANGUAGE sql AS $$ SELECT CASE WHEN size IN (0, 17, 33, 99, 1024) THEN size::text WHEN size BETWEEN 16 AND 1024 THEN 'chosen' END $$;
CREATE VIEW shape AS SELECT index, bits, named(leaf_size) AS leaf_size FROM longbow_stat_index WHERE "table" = 't' ORDER BY index;
-- Defaults go by the dimensions.
CREATE INDEX t_default ON t USING longbow (v);
CREATE INDEX t_200 ON t USING longbow ((v::real[]::vector(200)));
CREATE INDEX t_500 ON t USING longbow ((v::real[]::vector(500)));
CREATE INDEX t_5000 ON t USING longbow ((v::real[]::vector(5000)));
SELECT * FROM shape;
DROP INDEX t_200, t_500, t_5000;
-- What is named holds; 0 is automatic.
CREATE INDEX t_1 ON t USING longbow (v) WITH (bits = 1, leaf_size = 17);
CREATE INDEX t_2 ON t USING longbow (v) WITH (bits = 2, leaf_size = 1024);
CREATE INDEX t_4 ON t USING longbow (v) WITH (bits = 4, leaf_size = 99);
CREATE INDEX t_0 ON t USING longbow (v) WITH (bits = 0, leaf_size = 0);
SELECT * FROM shape;
SELECT relname, reloptions FROM pg_class WHERE relname ~ '^t_' AND relkind = 'i' AND relnamespace = 'am_options'::regnamespace ORDER BY 1;
-- Without dimensions they are kept for the first row.
CREATE TABLE u (v vector);
CREATE INDEX u_idx ON u USING longbow (v) WITH (bits = 2);
SELECT dims, bits, named(leaf_size) FROM longbow_stat_index WHERE index = 'u_idx';
INSERT INTO u VALUES ('[1,2,3]');
SELECT dims, bits, named(leaf_size) FROM longbow_stat_index WHERE index = 'u_idx';
DROP TABLE u;
-- Errors.
CREATE INDEX ON t USING longbow (v) WITH (bits = 3);
CREATE INDEX ON t USING longbow (v) WITH (bits = 5);
CREATE INDEX ON t USING longbow (v) WITH (bits = -1);
CREATE INDEX ON t USING longbow (v) WITH (bits = many);
CREATE INDEX ON t USING longbow (v) WITH (leaf_size = 15);
CREATE INDEX ON t USING longbow (v) WITH (leaf_size = 1025);
CREATE INDEX ON t USING longbow (v) WITH (leaf_size = -1);
CREATE INDEX ON t USING longbow (v) WITH (lists = 100);
CREATE INDEX ON t USING longbow (v) WITH (fillfactor = 50);
ALTER INDEX t_1 SET (bits = 3);
ALTER INDEX t_1 SET (nothing = 1);
-- A change is for the next build; what is there goes on as it is.
ALTER INDEX t_1 SET (bits = 4, leaf_size = 33);
INSERT INTO t SELECT i, vec(i, 3) FROM generate_series(1, 200) i;
SELECT * FROM shape WHERE index = 't_1';
SELECT longbow_check('t_1');
REINDEX INDEX t_1;
SELECT * FROM shape WHERE index = 't_1';
ALTER INDEX t_1 RESET (bits, leaf_size);
REINDEX INDEX t_1;
SELECT * FROM shape WHERE index = 't_1';
SELECT longbow_check('t_1');

-- Settings of a session: names, defaults, limits.
SELECT name, setting, boot_val, min_val, max_val, context FROM pg_settings
WHERE name IN ('longbow.target_recall', 'longbow.probes', 'longbow.max_scan_tuples', 'longbow.strict_order') ORDER BY name;
SET longbow.target_recall = 1.1;
SET longbow.target_recall = 0.4;
SET longbow.probes = -1;
SET longbow.max_scan_tuples = -1;
SET longbow.nothing = 1;

DROP SCHEMA am_options CASCADE;
