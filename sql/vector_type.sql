-- Type vector: text and binary formats, type modifier, storage, limits, and what the errors say.

-- text
SELECT '[1,2,3]'::vector, '[-1,-2,-3]'::vector, ' [ 1,  2 ,	3  ] '::vector;
SELECT '[1.,.5,+2,1e2,0x10,-0]'::vector AS forms;
SELECT '[1.23456,0.1,16777217,3.4028235e38,1.5e-38,1e-45]'::vector AS shortest;
SELECT '[1e-46,-1e-46]'::vector AS underflow;
SELECT E'[1,\n2,\x0b3,\f4,\r5]'::vector AS white_space;

-- malformed text
SELECT '[hello,1]'::vector;
SELECT '[1,2,3'::vector;
SELECT '[1,2,3]9'::vector;
SELECT '[1]]'::vector;
SELECT '1,2,3'::vector;
SELECT ''::vector;
SELECT '['::vector;
SELECT '[ '::vector;
SELECT '[,'::vector;
SELECT '[,]'::vector;
SELECT '[1,]'::vector;
SELECT '[1a]'::vector;
SELECT '[1e]'::vector;
SELECT '[1 2]'::vector;
SELECT '[1,,3]'::vector;
SELECT '[1, ,3]'::vector;
SELECT '[1,+,3]'::vector;
SELECT '[]'::vector;
SELECT '[ ]'::vector;

-- values that are no elements
SELECT '[NaN,1]'::vector;
SELECT '[1,Infinity]'::vector;
SELECT '[1,2,-inf]'::vector;
SELECT '[4e38,1]'::vector;
SELECT '[1,-4e38]'::vector;
SELECT '[1e400]'::vector;

-- type modifier
SELECT '[1,2,3]'::vector(3);
SELECT '[1,2,3]'::vector(2);
SELECT '[1,2,3]'::vector(3, 2);
SELECT '[1,2,3]'::vector('a');
SELECT '[1,2,3]'::vector(0);
SELECT '[1,2,3]'::vector(-3);
SELECT '[1,2,3]'::vector(16001);
SELECT unnest('{"[1,2,3]", "[4,5,6]"}'::vector[]);
SELECT '{"[1,2,3]"}'::vector(2)[];
CREATE TABLE vt (v vector(3), free vector);
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'vt'::regclass AND attnum > 0;
INSERT INTO vt VALUES ('[1,2]', NULL);
INSERT INTO vt SELECT '[1,2,3,4]'::vector, NULL;
INSERT INTO vt VALUES ('[1,2,3]', '[1]'), (NULL, '[1,2]'), ('[0,-0,1e-45]', NULL);
TABLE vt;
ALTER TABLE vt ALTER free TYPE vector(1) USING subvector(free, 1, 1);
ALTER TABLE vt ALTER free TYPE vector(2);
DROP TABLE vt;

-- limits
SELECT vector_dims(('[' || repeat('1,', 15999) || '1]')::vector) AS dims;
SELECT vector_dims(('[' || repeat('1,', 15999) || '1]')::vector(16000)) AS dims;
SELECT ('[' || repeat('1,', 16000) || '1]')::vector;

-- SQLSTATEs
\set VERBOSITY sqlstate
SELECT '[1,,2]'::vector;
SELECT '[1,2'::vector;
SELECT '[]'::vector;
SELECT '[NaN]'::vector;
SELECT '[inf]'::vector;
SELECT '[4e38]'::vector;
SELECT '[1,2,3]'::vector(2);
SELECT '[1,2,3]'::vector(0);
SELECT '[1,2,3]'::vector(16001);
SELECT ('[' || repeat('1,', 16000) || '1]')::vector;
\set VERBOSITY default

-- storage and layout, those of pgvector
SELECT typlen, typbyval, typalign, typstorage, typcategory, typdelim FROM pg_type WHERE oid = 'vector'::regtype;
SELECT pg_column_size('[1,2,3]'::vector) AS bytes, pg_column_size('[1]'::vector) AS least,
  pg_column_size(('[' || repeat('1,', 15999) || '1]')::vector) AS most;
CREATE TABLE vt (id int, v vector);
INSERT INTO vt SELECT 1, ('[' || repeat('1,', 1023) || '1]')::vector;
INSERT INTO vt VALUES (2, '[1,2,3]');
SELECT id, pg_column_size(v) AS bytes, pg_column_compression(v) AS compression, vector_dims(v), vector_norm(v) FROM vt ORDER BY id;
DROP TABLE vt;

-- binary format
SELECT vector_send('[1]'), vector_send('[1,-2,0.5]');
CREATE TABLE vt (id int, v vector(3));
INSERT INTO vt VALUES (1, '[0,0,0]'), (2, '[1,2,3]'), (3, '[-0,1e-45,3.4028235e38]'), (4, NULL);
INSERT INTO vt SELECT 5, NULL FROM generate_series(1, 2);
CREATE TABLE vt2 (id int, v vector(3));
\copy vt TO PROGRAM 'cat > "$PG_ABS_BUILDDIR/results/vector.bin"' WITH (FORMAT binary)
\copy vt2 FROM PROGRAM 'cat "$PG_ABS_BUILDDIR/results/vector.bin"' WITH (FORMAT binary)
SELECT * FROM vt2 ORDER BY id;
SELECT count(*) FROM vt JOIN vt2 ON vt.id = vt2.id AND vector_send(vt.v) = vector_send(vt2.v);
CREATE TABLE vt3 (id int, v vector(2));
\copy vt3 FROM PROGRAM 'cat "$PG_ABS_BUILDDIR/results/vector.bin"' WITH (FORMAT binary)
-- one field of binary COPY a line: 0 dimensions, -1 dimensions, unused bytes set, too few elements, NaN, Infinity, too many elements
CREATE TABLE vt4 (v vector);
\copy vt4 FROM PROGRAM 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\004\000\000\000\000\377\377"' WITH (FORMAT binary)
\copy vt4 FROM PROGRAM 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\004\377\377\000\000\377\377"' WITH (FORMAT binary)
\copy vt4 FROM PROGRAM 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\010\000\001\000\007\077\200\000\000\377\377"' WITH (FORMAT binary)
\copy vt4 FROM PROGRAM 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\010\000\002\000\000\077\200\000\000\377\377"' WITH (FORMAT binary)
\copy vt4 FROM PROGRAM 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\010\000\001\000\000\177\300\000\000\377\377"' WITH (FORMAT binary)
\copy vt4 FROM PROGRAM 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\010\000\001\000\000\377\200\000\000\377\377"' WITH (FORMAT binary)
\copy vt4 FROM PROGRAM 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\014\000\001\000\000\077\200\000\000\077\200\000\000\377\377"' WITH (FORMAT binary)
\copy vt4 FROM PROGRAM 'printf "PGCOPY\n\377\r\n\000\000\000\000\000\000\000\000\000\000\001\000\000\000\010\000\001\000\000\077\200\000\000\377\377"' WITH (FORMAT binary)
TABLE vt4;
DROP TABLE vt, vt2, vt3, vt4;

-- text COPY
CREATE TABLE vt (v vector(2));
COPY vt FROM stdin;
[1,2]
 [ 3 , 4 ]
\N
\.
COPY vt TO stdout;
COPY vt FROM stdin;
[1,2]
[1,x]
\.
DROP TABLE vt;

-- bad input as an answer: a soft error from PostgreSQL 16 on, an error that is caught before
CREATE FUNCTION accepts(text) RETURNS bool LANGUAGE plpgsql AS $$
DECLARE answer bool;
BEGIN
  IF current_setting('server_version_num')::int >= 160000 THEN
    EXECUTE 'SELECT pg_input_is_valid($1, ''vector(2)'')' INTO answer USING $1;
    RETURN answer;
  END IF;
  PERFORM $1::vector(2);
  RETURN true;
EXCEPTION WHEN data_exception OR invalid_text_representation OR program_limit_exceeded THEN
  IF current_setting('server_version_num')::int >= 160000 THEN RAISE; END IF;
  RETURN false;
END $$;
SELECT text, accepts(text) AS valid
  FROM unnest(ARRAY['[1,2]', '[1,2,3]', '[1,,2]', '1', '[]', '[NaN,1]', '[4e38,1]', '[1,2]]']) text;
DROP FUNCTION accepts;

-- every object of the extension has a comment, and every function of vectors is immutable, strict and parallel safe
SELECT pg_describe_object(classid, objid, objsubid) AS without_comment
  FROM pg_depend d JOIN pg_extension e ON refclassid = 'pg_extension'::regclass AND refobjid = e.oid
  WHERE extname = 'longbow' AND d.deptype = 'e' AND obj_description(objid, classid::regclass::name) IS NULL
    -- array and row types, which belong to an extension from PostgreSQL 17 on
    AND NOT EXISTS (SELECT FROM pg_type t WHERE classid = 'pg_type'::regclass AND t.oid = objid AND (t.typelem <> 0 OR t.typrelid <> 0));
SELECT p.oid::regprocedure AS lax
  FROM pg_proc p
  WHERE 'vector'::regtype = ANY (proargtypes || prorettype) AND prokind = 'f'
    AND NOT (provolatile = 'i' AND proisstrict AND proparallel = 's');
