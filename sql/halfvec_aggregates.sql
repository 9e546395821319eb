-- Aggregates avg(halfvec) and sum(halfvec), alone and in parallel, and the functions they are made of.
SELECT avg(v), sum(v) FROM unnest(ARRAY['[1,2,3]'::halfvec, '[3,5,7]']) v;
SELECT avg(v), sum(v) FROM unnest(ARRAY['[1,2,3]'::halfvec, '[3,5,7]', NULL]) v;
SELECT avg(v), sum(v) FROM unnest(ARRAY[]::halfvec[]) v;
SELECT avg(v) AS no_overflow FROM unnest(ARRAY['[65504]'::halfvec, '[65504]']) v;
SELECT sum(v) FROM unnest(ARRAY['[65504]'::halfvec, '[65504]']) v;
SELECT avg(v) FROM unnest(ARRAY['[1,2]'::halfvec, '[3]']) v;
SELECT sum(v) FROM unnest(ARRAY['[1,2]'::halfvec, '[3]']) v;
SELECT g, avg(v), sum(v), count(*) FROM (SELECT i % 3 AS g, ARRAY[i, -i]::halfvec AS v FROM generate_series(1, 30) i) s GROUP BY g ORDER BY g;
SELECT i, avg(v) OVER w, sum(v) OVER w FROM (SELECT i, ARRAY[i, i * i]::halfvec AS v FROM generate_series(1, 5) i) s
  WINDOW w AS (ORDER BY i ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) ORDER BY i;

-- in parallel, with 2 and with 600 dimensions
CREATE TABLE ha AS SELECT i, i % 4 AS g, ARRAY[i % 100, 1]::halfvec AS v FROM generate_series(1, 20000) i;
CREATE TABLE hl AS SELECT i, array_agg(i % 2 + j)::halfvec AS v FROM generate_series(1, 20) i, generate_series(1, 600) j GROUP BY i;
ANALYZE ha, hl;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
EXPLAIN (COSTS OFF) SELECT avg(v) FROM ha;
SELECT avg(v) FROM ha;
SELECT g, avg(v) FROM ha GROUP BY g ORDER BY g;
SELECT subvector(avg(v), 255, 4), subvector(avg(v), 599, 2), subvector(sum(v), 599, 2), vector_dims(avg(v)) FROM hl;
SET max_parallel_workers_per_gather = 0;
SELECT avg(v) FROM ha;
RESET ALL;
DROP TABLE ha, hl;

-- the functions themselves
SELECT halfvec_accum('{0}', '[1,2,3]'), halfvec_accum('{2,4,6,8}', '[1,2,3]'), halfvec_combine('{1,2}', '{3,4}'), halfvec_avg('{2,1,3}'), halfvec_avg('{0}') AS none;
SELECT halfvec_accum('{}', '[1,2,3]');
SELECT halfvec_accum('{0,0}', '[1,2,3]');
SELECT halfvec_combine('{1,2}', '{1,2,3}');
SELECT halfvec_avg('{1}');
SELECT halfvec_avg('{1,NaN}');
SELECT halfvec_avg('{1,2,65520}');
SELECT halfvec_avg('{1,2,1e39}');
SELECT halfvec_avg(array_agg(n % 100)) FROM generate_series(1, 16002) n;
