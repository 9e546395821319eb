-- longbow_pgvector 0.1.0: operator classes of longbow on pgvector's types and operators, so that its tables can have longbow
-- indexes as they are, and casts without a function between its types and longbow's, which have the same bytes.
-- Both extensions have types of the same names: each is named with its schema, which is looked up here.
\echo Use "CREATE EXTENSION longbow_pgvector" to load this file. \quit

DO $$
DECLARE
  -- The schemas of longbow and of pgvector.
  ours CONSTANT text := (SELECT quote_ident(n.nspname) FROM pg_catalog.pg_extension e
                         JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'longbow');
  theirs CONSTANT text := (SELECT quote_ident(n.nspname) FROM pg_catalog.pg_extension e
                           JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'vector');
  class record;
  name text;
  indexed text;
BEGIN
  IF quote_ident(pg_catalog.current_schema()) = ours THEN
    RAISE EXCEPTION USING
      ERRCODE = 'invalid_schema_name',
      MESSAGE = 'longbow_pgvector cannot be in the schema of longbow: ' || ours,
      DETAIL = 'Operator classes of the same names, on the types of longbow, are there.',
      HINT = 'Use CREATE EXTENSION longbow_pgvector SCHEMA ' || theirs || ', the schema of pgvector.';
  END IF;
  FOR class IN SELECT * FROM (VALUES
    ('vector', 'l2', '<->', 'Euclidean distance'),
    ('vector', 'ip', '<#>', 'negative inner product'),
    ('vector', 'cosine', '<=>', 'cosine distance'),
    ('vector', 'l1', '<+>', 'taxicab distance'),
    ('halfvec', 'l2', '<->', 'Euclidean distance'),
    ('halfvec', 'ip', '<#>', 'negative inner product'),
    ('halfvec', 'cosine', '<=>', 'cosine distance'),
    ('halfvec', 'l1', '<+>', 'taxicab distance'),
    ('bit', 'hamming', '<~>', 'Hamming distance'),
    ('bit', 'jaccard', '<%>', 'Jaccard distance'),
    ('sparsevec', 'l2', '<->', 'Euclidean distance'),
    ('sparsevec', 'ip', '<#>', 'negative inner product'),
    ('sparsevec', 'cosine', '<=>', 'cosine distance')) c (type, metric, operator, meaning)
  LOOP
    name := class.type || '_' || class.metric || '_ops';
    indexed := CASE class.type WHEN 'bit' THEN 'pg_catalog.bit' ELSE theirs || '.' || class.type END;
    EXECUTE format(
      'CREATE OPERATOR CLASS %s %s FOR TYPE %s USING longbow AS
         OPERATOR 1 %s.%s (%3$s, %3$s) FOR ORDER BY pg_catalog.float_ops,
         FUNCTION 1 (%3$s, %3$s) %6$s.longbow_%7$s_%8$s_support(internal)',
      name, CASE name WHEN 'vector_l2_ops' THEN 'DEFAULT' END, indexed, theirs, class.operator, ours, class.type, class.metric);
    EXECUTE format('COMMENT ON OPERATOR CLASS %s USING longbow IS %L', name,
                   class.meaning || ' of pgvector, ORDER BY ' || CASE class.type WHEN 'bit' THEN 'b ' ELSE 'v ' END ||
                   class.operator || ' q');
    EXECUTE format('COMMENT ON OPERATOR FAMILY %s USING longbow IS %L', name, class.meaning || ' of pgvector');
  END LOOP;

  FOREACH name IN ARRAY ARRAY['vector', 'halfvec', 'sparsevec'] LOOP
    EXECUTE format('CREATE CAST (%2$s.%1$s AS %3$s.%1$s) WITHOUT FUNCTION AS ASSIGNMENT', name, theirs, ours);
    EXECUTE format('COMMENT ON CAST (%2$s.%1$s AS %3$s.%1$s) IS ''pgvector to longbow: the same bytes''', name, theirs, ours);
    EXECUTE format('CREATE CAST (%3$s.%1$s AS %2$s.%1$s) WITHOUT FUNCTION AS ASSIGNMENT', name, theirs, ours);
    EXECUTE format('COMMENT ON CAST (%3$s.%1$s AS %2$s.%1$s) IS ''longbow to pgvector: the same bytes''', name, theirs, ours);
  END LOOP;
END
$$;
