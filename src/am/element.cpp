// Values of the indexed types as cells.
#include "am/element.hpp"

#include "longbow/quant/bits.hpp"
#include "longbow/quant/feature_hash.hpp"
#include "longbow/simd/kernels.hpp"
#include "types/dense.hpp"
#include "types/sparse.hpp"

extern "C" {
#include "postgres.h"

#include "utils/varbit.h"
}

namespace longbow::am {

namespace {

RowVector from_halves(const types::HalfVector* vector) {
  const auto dim = static_cast<std::size_t>(vector->dim);
  auto* x = static_cast<float*>(palloc(dim * sizeof(float)));
  simd::kernels().from_f16(vector->x, x, dim);
  return {x, vector->dim, vector->dim};
}

// The first bit is the highest of the first byte; unused ones are zero.
RowVector from_bits(const VarBit* bits) {
  const int length = VARBITLEN(bits);
  const std::size_t cells = quant::bit_cells(static_cast<std::size_t>(length));
  auto* x = static_cast<float*>(palloc0(Max(1, cells) * sizeof(float)));
  memcpy(x, VARBITS(bits), VARBITBYTES(bits));
  return {x, length, static_cast<int>(cells)};
}

RowVector from_sparse(const types::SparseVector* vector) {
  auto* x = static_cast<float*>(palloc(quant::kHashedDims * sizeof(float)));
  quant::hash_features(vector->indices, vector->values(), static_cast<std::size_t>(vector->nnz), x);
  return {x, static_cast<int>(quant::kHashedDims), static_cast<int>(quant::kHashedDims)};
}

}  // namespace

const char* element_name(Element element) {
  switch (element) {
    case Element::vector: return "vector";
    case Element::halfvec: return "halfvec";
    case Element::bit: return "bit";
    case Element::sparsevec: return "sparsevec";
  }
  return "unknown";
}

const char* length_unit(Element element) { return element == Element::bit ? "bits" : "dimensions"; }

const char* lengths_of(Element element) {
  switch (element) {
    case Element::vector: return "vector dimensions";
    case Element::halfvec: return "halfvec dimensions";
    case Element::bit: return "bit lengths";
    case Element::sparsevec: return "sparsevec dimensions";
  }
  return "lengths";
}

int sparse_dims(Datum datum) { return types::get_sparse(datum)->dim; }

RowVector query_vector(Element element, Datum datum) {
  switch (element) {
    case Element::vector: {
      const types::Vector* vector = types::get_dense<float>(datum);
      return {vector->x, vector->dim, vector->dim};
    }
    case Element::halfvec: return from_halves(types::get_dense<types::Half>(datum));
    case Element::bit: return from_bits(DatumGetVarBitP(datum));
    case Element::sparsevec: return from_sparse(types::get_sparse(datum));
  }
  elog(ERROR, "unknown element type %d of a longbow index", static_cast<int>(element));
}

RowVector row_vector(Element element, Datum datum) {
  const RowVector vector = query_vector(element, datum);
  const int most = most_dims(element);
  if (vector.dim > most)
    ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                    errmsg("%s cannot have more than %d %s for longbow index", element_name(element), most, length_unit(element)),
                    errdetail("The value has %d %s.", vector.dim, length_unit(element))));
  if (vector.dim < 1)
    ereport(ERROR, (errcode(ERRCODE_DATA_EXCEPTION),
                    errmsg("%s must have at least 1 %s for longbow index", element_name(element),
                           element == Element::bit ? "bit" : "dimension")));
  return vector;
}

}  // namespace longbow::am
