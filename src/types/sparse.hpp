// The type sparsevec: its layout on disk, its limits, and the checks every function of it shares.
//
// The layout is that of pgvector, byte for byte: a varlena header, the number of dimensions, the number of elements,
// four zero bytes, the indices, then the values, aligned to 4 bytes. Indices ascend and count from 0 (in text from 1);
// values are finite and not zero. Up to 1e9 dimensions and 16,000 elements.
#pragma once

#include <cstddef>

#include "longbow/format/sparse.hpp"
#include "pg/boundary.hpp"
#include "pg/compat.hpp"

namespace longbow::types {

inline constexpr const char* kSparseName = "sparsevec";
using format::kSparseMaxDims;
using format::kSparseMaxElements;

struct SparseVector {
  int32 vl_len_;
  int32 dim;
  int32 nnz;     // number of elements
  int32 unused;  // 0
  int32 indices[];

  float* values() { return reinterpret_cast<float*>(indices + nnz); }
  const float* values() const { return reinterpret_cast<const float*>(indices + nnz); }
};

// A value with a 4-byte header, read in where it was out of line or short; the argument itself where it was not.
inline SparseVector* get_sparse(Datum datum) { return reinterpret_cast<SparseVector*>(PG_DETOAST_DATUM(datum)); }

// A value in the current memory context, with zero indices and values that the caller fills.
inline SparseVector* make_sparse(int dims, int elements) {
  const Size size = offsetof(SparseVector, indices) + (sizeof(int32) + sizeof(float)) * static_cast<Size>(elements);
  SparseVector* result = static_cast<SparseVector*>(palloc0(size));
  SET_VARSIZE(result, size);
  result->dim = dims;
  result->nnz = elements;
  return result;
}

// Requires two values of one number of dimensions.
inline void check_same_dims(const SparseVector* a, const SparseVector* b) {
  if (a->dim != b->dim)
    ereport(ERROR, (errcode(ERRCODE_DATA_EXCEPTION),
                    errmsg("different %s dimensions %d and %d", kSparseName, a->dim, b->dim)));
}

}  // namespace longbow::types

#define LB_ARG_SPARSE(n) longbow::types::get_sparse(PG_GETARG_DATUM(n))
