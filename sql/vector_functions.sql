-- Functions and operators of vector: distances, properties, parts, arithmetic, comparison.

-- Euclidean distance
SELECT l2_distance('[0,0]'::vector, '[3,4]'), l2_distance('[0,0]'::vector, '[0,1]'), '[0,0]'::vector <-> '[3,4]' AS operator;
SELECT l2_distance('[1,1,1,1,1,1,1,1,1]'::vector, '[1,1,1,1,1,1,1,4,5]');
SELECT l2_distance('[3e38]'::vector, '[-3e38]') AS overflow;
SELECT l2_distance('[1,2]'::vector, '[3]');
SELECT '[1,2]'::vector <-> '[3]';
SELECT vector_l2_squared_distance('[0,0]', '[3,4]'), vector_l2_squared_distance('[3e38]', '[-3e38]') AS overflow;
SELECT vector_l2_squared_distance('[1,2]', '[3]');

-- inner product
SELECT inner_product('[1,2]'::vector, '[3,4]'), '[1,2]'::vector <#> '[3,4]' AS operator;
SELECT inner_product('[1,1,1,1,1,1,1,1,1]'::vector, '[1,2,3,4,5,6,7,8,9]');
SELECT inner_product('[3e38]'::vector, '[3e38]') AS overflow;
SELECT inner_product('[1,2]'::vector, '[3]');
SELECT vector_negative_inner_product('[1,2]', '[3,4]'), vector_negative_inner_product('[3e38]', '[3e38]') AS overflow;
SELECT '[1,2]'::vector <#> '[3]';

-- cosine distance
SELECT cosine_distance('[1,2]'::vector, '[2,4]') AS same, cosine_distance('[1,0]'::vector, '[0,2]') AS square,
  cosine_distance('[1,1]'::vector, '[-1,-1]') AS opposite, '[1,2]'::vector <=> '[2,4]' AS operator;
SELECT cosine_distance('[1,1]'::vector, '[1.1,1.1]') AS same, cosine_distance('[1,1]'::vector, '[-1.1,-1.1]') AS opposite;
SELECT cosine_distance('[1,2,3,4,5,6,7,8,9]'::vector, '[1,2,3,4,5,6,7,8,9]') AS same,
  cosine_distance('[1,2,3,4,5,6,7,8,9]'::vector, '[-1,-2,-3,-4,-5,-6,-7,-8,-9]') AS opposite;
SELECT cosine_distance('[1,2]'::vector, '[0,0]') AS zero, cosine_distance('[3e38]'::vector, '[3e38]') AS overflow;
SELECT cosine_distance('[1,2]'::vector, '[3]');

-- taxicab distance
SELECT l1_distance('[0,0]'::vector, '[3,4]'), l1_distance('[0,0]'::vector, '[0,-1]'), '[0,0]'::vector <+> '[3,4]' AS operator;
SELECT l1_distance('[1,2,3,4,5,6,7,8,9]'::vector, '[0,3,2,5,4,7,6,9,8]');
SELECT l1_distance('[3e38]'::vector, '[-3e38]') AS overflow;
SELECT l1_distance('[1,2]'::vector, '[3]');

-- angle between unit vectors
SELECT vector_spherical_distance('[1,0]', '[1,0]') AS same, vector_spherical_distance('[1,0]', '[0,1]') AS square,
  vector_spherical_distance('[1,0]', '[-1,0]') AS opposite, vector_spherical_distance('[2,0]', '[2,0]') AS clamped;
SELECT vector_spherical_distance('[1,2]', '[3]');

-- every length from 1 to 70, where kernels change from whole registers to tails; integers, so that sums are exact
WITH v AS (
  SELECT n, array_agg(i % 7)::vector a, array_agg(i % 5)::vector b,
    sum((i % 7 - i % 5) ^ 2) l2, sum((i % 7) * (i % 5)) ip, sum(abs(i % 7 - i % 5)) l1,
    sum((i % 7) ^ 2) aa, sum((i % 5) ^ 2) bb
  FROM generate_series(1, 70) n, generate_series(1, n) i GROUP BY n)
SELECT count(*) AS lengths, count(*) FILTER (WHERE vector_l2_squared_distance(a, b) <> l2) AS l2_differ,
  count(*) FILTER (WHERE inner_product(a, b) <> ip) AS ip_differ, count(*) FILTER (WHERE l1_distance(a, b) <> l1) AS l1_differ,
  count(*) FILTER (WHERE abs(cosine_distance(a, b) - (1 - ip / sqrt(aa * bb))) > 1e-15) AS cosine_differ,
  count(*) FILTER (WHERE abs(vector_norm(a) - sqrt(aa)) > 1e-14) AS norm_differ
FROM v;

-- dimensions and norm
SELECT vector_dims('[1,2,3]'::vector), vector_norm('[3,4]'), vector_norm('[0,1]'), vector_norm('[2]'), vector_norm('[0,0]') AS zero;
SELECT round(vector_norm('[1,1]')::numeric, 5) AS root_2, vector_norm('[3e37,4e37]')::real AS large, vector_norm('[3e-45,4e-45]')::real AS small;

-- l2_normalize
SELECT l2_normalize('[3,4]'::vector), l2_normalize('[0,0.1]'::vector), l2_normalize('[0,0]'::vector) AS zero,
  l2_normalize('[3e38]'::vector) AS large, l2_normalize('[-1e-45]'::vector) AS small;

-- binary_quantize
SELECT binary_quantize('[1,0,-1]'::vector), binary_quantize('[0,0.1,-0.2,-0.3,0.4,0.5,0.6,-0.7,0.8,-0.9,1]'::vector);
SELECT binary_quantize('[1,2,3,-4,5,6,-7,8,1,-2,-3,4,5,-6,7,8,-1,2,3]'::vector);
SELECT length(binary_quantize(array_fill(1, ARRAY[16000])::vector)), pg_typeof(binary_quantize('[1]'::vector));

-- subvector
SELECT subvector('[1,2,3,4,5]'::vector, 1, 3) AS a, subvector('[1,2,3,4,5]'::vector, 3, 2) AS b,
  subvector('[1,2,3,4,5]'::vector, -1, 3) AS c, subvector('[1,2,3,4,5]'::vector, 3, 9) AS d, subvector('[1,2,3,4,5]'::vector, 5, 1) AS e;
SELECT subvector('[1,2,3,4,5]'::vector, 3, 2147483647) AS a, subvector('[1,2,3,4,5]'::vector, -2147483644, 2147483647) AS b;
SELECT subvector('[1,2,3,4,5]'::vector, 1, 0);
SELECT subvector('[1,2,3,4,5]'::vector, 3, -1);
SELECT subvector('[1,2,3,4,5]'::vector, -1, 2);
SELECT subvector('[1,2,3,4,5]'::vector, 6, 1);
SELECT subvector('[1,2,3,4,5]'::vector, 2147483647, 10);
SELECT subvector('[1,2,3,4,5]'::vector, -2147483648, -2147483648);

-- arithmetic
SELECT '[1,2,3]'::vector + '[4,5,6]' AS sum, '[1,2,3]'::vector - '[4,5,6]' AS difference,
  '[1,2,3]'::vector * '[4,5,6]' AS product, '[1,2,3]'::vector || '[4,5]' AS concatenation;
SELECT vector_add('[1,2,3]', '[4,5,6]'), vector_sub('[1,2,3]', '[4,5,6]'), vector_mul('[1,2,3]', '[4,5,6]'), vector_concat('[1,2,3]', '[4,5]');
SELECT '[0,1e-30]'::vector * '[1e-30,0]' AS zero_is_no_underflow;
SELECT '[1,3e38]'::vector + '[1,3e38]';
SELECT '[-3e38]'::vector - '[3e38]';
SELECT '[1,1,1e37]'::vector * '[1,1,1e37]';
SELECT '[1e-37]'::vector * '[-1e-37]';
SELECT '[1,2]'::vector + '[3]';
SELECT '[1,2]'::vector - '[3]';
SELECT '[1,2]'::vector * '[3]';
SELECT array_fill(0, ARRAY[16000])::vector || '[1]';
SELECT vector_dims(array_fill(0, ARRAY[15999])::vector || '[1]');

-- comparison
SELECT b, '[1,2,3]' < b AS lt, '[1,2,3]' <= b AS le, '[1,2,3]' = b AS eq, '[1,2,3]' <> b AS ne, '[1,2,3]' >= b AS ge,
  '[1,2,3]' > b AS gt, vector_cmp('[1,2,3]', b) AS cmp
  FROM unnest('{"[1,2,3]","[1,2]","[1,2,3,0]","[0,0,0]","[1,2,4]","[2]","[1,2,-3]"}'::vector[]) b;
SELECT vector_lt('[1]', '[2]'), vector_le('[1]', '[2]'), vector_eq('[1]', '[2]'), vector_ne('[1]', '[2]'),
  vector_ge('[1]', '[2]'), vector_gt('[1]', '[2]'), vector_eq('[0]', '[-0]') AS zeros;

-- NULL in, NULL out
SELECT l2_distance(NULL::vector, '[1]') IS NULL AND NULL::vector + '[1]' IS NULL AND (NULL::vector = '[1]') IS NULL
  AND vector_dims(NULL::vector) IS NULL AS strict;

-- SQLSTATEs
\set VERBOSITY sqlstate
SELECT '[1,2]'::vector <-> '[3]';
SELECT '[1,2]'::vector <#> '[3]';
SELECT '[1,2]'::vector <=> '[3]';
SELECT '[1,2]'::vector <+> '[3]';
SELECT '[3e38]'::vector + '[3e38]';
SELECT '[1e-37]'::vector * '[1e-37]';
SELECT array_fill(0, ARRAY[16000])::vector || '[1]';
SELECT subvector('[1]'::vector, 1, 0);
\set VERBOSITY default

-- what the planner knows of the operators
SELECT o.oprname, c.oprname AS commutator, n.oprname AS negator, o.oprcanhash AS hashes, o.oprcanmerge AS merges, o.oprrest, o.oprjoin
  FROM pg_operator o LEFT JOIN pg_operator c ON c.oid = o.oprcom LEFT JOIN pg_operator n ON n.oid = o.oprnegate
  WHERE o.oprleft = 'vector'::regtype AND o.oprright = 'vector'::regtype ORDER BY o.oprname COLLATE "C";
