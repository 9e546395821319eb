-- Recall on 20,000 real word vectors, against a sequential scan. Builds are random: floors leave room for that.
SET client_min_messages = warning;
CREATE SCHEMA am_recall;
SET search_path = am_recall, public;
\getenv abs_srcdir PG_ABS_SRCDIR
\set helpers :abs_srcdir /sql/am_helpers.inc
\set ECHO none
\i :helpers
\set ECHO all

CREATE TABLE all_words (id serial, word text, v vector(100));
\set load 'gzip -dc ' :abs_srcdir '/data/words.csv.gz'
COPY all_words (word, v) FROM PROGRAM :'load' WITH (FORMAT csv, HEADER);
CREATE TABLE words AS SELECT * FROM all_words WHERE id % 100 > 0;
CREATE TABLE queries AS SELECT * FROM all_words WHERE id % 100 = 0;
SELECT (SELECT count(*) FROM words) AS words, (SELECT count(*) FROM queries) AS queries;

-- The default, 95 %, for every metric.
CREATE INDEX words_l2 ON words USING longbow (v vector_l2_ops);
CREATE INDEX words_ip ON words USING longbow (v vector_ip_ops);
CREATE INDEX words_cosine ON words USING longbow (v vector_cosine_ops);
CREATE INDEX words_l1 ON words USING longbow (v vector_l1_ops);
SELECT index, calibration_queries > 0 AS calibrated, calibrated_rows, planned_probes BETWEEN 1 AND leaves AS probes
FROM longbow_stat_index WHERE "table" = 'words' ORDER BY index;
SELECT op, r >= 0.93 AS ok, CASE WHEN r < 0.93 THEN r END AS low
FROM unnest('{<->,<#>,<=>,<+>}'::text[]) op, recall('words', op, 'queries', 10) r;
-- One row, and a hundred.
SELECT k, r >= 0.93 AS ok, CASE WHEN r < 0.93 THEN r END AS low
FROM unnest('{1,100}'::int[]) k, recall('words', '<=>', 'queries', k) r;
-- Other targets: each is met, and less effort finds less.
SET longbow.target_recall = 0.99;
SELECT r >= 0.98 AS ok, CASE WHEN r < 0.98 THEN r END AS low FROM recall('words', '<=>', 'queries', 10) r;
SET longbow.target_recall = 0.8;
SELECT r >= 0.75 AS ok, CASE WHEN r < 0.75 THEN r END AS low FROM recall('words', '<=>', 'queries', 10) r;
RESET longbow.target_recall;
SET longbow.probes = 1;
SELECT recall('words', '<=>', 'queries', 10) < 0.9 AS little;
SET longbow.probes = 100000;
SELECT r >= 0.99 AS ok, CASE WHEN r < 0.99 THEN r END AS low FROM recall('words', '<=>', 'queries', 10) r;
RESET longbow.probes;
-- A filter that keeps one row of fifty: more of the index is read until LIMIT is filled.
SELECT r >= 0.93 AS ok, CASE WHEN r < 0.93 THEN r END AS low FROM recall('words', '<=>', 'queries', 10, 'id % 50 = 7') r;
-- Strict order returns less, but nothing else.
SET longbow.strict_order = on;
SELECT r >= 0.93 AS ok, CASE WHEN r < 0.93 THEN r END AS low FROM recall('words', '<=>', 'queries', 10) r;
RESET longbow.strict_order;
DROP INDEX words_l2, words_ip, words_cosine, words_l1;

-- Narrower codes, and other sizes of leaves.
CREATE INDEX words_v ON words USING longbow (v vector_cosine_ops) WITH (bits = 2);
SELECT r >= 0.92 AS ok, CASE WHEN r < 0.92 THEN r END AS low FROM recall('words', '<=>', 'queries', 10) r;
DROP INDEX words_v;
CREATE INDEX words_v ON words USING longbow (v vector_cosine_ops) WITH (leaf_size = 32);
SELECT r >= 0.93 AS ok, CASE WHEN r < 0.93 THEN r END AS low FROM recall('words', '<=>', 'queries', 10) r;
DROP INDEX words_v;

-- Rows put in after the build: a tenth, doubled, and all of them into an empty index.
CREATE TABLE grown (LIKE words);
INSERT INTO grown SELECT * FROM words WHERE id % 10 > 0;
CREATE INDEX grown_v ON grown USING longbow (v vector_cosine_ops);
INSERT INTO grown SELECT * FROM words WHERE id % 10 = 0;
SELECT r >= 0.93 AS ok, CASE WHEN r < 0.93 THEN r END AS low FROM recall('grown', '<=>', 'queries', 10) r;
TRUNCATE grown;
INSERT INTO grown SELECT * FROM words WHERE id % 2 = 0;
REINDEX INDEX grown_v;
INSERT INTO grown SELECT * FROM words WHERE id % 2 = 1;
SELECT r >= 0.9 AS ok, CASE WHEN r < 0.9 THEN r END AS low FROM recall('grown', '<=>', 'queries', 10) r;
TRUNCATE grown;
INSERT INTO grown SELECT * FROM words;
SELECT longbow_check('grown_v');
SELECT r >= 0.9 AS ok, CASE WHEN r < 0.9 THEN r END AS low FROM recall('grown', '<=>', 'queries', 10) r;
-- At the same number of leaves it finds nearly what a fresh one does, though all rows came at once.
SELECT longbow_merge('grown_v') >= 0 AS merged;
CREATE INDEX words_v ON words USING longbow (v vector_cosine_ops);
SET longbow.probes = 5;
SELECT grown > built - 0.06 AS ok, CASE WHEN grown <= built - 0.06 THEN built END AS built, CASE WHEN grown <= built - 0.06 THEN grown END AS grown
FROM recall('words', '<=>', 'queries', 10) built, recall('grown', '<=>', 'queries', 10) grown;
RESET longbow.probes;
-- Half of them gone again.
DELETE FROM grown WHERE id % 2 = 0;
VACUUM grown;
SELECT longbow_check('grown_v');
SELECT r >= 0.9 AS ok, CASE WHEN r < 0.9 THEN r END AS low FROM recall('grown', '<=>', 'queries', 10) r;

DROP SCHEMA am_recall CASCADE;
