-- Casts between halfvec, vector and arrays of numbers, and what resolves without an explicit cast.
SELECT ARRAY[1,2,3]::halfvec AS int4, ARRAY[1.5,2.0]::halfvec AS "numeric", ARRAY[1,2]::float4[]::halfvec AS float4, ARRAY[1,0.1]::float8[]::halfvec AS float8;
SELECT '[1,2,3]'::vector::halfvec, '[1,2,3]'::vector::halfvec(3), '[1e-8]'::vector::halfvec AS underflow, '[0.1,65519]'::vector::halfvec AS rounded;
SELECT '[1,2,3]'::halfvec::vector, '[0.1,65504,6e-8]'::halfvec::vector(3) AS exact, '[1,2,3]'::halfvec::real[];
SELECT '{1,2,3}'::real[]::halfvec(3), '{1e-8,-1e-8}'::real[]::halfvec AS underflow;
SELECT count(*) AS differ FROM generate_series(1, 70) n, LATERAL (SELECT array_agg(i * 0.37)::vector AS v FROM generate_series(1, n) i) s
  WHERE v::halfvec::vector::halfvec <> v::halfvec OR v::halfvec::real[]::halfvec <> v::halfvec;

-- errors
SELECT '[1,2,3]'::vector::halfvec(2);
SELECT '[1,2,3]'::halfvec::vector(2);
SELECT '[65520]'::vector::halfvec;
SELECT '[1,-1e10]'::vector::halfvec;
SELECT '{1,2,3}'::real[]::halfvec(2);
SELECT '{65520,-65520}'::real[]::halfvec;
SELECT '{1,70000}'::int[]::halfvec;
SELECT '{4e38}'::float8[]::halfvec;
SELECT '{1e6}'::numeric[]::halfvec;
SELECT '{NULL}'::real[]::halfvec;
SELECT '{NaN}'::real[]::halfvec;
SELECT '{-Infinity}'::real[]::halfvec;
SELECT '{}'::real[]::halfvec;
SELECT '{{1}}'::real[]::halfvec;
SELECT array_agg(n % 10)::halfvec FROM generate_series(1, 16001) n;
SELECT vector_dims(array_agg(n % 10)::halfvec) FROM generate_series(1, 16000) n;

-- SQLSTATEs
\set VERBOSITY sqlstate
SELECT '[65520]'::vector::halfvec;
SELECT '{65520}'::real[]::halfvec;
SELECT '{NULL}'::real[]::halfvec;
SELECT '{4e38}'::float8[]::halfvec;
\set VERBOSITY default

-- contexts
CREATE TABLE hc (h halfvec(2), v vector(2), r real[]);
INSERT INTO hc VALUES ('[1,2]'::vector, '[1,2]'::halfvec, '[3,4]'::halfvec), (ARRAY[1,2], ARRAY[1,2], '[5]'::vector);
INSERT INTO hc (h) VALUES ('{5,6}'::real[]), ('{8,9}'::numeric[]), ('{10,11}'::float8[]), ('{1:1}/2'::sparsevec);
TABLE hc;
DROP TABLE hc;
SELECT castsource::regtype, casttarget::regtype, castcontext, castmethod FROM pg_cast
  WHERE castsource IN ('vector'::regtype, 'halfvec'::regtype, 'sparsevec'::regtype) OR casttarget IN ('vector'::regtype, 'halfvec'::regtype, 'sparsevec'::regtype)
  ORDER BY casttarget::regtype::text COLLATE "C", castsource::regtype::text COLLATE "C";

-- arrays of double precision have no distance operators, arrays of real have: see am_arrays
SELECT '{1,2}'::float8[] <-> '{1,4}'::float8[];
SELECT ARRAY[1,2]::vector <-> '[1,4]' AS cast, '[1,4]'::vector <-> ARRAY[1,2]::vector AS cast, ARRAY[1,2]::real[]::halfvec <-> '[1,4]' AS half,
  '[1,4]' <-> '{1,2}'::real[]::vector AS unknown;
-- a vector is assigned to real[] and goes where one is wanted
CREATE FUNCTION total(real[]) RETURNS real LANGUAGE sql IMMUTABLE AS 'SELECT sum(x) FROM unnest($1) x';
SELECT total('[1,2,3]'::vector) AS implicit, total('[1,2,3]'::halfvec::real[]) AS explicit;
SELECT total('[1,2,3]'::halfvec);
DROP FUNCTION total;

-- arrays of vectors
CREATE TABLE ha (id int, vs vector[], hs halfvec[], ss sparsevec[], bs bit(3)[]);
INSERT INTO ha VALUES (1, ARRAY['[1,2]', '[3,4]']::vector[], '{"[1,2]",NULL,"[3,4]"}', ARRAY['{1:1}/2'::sparsevec], ARRAY[B'101', B'110']),
  (2, '{}', ARRAY['[0.5]'::halfvec], NULL, '{}');
SELECT * FROM ha ORDER BY id;
SELECT vs[2] <-> '[3,5]' AS element, hs[1:2] AS slice, array_length(hs, 1) AS length, bs[1] <~> bs[2] AS bits FROM ha WHERE id = 1;
SELECT id, u <-> '[0,0]' AS distance FROM ha, unnest(vs) u ORDER BY distance;
UPDATE ha SET vs = vs || '[5,6]'::vector, hs[2] = '[9]' WHERE id = 1;
SELECT vs, hs FROM ha WHERE id = 1;
SELECT ARRAY['[1,2]'::vector] = ARRAY['[1,2]'::vector] AS equal, ARRAY['[1,2]'::vector] < ARRAY['[1,3]'::vector] AS less,
  '[1,2]'::vector = ANY (ARRAY['[1,2]', '[2,1]']::vector[]) AS any, array_position(ARRAY['[1]', '[2]']::halfvec[], '[2]') AS position;
SELECT count(DISTINCT vs) FROM ha;
SELECT array_agg(v ORDER BY v) FROM unnest(ARRAY['[2]', '[1]']::vector[]) v;
SELECT (ARRAY['[1,2]', '[3,4]']::vector[])::halfvec[] AS elements_cast, (ARRAY['[1,2]', '[3,0]']::vector[])::sparsevec[] AS elements_cast;
DROP TABLE ha;
