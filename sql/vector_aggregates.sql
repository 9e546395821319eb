-- Aggregates avg(vector) and sum(vector), alone and in parallel, and the functions they are made of.
SELECT avg(v), sum(v) FROM unnest(ARRAY['[1,2,3]'::vector, '[3,5,7]']) v;
SELECT avg(v), sum(v) FROM unnest(ARRAY['[1,2,3]'::vector, '[3,5,7]', NULL]) v;
SELECT avg(v), sum(v) FROM unnest(ARRAY[]::vector[]) v;
SELECT avg(v), sum(v) FROM unnest(ARRAY[NULL]::vector[]) v;
SELECT avg(v) AS no_overflow FROM unnest(ARRAY['[3e38]'::vector, '[3e38]']) v;
SELECT sum(v) FROM unnest(ARRAY['[3e38]'::vector, '[3e38]']) v;
SELECT avg(v) FROM unnest(ARRAY['[1,2]'::vector, '[3]']) v;
SELECT sum(v) FROM unnest(ARRAY['[1,2]'::vector, '[3]']) v;

-- a state changed in place belongs to one group, or to one frame, alone
SELECT g, avg(v), sum(v), count(*) FROM (SELECT i % 3 AS g, ARRAY[i, -i]::vector AS v FROM generate_series(1, 30) i) s GROUP BY g ORDER BY g;
SELECT i, avg(v) OVER w, sum(v) OVER w FROM (SELECT i, ARRAY[i, i * i]::vector AS v FROM generate_series(1, 5) i) s
  WINDOW w AS (ORDER BY i ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) ORDER BY i;
SELECT i, avg(v) OVER (ORDER BY i) FROM (SELECT i, ARRAY[i]::vector AS v FROM generate_series(1, 4) i) s ORDER BY i;
SELECT avg(DISTINCT v), avg(v), avg(v) FILTER (WHERE v > '[1]') FROM unnest(ARRAY['[1]'::vector, '[1]', '[4]']) v;

-- in parallel, with 2 and with 1024 dimensions; sums of small integers, which are exact in any order
CREATE TABLE va AS SELECT i, i % 4 AS g, ARRAY[i % 100, 1]::vector AS v FROM generate_series(1, 20000) i;
CREATE TABLE vl AS SELECT i, array_fill(i, ARRAY[1024])::vector AS v FROM generate_series(1, 200) i;
ANALYZE va, vl;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;
EXPLAIN (COSTS OFF) SELECT avg(v), sum(v) FROM va;
SELECT avg(v), sum(v) FROM va;
SELECT g, avg(v), sum(v) FROM va GROUP BY g ORDER BY g;
SELECT avg(v), sum(v) FROM va WHERE i < 0;
SELECT subvector(avg(v), 1023, 2), subvector(sum(v), 1, 2), vector_dims(avg(v)) FROM vl;
SET max_parallel_workers_per_gather = 0;
SELECT avg(v), sum(v) FROM va;
RESET ALL;
DROP TABLE va, vl;

-- the functions themselves
SELECT vector_accum('{0}', '[1,2,3]'), vector_accum('{0,0,0,0}', '[1,2,3]'), vector_accum('{2,4,6,8}', '[1,2,3]');
SELECT vector_combine('{1,2}', '{3,4}'), vector_combine('{0}', '{3,4}'), vector_combine('{3,4}', '{0}'), vector_combine('{0}', '{0}');
SELECT vector_avg('{2,1,3}'), vector_avg('{0}') AS none, vector_avg('{0,0}') AS none;
SELECT vector_accum('{}', '[1,2,3]');
SELECT vector_accum('{0,0}', '[1,2,3]');
SELECT vector_accum('{1,Infinity}', '[1]');
SELECT vector_accum('{NULL}', '[1]');
SELECT vector_combine('{{1,2}}', '{3,4}');
SELECT vector_combine('{1,2}', '{{3,4}}');
SELECT vector_combine('{}', '{0}');
SELECT vector_combine('{0}', '{}');
SELECT vector_combine('{1,2}', '{1,2,3}');
SELECT vector_combine('{1,1.7e308}', '{1,1.7e308}');
SELECT vector_combine('{0}', (SELECT array_agg(n) FROM generate_series(1, 16002) n));
SELECT vector_combine((SELECT array_agg(n) FROM generate_series(1, 16002) n), '{0}');
SELECT vector_avg('{1}');
SELECT vector_avg('{1,NaN}');
SELECT vector_avg('{1,2,1e39}');
SELECT vector_avg('{}');
SELECT vector_avg(array_agg(n)) FROM generate_series(1, 16002) n;
SELECT vector_dims(vector_avg(array_agg(n))) FROM generate_series(1, 16001) n;

-- SQLSTATEs
\set VERBOSITY sqlstate
SELECT avg(v) FROM unnest(ARRAY['[1,2]'::vector, '[3]']) v;
SELECT sum(v) FROM unnest(ARRAY['[1,2]'::vector, '[3]']) v;
SELECT sum(v) FROM unnest(ARRAY['[3e38]'::vector, '[3e38]']) v;
SELECT vector_accum('{}', '[1]');
SELECT vector_avg(array_agg(n)) FROM generate_series(1, 16002) n;
SELECT vector_avg('{1,NaN}');
\set VERBOSITY default
