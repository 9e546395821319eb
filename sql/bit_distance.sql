-- Distances of bit strings: hamming_distance, jaccard_distance and their operators.
SELECT hamming_distance(B'111', B'111') AS "0", hamming_distance(B'111', B'110') AS "1", hamming_distance(B'111', B'000') AS "3", B'101' <~> B'010' AS operator;
SELECT jaccard_distance(B'1111', B'1111') AS "0", jaccard_distance(B'1111', B'1110') AS "0.25", jaccard_distance(B'1111', B'1000') AS "0.75",
  jaccard_distance(B'1111', B'0000') AS "1", jaccard_distance(B'0000', B'0000') AS zeros, B'1100' <%> B'1000' AS operator;
SELECT B''::bit varying::bit(1) <~> B'1' AS padded, hamming_distance('', '') AS empty, jaccard_distance('', '') AS empty;

-- different lengths
SELECT hamming_distance(B'111', B'00');
SELECT jaccard_distance(B'1111', B'000');
SELECT B'1' <~> B'11';
SELECT B'1' <%> B'11';
\set VERBOSITY sqlstate
SELECT B'1' <~> B'11';
SELECT B'1' <%> B'11';
\set VERBOSITY default

-- every length from 1 to 700 bits against the bits counted as text
WITH b AS (
  SELECT n, string_agg((i * 7 % 5 % 2)::text, '' ORDER BY i) AS p, string_agg((i * 11 % 7 % 2)::text, '' ORDER BY i) AS q,
    count(*) FILTER (WHERE i * 7 % 5 % 2 <> i * 11 % 7 % 2) AS differ,
    count(*) FILTER (WHERE i * 7 % 5 % 2 = 1 AND i * 11 % 7 % 2 = 1) AS common, count(*) FILTER (WHERE i * 7 % 5 % 2 = 1 OR i * 11 % 7 % 2 = 1) AS either
  FROM generate_series(1, 700) n, generate_series(1, n) i GROUP BY n)
SELECT count(*) AS lengths, count(*) FILTER (WHERE p::varbit <~> q::varbit <> differ) AS hamming_differ,
  count(*) FILTER (WHERE p::varbit <%> q::varbit <> CASE WHEN common = 0 THEN 1 ELSE 1 - common::float8 / either END) AS jaccard_differ FROM b;

-- with binary_quantize, as a first step of a search
CREATE TABLE bq AS SELECT i, ARRAY[i % 3 - 1, i % 5 - 2, i % 7 - 3]::vector AS v FROM generate_series(1, 20) i;
SELECT i, binary_quantize(v)::bit(3) <~> binary_quantize('[1,1,-1]'::vector)::bit(3) AS distance FROM bq ORDER BY distance, i LIMIT 4;
DROP TABLE bq;
SELECT oprname, oprcom::regoper, oprcode FROM pg_operator WHERE oprname IN ('<~>', '<%>') ORDER BY oprname COLLATE "C";
SELECT hamming_distance(NULL, B'1') IS NULL AS strict;
