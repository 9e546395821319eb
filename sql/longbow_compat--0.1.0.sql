-- longbow_compat 0.1.0: the access methods hnsw and ivfflat as aliases of longbow, for DDL that was written for pgvector.
-- Types, operators and support functions are found by search_path, in which CREATE EXTENSION puts longbow's schema.
\echo Use "CREATE EXTENSION longbow_compat" to load this file. \quit

DO $$
DECLARE
  taken text;
BEGIN
  SELECT string_agg(quote_ident(amname), ' and ' ORDER BY amname) INTO taken
    FROM pg_catalog.pg_am WHERE amname IN ('hnsw', 'ivfflat');
  IF taken IS NOT NULL THEN
    RAISE EXCEPTION USING
      ERRCODE = 'duplicate_object',
      MESSAGE = 'this database has access methods of these names already: ' || taken,
      DETAIL = 'longbow_compat makes hnsw and ivfflat aliases of longbow, for databases without pgvector.',
      HINT = 'Beside pgvector, use CREATE EXTENSION longbow_pgvector and CREATE INDEX ... USING longbow.';
  END IF;
END
$$;

CREATE FUNCTION longbow_hnsw_handler(internal) RETURNS index_am_handler
  AS 'MODULE_PATHNAME', 'longbow_hnsw_handler' LANGUAGE C;
COMMENT ON FUNCTION longbow_hnsw_handler(internal) IS 'handler of access method hnsw: longbow''s, with the options m and ef_construction, which are not used';

CREATE FUNCTION longbow_ivfflat_handler(internal) RETURNS index_am_handler
  AS 'MODULE_PATHNAME', 'longbow_ivfflat_handler' LANGUAGE C;
COMMENT ON FUNCTION longbow_ivfflat_handler(internal) IS 'handler of access method ivfflat: longbow''s, with the option lists, of which ivfflat.probes is a share';

CREATE ACCESS METHOD hnsw TYPE INDEX HANDLER longbow_hnsw_handler;
COMMENT ON ACCESS METHOD hnsw IS 'alias of longbow: accepts the DDL of pgvector''s hnsw; no graph is built';

CREATE ACCESS METHOD ivfflat TYPE INDEX HANDLER longbow_ivfflat_handler;
COMMENT ON ACCESS METHOD ivfflat IS 'alias of longbow: accepts the DDL of pgvector''s ivfflat';

-- == operator classes of hnsw ==
-- pgvector's but sparsevec_l1_ops, which longbow lacks too. As there, none is the default.

CREATE OPERATOR CLASS vector_l2_ops
  FOR TYPE vector USING hnsw AS
  OPERATOR 1 <-> (vector, vector) FOR ORDER BY float_ops,
  FUNCTION 1 longbow_vector_l2_support(internal);
COMMENT ON OPERATOR CLASS vector_l2_ops USING hnsw IS 'Euclidean distance, ORDER BY v <-> q';
COMMENT ON OPERATOR FAMILY vector_l2_ops USING hnsw IS 'Euclidean distance';

CREATE OPERATOR CLASS vector_ip_ops
  FOR TYPE vector USING hnsw AS
  OPERATOR 1 <#> (vector, vector) FOR ORDER BY float_ops,
  FUNCTION 1 longbow_vector_ip_support(internal);
COMMENT ON OPERATOR CLASS vector_ip_ops USING hnsw IS 'negative inner product, ORDER BY v <#> q';
COMMENT ON OPERATOR FAMILY vector_ip_ops USING hnsw IS 'negative inner product';

CREATE OPERATOR CLASS vector_cosine_ops
  FOR TYPE vector USING hnsw AS
  OPERATOR 1 <=> (vector, vector) FOR ORDER BY float_ops,
  FUNCTION 1 longbow_vector_cosine_support(internal);
COMMENT ON OPERATOR CLASS vector_cosine_ops USING hnsw IS 'cosine distance, ORDER BY v <=> q';
COMMENT ON OPERATOR FAMILY vector_cosine_ops USING hnsw IS 'cosine distance';

CREATE OPERATOR CLASS vector_l1_ops
  FOR TYPE vector USING hnsw AS
  OPERATOR 1 <+> (vector, vector) FOR ORDER BY float_ops,
  FUNCTION 1 longbow_vector_l1_support(internal);
COMMENT ON OPERATOR CLASS vector_l1_ops USING hnsw IS 'taxicab distance, ORDER BY v <+> q';
COMMENT ON OPERATOR FAMILY vector_l1_ops USING hnsw IS 'taxicab distance';

CREATE OPERATOR CLASS halfvec_l2_ops
  FOR TYPE halfvec USING hnsw AS
  OPERATOR 1 <-> (halfvec, halfvec) FOR ORDER BY float_ops,
  FUNCTION 1 longbow_halfvec_l2_support(internal);
COMMENT ON OPERATOR CLASS halfvec_l2_ops USING hnsw IS 'Euclidean distance, ORDER BY v <-> q';
COMMENT ON OPERATOR FAMILY halfvec_l2_ops USING hnsw IS 'Euclidean distance';

CREATE OPERATOR CLASS halfvec_ip_ops
  FOR TYPE halfvec USING hnsw AS
  OPERATOR 1 <#> (halfvec, halfvec) FOR ORDER BY float_ops,
  FUNCTION 1 longbow_halfvec_ip_support(internal);
COMMENT ON OPERATOR CLASS halfvec_ip_ops USING hnsw IS 'negative inner product, ORDER BY v <#> q';
COMMENT ON OPERATOR FAMILY halfvec_ip_ops USING hnsw IS 'negative inner product';

CREATE OPERATOR CLASS halfvec_cosine_ops
  FOR TYPE halfvec USING hnsw AS
  OPERATOR 1 <=> (halfvec, halfvec) FOR ORDER BY float_ops,
  FUNCTION 1 longbow_halfvec_cosine_support(internal);
COMMENT ON OPERATOR CLASS halfvec_cosine_ops USING hnsw IS 'cosine distance, ORDER BY v <=> q';
COMMENT ON OPERATOR FAMILY halfvec_cosine_ops USING hnsw IS 'cosine distance';

CREATE OPERATOR CLASS halfvec_l1_ops
  FOR TYPE halfvec USING hnsw AS
  OPERATOR 1 <+> (halfvec, halfvec) FOR ORDER BY float_ops,
  FUNCTION 1 longbow_halfvec_l1_support(internal);
COMMENT ON OPERATOR CLASS halfvec_l1_ops USING hnsw IS 'taxicab distance, ORDER BY v <+> q';
COMMENT ON OPERATOR FAMILY halfvec_l1_ops USING hnsw IS 'taxicab distance';

CREATE OPERATOR CLASS bit_hamming_ops
  FOR TYPE bit USING hnsw AS
  OPERATOR 1 <~> (bit, bit) FOR ORDER BY float_ops,
  FUNCTION 1 longbow_bit_hamming_support(internal);
COMMENT ON OPERATOR CLASS bit_hamming_ops USING hnsw IS 'Hamming distance, ORDER BY b <~> q';
COMMENT ON OPERATOR FAMILY bit_hamming_ops USING hnsw IS 'Hamming distance';

CREATE OPERATOR CLASS bit_jaccard_ops
  FOR TYPE bit USING hnsw AS
  OPERATOR 1 <%> (bit, bit) FOR ORDER BY float_ops,
  FUNCTION 1 longbow_bit_jaccard_support(internal);
COMMENT ON OPERATOR CLASS bit_jaccard_ops USING hnsw IS 'Jaccard distance, ORDER BY b <%> q';
COMMENT ON OPERATOR FAMILY bit_jaccard_ops USING hnsw IS 'Jaccard distance';

CREATE OPERATOR CLASS sparsevec_l2_ops
  FOR TYPE sparsevec USING hnsw AS
  OPERATOR 1 <-> (sparsevec, sparsevec) FOR ORDER BY float_ops,
  FUNCTION 1 longbow_sparsevec_l2_support(internal);
COMMENT ON OPERATOR CLASS sparsevec_l2_ops USING hnsw IS 'Euclidean distance, ORDER BY v <-> q';
COMMENT ON OPERATOR FAMILY sparsevec_l2_ops USING hnsw IS 'Euclidean distance';

CREATE OPERATOR CLASS sparsevec_ip_ops
  FOR TYPE sparsevec USING hnsw AS
  OPERATOR 1 <#> (sparsevec, sparsevec) FOR ORDER BY float_ops,
  FUNCTION 1 longbow_sparsevec_ip_support(internal);
COMMENT ON OPERATOR CLASS sparsevec_ip_ops USING hnsw IS 'negative inner product, ORDER BY v <#> q';
COMMENT ON OPERATOR FAMILY sparsevec_ip_ops USING hnsw IS 'negative inner product';

CREATE OPERATOR CLASS sparsevec_cosine_ops
  FOR TYPE sparsevec USING hnsw AS
  OPERATOR 1 <=> (sparsevec, sparsevec) FOR ORDER BY float_ops,
  FUNCTION 1 longbow_sparsevec_cosine_support(internal);
COMMENT ON OPERATOR CLASS sparsevec_cosine_ops USING hnsw IS 'cosine distance, ORDER BY v <=> q';
COMMENT ON OPERATOR FAMILY sparsevec_cosine_ops USING hnsw IS 'cosine distance';

-- == operator classes of ivfflat ==
-- pgvector's. As there, vector_l2_ops is the default.

CREATE OPERATOR CLASS vector_l2_ops
  DEFAULT FOR TYPE vector USING ivfflat AS
  OPERATOR 1 <-> (vector, vector) FOR ORDER BY float_ops,
  FUNCTION 1 longbow_vector_l2_support(internal);
COMMENT ON OPERATOR CLASS vector_l2_ops USING ivfflat IS 'Euclidean distance, ORDER BY v <-> q';
COMMENT ON OPERATOR FAMILY vector_l2_ops USING ivfflat IS 'Euclidean distance';

CREATE OPERATOR CLASS vector_ip_ops
  FOR TYPE vector USING ivfflat AS
  OPERATOR 1 <#> (vector, vector) FOR ORDER BY float_ops,
  FUNCTION 1 longbow_vector_ip_support(internal);
COMMENT ON OPERATOR CLASS vector_ip_ops USING ivfflat IS 'negative inner product, ORDER BY v <#> q';
COMMENT ON OPERATOR FAMILY vector_ip_ops USING ivfflat IS 'negative inner product';

CREATE OPERATOR CLASS vector_cosine_ops
  FOR TYPE vector USING ivfflat AS
  OPERATOR 1 <=> (vector, vector) FOR ORDER BY float_ops,
  FUNCTION 1 longbow_vector_cosine_support(internal);
COMMENT ON OPERATOR CLASS vector_cosine_ops USING ivfflat IS 'cosine distance, ORDER BY v <=> q';
COMMENT ON OPERATOR FAMILY vector_cosine_ops USING ivfflat IS 'cosine distance';

CREATE OPERATOR CLASS halfvec_l2_ops
  FOR TYPE halfvec USING ivfflat AS
  OPERATOR 1 <-> (halfvec, halfvec) FOR ORDER BY float_ops,
  FUNCTION 1 longbow_halfvec_l2_support(internal);
COMMENT ON OPERATOR CLASS halfvec_l2_ops USING ivfflat IS 'Euclidean distance, ORDER BY v <-> q';
COMMENT ON OPERATOR FAMILY halfvec_l2_ops USING ivfflat IS 'Euclidean distance';

CREATE OPERATOR CLASS halfvec_ip_ops
  FOR TYPE halfvec USING ivfflat AS
  OPERATOR 1 <#> (halfvec, halfvec) FOR ORDER BY float_ops,
  FUNCTION 1 longbow_halfvec_ip_support(internal);
COMMENT ON OPERATOR CLASS halfvec_ip_ops USING ivfflat IS 'negative inner product, ORDER BY v <#> q';
COMMENT ON OPERATOR FAMILY halfvec_ip_ops USING ivfflat IS 'negative inner product';

CREATE OPERATOR CLASS halfvec_cosine_ops
  FOR TYPE halfvec USING ivfflat AS
  OPERATOR 1 <=> (halfvec, halfvec) FOR ORDER BY float_ops,
  FUNCTION 1 longbow_halfvec_cosine_support(internal);
COMMENT ON OPERATOR CLASS halfvec_cosine_ops USING ivfflat IS 'cosine distance, ORDER BY v <=> q';
COMMENT ON OPERATOR FAMILY halfvec_cosine_ops USING ivfflat IS 'cosine distance';

CREATE OPERATOR CLASS bit_hamming_ops
  FOR TYPE bit USING ivfflat AS
  OPERATOR 1 <~> (bit, bit) FOR ORDER BY float_ops,
  FUNCTION 1 longbow_bit_hamming_support(internal);
COMMENT ON OPERATOR CLASS bit_hamming_ops USING ivfflat IS 'Hamming distance, ORDER BY b <~> q';
COMMENT ON OPERATOR FAMILY bit_hamming_ops USING ivfflat IS 'Hamming distance';
