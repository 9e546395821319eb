-- Type halfvec: text and binary formats, rounding, type modifier, storage, limits, and what the errors say.

-- text
SELECT '[1,2,3]'::halfvec, ' [ 1,  2 ,	-3  ] '::halfvec, '[1.,.5,+2,1e2,0x10,-0]'::halfvec AS forms;
SELECT '[1.23456,0.1,2049,2051,65519,-65519]'::halfvec AS rounded, '[6e-8,3e-8,2.9e-8,1e-46]'::halfvec AS tiny;

-- malformed text
SELECT '[hello,1]'::halfvec;
SELECT '[1,2,3'::halfvec;
SELECT '[1,2,3]9'::halfvec;
SELECT '1,2,3'::halfvec;
SELECT ''::halfvec;
SELECT '['::halfvec;
SELECT '[,'::halfvec;
SELECT '[1,]'::halfvec;
SELECT '[1a]'::halfvec;
SELECT '[1, ,3]'::halfvec;
SELECT '[]'::halfvec;

-- values that are no elements
SELECT '[NaN,1]'::halfvec;
SELECT '[1,Infinity]'::halfvec;
SELECT '[1,2,-inf]'::halfvec;
SELECT '[65520,1]'::halfvec;
SELECT '[1,-65520]'::halfvec;
SELECT '[4e38]'::halfvec;

-- type modifier and limits
SELECT '[1,2,3]'::halfvec(3);
SELECT '[1,2,3]'::halfvec(2);
SELECT '[1,2,3]'::halfvec(3, 2);
SELECT '[1,2,3]'::halfvec('a');
SELECT '[1,2,3]'::halfvec(0);
SELECT '[1,2,3]'::halfvec(16001);
SELECT unnest('{"[1,2,3]", "[4,5,6]"}'::halfvec[]);
SELECT '{"[1,2,3]"}'::halfvec(2)[];
SELECT vector_dims(('[' || repeat('1,', 15999) || '1]')::halfvec(16000)) AS dims;
SELECT ('[' || repeat('1,', 16000) || '1]')::halfvec;
CREATE TABLE ht (v halfvec(3), free halfvec);
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'ht'::regclass AND attnum > 0;
INSERT INTO ht VALUES ('[1,2]', NULL);
INSERT INTO ht VALUES ('[1,2,3]', '[1]'), (NULL, '[1,2]'), ('[0,-0,6e-8]', NULL);
TABLE ht;
DROP TABLE ht;

-- storage and layout, those of pgvector
SELECT typlen, typbyval, typalign, typstorage, typcategory, typdelim FROM pg_type WHERE oid = 'halfvec'::regtype;
SELECT pg_column_size('[1,2,3]'::halfvec) AS bytes, pg_column_size('[1]'::halfvec) AS least,
  pg_column_size(('[' || repeat('1,', 15999) || '1]')::halfvec) AS most;
CREATE TABLE ht (id int, v halfvec);
INSERT INTO ht SELECT 1, ('[' || repeat('1,', 2047) || '1]')::halfvec;
INSERT INTO ht VALUES (2, '[1,2,3]');
SELECT id, pg_column_size(v) AS bytes, pg_column_compression(v) AS compression, vector_dims(v), l2_norm(v) FROM ht ORDER BY id;
DROP TABLE ht;

-- binary format
SELECT halfvec_send('[1]'), halfvec_send('[1,-2,0.5,65504]');
CREATE TABLE ht (id int, v halfvec(3));
INSERT INTO ht VALUES (1, '[0,0,0]'), (2, '[1,2,3]'), (3, '[-0,6e-8,65504]'), (4, NULL);
CREATE TABLE ht2 (id int, v halfvec(3));
\copy ht TO PROGRAM 'cat > "$PG_ABS_BUILDDIR/results/halfvec.bin"' WITH (FORMAT binary)
\copy ht2 FROM PROGRAM 'cat "$PG_ABS_BUILDDIR/results/halfvec.bin"' WITH (FORMAT binary)
SELECT * FROM ht2 ORDER BY id;
CREATE TABLE ht3 (id int, v halfvec(2));
\copy ht3 FROM PROGRAM 'cat "$PG_ABS_BUILDDIR/results/halfvec.bin"' WITH (FORMAT binary)
-- one field of binary COPY a line: 0 dimensions, -1 dimensions, unused bytes set, too few elements, NaN, Infinity, too many elements, no head
CREATE TABLE ht4 (v halfvec);
\copy ht4 FROM PROGRAM 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\004\000\000\000\000\377\377"' WITH (FORMAT binary)
\copy ht4 FROM PROGRAM 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\004\377\377\000\000\377\377"' WITH (FORMAT binary)
\copy ht4 FROM PROGRAM 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\006\000\001\000\007\074\000\377\377"' WITH (FORMAT binary)
\copy ht4 FROM PROGRAM 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\006\000\002\000\000\074\000\377\377"' WITH (FORMAT binary)
\copy ht4 FROM PROGRAM 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\006\000\001\000\000\176\000\377\377"' WITH (FORMAT binary)
\copy ht4 FROM PROGRAM 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\006\000\001\000\000\374\000\377\377"' WITH (FORMAT binary)
\copy ht4 FROM PROGRAM 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\010\000\001\000\000\074\000\074\000\377\377"' WITH (FORMAT binary)
\copy ht4 FROM PROGRAM 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\002\000\001\377\377"' WITH (FORMAT binary)
\copy ht4 FROM PROGRAM 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\006\000\001\000\000\300\000\377\377"' WITH (FORMAT binary)
TABLE ht4;
DROP TABLE ht, ht2, ht3, ht4;

-- SQLSTATEs
\set VERBOSITY sqlstate
SELECT '[1,,2]'::halfvec;
SELECT '[]'::halfvec;
SELECT '[NaN]'::halfvec;
SELECT '[inf]'::halfvec;
SELECT '[65520]'::halfvec;
SELECT '[1,2,3]'::halfvec(2);
SELECT '[1,2,3]'::halfvec(0);
SELECT ('[' || repeat('1,', 16000) || '1]')::halfvec;
\set VERBOSITY default

-- every function of the types is immutable, strict and parallel safe
SELECT p.oid::regprocedure AS lax FROM pg_proc p
  WHERE ('halfvec'::regtype = ANY (proargtypes || prorettype) OR 'sparsevec'::regtype = ANY (proargtypes || prorettype)
      OR proname IN ('hamming_distance', 'jaccard_distance')) AND prokind = 'f'
    AND NOT (provolatile = 'i' AND proisstrict AND proparallel = 's');
