-- Casts between vector and arrays of numbers.
SELECT ARRAY[1,2,3]::vector AS int4, ARRAY[1.0,2.0,3.0]::vector AS "numeric", ARRAY[1,2,3]::float4[]::vector AS float4,
  ARRAY[1,2,3]::float8[]::vector AS float8, ARRAY[1,2,3]::numeric[]::vector AS "numeric";
SELECT ARRAY[2147483647,-16777217]::vector AS int4, '{0.1,1e-46,-1e-46}'::float8[]::vector AS float8, '{0.1,1e-40}'::numeric[]::vector AS "numeric";
SELECT '[1,2,3]'::vector::real[], pg_typeof('[1,2,3]'::vector::real[]), ('[1.5,-0]'::vector::real[])[1];
SELECT '{1,2,3}'::real[]::vector(3), '{1,2,3}'::double precision[]::vector(3), ARRAY[1,2,3]::vector(3);
SELECT '[2:4]={1,2,3}'::int[]::vector AS lower_bound_2;
-- an array whose null was overwritten keeps its bitmap
CREATE TABLE va (a int[]);
INSERT INTO va VALUES (ARRAY[1, NULL, 3]);
UPDATE va SET a[2] = 2;
SELECT a::vector FROM va;
DROP TABLE va;

-- contexts: arrays are assigned to vectors, vectors become real[] wherever one is wanted
CREATE TABLE vc (v vector(2), r real[]);
INSERT INTO vc VALUES (ARRAY[1,2], '[3,4]'::vector), ('{5,6}'::real[], '[7]'::vector), ('{8,9}'::numeric[], NULL), ('{10,11}'::float8[], NULL);
TABLE vc;
INSERT INTO vc (v) VALUES (ARRAY[1,2,3]);
SELECT array_to_vector('[1,2,3]'::vector, 3, false) AS by_way_of_real;
SELECT l2_distance('[1,2]'::vector, ARRAY[1,2]);
DROP TABLE vc;
SELECT castsource::regtype, casttarget::regtype, castcontext, castmethod FROM pg_cast
  WHERE (castsource = 'vector'::regtype AND casttarget IN ('vector'::regtype, 'real[]'::regtype))
    OR (casttarget = 'vector'::regtype AND castsource IN ('int[]'::regtype, 'real[]'::regtype, 'float8[]'::regtype, 'numeric[]'::regtype))
  ORDER BY casttarget::regtype::text COLLATE "C", castsource::regtype::text COLLATE "C";

-- errors
SELECT '{1,2,3}'::real[]::vector(2);
SELECT '{1,2,3}'::double precision[]::vector(2);
SELECT '{NULL}'::real[]::vector;
SELECT '{1,NULL}'::numeric[]::vector;
SELECT '{NaN}'::real[]::vector;
SELECT '{1,Infinity}'::real[]::vector;
SELECT '{1,2,-Infinity}'::double precision[]::vector;
SELECT '{4e38,-4e38}'::double precision[]::vector;
SELECT '{1,NaN}'::numeric[]::vector;
SELECT '{1,4e38}'::numeric[]::vector;
SELECT '{1e-46}'::numeric[]::vector;
SELECT '{}'::real[]::vector;
SELECT '{{1}}'::real[]::vector;
SELECT array_agg(n)::vector FROM generate_series(1, 16001) n;
SELECT array_to_vector(array_agg(n), 16001, false) FROM generate_series(1, 16001) n;
SELECT vector_dims(array_agg(n)::vector) FROM generate_series(1, 16000) n;

-- SQLSTATEs
\set VERBOSITY sqlstate
SELECT '{1,2,3}'::real[]::vector(2);
SELECT '{NULL}'::real[]::vector;
SELECT '{NaN}'::real[]::vector;
SELECT '{4e38}'::double precision[]::vector;
SELECT '{}'::real[]::vector;
SELECT '{{1}}'::real[]::vector;
SELECT array_agg(n)::vector FROM generate_series(1, 16001) n;
\set VERBOSITY default

-- arrays keep their own operators
SELECT ARRAY[1,2,3] = ARRAY[1,2,3] AS equal;
