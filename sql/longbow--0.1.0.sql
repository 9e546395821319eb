-- Longbow 0.1.0: objects are created in the schema that CREATE EXTENSION names, and no body names a schema.
\echo Use "CREATE EXTENSION longbow" to load this file. \quit

-- == type vector ==

CREATE TYPE vector;

CREATE FUNCTION vector_in(cstring, oid, integer) RETURNS vector
  AS 'MODULE_PATHNAME', 'longbow_vector_in' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_in(cstring, oid, integer) IS 'text input of vector: [1,2,3]';

CREATE FUNCTION vector_out(vector) RETURNS cstring
  AS 'MODULE_PATHNAME', 'longbow_vector_out' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_out(vector) IS 'text output of vector, with the fewest digits that read back unchanged';

CREATE FUNCTION vector_typmod_in(cstring[]) RETURNS integer
  AS 'MODULE_PATHNAME', 'longbow_vector_typmod_in' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_typmod_in(cstring[]) IS 'type modifier of vector: the number of dimensions, 1 to 16000';

CREATE FUNCTION vector_recv(internal, oid, integer) RETURNS vector
  AS 'MODULE_PATHNAME', 'longbow_vector_recv' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_recv(internal, oid, integer) IS 'binary input of vector: int16 dimensions, int16 zero, then the elements as float4';

CREATE FUNCTION vector_send(vector) RETURNS bytea
  AS 'MODULE_PATHNAME', 'longbow_vector_send' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_send(vector) IS 'binary output of vector: int16 dimensions, int16 zero, then the elements as float4';

CREATE TYPE vector (
  INPUT = vector_in,
  OUTPUT = vector_out,
  TYPMOD_IN = vector_typmod_in,
  RECEIVE = vector_recv,
  SEND = vector_send,
  STORAGE = external
);
COMMENT ON TYPE vector IS 'vector of 1 to 16000 finite 4-byte floats; vector(n) holds exactly n';

-- == distances ==

CREATE FUNCTION l2_distance(vector, vector) RETURNS float8
  AS 'MODULE_PATHNAME', 'longbow_l2_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION l2_distance(vector, vector) IS 'Euclidean distance, at least 0; different dimensions are an error (22000)';

CREATE FUNCTION inner_product(vector, vector) RETURNS float8
  AS 'MODULE_PATHNAME', 'longbow_inner_product' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION inner_product(vector, vector) IS 'inner product; different dimensions are an error (22000)';

CREATE FUNCTION cosine_distance(vector, vector) RETURNS float8
  AS 'MODULE_PATHNAME', 'longbow_cosine_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION cosine_distance(vector, vector) IS '1 - cosine similarity, from 0 to 2; NaN if a vector is zero; different dimensions are an error (22000)';

CREATE FUNCTION l1_distance(vector, vector) RETURNS float8
  AS 'MODULE_PATHNAME', 'longbow_l1_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION l1_distance(vector, vector) IS 'taxicab distance, at least 0; different dimensions are an error (22000)';

CREATE FUNCTION vector_l2_squared_distance(vector, vector) RETURNS float8
  AS 'MODULE_PATHNAME', 'longbow_vector_l2_squared_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_l2_squared_distance(vector, vector) IS 'square of the Euclidean distance; different dimensions are an error (22000)';

CREATE FUNCTION vector_negative_inner_product(vector, vector) RETURNS float8
  AS 'MODULE_PATHNAME', 'longbow_vector_negative_inner_product' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_negative_inner_product(vector, vector) IS 'inner product with its sign changed, so that less is nearer; different dimensions are an error (22000)';

CREATE FUNCTION vector_spherical_distance(vector, vector) RETURNS float8
  AS 'MODULE_PATHNAME', 'longbow_vector_spherical_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_spherical_distance(vector, vector) IS 'angle between unit vectors in half turns, from 0 to 1; different dimensions are an error (22000)';

-- == properties and parts ==

CREATE FUNCTION vector_dims(vector) RETURNS integer
  AS 'MODULE_PATHNAME', 'longbow_vector_dims' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_dims(vector) IS 'number of dimensions, 1 to 16000';

CREATE FUNCTION vector_norm(vector) RETURNS float8
  AS 'MODULE_PATHNAME', 'longbow_vector_norm' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_norm(vector) IS 'Euclidean norm';

CREATE FUNCTION l2_normalize(vector) RETURNS vector
  AS 'MODULE_PATHNAME', 'longbow_l2_normalize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION l2_normalize(vector) IS 'vector divided by its Euclidean norm; a zero vector stays zero';

CREATE FUNCTION binary_quantize(vector) RETURNS bit
  AS 'MODULE_PATHNAME', 'longbow_binary_quantize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION binary_quantize(vector) IS 'one bit an element: 1 where it is greater than 0';

CREATE FUNCTION subvector(vector, integer, integer) RETURNS vector
  AS 'MODULE_PATHNAME', 'longbow_subvector' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION subvector(vector, integer, integer) IS 'elements from the second argument on, counted from 1, at most as many as the third; none is an error (22000)';

-- == arithmetic ==

CREATE FUNCTION vector_add(vector, vector) RETURNS vector
  AS 'MODULE_PATHNAME', 'longbow_vector_add' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_add(vector, vector) IS 'sum, element by element; an element out of range is an error (22003)';

CREATE FUNCTION vector_sub(vector, vector) RETURNS vector
  AS 'MODULE_PATHNAME', 'longbow_vector_sub' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_sub(vector, vector) IS 'difference, element by element; an element out of range is an error (22003)';

CREATE FUNCTION vector_mul(vector, vector) RETURNS vector
  AS 'MODULE_PATHNAME', 'longbow_vector_mul' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_mul(vector, vector) IS 'product, element by element; an element out of range, or a product that underflows to 0, is an error (22003)';

CREATE FUNCTION vector_concat(vector, vector) RETURNS vector
  AS 'MODULE_PATHNAME', 'longbow_vector_concat' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_concat(vector, vector) IS 'elements of the first vector, then those of the second; over 16000 is an error (54000)';

-- == comparison ==

CREATE FUNCTION vector_lt(vector, vector) RETURNS boolean
  AS 'MODULE_PATHNAME', 'longbow_vector_lt' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_lt(vector, vector) IS 'whether the first vector is less than the second, element by element and then by length';

CREATE FUNCTION vector_le(vector, vector) RETURNS boolean
  AS 'MODULE_PATHNAME', 'longbow_vector_le' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_le(vector, vector) IS 'whether the first vector is less than or equal to the second, element by element and then by length';

CREATE FUNCTION vector_eq(vector, vector) RETURNS boolean
  AS 'MODULE_PATHNAME', 'longbow_vector_eq' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_eq(vector, vector) IS 'whether the first vector equals the second, element by element and then by length';

CREATE FUNCTION vector_ne(vector, vector) RETURNS boolean
  AS 'MODULE_PATHNAME', 'longbow_vector_ne' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_ne(vector, vector) IS 'whether the first vector differs from the second, element by element and then by length';

CREATE FUNCTION vector_ge(vector, vector) RETURNS boolean
  AS 'MODULE_PATHNAME', 'longbow_vector_ge' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_ge(vector, vector) IS 'whether the first vector is greater than or equal to the second, element by element and then by length';

CREATE FUNCTION vector_gt(vector, vector) RETURNS boolean
  AS 'MODULE_PATHNAME', 'longbow_vector_gt' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_gt(vector, vector) IS 'whether the first vector is greater than the second, element by element and then by length';

CREATE FUNCTION vector_cmp(vector, vector) RETURNS integer
  AS 'MODULE_PATHNAME', 'longbow_vector_cmp' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_cmp(vector, vector) IS 'order of two vectors: -1, 0 or 1';

CREATE FUNCTION hash_vector(vector) RETURNS integer
  AS 'MODULE_PATHNAME', 'longbow_hash_vector' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION hash_vector(vector) IS 'hash of a vector; equal vectors hash equally';

CREATE FUNCTION hash_vector_extended(vector, bigint) RETURNS bigint
  AS 'MODULE_PATHNAME', 'longbow_hash_vector_extended' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION hash_vector_extended(vector, bigint) IS '64-bit hash of a vector with a seed; equal vectors hash equally';

-- == aggregates ==

CREATE FUNCTION vector_accum(double precision[], vector) RETURNS double precision[]
  AS 'MODULE_PATHNAME', 'longbow_vector_accum' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_accum(double precision[], vector) IS 'transition function of avg(vector): state {rows, sums ...}, started with {0}';

CREATE FUNCTION vector_combine(double precision[], double precision[]) RETURNS double precision[]
  AS 'MODULE_PATHNAME', 'longbow_vector_combine' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_combine(double precision[], double precision[]) IS 'merges two states of avg(vector)';

CREATE FUNCTION vector_avg(double precision[]) RETURNS vector
  AS 'MODULE_PATHNAME', 'longbow_vector_avg' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_avg(double precision[]) IS 'final function of avg(vector): NULL for a state without rows';

CREATE AGGREGATE avg(vector) (
  SFUNC = vector_accum,
  STYPE = double precision[],
  FINALFUNC = vector_avg,
  COMBINEFUNC = vector_combine,
  INITCOND = '{0}',
  PARALLEL = SAFE
);
COMMENT ON AGGREGATE avg(vector) IS 'mean, element by element, summed in float8; different dimensions are an error (22000)';

CREATE AGGREGATE sum(vector) (
  SFUNC = vector_add,
  STYPE = vector,
  COMBINEFUNC = vector_add,
  PARALLEL = SAFE
);
COMMENT ON AGGREGATE sum(vector) IS 'sum, element by element, in float4; an element out of range is an error (22003)';

-- == casts ==

CREATE FUNCTION longbow_modifier_support(internal) RETURNS internal
  AS 'MODULE_PATHNAME', 'longbow_modifier_support' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION longbow_modifier_support(internal) IS 'planner support: leaves out a type modifier''s check where the dimensions are known';

CREATE FUNCTION vector(vector, integer, boolean) RETURNS vector
  AS 'MODULE_PATHNAME', 'longbow_vector' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
  SUPPORT longbow_modifier_support;
COMMENT ON FUNCTION vector(vector, integer, boolean) IS 'requires the number of dimensions that the type modifier names';

CREATE FUNCTION array_to_vector(integer[], integer, boolean) RETURNS vector
  AS 'MODULE_PATHNAME', 'longbow_array_to_vector' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION array_to_vector(integer[], integer, boolean) IS 'array of one dimension without nulls, NaN or infinities to vector';

CREATE FUNCTION array_to_vector(real[], integer, boolean) RETURNS vector
  AS 'MODULE_PATHNAME', 'longbow_array_to_vector' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION array_to_vector(real[], integer, boolean) IS 'array of one dimension without nulls, NaN or infinities to vector';

CREATE FUNCTION array_to_vector(double precision[], integer, boolean) RETURNS vector
  AS 'MODULE_PATHNAME', 'longbow_array_to_vector' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION array_to_vector(double precision[], integer, boolean) IS 'array of one dimension without nulls, NaN or infinities to vector';

CREATE FUNCTION array_to_vector(numeric[], integer, boolean) RETURNS vector
  AS 'MODULE_PATHNAME', 'longbow_array_to_vector' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION array_to_vector(numeric[], integer, boolean) IS 'array of one dimension without nulls, NaN or infinities to vector';

CREATE FUNCTION vector_to_float4(vector, integer, boolean) RETURNS real[]
  AS 'MODULE_PATHNAME', 'longbow_vector_to_float4' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_to_float4(vector, integer, boolean) IS 'elements of a vector as an array';

CREATE CAST (vector AS vector) WITH FUNCTION vector(vector, integer, boolean) AS IMPLICIT;
COMMENT ON CAST (vector AS vector) IS 'applies a type modifier; another number of dimensions is an error (22000)';

CREATE CAST (vector AS real[]) WITH FUNCTION vector_to_float4(vector, integer, boolean) AS IMPLICIT;
COMMENT ON CAST (vector AS real[]) IS 'elements as an array';

CREATE CAST (integer[] AS vector) WITH FUNCTION array_to_vector(integer[], integer, boolean) AS ASSIGNMENT;
COMMENT ON CAST (integer[] AS vector) IS 'elements as 4-byte floats; nulls (22004), NaN and infinities (22000) are errors';

CREATE CAST (real[] AS vector) WITH FUNCTION array_to_vector(real[], integer, boolean) AS ASSIGNMENT;
COMMENT ON CAST (real[] AS vector) IS 'elements as 4-byte floats; nulls (22004), NaN and infinities (22000) are errors';

CREATE CAST (double precision[] AS vector) WITH FUNCTION array_to_vector(double precision[], integer, boolean) AS ASSIGNMENT;
COMMENT ON CAST (double precision[] AS vector) IS 'elements as 4-byte floats; nulls (22004), NaN and infinities (22000) are errors';

CREATE CAST (numeric[] AS vector) WITH FUNCTION array_to_vector(numeric[], integer, boolean) AS ASSIGNMENT;
COMMENT ON CAST (numeric[] AS vector) IS 'elements as 4-byte floats; nulls (22004), NaN and infinities (22000) are errors';

-- == operators ==

CREATE OPERATOR <-> (
  LEFTARG = vector, RIGHTARG = vector, FUNCTION = l2_distance,
  COMMUTATOR = <->
);
COMMENT ON OPERATOR <-> (vector, vector) IS 'Euclidean distance';

CREATE OPERATOR <#> (
  LEFTARG = vector, RIGHTARG = vector, FUNCTION = vector_negative_inner_product,
  COMMUTATOR = <#>
);
COMMENT ON OPERATOR <#> (vector, vector) IS 'inner product with its sign changed, so that less is nearer';

CREATE OPERATOR <=> (
  LEFTARG = vector, RIGHTARG = vector, FUNCTION = cosine_distance,
  COMMUTATOR = <=>
);
COMMENT ON OPERATOR <=> (vector, vector) IS 'cosine distance: 1 - cosine similarity';

CREATE OPERATOR <+> (
  LEFTARG = vector, RIGHTARG = vector, FUNCTION = l1_distance,
  COMMUTATOR = <+>
);
COMMENT ON OPERATOR <+> (vector, vector) IS 'taxicab distance';

CREATE OPERATOR + (
  LEFTARG = vector, RIGHTARG = vector, FUNCTION = vector_add,
  COMMUTATOR = +
);
COMMENT ON OPERATOR + (vector, vector) IS 'sum, element by element';

CREATE OPERATOR - (
  LEFTARG = vector, RIGHTARG = vector, FUNCTION = vector_sub
);
COMMENT ON OPERATOR - (vector, vector) IS 'difference, element by element';

CREATE OPERATOR * (
  LEFTARG = vector, RIGHTARG = vector, FUNCTION = vector_mul,
  COMMUTATOR = *
);
COMMENT ON OPERATOR * (vector, vector) IS 'product, element by element';

CREATE OPERATOR || (
  LEFTARG = vector, RIGHTARG = vector, FUNCTION = vector_concat
);
COMMENT ON OPERATOR || (vector, vector) IS 'concatenation';

CREATE OPERATOR < (
  LEFTARG = vector, RIGHTARG = vector, FUNCTION = vector_lt,
  COMMUTATOR = >, NEGATOR = >=,
  RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
COMMENT ON OPERATOR < (vector, vector) IS 'less than';

CREATE OPERATOR <= (
  LEFTARG = vector, RIGHTARG = vector, FUNCTION = vector_le,
  COMMUTATOR = >=, NEGATOR = >,
  RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
COMMENT ON OPERATOR <= (vector, vector) IS 'less than or equal';

CREATE OPERATOR = (
  LEFTARG = vector, RIGHTARG = vector, FUNCTION = vector_eq,
  COMMUTATOR = =, NEGATOR = <>,
  RESTRICT = eqsel, JOIN = eqjoinsel,
  HASHES, MERGES
);
COMMENT ON OPERATOR = (vector, vector) IS 'equal';

CREATE OPERATOR <> (
  LEFTARG = vector, RIGHTARG = vector, FUNCTION = vector_ne,
  COMMUTATOR = <>, NEGATOR = =,
  RESTRICT = neqsel, JOIN = neqjoinsel
);
COMMENT ON OPERATOR <> (vector, vector) IS 'not equal';

CREATE OPERATOR >= (
  LEFTARG = vector, RIGHTARG = vector, FUNCTION = vector_ge,
  COMMUTATOR = <=, NEGATOR = <,
  RESTRICT = scalargesel, JOIN = scalargejoinsel
);
COMMENT ON OPERATOR >= (vector, vector) IS 'greater than or equal';

CREATE OPERATOR > (
  LEFTARG = vector, RIGHTARG = vector, FUNCTION = vector_gt,
  COMMUTATOR = <, NEGATOR = <=,
  RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
COMMENT ON OPERATOR > (vector, vector) IS 'greater than';

-- == operator classes for sorting and hashing ==

CREATE OPERATOR CLASS vector_ops
  DEFAULT FOR TYPE vector USING btree AS
  OPERATOR 1 <,
  OPERATOR 2 <=,
  OPERATOR 3 =,
  OPERATOR 4 >=,
  OPERATOR 5 >,
  FUNCTION 1 vector_cmp(vector, vector);
COMMENT ON OPERATOR CLASS vector_ops USING btree IS 'order of vectors: element by element, then by length';
COMMENT ON OPERATOR FAMILY vector_ops USING btree IS 'order of vectors';

CREATE OPERATOR CLASS vector_ops
  DEFAULT FOR TYPE vector USING hash AS
  OPERATOR 1 =,
  FUNCTION 1 hash_vector(vector),
  FUNCTION 2 hash_vector_extended(vector, bigint);
COMMENT ON OPERATOR CLASS vector_ops USING hash IS 'equality of vectors, for hash joins and grouping; -0 equals 0';
COMMENT ON OPERATOR FAMILY vector_ops USING hash IS 'equality of vectors';

-- == distances of arrays ==
-- Between arrays of real, and between them and vectors: those are SQL functions that are inlined into the operator of vectors, so
-- that an index on the vector serves ORDER BY v <-> ARRAY[...].

CREATE FUNCTION array_l2_distance(real[], real[]) RETURNS float8
  AS 'MODULE_PATHNAME', 'longbow_array_l2_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION array_l2_distance(real[], real[]) IS 'Euclidean distance of arrays of one dimension; different lengths (22000) and nulls (22004) are errors';
CREATE FUNCTION array_l2_distance(vector, real[]) RETURNS float8
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN $1 <-> CAST($2 AS vector);
COMMENT ON FUNCTION array_l2_distance(vector, real[]) IS 'Euclidean distance, the array taken as a vector';
CREATE FUNCTION array_l2_distance(real[], vector) RETURNS float8
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN $2 <-> CAST($1 AS vector);
COMMENT ON FUNCTION array_l2_distance(real[], vector) IS 'Euclidean distance, the array taken as a vector';

CREATE OPERATOR <-> (
  LEFTARG = real[], RIGHTARG = real[], FUNCTION = array_l2_distance,
  COMMUTATOR = <->
);
COMMENT ON OPERATOR <-> (real[], real[]) IS 'Euclidean distance';
CREATE OPERATOR <-> (
  LEFTARG = vector, RIGHTARG = real[], FUNCTION = array_l2_distance,
  COMMUTATOR = <->
);
COMMENT ON OPERATOR <-> (vector, real[]) IS 'Euclidean distance, the array taken as a vector';
CREATE OPERATOR <-> (
  LEFTARG = real[], RIGHTARG = vector, FUNCTION = array_l2_distance,
  COMMUTATOR = <->
);
COMMENT ON OPERATOR <-> (real[], vector) IS 'Euclidean distance, the array taken as a vector';

CREATE FUNCTION array_negative_inner_product(real[], real[]) RETURNS float8
  AS 'MODULE_PATHNAME', 'longbow_array_negative_inner_product' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION array_negative_inner_product(real[], real[]) IS 'inner product with its sign changed of arrays of one dimension; different lengths (22000) and nulls (22004) are errors';
CREATE FUNCTION array_negative_inner_product(vector, real[]) RETURNS float8
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN $1 <#> CAST($2 AS vector);
COMMENT ON FUNCTION array_negative_inner_product(vector, real[]) IS 'inner product with its sign changed, the array taken as a vector';
CREATE FUNCTION array_negative_inner_product(real[], vector) RETURNS float8
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN $2 <#> CAST($1 AS vector);
COMMENT ON FUNCTION array_negative_inner_product(real[], vector) IS 'inner product with its sign changed, the array taken as a vector';

CREATE OPERATOR <#> (
  LEFTARG = real[], RIGHTARG = real[], FUNCTION = array_negative_inner_product,
  COMMUTATOR = <#>
);
COMMENT ON OPERATOR <#> (real[], real[]) IS 'inner product with its sign changed';
CREATE OPERATOR <#> (
  LEFTARG = vector, RIGHTARG = real[], FUNCTION = array_negative_inner_product,
  COMMUTATOR = <#>
);
COMMENT ON OPERATOR <#> (vector, real[]) IS 'inner product with its sign changed, the array taken as a vector';
CREATE OPERATOR <#> (
  LEFTARG = real[], RIGHTARG = vector, FUNCTION = array_negative_inner_product,
  COMMUTATOR = <#>
);
COMMENT ON OPERATOR <#> (real[], vector) IS 'inner product with its sign changed, the array taken as a vector';

CREATE FUNCTION array_cosine_distance(real[], real[]) RETURNS float8
  AS 'MODULE_PATHNAME', 'longbow_array_cosine_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION array_cosine_distance(real[], real[]) IS 'cosine distance of arrays of one dimension; different lengths (22000) and nulls (22004) are errors';
CREATE FUNCTION array_cosine_distance(vector, real[]) RETURNS float8
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN $1 <=> CAST($2 AS vector);
COMMENT ON FUNCTION array_cosine_distance(vector, real[]) IS 'cosine distance, the array taken as a vector';
CREATE FUNCTION array_cosine_distance(real[], vector) RETURNS float8
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN $2 <=> CAST($1 AS vector);
COMMENT ON FUNCTION array_cosine_distance(real[], vector) IS 'cosine distance, the array taken as a vector';

CREATE OPERATOR <=> (
  LEFTARG = real[], RIGHTARG = real[], FUNCTION = array_cosine_distance,
  COMMUTATOR = <=>
);
COMMENT ON OPERATOR <=> (real[], real[]) IS 'cosine distance';
CREATE OPERATOR <=> (
  LEFTARG = vector, RIGHTARG = real[], FUNCTION = array_cosine_distance,
  COMMUTATOR = <=>
);
COMMENT ON OPERATOR <=> (vector, real[]) IS 'cosine distance, the array taken as a vector';
CREATE OPERATOR <=> (
  LEFTARG = real[], RIGHTARG = vector, FUNCTION = array_cosine_distance,
  COMMUTATOR = <=>
);
COMMENT ON OPERATOR <=> (real[], vector) IS 'cosine distance, the array taken as a vector';

CREATE FUNCTION array_l1_distance(real[], real[]) RETURNS float8
  AS 'MODULE_PATHNAME', 'longbow_array_l1_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION array_l1_distance(real[], real[]) IS 'taxicab distance of arrays of one dimension; different lengths (22000) and nulls (22004) are errors';
CREATE FUNCTION array_l1_distance(vector, real[]) RETURNS float8
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN $1 <+> CAST($2 AS vector);
COMMENT ON FUNCTION array_l1_distance(vector, real[]) IS 'taxicab distance, the array taken as a vector';
CREATE FUNCTION array_l1_distance(real[], vector) RETURNS float8
  LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE RETURN $2 <+> CAST($1 AS vector);
COMMENT ON FUNCTION array_l1_distance(real[], vector) IS 'taxicab distance, the array taken as a vector';

CREATE OPERATOR <+> (
  LEFTARG = real[], RIGHTARG = real[], FUNCTION = array_l1_distance,
  COMMUTATOR = <+>
);
COMMENT ON OPERATOR <+> (real[], real[]) IS 'taxicab distance';
CREATE OPERATOR <+> (
  LEFTARG = vector, RIGHTARG = real[], FUNCTION = array_l1_distance,
  COMMUTATOR = <+>
);
COMMENT ON OPERATOR <+> (vector, real[]) IS 'taxicab distance, the array taken as a vector';
CREATE OPERATOR <+> (
  LEFTARG = real[], RIGHTARG = vector, FUNCTION = array_l1_distance,
  COMMUTATOR = <+>
);
COMMENT ON OPERATOR <+> (real[], vector) IS 'taxicab distance, the array taken as a vector';

-- == type halfvec ==

CREATE TYPE halfvec;

CREATE FUNCTION halfvec_in(cstring, oid, integer) RETURNS halfvec
  AS 'MODULE_PATHNAME', 'longbow_halfvec_in' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_in(cstring, oid, integer) IS 'text input of halfvec: [1,2,3]; elements are rounded to the nearest half';

CREATE FUNCTION halfvec_out(halfvec) RETURNS cstring
  AS 'MODULE_PATHNAME', 'longbow_halfvec_out' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_out(halfvec) IS 'text output of halfvec, with the fewest digits that read back as the same 4-byte float';

CREATE FUNCTION halfvec_typmod_in(cstring[]) RETURNS integer
  AS 'MODULE_PATHNAME', 'longbow_halfvec_typmod_in' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_typmod_in(cstring[]) IS 'type modifier of halfvec: the number of dimensions, 1 to 16000';

CREATE FUNCTION halfvec_recv(internal, oid, integer) RETURNS halfvec
  AS 'MODULE_PATHNAME', 'longbow_halfvec_recv' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_recv(internal, oid, integer) IS 'binary input of halfvec: int16 dimensions, int16 zero, then the elements as binary16';

CREATE FUNCTION halfvec_send(halfvec) RETURNS bytea
  AS 'MODULE_PATHNAME', 'longbow_halfvec_send' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_send(halfvec) IS 'binary output of halfvec: int16 dimensions, int16 zero, then the elements as binary16';

CREATE TYPE halfvec (
  INPUT = halfvec_in,
  OUTPUT = halfvec_out,
  TYPMOD_IN = halfvec_typmod_in,
  RECEIVE = halfvec_recv,
  SEND = halfvec_send,
  STORAGE = external
);
COMMENT ON TYPE halfvec IS 'vector of 1 to 16000 finite 2-byte floats (IEEE binary16, up to 65504); halfvec(n) holds exactly n';

-- == halfvec: distances ==

CREATE FUNCTION l2_distance(halfvec, halfvec) RETURNS float8
  AS 'MODULE_PATHNAME', 'longbow_halfvec_l2_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION l2_distance(halfvec, halfvec) IS 'Euclidean distance, at least 0; different dimensions are an error (22000)';

CREATE FUNCTION inner_product(halfvec, halfvec) RETURNS float8
  AS 'MODULE_PATHNAME', 'longbow_halfvec_inner_product' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION inner_product(halfvec, halfvec) IS 'inner product; different dimensions are an error (22000)';

CREATE FUNCTION cosine_distance(halfvec, halfvec) RETURNS float8
  AS 'MODULE_PATHNAME', 'longbow_halfvec_cosine_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION cosine_distance(halfvec, halfvec) IS '1 - cosine similarity, from 0 to 2; NaN if a halfvec is zero; different dimensions are an error (22000)';

CREATE FUNCTION l1_distance(halfvec, halfvec) RETURNS float8
  AS 'MODULE_PATHNAME', 'longbow_halfvec_l1_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION l1_distance(halfvec, halfvec) IS 'taxicab distance, at least 0; different dimensions are an error (22000)';

CREATE FUNCTION halfvec_l2_squared_distance(halfvec, halfvec) RETURNS float8
  AS 'MODULE_PATHNAME', 'longbow_halfvec_l2_squared_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_l2_squared_distance(halfvec, halfvec) IS 'square of the Euclidean distance; different dimensions are an error (22000)';

CREATE FUNCTION halfvec_negative_inner_product(halfvec, halfvec) RETURNS float8
  AS 'MODULE_PATHNAME', 'longbow_halfvec_negative_inner_product' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_negative_inner_product(halfvec, halfvec) IS 'inner product with its sign changed, so that less is nearer; different dimensions are an error (22000)';

CREATE FUNCTION halfvec_spherical_distance(halfvec, halfvec) RETURNS float8
  AS 'MODULE_PATHNAME', 'longbow_halfvec_spherical_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_spherical_distance(halfvec, halfvec) IS 'angle between unit halfvecs in half turns, from 0 to 1; different dimensions are an error (22000)';

-- == halfvec: properties and parts ==

CREATE FUNCTION vector_dims(halfvec) RETURNS integer
  AS 'MODULE_PATHNAME', 'longbow_halfvec_dims' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_dims(halfvec) IS 'number of dimensions, 1 to 16000';

CREATE FUNCTION l2_norm(halfvec) RETURNS float8
  AS 'MODULE_PATHNAME', 'longbow_halfvec_norm' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION l2_norm(halfvec) IS 'Euclidean norm';

CREATE FUNCTION l2_normalize(halfvec) RETURNS halfvec
  AS 'MODULE_PATHNAME', 'longbow_halfvec_l2_normalize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION l2_normalize(halfvec) IS 'halfvec divided by its Euclidean norm; a zero halfvec stays zero';

CREATE FUNCTION binary_quantize(halfvec) RETURNS bit
  AS 'MODULE_PATHNAME', 'longbow_halfvec_binary_quantize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION binary_quantize(halfvec) IS 'one bit an element: 1 where it is greater than 0';

CREATE FUNCTION subvector(halfvec, integer, integer) RETURNS halfvec
  AS 'MODULE_PATHNAME', 'longbow_halfvec_subvector' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION subvector(halfvec, integer, integer) IS 'elements from the second argument on, counted from 1, at most as many as the third; none is an error (22000)';

-- == halfvec: arithmetic ==

CREATE FUNCTION halfvec_add(halfvec, halfvec) RETURNS halfvec
  AS 'MODULE_PATHNAME', 'longbow_halfvec_add' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_add(halfvec, halfvec) IS 'sum, element by element; an element out of range is an error (22003)';

CREATE FUNCTION halfvec_sub(halfvec, halfvec) RETURNS halfvec
  AS 'MODULE_PATHNAME', 'longbow_halfvec_sub' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_sub(halfvec, halfvec) IS 'difference, element by element; an element out of range is an error (22003)';

CREATE FUNCTION halfvec_mul(halfvec, halfvec) RETURNS halfvec
  AS 'MODULE_PATHNAME', 'longbow_halfvec_mul' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_mul(halfvec, halfvec) IS 'product, element by element; an element out of range, or a product that underflows to 0, is an error (22003)';

CREATE FUNCTION halfvec_concat(halfvec, halfvec) RETURNS halfvec
  AS 'MODULE_PATHNAME', 'longbow_halfvec_concat' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_concat(halfvec, halfvec) IS 'elements of the first halfvec, then those of the second; over 16000 is an error (54000)';

-- == halfvec: comparison ==

CREATE FUNCTION halfvec_lt(halfvec, halfvec) RETURNS boolean
  AS 'MODULE_PATHNAME', 'longbow_halfvec_lt' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_lt(halfvec, halfvec) IS 'whether the first halfvec is less than the second, element by element and then by length';

CREATE FUNCTION halfvec_le(halfvec, halfvec) RETURNS boolean
  AS 'MODULE_PATHNAME', 'longbow_halfvec_le' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_le(halfvec, halfvec) IS 'whether the first halfvec is less than or equal to the second, element by element and then by length';

CREATE FUNCTION halfvec_eq(halfvec, halfvec) RETURNS boolean
  AS 'MODULE_PATHNAME', 'longbow_halfvec_eq' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_eq(halfvec, halfvec) IS 'whether the first halfvec equals the second, element by element and then by length';

CREATE FUNCTION halfvec_ne(halfvec, halfvec) RETURNS boolean
  AS 'MODULE_PATHNAME', 'longbow_halfvec_ne' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_ne(halfvec, halfvec) IS 'whether the first halfvec differs from the second, element by element and then by length';

CREATE FUNCTION halfvec_ge(halfvec, halfvec) RETURNS boolean
  AS 'MODULE_PATHNAME', 'longbow_halfvec_ge' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_ge(halfvec, halfvec) IS 'whether the first halfvec is greater than or equal to the second, element by element and then by length';

CREATE FUNCTION halfvec_gt(halfvec, halfvec) RETURNS boolean
  AS 'MODULE_PATHNAME', 'longbow_halfvec_gt' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_gt(halfvec, halfvec) IS 'whether the first halfvec is greater than the second, element by element and then by length';

CREATE FUNCTION halfvec_cmp(halfvec, halfvec) RETURNS integer
  AS 'MODULE_PATHNAME', 'longbow_halfvec_cmp' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_cmp(halfvec, halfvec) IS 'order of two halfvecs: -1, 0 or 1';

CREATE FUNCTION hash_halfvec(halfvec) RETURNS integer
  AS 'MODULE_PATHNAME', 'longbow_hash_halfvec' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION hash_halfvec(halfvec) IS 'hash of a halfvec; equal halfvecs hash equally';

CREATE FUNCTION hash_halfvec_extended(halfvec, bigint) RETURNS bigint
  AS 'MODULE_PATHNAME', 'longbow_hash_halfvec_extended' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION hash_halfvec_extended(halfvec, bigint) IS '64-bit hash of a halfvec with a seed; equal halfvecs hash equally';

-- == halfvec: aggregates ==

CREATE FUNCTION halfvec_accum(double precision[], halfvec) RETURNS double precision[]
  AS 'MODULE_PATHNAME', 'longbow_halfvec_accum' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_accum(double precision[], halfvec) IS 'transition function of avg(halfvec): state {rows, sums ...}, started with {0}';

CREATE FUNCTION halfvec_combine(double precision[], double precision[]) RETURNS double precision[]
  AS 'MODULE_PATHNAME', 'longbow_halfvec_combine' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_combine(double precision[], double precision[]) IS 'merges two states of avg(halfvec)';

CREATE FUNCTION halfvec_avg(double precision[]) RETURNS halfvec
  AS 'MODULE_PATHNAME', 'longbow_halfvec_avg' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_avg(double precision[]) IS 'final function of avg(halfvec): NULL for a state without rows';

CREATE AGGREGATE avg(halfvec) (
  SFUNC = halfvec_accum,
  STYPE = double precision[],
  FINALFUNC = halfvec_avg,
  COMBINEFUNC = halfvec_combine,
  INITCOND = '{0}',
  PARALLEL = SAFE
);
COMMENT ON AGGREGATE avg(halfvec) IS 'mean, element by element, summed in float8; different dimensions are an error (22000)';

CREATE AGGREGATE sum(halfvec) (
  SFUNC = halfvec_add,
  STYPE = halfvec,
  COMBINEFUNC = halfvec_add,
  PARALLEL = SAFE
);
COMMENT ON AGGREGATE sum(halfvec) IS 'sum, element by element, rounded to halves row by row; an element out of range is an error (22003)';

-- == halfvec: casts ==

CREATE FUNCTION halfvec(halfvec, integer, boolean) RETURNS halfvec
  AS 'MODULE_PATHNAME', 'longbow_halfvec' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
  SUPPORT longbow_modifier_support;
COMMENT ON FUNCTION halfvec(halfvec, integer, boolean) IS 'requires the number of dimensions that the type modifier names';

CREATE FUNCTION array_to_halfvec(integer[], integer, boolean) RETURNS halfvec
  AS 'MODULE_PATHNAME', 'longbow_array_to_halfvec' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION array_to_halfvec(integer[], integer, boolean) IS 'array of one dimension without nulls, NaN or infinities to halfvec';

CREATE FUNCTION array_to_halfvec(real[], integer, boolean) RETURNS halfvec
  AS 'MODULE_PATHNAME', 'longbow_array_to_halfvec' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION array_to_halfvec(real[], integer, boolean) IS 'array of one dimension without nulls, NaN or infinities to halfvec';

CREATE FUNCTION array_to_halfvec(double precision[], integer, boolean) RETURNS halfvec
  AS 'MODULE_PATHNAME', 'longbow_array_to_halfvec' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION array_to_halfvec(double precision[], integer, boolean) IS 'array of one dimension without nulls, NaN or infinities to halfvec';

CREATE FUNCTION array_to_halfvec(numeric[], integer, boolean) RETURNS halfvec
  AS 'MODULE_PATHNAME', 'longbow_array_to_halfvec' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION array_to_halfvec(numeric[], integer, boolean) IS 'array of one dimension without nulls, NaN or infinities to halfvec';

CREATE FUNCTION halfvec_to_float4(halfvec, integer, boolean) RETURNS real[]
  AS 'MODULE_PATHNAME', 'longbow_halfvec_to_float4' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_to_float4(halfvec, integer, boolean) IS 'elements of a halfvec as an array';

CREATE FUNCTION halfvec_to_vector(halfvec, integer, boolean) RETURNS vector
  AS 'MODULE_PATHNAME', 'longbow_halfvec_to_vector' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_to_vector(halfvec, integer, boolean) IS 'elements of a halfvec as 4-byte floats, which is exact';

CREATE FUNCTION vector_to_halfvec(vector, integer, boolean) RETURNS halfvec
  AS 'MODULE_PATHNAME', 'longbow_vector_to_halfvec' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_to_halfvec(vector, integer, boolean) IS 'elements of a vector rounded to the nearest half; one that rounds to infinity is an error (22003)';

CREATE CAST (halfvec AS halfvec) WITH FUNCTION halfvec(halfvec, integer, boolean) AS IMPLICIT;
COMMENT ON CAST (halfvec AS halfvec) IS 'applies a type modifier; another number of dimensions is an error (22000)';

CREATE CAST (halfvec AS vector) WITH FUNCTION halfvec_to_vector(halfvec, integer, boolean) AS ASSIGNMENT;
COMMENT ON CAST (halfvec AS vector) IS 'elements as 4-byte floats, which is exact';

CREATE CAST (vector AS halfvec) WITH FUNCTION vector_to_halfvec(vector, integer, boolean) AS IMPLICIT;
COMMENT ON CAST (vector AS halfvec) IS 'elements rounded to the nearest half; one that rounds to infinity is an error (22003)';

CREATE CAST (halfvec AS real[]) WITH FUNCTION halfvec_to_float4(halfvec, integer, boolean) AS ASSIGNMENT;
COMMENT ON CAST (halfvec AS real[]) IS 'elements as an array';

CREATE CAST (integer[] AS halfvec) WITH FUNCTION array_to_halfvec(integer[], integer, boolean) AS ASSIGNMENT;
COMMENT ON CAST (integer[] AS halfvec) IS 'elements rounded to halves; nulls (22004), NaN and infinities (22000), and values that round to infinity (22003) are errors';

CREATE CAST (real[] AS halfvec) WITH FUNCTION array_to_halfvec(real[], integer, boolean) AS ASSIGNMENT;
COMMENT ON CAST (real[] AS halfvec) IS 'elements rounded to halves; nulls (22004), NaN and infinities (22000), and values that round to infinity (22003) are errors';

CREATE CAST (double precision[] AS halfvec) WITH FUNCTION array_to_halfvec(double precision[], integer, boolean) AS ASSIGNMENT;
COMMENT ON CAST (double precision[] AS halfvec) IS 'elements rounded to halves; nulls (22004), NaN and infinities (22000), and values that round to infinity (22003) are errors';

CREATE CAST (numeric[] AS halfvec) WITH FUNCTION array_to_halfvec(numeric[], integer, boolean) AS ASSIGNMENT;
COMMENT ON CAST (numeric[] AS halfvec) IS 'elements rounded to halves; nulls (22004), NaN and infinities (22000), and values that round to infinity (22003) are errors';

-- == halfvec: operators ==

CREATE OPERATOR <-> (
  LEFTARG = halfvec, RIGHTARG = halfvec, FUNCTION = l2_distance,
  COMMUTATOR = <->
);
COMMENT ON OPERATOR <-> (halfvec, halfvec) IS 'Euclidean distance';

CREATE OPERATOR <#> (
  LEFTARG = halfvec, RIGHTARG = halfvec, FUNCTION = halfvec_negative_inner_product,
  COMMUTATOR = <#>
);
COMMENT ON OPERATOR <#> (halfvec, halfvec) IS 'inner product with its sign changed, so that less is nearer';

CREATE OPERATOR <=> (
  LEFTARG = halfvec, RIGHTARG = halfvec, FUNCTION = cosine_distance,
  COMMUTATOR = <=>
);
COMMENT ON OPERATOR <=> (halfvec, halfvec) IS 'cosine distance: 1 - cosine similarity';

CREATE OPERATOR <+> (
  LEFTARG = halfvec, RIGHTARG = halfvec, FUNCTION = l1_distance,
  COMMUTATOR = <+>
);
COMMENT ON OPERATOR <+> (halfvec, halfvec) IS 'taxicab distance';

CREATE OPERATOR + (
  LEFTARG = halfvec, RIGHTARG = halfvec, FUNCTION = halfvec_add,
  COMMUTATOR = +
);
COMMENT ON OPERATOR + (halfvec, halfvec) IS 'sum, element by element';

CREATE OPERATOR - (
  LEFTARG = halfvec, RIGHTARG = halfvec, FUNCTION = halfvec_sub
);
COMMENT ON OPERATOR - (halfvec, halfvec) IS 'difference, element by element';

CREATE OPERATOR * (
  LEFTARG = halfvec, RIGHTARG = halfvec, FUNCTION = halfvec_mul,
  COMMUTATOR = *
);
COMMENT ON OPERATOR * (halfvec, halfvec) IS 'product, element by element';

CREATE OPERATOR || (
  LEFTARG = halfvec, RIGHTARG = halfvec, FUNCTION = halfvec_concat
);
COMMENT ON OPERATOR || (halfvec, halfvec) IS 'concatenation';

CREATE OPERATOR < (
  LEFTARG = halfvec, RIGHTARG = halfvec, FUNCTION = halfvec_lt,
  COMMUTATOR = >, NEGATOR = >=,
  RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
COMMENT ON OPERATOR < (halfvec, halfvec) IS 'less than';

CREATE OPERATOR <= (
  LEFTARG = halfvec, RIGHTARG = halfvec, FUNCTION = halfvec_le,
  COMMUTATOR = >=, NEGATOR = >,
  RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
COMMENT ON OPERATOR <= (halfvec, halfvec) IS 'less than or equal';

CREATE OPERATOR = (
  LEFTARG = halfvec, RIGHTARG = halfvec, FUNCTION = halfvec_eq,
  COMMUTATOR = =, NEGATOR = <>,
  RESTRICT = eqsel, JOIN = eqjoinsel,
  HASHES, MERGES
);
COMMENT ON OPERATOR = (halfvec, halfvec) IS 'equal';

CREATE OPERATOR <> (
  LEFTARG = halfvec, RIGHTARG = halfvec, FUNCTION = halfvec_ne,
  COMMUTATOR = <>, NEGATOR = =,
  RESTRICT = neqsel, JOIN = neqjoinsel
);
COMMENT ON OPERATOR <> (halfvec, halfvec) IS 'not equal';

CREATE OPERATOR >= (
  LEFTARG = halfvec, RIGHTARG = halfvec, FUNCTION = halfvec_ge,
  COMMUTATOR = <=, NEGATOR = <,
  RESTRICT = scalargesel, JOIN = scalargejoinsel
);
COMMENT ON OPERATOR >= (halfvec, halfvec) IS 'greater than or equal';

CREATE OPERATOR > (
  LEFTARG = halfvec, RIGHTARG = halfvec, FUNCTION = halfvec_gt,
  COMMUTATOR = <, NEGATOR = <=,
  RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
COMMENT ON OPERATOR > (halfvec, halfvec) IS 'greater than';

-- == halfvec: operator classes for sorting and hashing ==

CREATE OPERATOR CLASS halfvec_ops
  DEFAULT FOR TYPE halfvec USING btree AS
  OPERATOR 1 <,
  OPERATOR 2 <=,
  OPERATOR 3 =,
  OPERATOR 4 >=,
  OPERATOR 5 >,
  FUNCTION 1 halfvec_cmp(halfvec, halfvec);
COMMENT ON OPERATOR CLASS halfvec_ops USING btree IS 'order of halfvecs: element by element, then by length';
COMMENT ON OPERATOR FAMILY halfvec_ops USING btree IS 'order of halfvecs';

CREATE OPERATOR CLASS halfvec_ops
  DEFAULT FOR TYPE halfvec USING hash AS
  OPERATOR 1 =,
  FUNCTION 1 hash_halfvec(halfvec),
  FUNCTION 2 hash_halfvec_extended(halfvec, bigint);
COMMENT ON OPERATOR CLASS halfvec_ops USING hash IS 'equality of halfvecs, for hash joins and grouping; -0 equals 0';
COMMENT ON OPERATOR FAMILY halfvec_ops USING hash IS 'equality of halfvecs';

-- == bit: distances ==

CREATE FUNCTION hamming_distance(bit, bit) RETURNS float8
  AS 'MODULE_PATHNAME', 'longbow_hamming_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION hamming_distance(bit, bit) IS 'number of bits that differ; different lengths are an error (22000)';

CREATE FUNCTION jaccard_distance(bit, bit) RETURNS float8
  AS 'MODULE_PATHNAME', 'longbow_jaccard_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION jaccard_distance(bit, bit) IS '1 - bits set in both / bits set in either, from 0 to 1; 1 if no bit is set in both; different lengths are an error (22000)';

CREATE OPERATOR <~> (
  LEFTARG = bit, RIGHTARG = bit, FUNCTION = hamming_distance,
  COMMUTATOR = <~>
);
COMMENT ON OPERATOR <~> (bit, bit) IS 'Hamming distance';

CREATE OPERATOR <%> (
  LEFTARG = bit, RIGHTARG = bit, FUNCTION = jaccard_distance,
  COMMUTATOR = <%>
);
COMMENT ON OPERATOR <%> (bit, bit) IS 'Jaccard distance';

-- == type sparsevec ==

CREATE TYPE sparsevec;

CREATE FUNCTION sparsevec_in(cstring, oid, integer) RETURNS sparsevec
  AS 'MODULE_PATHNAME', 'longbow_sparsevec_in' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION sparsevec_in(cstring, oid, integer) IS 'text input of sparsevec: {1:0.5,7:2}/10, index:value pairs with indices from 1, and the number of dimensions';

CREATE FUNCTION sparsevec_out(sparsevec) RETURNS cstring
  AS 'MODULE_PATHNAME', 'longbow_sparsevec_out' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION sparsevec_out(sparsevec) IS 'text output of sparsevec, with the fewest digits that read back unchanged';

CREATE FUNCTION sparsevec_typmod_in(cstring[]) RETURNS integer
  AS 'MODULE_PATHNAME', 'longbow_sparsevec_typmod_in' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION sparsevec_typmod_in(cstring[]) IS 'type modifier of sparsevec: the number of dimensions, 1 to 1000000000';

CREATE FUNCTION sparsevec_recv(internal, oid, integer) RETURNS sparsevec
  AS 'MODULE_PATHNAME', 'longbow_sparsevec_recv' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION sparsevec_recv(internal, oid, integer) IS 'binary input of sparsevec: int32 dimensions, int32 elements, int32 zero, then the indices from 0 as int32, then the values as float4';

CREATE FUNCTION sparsevec_send(sparsevec) RETURNS bytea
  AS 'MODULE_PATHNAME', 'longbow_sparsevec_send' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION sparsevec_send(sparsevec) IS 'binary output of sparsevec: int32 dimensions, int32 elements, int32 zero, then the indices from 0 as int32, then the values as float4';

CREATE TYPE sparsevec (
  INPUT = sparsevec_in,
  OUTPUT = sparsevec_out,
  TYPMOD_IN = sparsevec_typmod_in,
  RECEIVE = sparsevec_recv,
  SEND = sparsevec_send,
  STORAGE = external
);
COMMENT ON TYPE sparsevec IS 'vector of 1 to 1e9 dimensions of which at most 16000 are not zero, finite 4-byte floats; sparsevec(n) has exactly n';

-- == sparsevec: distances and norm ==

CREATE FUNCTION l2_distance(sparsevec, sparsevec) RETURNS float8
  AS 'MODULE_PATHNAME', 'longbow_sparsevec_l2_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION l2_distance(sparsevec, sparsevec) IS 'Euclidean distance, at least 0; different dimensions are an error (22000)';

CREATE FUNCTION inner_product(sparsevec, sparsevec) RETURNS float8
  AS 'MODULE_PATHNAME', 'longbow_sparsevec_inner_product' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION inner_product(sparsevec, sparsevec) IS 'inner product; different dimensions are an error (22000)';

CREATE FUNCTION cosine_distance(sparsevec, sparsevec) RETURNS float8
  AS 'MODULE_PATHNAME', 'longbow_sparsevec_cosine_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION cosine_distance(sparsevec, sparsevec) IS '1 - cosine similarity, from 0 to 2; NaN if a sparsevec is zero; different dimensions are an error (22000)';

CREATE FUNCTION l1_distance(sparsevec, sparsevec) RETURNS float8
  AS 'MODULE_PATHNAME', 'longbow_sparsevec_l1_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION l1_distance(sparsevec, sparsevec) IS 'taxicab distance, at least 0; different dimensions are an error (22000)';

CREATE FUNCTION sparsevec_l2_squared_distance(sparsevec, sparsevec) RETURNS float8
  AS 'MODULE_PATHNAME', 'longbow_sparsevec_l2_squared_distance' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION sparsevec_l2_squared_distance(sparsevec, sparsevec) IS 'square of the Euclidean distance; different dimensions are an error (22000)';

CREATE FUNCTION sparsevec_negative_inner_product(sparsevec, sparsevec) RETURNS float8
  AS 'MODULE_PATHNAME', 'longbow_sparsevec_negative_inner_product' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION sparsevec_negative_inner_product(sparsevec, sparsevec) IS 'inner product with its sign changed, so that less is nearer; different dimensions are an error (22000)';

CREATE FUNCTION l2_norm(sparsevec) RETURNS float8
  AS 'MODULE_PATHNAME', 'longbow_sparsevec_l2_norm' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION l2_norm(sparsevec) IS 'Euclidean norm';

CREATE FUNCTION l2_normalize(sparsevec) RETURNS sparsevec
  AS 'MODULE_PATHNAME', 'longbow_sparsevec_l2_normalize' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION l2_normalize(sparsevec) IS 'sparsevec divided by its Euclidean norm; zero stays zero, and so becomes what underflows';

-- == sparsevec: comparison ==

CREATE FUNCTION sparsevec_lt(sparsevec, sparsevec) RETURNS boolean
  AS 'MODULE_PATHNAME', 'longbow_sparsevec_lt' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION sparsevec_lt(sparsevec, sparsevec) IS 'whether the first sparsevec is less than the second, as the vectors they stand for, then by dimensions';

CREATE FUNCTION sparsevec_le(sparsevec, sparsevec) RETURNS boolean
  AS 'MODULE_PATHNAME', 'longbow_sparsevec_le' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION sparsevec_le(sparsevec, sparsevec) IS 'whether the first sparsevec is less than or equal to the second, as the vectors they stand for, then by dimensions';

CREATE FUNCTION sparsevec_eq(sparsevec, sparsevec) RETURNS boolean
  AS 'MODULE_PATHNAME', 'longbow_sparsevec_eq' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION sparsevec_eq(sparsevec, sparsevec) IS 'whether the first sparsevec equals the second, as the vectors they stand for, then by dimensions';

CREATE FUNCTION sparsevec_ne(sparsevec, sparsevec) RETURNS boolean
  AS 'MODULE_PATHNAME', 'longbow_sparsevec_ne' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION sparsevec_ne(sparsevec, sparsevec) IS 'whether the first sparsevec differs from the second, as the vectors they stand for, then by dimensions';

CREATE FUNCTION sparsevec_ge(sparsevec, sparsevec) RETURNS boolean
  AS 'MODULE_PATHNAME', 'longbow_sparsevec_ge' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION sparsevec_ge(sparsevec, sparsevec) IS 'whether the first sparsevec is greater than or equal to the second, as the vectors they stand for, then by dimensions';

CREATE FUNCTION sparsevec_gt(sparsevec, sparsevec) RETURNS boolean
  AS 'MODULE_PATHNAME', 'longbow_sparsevec_gt' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION sparsevec_gt(sparsevec, sparsevec) IS 'whether the first sparsevec is greater than the second, as the vectors they stand for, then by dimensions';

CREATE FUNCTION sparsevec_cmp(sparsevec, sparsevec) RETURNS integer
  AS 'MODULE_PATHNAME', 'longbow_sparsevec_cmp' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION sparsevec_cmp(sparsevec, sparsevec) IS 'order of two sparsevecs: -1, 0 or 1';

CREATE FUNCTION hash_sparsevec(sparsevec) RETURNS integer
  AS 'MODULE_PATHNAME', 'longbow_hash_sparsevec' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION hash_sparsevec(sparsevec) IS 'hash of a sparsevec; equal sparsevecs hash equally';

CREATE FUNCTION hash_sparsevec_extended(sparsevec, bigint) RETURNS bigint
  AS 'MODULE_PATHNAME', 'longbow_hash_sparsevec_extended' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION hash_sparsevec_extended(sparsevec, bigint) IS '64-bit hash of a sparsevec with a seed; equal sparsevecs hash equally';

-- == sparsevec: casts ==

CREATE FUNCTION sparsevec(sparsevec, integer, boolean) RETURNS sparsevec
  AS 'MODULE_PATHNAME', 'longbow_sparsevec' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
  SUPPORT longbow_modifier_support;
COMMENT ON FUNCTION sparsevec(sparsevec, integer, boolean) IS 'requires the number of dimensions that the type modifier names';

CREATE FUNCTION vector_to_sparsevec(vector, integer, boolean) RETURNS sparsevec
  AS 'MODULE_PATHNAME', 'longbow_vector_to_sparsevec' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION vector_to_sparsevec(vector, integer, boolean) IS 'elements that are not zero';

CREATE FUNCTION sparsevec_to_vector(sparsevec, integer, boolean) RETURNS vector
  AS 'MODULE_PATHNAME', 'longbow_sparsevec_to_vector' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION sparsevec_to_vector(sparsevec, integer, boolean) IS 'all elements; more than 16000 dimensions are an error (54000)';

CREATE FUNCTION halfvec_to_sparsevec(halfvec, integer, boolean) RETURNS sparsevec
  AS 'MODULE_PATHNAME', 'longbow_halfvec_to_sparsevec' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION halfvec_to_sparsevec(halfvec, integer, boolean) IS 'elements that are not zero';

CREATE FUNCTION sparsevec_to_halfvec(sparsevec, integer, boolean) RETURNS halfvec
  AS 'MODULE_PATHNAME', 'longbow_sparsevec_to_halfvec' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION sparsevec_to_halfvec(sparsevec, integer, boolean) IS 'all elements, rounded to halves; more than 16000 dimensions (54000) and values that round to infinity (22003) are errors';

CREATE FUNCTION array_to_sparsevec(integer[], integer, boolean) RETURNS sparsevec
  AS 'MODULE_PATHNAME', 'longbow_array_to_sparsevec' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION array_to_sparsevec(integer[], integer, boolean) IS 'elements that are not zero of an array of one dimension without nulls, NaN or infinities';

CREATE FUNCTION array_to_sparsevec(real[], integer, boolean) RETURNS sparsevec
  AS 'MODULE_PATHNAME', 'longbow_array_to_sparsevec' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION array_to_sparsevec(real[], integer, boolean) IS 'elements that are not zero of an array of one dimension without nulls, NaN or infinities';

CREATE FUNCTION array_to_sparsevec(double precision[], integer, boolean) RETURNS sparsevec
  AS 'MODULE_PATHNAME', 'longbow_array_to_sparsevec' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION array_to_sparsevec(double precision[], integer, boolean) IS 'elements that are not zero of an array of one dimension without nulls, NaN or infinities';

CREATE FUNCTION array_to_sparsevec(numeric[], integer, boolean) RETURNS sparsevec
  AS 'MODULE_PATHNAME', 'longbow_array_to_sparsevec' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION array_to_sparsevec(numeric[], integer, boolean) IS 'elements that are not zero of an array of one dimension without nulls, NaN or infinities';

CREATE CAST (sparsevec AS sparsevec) WITH FUNCTION sparsevec(sparsevec, integer, boolean) AS IMPLICIT;
COMMENT ON CAST (sparsevec AS sparsevec) IS 'applies a type modifier; another number of dimensions is an error (22000)';

CREATE CAST (sparsevec AS vector) WITH FUNCTION sparsevec_to_vector(sparsevec, integer, boolean) AS ASSIGNMENT;
COMMENT ON CAST (sparsevec AS vector) IS 'all elements; more than 16000 dimensions are an error (54000)';

CREATE CAST (vector AS sparsevec) WITH FUNCTION vector_to_sparsevec(vector, integer, boolean) AS IMPLICIT;
COMMENT ON CAST (vector AS sparsevec) IS 'elements that are not zero';

CREATE CAST (sparsevec AS halfvec) WITH FUNCTION sparsevec_to_halfvec(sparsevec, integer, boolean) AS ASSIGNMENT;
COMMENT ON CAST (sparsevec AS halfvec) IS 'all elements, rounded to halves; more than 16000 dimensions (54000) and values that round to infinity (22003) are errors';

CREATE CAST (halfvec AS sparsevec) WITH FUNCTION halfvec_to_sparsevec(halfvec, integer, boolean) AS IMPLICIT;
COMMENT ON CAST (halfvec AS sparsevec) IS 'elements that are not zero';

CREATE CAST (integer[] AS sparsevec) WITH FUNCTION array_to_sparsevec(integer[], integer, boolean) AS ASSIGNMENT;
COMMENT ON CAST (integer[] AS sparsevec) IS 'elements that are not zero; nulls (22004), NaN and infinities (22000) are errors';

CREATE CAST (real[] AS sparsevec) WITH FUNCTION array_to_sparsevec(real[], integer, boolean) AS ASSIGNMENT;
COMMENT ON CAST (real[] AS sparsevec) IS 'elements that are not zero; nulls (22004), NaN and infinities (22000) are errors';

CREATE CAST (double precision[] AS sparsevec) WITH FUNCTION array_to_sparsevec(double precision[], integer, boolean) AS ASSIGNMENT;
COMMENT ON CAST (double precision[] AS sparsevec) IS 'elements that are not zero; nulls (22004), NaN and infinities (22000) are errors';

CREATE CAST (numeric[] AS sparsevec) WITH FUNCTION array_to_sparsevec(numeric[], integer, boolean) AS ASSIGNMENT;
COMMENT ON CAST (numeric[] AS sparsevec) IS 'elements that are not zero; nulls (22004), NaN and infinities (22000) are errors';

-- == sparsevec: operators ==

CREATE OPERATOR <-> (
  LEFTARG = sparsevec, RIGHTARG = sparsevec, FUNCTION = l2_distance,
  COMMUTATOR = <->
);
COMMENT ON OPERATOR <-> (sparsevec, sparsevec) IS 'Euclidean distance';

CREATE OPERATOR <#> (
  LEFTARG = sparsevec, RIGHTARG = sparsevec, FUNCTION = sparsevec_negative_inner_product,
  COMMUTATOR = <#>
);
COMMENT ON OPERATOR <#> (sparsevec, sparsevec) IS 'inner product with its sign changed, so that less is nearer';

CREATE OPERATOR <=> (
  LEFTARG = sparsevec, RIGHTARG = sparsevec, FUNCTION = cosine_distance,
  COMMUTATOR = <=>
);
COMMENT ON OPERATOR <=> (sparsevec, sparsevec) IS 'cosine distance: 1 - cosine similarity';

CREATE OPERATOR <+> (
  LEFTARG = sparsevec, RIGHTARG = sparsevec, FUNCTION = l1_distance,
  COMMUTATOR = <+>
);
COMMENT ON OPERATOR <+> (sparsevec, sparsevec) IS 'taxicab distance';

CREATE OPERATOR < (
  LEFTARG = sparsevec, RIGHTARG = sparsevec, FUNCTION = sparsevec_lt,
  COMMUTATOR = >, NEGATOR = >=,
  RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
COMMENT ON OPERATOR < (sparsevec, sparsevec) IS 'less than';

CREATE OPERATOR <= (
  LEFTARG = sparsevec, RIGHTARG = sparsevec, FUNCTION = sparsevec_le,
  COMMUTATOR = >=, NEGATOR = >,
  RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
COMMENT ON OPERATOR <= (sparsevec, sparsevec) IS 'less than or equal';

CREATE OPERATOR = (
  LEFTARG = sparsevec, RIGHTARG = sparsevec, FUNCTION = sparsevec_eq,
  COMMUTATOR = =, NEGATOR = <>,
  RESTRICT = eqsel, JOIN = eqjoinsel,
  HASHES, MERGES
);
COMMENT ON OPERATOR = (sparsevec, sparsevec) IS 'equal';

CREATE OPERATOR <> (
  LEFTARG = sparsevec, RIGHTARG = sparsevec, FUNCTION = sparsevec_ne,
  COMMUTATOR = <>, NEGATOR = =,
  RESTRICT = neqsel, JOIN = neqjoinsel
);
COMMENT ON OPERATOR <> (sparsevec, sparsevec) IS 'not equal';

CREATE OPERATOR >= (
  LEFTARG = sparsevec, RIGHTARG = sparsevec, FUNCTION = sparsevec_ge,
  COMMUTATOR = <=, NEGATOR = <,
  RESTRICT = scalargesel, JOIN = scalargejoinsel
);
COMMENT ON OPERATOR >= (sparsevec, sparsevec) IS 'greater than or equal';

CREATE OPERATOR > (
  LEFTARG = sparsevec, RIGHTARG = sparsevec, FUNCTION = sparsevec_gt,
  COMMUTATOR = <, NEGATOR = <=,
  RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
COMMENT ON OPERATOR > (sparsevec, sparsevec) IS 'greater than';

-- == sparsevec: operator classes for sorting and hashing ==

CREATE OPERATOR CLASS sparsevec_ops
  DEFAULT FOR TYPE sparsevec USING btree AS
  OPERATOR 1 <,
  OPERATOR 2 <=,
  OPERATOR 3 =,
  OPERATOR 4 >=,
  OPERATOR 5 >,
  FUNCTION 1 sparsevec_cmp(sparsevec, sparsevec);
COMMENT ON OPERATOR CLASS sparsevec_ops USING btree IS 'order of sparsevecs: as the vectors they stand for, then by dimensions';
COMMENT ON OPERATOR FAMILY sparsevec_ops USING btree IS 'order of sparsevecs';

CREATE OPERATOR CLASS sparsevec_ops
  DEFAULT FOR TYPE sparsevec USING hash AS
  OPERATOR 1 =,
  FUNCTION 1 hash_sparsevec(sparsevec),
  FUNCTION 2 hash_sparsevec_extended(sparsevec, bigint);
COMMENT ON OPERATOR CLASS sparsevec_ops USING hash IS 'equality of sparsevecs, for hash joins and grouping';
COMMENT ON OPERATOR FAMILY sparsevec_ops USING hash IS 'equality of sparsevecs';

-- == SIMD dispatch ==

CREATE FUNCTION longbow_simd_features(OUT features text, OUT detected_tier text, OUT tier text)
  AS 'MODULE_PATHNAME', 'longbow_simd_features' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION longbow_simd_features() IS 'CPU features found, the best tier they allow, and the tier in force under longbow.simd';

CREATE FUNCTION longbow_simd_kernels(OUT kernel text, OUT implementation text) RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'longbow_simd_kernels' LANGUAGE C STABLE STRICT PARALLEL SAFE ROWS 36;
COMMENT ON FUNCTION longbow_simd_kernels() IS 'one row a kernel: its name and the instruction set of the implementation in force';

CREATE VIEW longbow_stat_simd AS
  SELECT k.kernel, k.implementation, f.tier, f.detected_tier, f.features
  FROM longbow_simd_features() f, longbow_simd_kernels() k;
COMMENT ON VIEW longbow_stat_simd IS 'what the SIMD dispatch of this session chose: one row a kernel, with the CPU features found';
COMMENT ON COLUMN longbow_stat_simd.kernel IS 'name of the kernel';
COMMENT ON COLUMN longbow_stat_simd.implementation IS 'instruction set of the implementation in force';
COMMENT ON COLUMN longbow_stat_simd.tier IS 'highest instruction set allowed: the CPU''s best, or longbow.simd if that is lower';
COMMENT ON COLUMN longbow_stat_simd.detected_tier IS 'the best one that the CPU has';
COMMENT ON COLUMN longbow_stat_simd.features IS 'features of the CPU that kernels may use';

-- == access method ==

CREATE FUNCTION longbow_handler(internal) RETURNS index_am_handler
  AS 'MODULE_PATHNAME', 'longbow_handler' LANGUAGE C;
COMMENT ON FUNCTION longbow_handler(internal) IS 'handler of access method longbow';

CREATE ACCESS METHOD longbow TYPE INDEX HANDLER longbow_handler;
COMMENT ON ACCESS METHOD longbow IS 'nearest neighbours by ORDER BY: a balanced k-means tree with quantised codes';

CREATE FUNCTION longbow_serves(access_method oid) RETURNS boolean
  AS 'MODULE_PATHNAME', 'longbow_serves' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION longbow_serves(oid) IS 'whether indexes of an access method are longbow''s: those of longbow itself and of the aliases of longbow_compat';

CREATE FUNCTION longbow_vector_l2_support(internal) RETURNS internal
  AS 'MODULE_PATHNAME', 'longbow_vector_l2_support' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION longbow_vector_l2_support(internal) IS 'operator class support: Euclidean distance on vector';
CREATE FUNCTION longbow_vector_ip_support(internal) RETURNS internal
  AS 'MODULE_PATHNAME', 'longbow_vector_ip_support' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION longbow_vector_ip_support(internal) IS 'operator class support: negative inner product on vector';
CREATE FUNCTION longbow_vector_cosine_support(internal) RETURNS internal
  AS 'MODULE_PATHNAME', 'longbow_vector_cosine_support' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION longbow_vector_cosine_support(internal) IS 'operator class support: cosine distance on vector';
CREATE FUNCTION longbow_vector_l1_support(internal) RETURNS internal
  AS 'MODULE_PATHNAME', 'longbow_vector_l1_support' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION longbow_vector_l1_support(internal) IS 'operator class support: taxicab distance on vector';
CREATE FUNCTION longbow_halfvec_l2_support(internal) RETURNS internal
  AS 'MODULE_PATHNAME', 'longbow_halfvec_l2_support' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION longbow_halfvec_l2_support(internal) IS 'operator class support: Euclidean distance on halfvec';
CREATE FUNCTION longbow_halfvec_ip_support(internal) RETURNS internal
  AS 'MODULE_PATHNAME', 'longbow_halfvec_ip_support' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION longbow_halfvec_ip_support(internal) IS 'operator class support: negative inner product on halfvec';
CREATE FUNCTION longbow_halfvec_cosine_support(internal) RETURNS internal
  AS 'MODULE_PATHNAME', 'longbow_halfvec_cosine_support' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION longbow_halfvec_cosine_support(internal) IS 'operator class support: cosine distance on halfvec';
CREATE FUNCTION longbow_halfvec_l1_support(internal) RETURNS internal
  AS 'MODULE_PATHNAME', 'longbow_halfvec_l1_support' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION longbow_halfvec_l1_support(internal) IS 'operator class support: taxicab distance on halfvec';
CREATE FUNCTION longbow_bit_hamming_support(internal) RETURNS internal
  AS 'MODULE_PATHNAME', 'longbow_bit_hamming_support' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION longbow_bit_hamming_support(internal) IS 'operator class support: Hamming distance on bit';
CREATE FUNCTION longbow_bit_jaccard_support(internal) RETURNS internal
  AS 'MODULE_PATHNAME', 'longbow_bit_jaccard_support' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION longbow_bit_jaccard_support(internal) IS 'operator class support: Jaccard distance on bit';
CREATE FUNCTION longbow_sparsevec_l2_support(internal) RETURNS internal
  AS 'MODULE_PATHNAME', 'longbow_sparsevec_l2_support' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION longbow_sparsevec_l2_support(internal) IS 'operator class support: Euclidean distance on sparsevec';
CREATE FUNCTION longbow_sparsevec_ip_support(internal) RETURNS internal
  AS 'MODULE_PATHNAME', 'longbow_sparsevec_ip_support' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION longbow_sparsevec_ip_support(internal) IS 'operator class support: negative inner product on sparsevec';
CREATE FUNCTION longbow_sparsevec_cosine_support(internal) RETURNS internal
  AS 'MODULE_PATHNAME', 'longbow_sparsevec_cosine_support' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION longbow_sparsevec_cosine_support(internal) IS 'operator class support: cosine distance on sparsevec';

CREATE OPERATOR CLASS vector_l2_ops
  DEFAULT FOR TYPE vector USING longbow AS
  OPERATOR 1 <-> (vector, vector) FOR ORDER BY float_ops,
  FUNCTION 1 longbow_vector_l2_support(internal);
COMMENT ON OPERATOR CLASS vector_l2_ops USING longbow IS 'Euclidean distance, ORDER BY v <-> q';
COMMENT ON OPERATOR FAMILY vector_l2_ops USING longbow IS 'Euclidean distance';

CREATE OPERATOR CLASS vector_ip_ops
  FOR TYPE vector USING longbow AS
  OPERATOR 1 <#> (vector, vector) FOR ORDER BY float_ops,
  FUNCTION 1 longbow_vector_ip_support(internal);
COMMENT ON OPERATOR CLASS vector_ip_ops USING longbow IS 'negative inner product, ORDER BY v <#> q';
COMMENT ON OPERATOR FAMILY vector_ip_ops USING longbow IS 'negative inner product';

CREATE OPERATOR CLASS vector_cosine_ops
  FOR TYPE vector USING longbow AS
  OPERATOR 1 <=> (vector, vector) FOR ORDER BY float_ops,
  FUNCTION 1 longbow_vector_cosine_support(internal);
COMMENT ON OPERATOR CLASS vector_cosine_ops USING longbow IS 'cosine distance, ORDER BY v <=> q';
COMMENT ON OPERATOR FAMILY vector_cosine_ops USING longbow IS 'cosine distance';

CREATE OPERATOR CLASS vector_l1_ops
  FOR TYPE vector USING longbow AS
  OPERATOR 1 <+> (vector, vector) FOR ORDER BY float_ops,
  FUNCTION 1 longbow_vector_l1_support(internal);
COMMENT ON OPERATOR CLASS vector_l1_ops USING longbow IS 'taxicab distance, ORDER BY v <+> q';
COMMENT ON OPERATOR FAMILY vector_l1_ops USING longbow IS 'taxicab distance';

CREATE OPERATOR CLASS halfvec_l2_ops
  FOR TYPE halfvec USING longbow AS
  OPERATOR 1 <-> (halfvec, halfvec) FOR ORDER BY float_ops,
  FUNCTION 1 longbow_halfvec_l2_support(internal);
COMMENT ON OPERATOR CLASS halfvec_l2_ops USING longbow IS 'Euclidean distance, ORDER BY v <-> q';
COMMENT ON OPERATOR FAMILY halfvec_l2_ops USING longbow IS 'Euclidean distance';

CREATE OPERATOR CLASS halfvec_ip_ops
  FOR TYPE halfvec USING longbow AS
  OPERATOR 1 <#> (halfvec, halfvec) FOR ORDER BY float_ops,
  FUNCTION 1 longbow_halfvec_ip_support(internal);
COMMENT ON OPERATOR CLASS halfvec_ip_ops USING longbow IS 'negative inner product, ORDER BY v <#> q';
COMMENT ON OPERATOR FAMILY halfvec_ip_ops USING longbow IS 'negative inner product';

CREATE OPERATOR CLASS halfvec_cosine_ops
  FOR TYPE halfvec USING longbow AS
  OPERATOR 1 <=> (halfvec, halfvec) FOR ORDER BY float_ops,
  FUNCTION 1 longbow_halfvec_cosine_support(internal);
COMMENT ON OPERATOR CLASS halfvec_cosine_ops USING longbow IS 'cosine distance, ORDER BY v <=> q';
COMMENT ON OPERATOR FAMILY halfvec_cosine_ops USING longbow IS 'cosine distance';

CREATE OPERATOR CLASS halfvec_l1_ops
  FOR TYPE halfvec USING longbow AS
  OPERATOR 1 <+> (halfvec, halfvec) FOR ORDER BY float_ops,
  FUNCTION 1 longbow_halfvec_l1_support(internal);
COMMENT ON OPERATOR CLASS halfvec_l1_ops USING longbow IS 'taxicab distance, ORDER BY v <+> q';
COMMENT ON OPERATOR FAMILY halfvec_l1_ops USING longbow IS 'taxicab distance';

CREATE OPERATOR CLASS bit_hamming_ops
  FOR TYPE bit USING longbow AS
  OPERATOR 1 <~> (bit, bit) FOR ORDER BY float_ops,
  FUNCTION 1 longbow_bit_hamming_support(internal);
COMMENT ON OPERATOR CLASS bit_hamming_ops USING longbow IS 'Hamming distance, ORDER BY b <~> q';
COMMENT ON OPERATOR FAMILY bit_hamming_ops USING longbow IS 'Hamming distance';

CREATE OPERATOR CLASS bit_jaccard_ops
  FOR TYPE bit USING longbow AS
  OPERATOR 1 <%> (bit, bit) FOR ORDER BY float_ops,
  FUNCTION 1 longbow_bit_jaccard_support(internal);
COMMENT ON OPERATOR CLASS bit_jaccard_ops USING longbow IS 'Jaccard distance, ORDER BY b <%> q';
COMMENT ON OPERATOR FAMILY bit_jaccard_ops USING longbow IS 'Jaccard distance';

CREATE OPERATOR CLASS sparsevec_l2_ops
  FOR TYPE sparsevec USING longbow AS
  OPERATOR 1 <-> (sparsevec, sparsevec) FOR ORDER BY float_ops,
  FUNCTION 1 longbow_sparsevec_l2_support(internal);
COMMENT ON OPERATOR CLASS sparsevec_l2_ops USING longbow IS 'Euclidean distance, ORDER BY v <-> q';
COMMENT ON OPERATOR FAMILY sparsevec_l2_ops USING longbow IS 'Euclidean distance';

CREATE OPERATOR CLASS sparsevec_ip_ops
  FOR TYPE sparsevec USING longbow AS
  OPERATOR 1 <#> (sparsevec, sparsevec) FOR ORDER BY float_ops,
  FUNCTION 1 longbow_sparsevec_ip_support(internal);
COMMENT ON OPERATOR CLASS sparsevec_ip_ops USING longbow IS 'negative inner product, ORDER BY v <#> q';
COMMENT ON OPERATOR FAMILY sparsevec_ip_ops USING longbow IS 'negative inner product';

CREATE OPERATOR CLASS sparsevec_cosine_ops
  FOR TYPE sparsevec USING longbow AS
  OPERATOR 1 <=> (sparsevec, sparsevec) FOR ORDER BY float_ops,
  FUNCTION 1 longbow_sparsevec_cosine_support(internal);
COMMENT ON OPERATOR CLASS sparsevec_cosine_ops USING longbow IS 'cosine distance, ORDER BY v <=> q';
COMMENT ON OPERATOR FAMILY sparsevec_cosine_ops USING longbow IS 'cosine distance';

-- == looking at indexes ==

CREATE FUNCTION longbow_check(index regclass) RETURNS bigint
  AS 'MODULE_PATHNAME', 'longbow_check' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION longbow_check(regclass) IS
  'walks a whole longbow index against its table: every visible row exactly once, codes decodable, error bounds sound; returns the rows compared, or an error (SQLSTATE XX002) that names the first fault; owner or superuser only';

CREATE FUNCTION longbow_merge(index regclass) RETURNS bigint
  AS 'MODULE_PATHNAME', 'longbow_merge' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
COMMENT ON FUNCTION longbow_merge(regclass) IS
  'takes the rows that are pending in a longbow index into its tree, and returns how many went in; rows that others insert meanwhile may stay pending; sleeps between rounds by vacuum_cost_delay; owner or superuser only';

CREATE FUNCTION longbow_index_facts(index regclass,
    OUT rows bigint, OUT pending bigint, OUT dead bigint, OUT plain_rows bigint, OUT leaves integer, OUT height integer,
    OUT dims integer, OUT metric text, OUT bits integer, OUT leaf_size integer, OUT splits bigint,
    OUT calibration_queries integer, OUT calibrated_rows bigint, OUT planned_probes integer,
    OUT last_trained timestamptz, OUT trained_rows bigint, OUT drift real)
  AS 'MODULE_PATHNAME', 'longbow_index_facts' LANGUAGE C VOLATILE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION longbow_index_facts(regclass) IS
  'figures of one longbow index, read from its pages: rows, rows pending, free slots of removed rows, rows outside the tree (NULL, zero under cosine, out of range), leaves, height, shape, splits, calibration, the leaves a search visits under longbow.target_recall, the last training and the drift since';

CREATE FUNCTION longbow_index_counters(index regclass,
    OUT scans bigint, OUT leaves_probed bigint, OUT rows_scanned bigint, OUT rows_refined bigint, OUT rows_rechecked bigint,
    OUT pending_scanned bigint, OUT stopped_early bigint, OUT rows_inserted bigint, OUT rows_merged bigint,
    OUT counted_since timestamptz)
  AS 'MODULE_PATHNAME', 'longbow_index_counters' LANGUAGE C VOLATILE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION longbow_index_counters(regclass) IS
  'what searches, inserts and merges of one longbow index have done, summed up in shared memory: see the view longbow_stat_index; NULLs without shared_preload_libraries = ''longbow''';

CREATE VIEW longbow_stat_index AS
  SELECT n.nspname AS schema, t.relname AS "table", c.relname AS index,
         f.rows, f.pending, f.dead, f.plain_rows, f.leaves, f.height, f.dims, f.metric, f.bits, f.leaf_size, f.splits,
         f.calibration_queries, f.calibrated_rows, f.planned_probes,
         s.idx_scan AS scans, s.idx_tup_read AS rows_returned, k.rows_scanned,
         pg_catalog.pg_relation_size(c.oid) AS bytes,
         k.leaves_probed, k.rows_refined, k.rows_rechecked, k.pending_scanned, k.stopped_early, k.rows_inserted,
         k.rows_merged, k.counted_since, f.last_trained, f.trained_rows, f.drift
  FROM pg_catalog.pg_class c
  JOIN pg_catalog.pg_am a ON a.oid = c.relam AND longbow_serves(a.oid)
  JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  JOIN pg_catalog.pg_index i ON i.indexrelid = c.oid AND i.indisready
  JOIN pg_catalog.pg_class t ON t.oid = i.indrelid
  LEFT JOIN pg_catalog.pg_stat_all_indexes s ON s.indexrelid = c.oid
  CROSS JOIN LATERAL longbow_index_facts(c.oid) f
  CROSS JOIN LATERAL longbow_index_counters(c.oid) k
  WHERE c.relkind = 'i' AND f.rows IS NOT NULL;
COMMENT ON VIEW longbow_stat_index IS
  'one row a longbow index: figures from its pages, scans and rows returned from PostgreSQL''s statistics, what searches and inserts did from shared memory (NULL without shared_preload_libraries = ''longbow'')';
COMMENT ON COLUMN longbow_stat_index.schema IS 'schema of the index';
COMMENT ON COLUMN longbow_stat_index."table" IS 'table that it belongs to';
COMMENT ON COLUMN longbow_stat_index.index IS 'its name';
COMMENT ON COLUMN longbow_stat_index.rows IS 'rows in the tree and beside it, pending ones not counted; those that VACUUM has not removed yet included';
COMMENT ON COLUMN longbow_stat_index.pending IS 'rows in the pending list, waiting for a merge';
COMMENT ON COLUMN longbow_stat_index.dead IS 'free places of removed rows in leaves, which later rows take';
COMMENT ON COLUMN longbow_stat_index.plain_rows IS 'rows that the tree cannot order: NULL, zero under cosine, beyond float range, unreadable when they were merged';
COMMENT ON COLUMN longbow_stat_index.leaves IS 'leaves of the tree';
COMMENT ON COLUMN longbow_stat_index.height IS 'levels of the tree, leaves included; 0 without a root';
COMMENT ON COLUMN longbow_stat_index.dims IS 'dimensions of its vectors, bits of its bit strings; 0 while it does not know';
COMMENT ON COLUMN longbow_stat_index.metric IS 'l2, ip, cosine, l1, hamming or jaccard';
COMMENT ON COLUMN longbow_stat_index.bits IS 'bits a dimension of its scan codes';
COMMENT ON COLUMN longbow_stat_index.leaf_size IS 'rows that a leaf is built with; it splits at twice as many';
COMMENT ON COLUMN longbow_stat_index.splits IS 'splits since it was built';
COMMENT ON COLUMN longbow_stat_index.calibration_queries IS 'own rows that were searched to calibrate it; 0: not calibrated';
COMMENT ON COLUMN longbow_stat_index.calibrated_rows IS 'rows that it had then';
COMMENT ON COLUMN longbow_stat_index.planned_probes IS 'leaves that a search for 10 rows visits under this session''s longbow.target_recall';
COMMENT ON COLUMN longbow_stat_index.last_trained IS 'when all centroids were trained: the build or REINDEX; NULL where the index was created without rows, whose centroids come from splits';
COMMENT ON COLUMN longbow_stat_index.trained_rows IS 'rows that it had then';
COMMENT ON COLUMN longbow_stat_index.drift IS 'part of the rows'' mean squared distance from the centroid of their leaf that is there because that is not their mean, at the last calibration (build, and each time the leaves have doubled): 0 to 1; NULL where not calibrated';
COMMENT ON COLUMN longbow_stat_index.scans IS 'searches, by PostgreSQL''s statistics (idx_scan of pg_stat_all_indexes)';
COMMENT ON COLUMN longbow_stat_index.rows_returned IS 'rows handed to the executor, by PostgreSQL''s statistics (idx_tup_read)';
COMMENT ON COLUMN longbow_stat_index.rows_scanned IS 'rows whose scan codes searches compared, pending ones included';
COMMENT ON COLUMN longbow_stat_index.bytes IS 'size of the index''s file';
COMMENT ON COLUMN longbow_stat_index.leaves_probed IS 'leaves that searches visited';
COMMENT ON COLUMN longbow_stat_index.rows_refined IS 'rows whose 8-bit codes searches compared';
COMMENT ON COLUMN longbow_stat_index.rows_rechecked IS 'rows whose exact distance was computed from the table, by the executor or (sparsevec) by the search';
COMMENT ON COLUMN longbow_stat_index.pending_scanned IS 'pending rows that searches compared, deleted ones that are not merged yet among them, or handed out unseen';
COMMENT ON COLUMN longbow_stat_index.stopped_early IS 'searches that longbow.max_scan_tuples ended before the index was exhausted';
COMMENT ON COLUMN longbow_stat_index.rows_inserted IS 'rows that inserts brought, rolled back ones included; those of builds are not counted';
COMMENT ON COLUMN longbow_stat_index.rows_merged IS 'rows that merges took from the pending list into the tree';
COMMENT ON COLUMN longbow_stat_index.counted_since IS 'when the counters from shared memory began: a start without them (the first, or after a crash), or longbow_stat_reset()';

CREATE FUNCTION longbow_storage_stats(
    OUT requested text, OUT effective text, OUT reason text, OUT records bigint, OUT write_ops bigint, OUT fsyncs bigint,
    OUT bytes_raw bigint, OUT bytes_logged bigint, OUT bytes_written bigint, OUT compression_ratio float8,
    OUT group_size float8, OUT latency_p50_us float8, OUT latency_p99_us float8, OUT reserved_position bigint,
    OUT durable_position bigint, OUT lag_bytes bigint, OUT no_space bigint, OUT skipped bigint, OUT errors bigint,
    OUT last_error text, OUT takeovers bigint,
    OUT build_backend text, OUT build_reason text, OUT builds bigint, OUT build_bytes bigint, OUT counted_since timestamptz)
  AS 'MODULE_PATHNAME', 'longbow_storage_stats' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION longbow_storage_stats() IS 'figures of the side WAL and of index builds since the server''s start: see the view longbow_stat_storage';

CREATE VIEW longbow_stat_storage AS SELECT * FROM longbow_storage_stats();
COMMENT ON VIEW longbow_stat_storage IS
  'one row: the side WAL and index builds since the server''s start; without shared_preload_libraries = ''longbow'' its columns are NULL and those of builds are of this session';
COMMENT ON COLUMN longbow_stat_storage.requested IS 'backend that the settings ask for: none, standard or io_uring';
COMMENT ON COLUMN longbow_stat_storage.effective IS 'backend in use';
COMMENT ON COLUMN longbow_stat_storage.reason IS 'why they differ, or what works less well than it could';
COMMENT ON COLUMN longbow_stat_storage.records IS 'records logged';
COMMENT ON COLUMN longbow_stat_storage.write_ops IS 'write calls';
COMMENT ON COLUMN longbow_stat_storage.fsyncs IS 'fdatasync calls; of io_uring''s writes only those begun ahead of their commit need one';
COMMENT ON COLUMN longbow_stat_storage.bytes_raw IS 'bytes that the records would take without compression';
COMMENT ON COLUMN longbow_stat_storage.bytes_logged IS 'bytes that they take';
COMMENT ON COLUMN longbow_stat_storage.bytes_written IS 'bytes that went to disk, whole blocks and blocks written again included';
COMMENT ON COLUMN longbow_stat_storage.compression_ratio IS 'bytes_raw / bytes_logged';
COMMENT ON COLUMN longbow_stat_storage.group_size IS 'records a write';
COMMENT ON COLUMN longbow_stat_storage.latency_p50_us IS 'median time that a commit waited for the side WAL, microseconds';
COMMENT ON COLUMN longbow_stat_storage.latency_p99_us IS '99th percentile of that';
COMMENT ON COLUMN longbow_stat_storage.reserved_position IS 'where the next record goes';
COMMENT ON COLUMN longbow_stat_storage.durable_position IS 'everything before it is on disk';
COMMENT ON COLUMN longbow_stat_storage.lag_bytes IS 'bytes logged that are not on disk yet';
COMMENT ON COLUMN longbow_stat_storage.no_space IS 'records given up because the buffer stayed full; their rows are read from the table if need be';
COMMENT ON COLUMN longbow_stat_storage.skipped IS 'records not logged: after an error, or with backend none';
COMMENT ON COLUMN longbow_stat_storage.errors IS 'errors that stopped the log for a while';
COMMENT ON COLUMN longbow_stat_storage.last_error IS 'the last of them';
COMMENT ON COLUMN longbow_stat_storage.takeovers IS 'writes that another session finished';
COMMENT ON COLUMN longbow_stat_storage.build_backend IS 'backend by which the last index build wrote its pages: standard or io_uring';
COMMENT ON COLUMN longbow_stat_storage.build_reason IS 'why it was not io_uring past the page cache, though longbow.storage_use_iouring asked for it';
COMMENT ON COLUMN longbow_stat_storage.builds IS 'index builds that wrote rows; those of temporary indexes are not counted';
COMMENT ON COLUMN longbow_stat_storage.build_bytes IS 'bytes that they wrote past shared buffers';
COMMENT ON COLUMN longbow_stat_storage.counted_since IS 'when the counters began: the server''s start or longbow_stat_reset()';

CREATE FUNCTION longbow_gc_stats(
    OUT indexes bigint, OUT pending_rows bigint, OUT delta_bytes bigint, OUT delta_bytes_used bigint, OUT rounds bigint,
    OUT rows_merged bigint, OUT rows_stale bigint, OUT rows_unknown bigint, OUT round_p50_ms float8, OUT round_p99_ms float8,
    OUT pauses bigint, OUT pause_seconds_total float8, OUT pause_p50_ms float8, OUT pause_p99_ms float8,
    OUT worker_slot_missing boolean, OUT counted_since timestamptz, OUT note text)
  AS 'MODULE_PATHNAME', 'longbow_gc_stats' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION longbow_gc_stats() IS 'figures of pending rows and their merge since the server''s start: see the view longbow_stat_gc';

CREATE VIEW longbow_stat_gc AS SELECT * FROM longbow_gc_stats();
COMMENT ON VIEW longbow_stat_gc IS
  'one row: pending rows of all databases and their merge since the server''s start; NULL without shared_preload_libraries = ''longbow''';
COMMENT ON COLUMN longbow_stat_gc.indexes IS 'indexes that have, or had, pending rows in memory';
COMMENT ON COLUMN longbow_stat_gc.pending_rows IS 'rows waiting to go into their trees';
COMMENT ON COLUMN longbow_stat_gc.delta_bytes IS 'shared memory for their codes (longbow.delta_memory)';
COMMENT ON COLUMN longbow_stat_gc.delta_bytes_used IS 'what of it is in use';
COMMENT ON COLUMN longbow_stat_gc.rounds IS 'rounds of merging, by workers, VACUUM and longbow_merge()';
COMMENT ON COLUMN longbow_stat_gc.rows_merged IS 'rows that went into trees';
COMMENT ON COLUMN longbow_stat_gc.rows_stale IS 'entries passed over because their rows were gone';
COMMENT ON COLUMN longbow_stat_gc.rows_unknown IS 'rows whose vectors could not be read: searches leave them to the executor until VACUUM';
COMMENT ON COLUMN longbow_stat_gc.round_p50_ms IS 'median length of a round, milliseconds';
COMMENT ON COLUMN longbow_stat_gc.round_p99_ms IS '99th percentile of that';
COMMENT ON COLUMN longbow_stat_gc.pauses IS 'flushes that put their rows into the tree themselves because memory was full';
COMMENT ON COLUMN longbow_stat_gc.pause_seconds_total IS 'their time';
COMMENT ON COLUMN longbow_stat_gc.pause_p50_ms IS 'median of it, milliseconds';
COMMENT ON COLUMN longbow_stat_gc.pause_p99_ms IS '99th percentile of it';
COMMENT ON COLUMN longbow_stat_gc.worker_slot_missing IS 'the last worker could not be started: raise max_worker_processes';
COMMENT ON COLUMN longbow_stat_gc.counted_since IS 'when the counters began: the server''s start or longbow_stat_reset()';
COMMENT ON COLUMN longbow_stat_gc.note IS 'why the other columns are NULL, if they are';

CREATE FUNCTION longbow_memory_stats(
    OUT kind text, OUT size_class text, OUT allocations bigint, OUT bytes bigint, OUT live_bytes bigint, OUT peak_bytes bigint,
    OUT resets bigint) RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'longbow_memory_stats' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED ROWS 35;
COMMENT ON FUNCTION longbow_memory_stats() IS 'memory that the library''s C++ code took since the server''s start: see the view longbow_stat_memory';

CREATE VIEW longbow_stat_memory AS SELECT * FROM longbow_memory_stats();
COMMENT ON VIEW longbow_stat_memory IS
  'one row a kind of work and size class: memory that C++ code took from PostgreSQL''s memory contexts since the server''s start, by transactions that have ended and this session; without shared_preload_libraries = ''longbow'' by this session alone';
COMMENT ON COLUMN longbow_stat_memory.kind IS
  'what the memory was for: scan, insert (flushes of batches too), merge, build, vacuum, fill (reading pending rows that the delta lacks), other';
COMMENT ON COLUMN longbow_stat_memory.size_class IS
  'bytes of one allocation: tiny below 64, small below 256, medium below 1024, large to 65536, huge above';
COMMENT ON COLUMN longbow_stat_memory.allocations IS 'allocations';
COMMENT ON COLUMN longbow_stat_memory.bytes IS 'bytes that they asked for';
COMMENT ON COLUMN longbow_stat_memory.live_bytes IS 'bytes not given back yet';
COMMENT ON COLUMN longbow_stat_memory.peak_bytes IS 'the most live bytes that one process had at a time';
COMMENT ON COLUMN longbow_stat_memory.resets IS 'times that a piece of work gave back all it had left of this class at once, by resetting its arena';

CREATE FUNCTION longbow_sizing(rows bigint, dims integer, type text DEFAULT 'vector',
    OUT component text, OUT bytes bigint, OUT explanation text) RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'longbow_sizing_rows' LANGUAGE C STABLE STRICT PARALLEL RESTRICTED ROWS 17;
COMMENT ON FUNCTION longbow_sizing(bigint, integer, text) IS
  'what a table of so many vectors (halfvecs, bits, sparsevecs: type) of so many dimensions, its index and the server''s memory will take, and how that is reckoned under the settings in force; an index built anew is within a tenth of it; 22023 for a type or dimensions that cannot be indexed';

CREATE FUNCTION longbow_sizing(index regclass,
    OUT component text, OUT bytes bigint, OUT explanation text) RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'longbow_sizing_index' LANGUAGE C VOLATILE STRICT PARALLEL SAFE ROWS 18;
COMMENT ON FUNCTION longbow_sizing(regclass) IS
  'the same for an index that is there, with its rows, options and size as they are; reads the heads of all its leaves';

CREATE FUNCTION longbow_numa_stats(
    OUT nodes integer, OUT requested boolean, OUT interleaved_bytes bigint, OUT huge_pages boolean, OUT state text)
  AS 'MODULE_PATHNAME', 'longbow_numa_stats' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION longbow_numa_stats() IS 'where shared memory lies: see the view longbow_stat_numa';

CREATE VIEW longbow_stat_numa AS SELECT * FROM longbow_numa_stats();
COMMENT ON VIEW longbow_stat_numa IS 'one row: NUMA nodes, and where the server''s shared memory lies';
COMMENT ON COLUMN longbow_stat_numa.nodes IS 'nodes that have memory, as the kernel lists them; 0 where it lists none';
COMMENT ON COLUMN longbow_stat_numa.requested IS 'longbow.numa_interleave';
COMMENT ON COLUMN longbow_stat_numa.interleaved_bytes IS 'bytes of shared memory that were spread over all nodes at the server''s start; 0 = left as it was';
COMMENT ON COLUMN longbow_stat_numa.huge_pages IS 'whether shared memory is in huge pages';
COMMENT ON COLUMN longbow_stat_numa.state IS 'what came of the request, or why nothing was done';

CREATE FUNCTION longbow_activity(OUT pid integer, OUT database oid, OUT index oid, OUT phase text, OUT since timestamptz,
    OUT waits_for text, OUT note text) RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'longbow_activity' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED ROWS 10;
COMMENT ON FUNCTION longbow_activity() IS 'what each process does in longbow now: see the view longbow_stat_activity';

CREATE VIEW longbow_stat_activity AS
  SELECT f.pid, d.datname AS database, a.usename AS username, a.backend_type, f.phase, f.index AS index_oid,
         CASE WHEN d.datname = pg_catalog.current_database() THEN f.index::pg_catalog.regclass::text END AS index, f.since,
         coalesce(f.waits_for, a.wait_event) AS waits_for, a.wait_event_type, a.state, f.note
  FROM longbow_activity() f
  LEFT JOIN pg_catalog.pg_database d ON d.oid = f.database
  LEFT JOIN pg_catalog.pg_stat_activity a ON a.pid = f.pid;
COMMENT ON VIEW longbow_stat_activity IS
  'one row a process that is in longbow now, or one whose note says why there is none; of other users'' processes only pid and note, unless one has the rights of pg_read_all_stats (pg_monitor has)';
COMMENT ON COLUMN longbow_stat_activity.pid IS 'process id';
COMMENT ON COLUMN longbow_stat_activity.database IS 'database that it works in';
COMMENT ON COLUMN longbow_stat_activity.username IS 'user of the session';
COMMENT ON COLUMN longbow_stat_activity.backend_type IS 'as in pg_stat_activity: client backend, longbow worker, ...';
COMMENT ON COLUMN longbow_stat_activity.phase IS
  'scan (from its first row to its end: an open cursor''s too), flush (rows of a batch go in), merge, build, vacuum, check, recall; in general: launcher, worker, metrics server';
COMMENT ON COLUMN longbow_stat_activity.index_oid IS 'index that it works on';
COMMENT ON COLUMN longbow_stat_activity.index IS 'its name, if it is one of this database';
COMMENT ON COLUMN longbow_stat_activity.since IS 'when the phase began';
COMMENT ON COLUMN longbow_stat_activity.waits_for IS
  'LongbowWalRoom (room in the side WAL''s buffer), LongbowWalSync (side WAL on disk), LongbowMergeLock, LongbowStructureLock, LongbowBuildWrite (pages of a new index), LongbowIdle, or PostgreSQL''s wait event, among them the lightweight locks LongbowDeltaTable, LongbowDeltaAppend and LongbowDeltaChunks';
COMMENT ON COLUMN longbow_stat_activity.wait_event_type IS 'as in pg_stat_activity';
COMMENT ON COLUMN longbow_stat_activity.state IS 'as in pg_stat_activity';
COMMENT ON COLUMN longbow_stat_activity.note IS 'why there is nothing to show, or not all';

CREATE FUNCTION longbow_last_scan(OUT index regclass, OUT searches bigint, OUT waves bigint, OUT leaves_probed bigint,
    OUT leaves integer, OUT rows_scanned bigint, OUT rows_refined bigint, OUT rows_rechecked bigint, OUT pending_scanned bigint,
    OUT rows_returned bigint, OUT effort text, OUT target_recall float8, OUT planned_probes bigint, OUT stopped_early boolean)
  AS 'MODULE_PATHNAME', 'longbow_last_scan' LANGUAGE C VOLATILE STRICT PARALLEL RESTRICTED;
COMMENT ON FUNCTION longbow_last_scan() IS
  'what this session''s latest scan of a longbow index did, once it has ended; NULLs if there was none. searches: 1, more for the inner side of a nested loop, all summed up; effort: "target recall", "target recall, not calibrated", "probes" or "whole index"; planned_probes: leaves of the first wave; stopped_early: by longbow.max_scan_tuples';

CREATE FUNCTION longbow_recall(index regclass, k integer DEFAULT 10, samples integer DEFAULT 100, target real DEFAULT NULL,
    OUT recall float8, OUT low float8, OUT high float8, OUT queries integer, OUT rows bigint)
  AS 'MODULE_PATHNAME', 'longbow_recall' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION longbow_recall(regclass, integer, integer, real) IS
  'estimates recall@k of a longbow index on rows of its own, each without itself, drawn from random blocks: the mean, a 95 % confidence interval, queries used, rows compared with each (one sequential pass); with the session''s effort, or that of another longbow.target_recall; owner or superuser only';

CREATE FUNCTION longbow_recall(index regclass, query_table regclass, query_column name, k integer DEFAULT 10, samples integer DEFAULT 100,
    target real DEFAULT NULL, OUT recall float8, OUT low float8, OUT high float8, OUT queries integer, OUT rows bigint)
  AS 'MODULE_PATHNAME', 'longbow_recall_of' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION longbow_recall(regclass, regclass, name, integer, integer, real) IS
  'estimates recall@k of a longbow index on queries drawn from a column of a table, of the indexed type, which the caller may read';

CREATE FUNCTION longbow_metrics() RETURNS text
  AS 'MODULE_PATHNAME', 'longbow_metrics' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
REVOKE EXECUTE ON FUNCTION longbow_metrics() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION longbow_metrics() TO pg_monitor;
COMMENT ON FUNCTION longbow_metrics() IS
  'counters, gauges and histograms of the whole server in Prometheus'' exposition format; those of GET /metrics on longbow.metrics_listen';

CREATE FUNCTION longbow_stat_reset() RETURNS void
  AS 'MODULE_PATHNAME', 'longbow_stat_reset' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
REVOKE EXECUTE ON FUNCTION longbow_stat_reset() FROM PUBLIC;
COMMENT ON FUNCTION longbow_stat_reset() IS
  'starts all counters and histograms of longbow''s views and metrics anew, of all databases; memory that is live and peaks stay; superusers only, unless EXECUTE is granted';

CREATE FUNCTION longbow_wal_dump(segment bigint, OUT "position" bigint, OUT length integer, OUT database oid, OUT filenode oid,
    OUT incarnation bigint, OUT rows integer, OUT dims integer, OUT compressed boolean, OUT raw_bytes integer,
    OUT stored_bytes integer, OUT status text) RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'longbow_wal_dump' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
REVOKE EXECUTE ON FUNCTION longbow_wal_dump(bigint) FROM PUBLIC;
COMMENT ON FUNCTION longbow_wal_dump(bigint) IS
  'records of one segment of the side WAL (files under longbow/wal in the data directory, named by the segment''s number in hexadecimal); the last row says why there are no more; superuser only';

CREATE FUNCTION longbow_profile_cpu(pid integer, seconds float8 DEFAULT 10, hz integer DEFAULT 99, method text DEFAULT 'auto') RETURNS bytea
  AS 'MODULE_PATHNAME', 'longbow_profile_cpu' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
REVOKE EXECUTE ON FUNCTION longbow_profile_cpu(integer, float8, integer, text) FROM PUBLIC;
COMMENT ON FUNCTION longbow_profile_cpu(integer, float8, integer, text) IS
  'samples the stacks of another server process for some seconds (to 3600), hz times (1 to 1000) a second of its processor time; a CPU profile in pprof''s format, which google-pprof reads; method perf asks the kernel (perf_event_open), signal the process itself (needs shared_preload_libraries = ''longbow''), auto the first that works; superuser only; x86-64';

CREATE FUNCTION longbow_profile_cpu_folded(pid integer, seconds float8 DEFAULT 10, hz integer DEFAULT 99, method text DEFAULT 'auto',
    OUT stack text, OUT samples bigint) RETURNS SETOF record
  AS 'MODULE_PATHNAME', 'longbow_profile_cpu_folded' LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;
REVOKE EXECUTE ON FUNCTION longbow_profile_cpu_folded(integer, float8, integer, text) FROM PUBLIC;
COMMENT ON FUNCTION longbow_profile_cpu_folded(integer, float8, integer, text) IS
  'the same as folded stacks, from which flame graphs are drawn: functions from the outermost in, separated by semicolons, and how often; [file] where the file''s symbols name no function';

CREATE FUNCTION longbow_profile_memory(OUT source text, OUT name text, OUT size_class text, OUT number bigint, OUT used_bytes bigint,
    OUT most_bytes bigint) RETURNS SETOF record
  LANGUAGE sql VOLATILE PARALLEL RESTRICTED
BEGIN ATOMIC
  SELECT 'arenas', m.kind, m.size_class, m.allocations, m.live_bytes, m.peak_bytes FROM longbow_stat_memory m WHERE m.allocations > 0 OR m.live_bytes > 0
  UNION ALL
  SELECT 'contexts', c.name, c.class, count(*), sum(c.used_bytes)::bigint, sum(c.total_bytes)::bigint
  FROM (SELECT v.name, v.used_bytes, v.total_bytes,
               CASE WHEN v.total_bytes < 64 THEN 'tiny' WHEN v.total_bytes < 256 THEN 'small' WHEN v.total_bytes < 1024 THEN 'medium'
                    WHEN v.total_bytes <= 65536 THEN 'large' ELSE 'huge' END AS class
        FROM pg_backend_memory_contexts v) c
  GROUP BY c.name, c.class
  UNION ALL
  SELECT 'shared memory', s.name, 'huge', 1, s.size, s.allocated_size FROM pg_shmem_allocations s WHERE s.name LIKE 'longbow %'
  ORDER BY 1, 5 DESC;
END;
REVOKE EXECUTE ON FUNCTION longbow_profile_memory() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION longbow_profile_memory() TO pg_monitor;
COMMENT ON FUNCTION longbow_profile_memory() IS
  'where memory is. arenas: C++ memory of all processes (longbow_stat_memory) by kind of work and size of an allocation: allocations, bytes live, the most in one process; contexts: PostgreSQL''s memory contexts of this session by name and size of a context: contexts, bytes used, bytes held; shared memory: longbow''s parts. Size classes: tiny below 64 bytes, small below 256, medium below 1024, large to 65536, huge above';

-- == diagnosis ==

CREATE FUNCTION longbow_diagnose_server(OUT symptom text, OUT evidence text, OUT severity text, OUT remedy text) RETURNS SETOF record
  LANGUAGE sql VOLATILE PARALLEL UNSAFE
BEGIN ATOMIC
  WITH g AS MATERIALIZED (SELECT v.*, extract(epoch FROM clock_timestamp() - v.counted_since)::float8 AS seconds FROM longbow_stat_gc v),
  s AS MATERIALIZED (SELECT * FROM longbow_stat_storage),
  a AS MATERIALIZED (SELECT * FROM longbow_stat_activity WHERE phase IS NOT NULL),
  m AS (SELECT sum(v.live_bytes)::bigint AS live,
               8 * 1048576 + (SELECT count(*) FROM a) * (pg_size_bytes(current_setting('work_mem')) + 1048576) AS usual
        FROM longbow_stat_memory v WHERE v.kind <> 'build')
  SELECT 'not judged', format('%s: no GC pressure by pauses, delta too small, I/O bottleneck, io_uring not effective, async lag, lock contention', g.note),
         'info', 'SET shared_preload_libraries = ''longbow'' in postgresql.conf and restart'
  FROM g WHERE g.note IS NOT NULL
  UNION ALL
  SELECT 'GC pressure', format('%s flushes put their rows into the tree themselves: %s s since %s, p99 %s ms', g.pauses,
                               round(g.pause_seconds_total::numeric, 3), date_trunc('second', g.counted_since), round(g.pause_p99_ms::numeric, 1)),
         CASE WHEN g.pause_seconds_total > 0.02 * g.seconds THEN 'critical' ELSE 'warning' END,
         'larger statements; a larger longbow.delta_memory; for a load, build the index afterwards'
  FROM g WHERE g.pause_seconds_total > 0.001 * g.seconds
  UNION ALL
  SELECT 'GC pressure', 'no process was left for a merge worker', 'critical',
         format('raise max_worker_processes (%s) and restart', current_setting('max_worker_processes'))
  FROM g WHERE g.worker_slot_missing
  UNION ALL
  SELECT 'delta too small', format('%s of %s in use, full %s times since %s', pg_size_pretty(g.delta_bytes_used), pg_size_pretty(g.delta_bytes),
                                   g.pauses, date_trunc('second', g.counted_since)),
         CASE WHEN g.pauses > 0 THEN 'warning' ELSE 'info' END,
         'raise longbow.delta_memory (row delta of longbow_sizing(index)) and restart'
  FROM g WHERE g.pauses > 0 OR g.delta_bytes_used > 0.9 * g.delta_bytes
  UNION ALL
  SELECT 'I/O bottleneck', format('commits waited for the side WAL: median %s ms, p99 %s ms', round((s.latency_p50_us / 1000)::numeric, 1),
                                  round((s.latency_p99_us / 1000)::numeric, 1)),
         'warning', 'more rows a transaction; longbow.storage_async_fsync = on; a disk that is not shared'
  FROM s WHERE s.records >= 20 AND (s.latency_p50_us > 5000 OR s.latency_p99_us > 100000)
  UNION ALL
  SELECT 'I/O bottleneck', format('%s of %s records of the side WAL were left out, since its buffer stayed full', s.no_space, s.records + s.no_space),
         'warning', 'the side WAL''s disk is slower than the inserts: longbow.storage_wal = off, or another disk'
  FROM s WHERE s.no_space > 0.01 * s.records
  UNION ALL
  SELECT 'I/O bottleneck', format('%s of %s active sessions wait for reads or writes now', p.waiting, p.active), 'warning',
         'reads: memory (longbow_sizing(index)); writes: more rows a transaction, commit_delay'
  FROM (SELECT count(*) FILTER (WHERE v.wait_event_type = 'IO' OR v.wait_event IN ('WALWrite', 'LongbowWalSync', 'LongbowWalRoom')) AS waiting,
               count(*) AS active FROM pg_stat_activity v WHERE v.state = 'active' AND v.pid <> pg_backend_pid()) p
  WHERE p.waiting >= 4 AND 2 * p.waiting > p.active
  UNION ALL
  SELECT 'io_uring not effective', format('the side WAL works by %s: %s', s.effective, coalesce(s.reason, s.last_error)),
         CASE s.effective WHEN 'none' THEN 'critical' ELSE 'info' END,
         'let kernel and container permit io_uring (kernel.io_uring_disabled, seccomp), or set longbow.storage_use_iouring = off'
  FROM s, g WHERE g.note IS NULL AND s.requested = 'io_uring' AND s.effective IS DISTINCT FROM s.requested
  UNION ALL
  SELECT 'async lag', format('%s of the side WAL are not on disk; written every %s', pg_size_pretty(s.lag_bytes),
                             current_setting('longbow.wal_flush_interval', true)),
         'info', 'a shorter longbow.wal_flush_interval; after a crash these rows are read from the table, none is lost'
  FROM s WHERE s.lag_bytes > 2 * 1048576 AND current_setting('longbow.storage_async_fsync', true) = 'on'
  UNION ALL
  SELECT 'memory growth', format('%s live in longbow, where %s are usual for the processes in it; the most: %s', pg_size_pretty(m.live), pg_size_pretty(m.usual),
                                 (SELECT format('%s %s', v.kind, v.size_class) FROM longbow_stat_memory v WHERE v.kind <> 'build' ORDER BY v.live_bytes DESC LIMIT 1)),
         'warning', 'end open cursors (longbow_stat_activity) and a lower work_mem; if nothing runs, report longbow_profile_memory()'
  FROM m WHERE m.live > m.usual
  UNION ALL
  SELECT 'lock contention', format('%s processes wait for %s, the longest in its phase for %s', count(*), a.waits_for, max(clock_timestamp() - a.since)),
         'warning', CASE WHEN a.waits_for IN ('LongbowMergeLock', 'LongbowStructureLock') THEN 'merge, VACUUM and longbow_check() of an index take turns: fewer at a time'
                         ELSE 'larger statements; hash partitions, each of which has its own locks; a larger longbow.delta_memory' END
  FROM a WHERE a.waits_for IN ('LongbowDeltaAppend', 'LongbowDeltaChunks', 'LongbowDeltaTable', 'LongbowMergeLock', 'LongbowStructureLock')
  GROUP BY a.waits_for HAVING count(*) >= 3 OR max(clock_timestamp() - a.since) > interval '1 s';
END;
COMMENT ON FUNCTION longbow_diagnose_server() IS 'what of longbow_diagnose() concerns the whole server';

CREATE FUNCTION longbow_diagnose_indexes(OUT symptom text, OUT evidence text, OUT severity text, OUT remedy text) RETURNS SETOF record
  LANGUAGE sql VOLATILE PARALLEL UNSAFE
BEGIN ATOMIC
  WITH i AS MATERIALIZED (
    SELECT v.*, format('%I.%I', v.schema, v.index) AS name, x.indisvalid, t.reltoastrelid, t.reltuples, st.seq_tup_read / greatest(t.reltuples, v.rows, 1) AS passes,
           greatest(10000, 0.02 * v.rows) * coalesce(nullif(current_setting('longbow.gc_percent', true)::integer, -1), 100) / 100 AS merge_at,
           greatest(0.05, 1.0 / nullif(v.leaf_size, 0)) AS usual_drift,
           coalesce(v.rows_rechecked, v.rows_returned) / nullif(v.scans, 0) AS fetched,
           CASE WHEN a.attstorage <> 'p' THEN v.dims * CASE y.typname WHEN 'vector' THEN 4 WHEN 'halfvec' THEN 2 ELSE 0 END END AS value_bytes
    FROM longbow_stat_index v
    JOIN pg_namespace n ON n.nspname = v.schema
    JOIN pg_class c ON c.relname = v.index AND c.relnamespace = n.oid
    JOIN pg_index x ON x.indexrelid = c.oid
    JOIN pg_class t ON t.oid = x.indrelid
    LEFT JOIN pg_stat_all_tables st ON st.relid = t.oid
    LEFT JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = x.indkey[0] AND a.attnum > 0
    LEFT JOIN pg_type y ON y.oid = a.atttypid)
  SELECT 'GC pressure', format('%s: %s rows are pending, merges start at %s', i.name, i.pending, round(i.merge_at)), 'warning',
         CASE WHEN current_setting('longbow.gc_percent', true) = '-1' THEN 'longbow.gc_percent is -1: set it to 100, or call longbow_merge()'
              WHEN current_setting('longbow.workers', true) = '0' THEN 'longbow.workers is 0: set it to 2, or call longbow_merge()'
              ELSE 'longbow_merge(); larger statements; a lower longbow.gc_percent or autovacuum_vacuum_cost_delay; more longbow.workers' END
  FROM i WHERE i.pending > 2 * i.merge_at
  UNION ALL
  SELECT 'drifted centroids',
         format('%s: %s', i.name, CASE WHEN i.drift > i.usual_drift THEN format('drift %s where up to %s is usual: rows lie off the centroids of their leaves', round(i.drift::numeric, 2), round(i.usual_drift::numeric, 2))
                                       ELSE format('%s leaves that came from splits alone, never from a training', i.leaves) END),
         CASE WHEN i.drift > 3 * i.usual_drift THEN 'warning' ELSE 'info' END, format('REINDEX INDEX CONCURRENTLY %s', i.name)
  FROM i WHERE i.drift > i.usual_drift OR (i.last_trained IS NULL AND i.leaves >= 50)
  UNION ALL
  SELECT 'low recall', format('%s: %s rows, and its effort is not calibrated', i.name, i.rows), 'warning', format('REINDEX INDEX CONCURRENTLY %s', i.name)
  FROM i WHERE i.calibration_queries = 0 AND i.rows - i.plain_rows >= 10000
  UNION ALL
  SELECT 'planner not using an index',
         format('%s: %s searches, while its table was read from end to end %s times%s', i.name, coalesce(i.scans, 0), round(i.passes),
                CASE WHEN NOT i.indisvalid THEN ', and it is not valid' WHEN i.reltuples < 0 THEN ', never analyzed' ELSE '' END),
         CASE WHEN i.indisvalid THEN 'info' ELSE 'critical' END,
         CASE WHEN i.indisvalid THEN 'ORDER BY the operator of its class on the column, ascending, with LIMIT; ANALYZE; enable_indexscan = on'
              ELSE format('REINDEX INDEX CONCURRENTLY %s', i.name) END
  FROM i WHERE NOT i.indisvalid OR (i.passes >= 10 AND coalesce(i.scans, 0) < i.passes AND i.rows >= 1000)
  UNION ALL
  SELECT 'toasted recheck cost', format('%s: a search reads %s rows of %s bytes from the TOAST table (%s)', i.name, round(i.fetched), i.value_bytes,
                                        pg_size_pretty(pg_relation_size(i.reltoastrelid))),
         CASE WHEN pg_relation_size(i.reltoastrelid) > pg_size_bytes(current_setting('shared_buffers')) THEN 'warning' ELSE 'info' END,
         'halfvec; SET STORAGE PLAIN where a value fits a page (8 kB), then VACUUM FULL; shared_buffers for table and TOAST'
  FROM i WHERE i.value_bytes > 2000 AND i.scans >= 10 AND i.fetched >= 1 AND i.reltoastrelid <> 0 AND pg_relation_size(i.reltoastrelid) > 0;
END;
COMMENT ON FUNCTION longbow_diagnose_indexes() IS 'what of longbow_diagnose() concerns the indexes of this database';

CREATE FUNCTION longbow_diagnose_recall(recall_samples integer, recall_rows bigint,
    OUT symptom text, OUT evidence text, OUT severity text, OUT remedy text) RETURNS SETOF record
  LANGUAGE sql VOLATILE PARALLEL UNSAFE
BEGIN ATOMIC
  WITH i AS MATERIALIZED (
    SELECT c.oid, format('%I.%I', v.schema, v.index) AS name
    FROM longbow_stat_index v
    JOIN pg_namespace n ON n.nspname = v.schema
    JOIN pg_class c ON c.relname = v.index AND c.relnamespace = n.oid AND c.relpersistence <> 't'
    JOIN pg_index x ON x.indexrelid = c.oid AND x.indisvalid
    WHERE recall_samples > 0 AND v.rows + v.pending BETWEEN 1000 AND recall_rows AND pg_has_role(c.relowner, 'USAGE'))
  SELECT 'low recall', format('%s: %s of the 10 nearest are found (%s to %s; %s of its own rows as queries), the target is %s', i.name, round(r.recall::numeric, 2),
                              round(r.low::numeric, 2), round(r.high::numeric, 2), r.queries, current_setting('longbow.target_recall', true)),
         CASE WHEN r.high < 0.5 THEN 'critical' ELSE 'warning' END,
         CASE WHEN current_setting('longbow.probes', true) <> '0' THEN format('longbow.probes is %s: set it to 0', current_setting('longbow.probes', true))
              ELSE format('REINDEX INDEX CONCURRENTLY %s; a higher longbow.target_recall', i.name) END
  FROM i, LATERAL longbow_recall(i.oid::regclass, 10, recall_samples) r
  WHERE r.high < coalesce(current_setting('longbow.target_recall', true), '0.95')::float8 - 0.02;
END;
COMMENT ON FUNCTION longbow_diagnose_recall(integer, bigint) IS 'what of longbow_diagnose() is measured by searches';

CREATE FUNCTION longbow_diagnose(recall_samples integer DEFAULT 20, recall_rows bigint DEFAULT 100000,
    OUT symptom text, OUT evidence text, OUT severity text, OUT remedy text) RETURNS SETOF record
  LANGUAGE sql VOLATILE PARALLEL UNSAFE
BEGIN ATOMIC
  SELECT d.symptom, d.evidence, d.severity, d.remedy
  FROM (SELECT * FROM longbow_diagnose_server() UNION ALL SELECT * FROM longbow_diagnose_indexes()
        UNION ALL SELECT * FROM longbow_diagnose_recall(recall_samples, recall_rows)) d
  ORDER BY array_position(ARRAY['critical', 'warning', 'info'], d.severity), d.symptom, d.evidence;
END;
REVOKE EXECUTE ON FUNCTION longbow_diagnose_server(), longbow_diagnose_indexes(), longbow_diagnose_recall(integer, bigint),
  longbow_diagnose(integer, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION longbow_diagnose_server(), longbow_diagnose_indexes(), longbow_diagnose_recall(integer, bigint),
  longbow_diagnose(integer, bigint) TO pg_monitor;
COMMENT ON FUNCTION longbow_diagnose(integer, bigint) IS
  'what is wrong, or costs more than it need: one row a symptom, with its evidence, severity (critical, warning, info) and remedy; none where all is well. GC pressure, delta too small, I/O bottleneck, io_uring not effective, async lag, memory growth and lock contention of the server (counters since longbow_stat_reset(), waits as they are now); drifted centroids, low recall, planner not using an index and toasted recheck cost of this database''s indexes. Recall is measured with recall_samples rows (0: not) on indexes of the caller''s of 1,000 to recall_rows rows, one sequential pass each; a row says what cannot be judged without shared_preload_libraries';

-- == what monitoring may look at ==

GRANT SELECT ON longbow_stat_simd, longbow_stat_index, longbow_stat_storage, longbow_stat_gc, longbow_stat_memory, longbow_stat_activity, longbow_stat_numa
  TO pg_monitor;
