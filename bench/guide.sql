-- Figures of docs/performance.md that no other benchmark takes: batch sizes, instruction sets, what a search reads, retrieval.
-- On the words that scripts/quickstart loads: psql -h SOCKET -U longbow -d words -f bench/guide.sql, half a minute. Nothing stays.
-- Medians of five rounds that take turns, with the lowest and highest; look at ratios.
\set QUIET 1
\set ON_ERROR_STOP 1
SET client_min_messages = warning;
BEGIN;
CREATE TEMP TABLE taken (what text, setting text, value numeric);
CREATE FUNCTION pg_temp.shown(text) RETURNS TABLE (setting text, median numeric, lowest numeric, highest numeric) LANGUAGE sql AS $$
  SELECT setting, round(percentile_cont(0.5) WITHIN GROUP (ORDER BY value)::numeric, 1), round(min(value), 1), round(max(value), 1)
  FROM taken WHERE what = $1 GROUP BY setting ORDER BY 2 $$;

-- INSERT ... SELECT of 10,000 rows: time, and PostgreSQL's WAL beyond that of a table without index.
DO $$
DECLARE size text; bare numeric; from_lsn pg_lsn; from_time timestamptz;
BEGIN
  FOR round IN 1..5 LOOP
    FOREACH size IN ARRAY ARRAY['1', '10', '50', '100', '1000', '10000'] LOOP
      PERFORM set_config('longbow.wal_batch_size', size, true);
      CREATE TABLE guide_bare (embedding vector(100));
      from_lsn := pg_current_wal_insert_lsn();
      INSERT INTO guide_bare SELECT embedding FROM words LIMIT 10000;
      bare := pg_current_wal_insert_lsn() - from_lsn;
      CREATE TABLE guide_indexed (embedding vector(100));
      CREATE INDEX ON guide_indexed USING longbow (embedding);
      from_lsn := pg_current_wal_insert_lsn();
      from_time := clock_timestamp();
      INSERT INTO guide_indexed SELECT embedding FROM words LIMIT 10000;
      INSERT INTO taken VALUES ('batch ms', size, extract(epoch FROM clock_timestamp() - from_time) * 1000),
                               ('batch WAL', size, (pg_current_wal_insert_lsn() - from_lsn - bare) / 10000);
      DROP TABLE guide_bare, guide_indexed;
    END LOOP;
  END LOOP;
END $$;
\echo 'longbow.wal_batch_size: ms for 10,000 rows in one statement'
SELECT * FROM pg_temp.shown('batch ms');
\echo 'longbow.wal_batch_size: bytes of WAL a row, of the index alone'
SELECT * FROM pg_temp.shown('batch WAL');

-- 300 searches for the ten nearest; blocks that they read are those of the last one.
DO $$
DECLARE tier text; word record; from_time timestamptz;
BEGIN
  FOR round IN 1..5 LOOP
    FOREACH tier IN ARRAY ARRAY['avx512', 'avx2', 'sse4.2', 'scalar'] LOOP
      PERFORM set_config('longbow.simd', tier, true);
      from_time := clock_timestamp();
      FOR word IN SELECT embedding FROM words LIMIT 300 LOOP
        PERFORM words.word FROM words ORDER BY words.embedding <=> word.embedding LIMIT 10;
      END LOOP;
      INSERT INTO taken VALUES ('search us', tier, extract(epoch FROM clock_timestamp() - from_time) * 1e6 / 300);
    END LOOP;
  END LOOP;
END $$;
\echo 'longbow.simd: us a search, within the server (a tier that the CPU lacks is lowered to one it has)'
SELECT * FROM pg_temp.shown('search us');
RESET longbow.simd;
\echo 'blocks and rows of one search'
SELECT embedding AS query FROM words WHERE word = 'river' \gset
EXPLAIN (ANALYZE, BUFFERS, COSTS OFF, TIMING OFF, SUMMARY OFF) SELECT word FROM words ORDER BY embedding <=> :'query' LIMIT 10;
SELECT leaves_probed, leaves, rows_scanned, rows_refined, rows_rechecked FROM longbow_last_scan();

-- Vectors out of the server, without a client.
DO $$
DECLARE from_time timestamptz; bytes bigint;
BEGIN
  SELECT 10 * sum(pg_column_size(embedding)) INTO bytes FROM words;
  FOR round IN 1..5 LOOP
    from_time := clock_timestamp();
    COPY (SELECT embedding FROM words, generate_series(1, 10)) TO '/dev/null' (FORMAT binary);
    INSERT INTO taken VALUES ('copy', 'Mb/s', bytes * 8 / 1e6 / extract(epoch FROM clock_timestamp() - from_time));
  END LOOP;
END $$;
\echo 'COPY ... TO (FORMAT binary), megabits of vectors a second'
SELECT * FROM pg_temp.shown('copy');
ROLLBACK;
