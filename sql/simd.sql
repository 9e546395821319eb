-- SIMD dispatch: the view longbow_stat_simd, the setting longbow.simd, and equal results in every tier.

-- the tables below name no instruction set, since the machine decides which there are
SELECT count(*) = count(DISTINCT kernel) AS kernels_once, count(*) > 20 AS enough,
  count(*) FILTER (WHERE kernel IN ('l2_squared', 'inner_product', 'l1', 'cosine')) AS distances,
  bool_and(tier IN ('scalar', 'sse4.2', 'avx2', 'avx512')) AS tiers, count(DISTINCT (features, detected_tier, tier)) AS settings
  FROM longbow_stat_simd;
SELECT name, context, vartype, enumvals FROM pg_settings WHERE name = 'longbow.simd';

SET longbow.simd = 'scalar';
SHOW longbow.simd;
SELECT DISTINCT implementation, tier FROM longbow_stat_simd;
SET longbow.simd = 'auto';
SELECT bool_and(tier = detected_tier) AS best FROM longbow_stat_simd;
SET longbow.simd = 'mmx';
SHOW longbow.simd;
BEGIN;
SET LOCAL longbow.simd = 'scalar';
SELECT tier FROM longbow_simd_features();
ROLLBACK;
SELECT tier = detected_tier AS best FROM longbow_simd_features();
SET longbow.unknown = 1;

-- integers have exact sums, and so equal distances, in whatever tier; a tier that the CPU lacks becomes its best
CREATE TABLE vs AS
  SELECT n, array_agg((i * 37 + n) % 19 - 9)::vector AS a, array_agg((i * 53 + n) % 23 - 11)::vector AS b
  FROM generate_series(1, 200) n, generate_series(1, n) i GROUP BY n;
CREATE FUNCTION sums() RETURNS text LANGUAGE sql AS
  $$ SELECT md5(string_agg(concat_ws(' ', n, a <-> b, a <#> b, a <=> b, a <+> b), ',' ORDER BY n)) FROM vs $$;
SET longbow.simd = 'scalar';
SELECT sums() AS scalar \gset
SET longbow.simd = 'sse4.2';
SELECT sums() = :'scalar' AS "sse4.2";
SET longbow.simd = 'avx2';
SELECT sums() = :'scalar' AS avx2;
SET longbow.simd = 'avx512';
SELECT sums() = :'scalar' AS avx512;
RESET longbow.simd;
SELECT sums() = :'scalar' AS auto;
DROP FUNCTION sums();
DROP TABLE vs;
