-- Type sparsevec: text and binary formats, type modifier, storage, limits, and what the errors say.

-- text
SELECT '{1:1.5,3:3.5}/5'::sparsevec, ' { 1 : 1.5 ,  3  :  3.5  } / 5 '::sparsevec, '{}/5'::sparsevec AS zero, ' { } / 5'::sparsevec AS zero;
SELECT '{1:-2,3:-4.}/5'::sparsevec, '{1:1.23456,2:1e-45,3:3.4028235e38,4:0x10}/4'::sparsevec AS forms;
SELECT '{2:1,1:1}/2'::sparsevec AS sorted, '{1:0,2:1,3:-0}/3'::sparsevec AS without_zeros, '{+1:1}/2'::sparsevec AS plus, '{9:0}/5'::sparsevec AS zero_beyond;
SELECT '{1:1,1000000000:-1}/1000000000'::sparsevec AS largest;

-- malformed text
SELECT ''::sparsevec;
SELECT '{'::sparsevec;
SELECT '{ '::sparsevec;
SELECT '{:'::sparsevec;
SELECT '{,'::sparsevec;
SELECT '{}'::sparsevec;
SELECT '{}x'::sparsevec;
SELECT '{}/'::sparsevec;
SELECT '{}/1a'::sparsevec;
SELECT '{:}/1'::sparsevec;
SELECT '{,}/1'::sparsevec;
SELECT '{1,}/1'::sparsevec;
SELECT '{:1}/1'::sparsevec;
SELECT '{1:}/1'::sparsevec;
SELECT '{1a:1}/1'::sparsevec;
SELECT '{1:1a}/1'::sparsevec;
SELECT '{1:1,}/1'::sparsevec;
SELECT '{1:1,,2:1}/2'::sparsevec;
SELECT '{1:hello,2:1}/2'::sparsevec;
SELECT '[1,2]'::sparsevec;

-- values that are no elements
SELECT '{1:NaN,2:1}/2'::sparsevec;
SELECT '{1:1,2:Infinity}/2'::sparsevec;
SELECT '{1:-Infinity}/2'::sparsevec;
SELECT '{1:4e38}/2'::sparsevec;
SELECT '{1:-1e-46}/2'::sparsevec;

-- indices and dimensions
SELECT '{1:1,1:1}/2'::sparsevec;
SELECT '{1:1,2:1,1:1}/2'::sparsevec;
SELECT '{0:1}/1'::sparsevec;
SELECT '{-1:1}/1'::sparsevec;
SELECT '{2:1}/1'::sparsevec;
SELECT '{2147483648:1}/1'::sparsevec;
SELECT '{-2147483649:1}/1'::sparsevec;
SELECT '{}/0'::sparsevec;
SELECT '{}/-1'::sparsevec;
SELECT '{}/1000000001'::sparsevec;
SELECT '{}/9223372036854775808'::sparsevec;
SELECT '{}/-9223372036854775809'::sparsevec;
SELECT length((SELECT '{' || string_agg(i || ':1', ',') || '}/20000' FROM generate_series(1, 16000) i)::sparsevec::text) AS most;
SELECT (SELECT '{' || string_agg(i || ':1', ',') || '}/20000' FROM generate_series(1, 16001) i)::sparsevec;

-- type modifier
SELECT '{}/3'::sparsevec(3);
SELECT '{}/3'::sparsevec(2);
SELECT '{}/3'::sparsevec(3, 2);
SELECT '{}/3'::sparsevec('a');
SELECT '{}/3'::sparsevec(0);
SELECT '{}/3'::sparsevec(1000000001);
SELECT '{"{1:1}/2","{2:1}/2"}'::sparsevec(2)[];
CREATE TABLE st (v sparsevec(3), free sparsevec);
SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute WHERE attrelid = 'st'::regclass AND attnum > 0;
INSERT INTO st VALUES ('{1:1}/2', NULL);
INSERT INTO st VALUES ('{1:1}/3', '{}/1'), (NULL, '{2:1}/7');
TABLE st;
DROP TABLE st;

-- storage and layout, those of pgvector
SELECT typlen, typbyval, typalign, typstorage, typcategory, typdelim FROM pg_type WHERE oid = 'sparsevec'::regtype;
SELECT pg_column_size('{}/5'::sparsevec) AS none, pg_column_size('{1:1,2:1,3:1}/5'::sparsevec) AS three;

-- binary format
SELECT sparsevec_send('{}/5'), sparsevec_send('{1:1,300:-2}/1000');
CREATE TABLE st (id int, v sparsevec(3));
INSERT INTO st VALUES (1, '{}/3'), (2, '{1:1,3:2}/3'), (3, '{2:1e-45}/3'), (4, NULL);
CREATE TABLE st2 (id int, v sparsevec(3));
\copy st TO PROGRAM 'cat > "$PG_ABS_BUILDDIR/results/sparsevec.bin"' WITH (FORMAT binary)
\copy st2 FROM PROGRAM 'cat "$PG_ABS_BUILDDIR/results/sparsevec.bin"' WITH (FORMAT binary)
SELECT * FROM st2 ORDER BY id;
CREATE TABLE st3 (id int, v sparsevec(2));
\copy st3 FROM PROGRAM 'cat "$PG_ABS_BUILDDIR/results/sparsevec.bin"' WITH (FORMAT binary)
-- binary fields, one a call
CREATE TABLE st4 (v sparsevec);
CREATE FUNCTION receive(fields int[], tail bytea) RETURNS text LANGUAGE plpgsql AS $$
DECLARE message bytea := ''; field int; state text; message_text text; detail text; file text := current_setting('data_directory') || '/sparsevec_field.bin';
BEGIN
  FOREACH field IN ARRAY fields LOOP message := message || int4send(field); END LOOP;
  message := '\x5047434f50590aff0d0a0000000000000000000001'::bytea || int4send(length(message || tail)) || message || tail || '\xffff'::bytea;
  PERFORM lo_from_bytea(4242, message);
  PERFORM lo_export(4242, file), lo_unlink(4242);
  EXECUTE format('COPY st4 FROM %L WITH (FORMAT binary)', file);
  RETURN (SELECT v FROM st4);
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message_text = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
  RETURN state || ' ' || message_text || ' / ' || detail;
END $$;
SELECT receive('{}', '\x0000') AS no_head;
SELECT receive('{0,0,0}', '') AS no_dimension;
SELECT receive('{1000000001,0,0}', '') AS dimensions;
SELECT receive('{5,-1,0}', '') AS negative;
SELECT receive('{5,6,0}', '') AS more_than_dimensions;
SELECT receive('{20000,16001,0}', '') AS more_than_limit;
SELECT receive('{5,1,7}', '') AS reserved;
SELECT receive('{5,1,0,0}', '') AS short;
SELECT receive('{5,1,0,0,1065353216}', '\x00') AS long;
SELECT receive('{5,1,0,-1,1065353216}', '') AS index;
SELECT receive('{5,1,0,5,1065353216}', '') AS index;
SELECT receive('{5,2,0,1,0,1065353216,1065353216}', '') AS descending;
SELECT receive('{5,2,0,1,1,1065353216,1065353216}', '') AS duplicate;
SELECT receive('{5,1,0,0,0}', '') AS zero;
SELECT receive('{5,1,0,0,2143289344}', '') AS nan;
SELECT receive('{5,1,0,0,2139095040}', '') AS infinite;
SELECT receive('{5,2,0,0,4,1065353216,-1082130432}', '') AS good;
DROP FUNCTION receive;
DROP TABLE st, st2, st3, st4;

-- SQLSTATEs
\set VERBOSITY sqlstate
SELECT '{1}/2'::sparsevec;
SELECT '{1:NaN}/2'::sparsevec;
SELECT '{1:4e38}/2'::sparsevec;
SELECT '{1:1,1:1}/2'::sparsevec;
SELECT '{3:1}/2'::sparsevec;
SELECT '{}/0'::sparsevec;
SELECT '{}/1000000001'::sparsevec;
SELECT '{}/3'::sparsevec(2);
SELECT (SELECT '{' || string_agg(i || ':1', ',') || '}/20000' FROM generate_series(1, 16001) i)::sparsevec;
\set VERBOSITY default

-- bad input as an answer: a soft error from PostgreSQL 16 on, an error that is caught before
CREATE FUNCTION accepts(text, type text) RETURNS bool LANGUAGE plpgsql AS $$
DECLARE answer bool;
BEGIN
  IF current_setting('server_version_num')::int >= 160000 THEN
    EXECUTE 'SELECT pg_input_is_valid($1, $2)' INTO answer USING $1, $2;
    RETURN answer;
  END IF;
  EXECUTE format('SELECT $1::%s', type) USING $1;
  RETURN true;
EXCEPTION WHEN data_exception OR invalid_text_representation OR program_limit_exceeded THEN
  IF current_setting('server_version_num')::int >= 160000 THEN RAISE; END IF;
  RETURN false;
END $$;
SELECT text, accepts(text, 'sparsevec(2)') AS sparsevec, accepts(text, 'halfvec(2)') AS halfvec
  FROM unnest(ARRAY['{1:1}/2', '{1:1}/3', '{1}/2', '1', '{}/0', '{1:NaN}/2', '{3:1}/2', '{1:1,1:1}/2', '[1,2]', '[1,65520]', '[1]']) text;
DROP FUNCTION accepts;
