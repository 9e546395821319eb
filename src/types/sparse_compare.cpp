// Order and hash of sparsevecs, for sorting, B-trees, hash joins and grouping.
//
// Order: that of the vectors they stand for, element by element, then the one with fewer dimensions first. Values are
// never NaN, so this is a total order; zeros are not stored, so equal vectors have equal bytes and hash equally. Copies
// made by detoasting are freed: a sort calls these functions in a memory context that lives as long as the sort.
#include "types/sparse.hpp"

extern "C" {
#include "common/hashfn.h"
}

namespace longbow::types {
namespace {

// The sign of a value beside a 0 at the same index.
int beside_zero(float value) { return value < 0 ? -1 : 1; }

int compare(const SparseVector* a, const SparseVector* b) {
  const float *x = a->values(), *y = b->values();
  const int common = Min(a->nnz, b->nnz);
  for (int i = 0; i < common; i++) {
    if (a->indices[i] < b->indices[i]) return beside_zero(x[i]);
    if (a->indices[i] > b->indices[i]) return -beside_zero(y[i]);
    if (x[i] < y[i]) return -1;
    if (x[i] > y[i]) return 1;
  }
  // What lies beyond the other's dimensions is compared with nothing: there the dimensions decide.
  if (a->nnz > common && a->indices[common] < b->dim) return beside_zero(x[common]);
  if (b->nnz > common && b->indices[common] < a->dim) return -beside_zero(y[common]);
  return (a->dim > b->dim) - (a->dim < b->dim);
}

// Compares the two arguments: less than, equal to or greater than 0.
int compare_arguments(FunctionCallInfo fcinfo) {
  SparseVector* a = LB_ARG_SPARSE(0);
  SparseVector* b = LB_ARG_SPARSE(1);
  const int order = compare(a, b);
  PG_FREE_IF_COPY(a, 0);
  PG_FREE_IF_COPY(b, 1);
  return order;
}

// Hashes dimensions, indices and values. With seed 0 the low half is the 32-bit hash, as PostgreSQL asks of an extended
// hash function.
uint64 hash_argument(FunctionCallInfo fcinfo, uint64 seed) {
  SparseVector* vector = LB_ARG_SPARSE(0);
  const auto* bytes = reinterpret_cast<const unsigned char*>(&vector->dim);
  const auto* end = reinterpret_cast<const unsigned char*>(vector->values() + vector->nnz);
  const uint64 value = hash_bytes_extended(bytes, static_cast<int>(end - bytes), seed);
  PG_FREE_IF_COPY(vector, 0);
  return value;
}

}  // namespace

LB_FUNCTION(longbow_sparsevec_lt) { PG_RETURN_BOOL(compare_arguments(fcinfo) < 0); }

LB_FUNCTION(longbow_sparsevec_le) { PG_RETURN_BOOL(compare_arguments(fcinfo) <= 0); }

LB_FUNCTION(longbow_sparsevec_eq) { PG_RETURN_BOOL(compare_arguments(fcinfo) == 0); }

LB_FUNCTION(longbow_sparsevec_ne) { PG_RETURN_BOOL(compare_arguments(fcinfo) != 0); }

LB_FUNCTION(longbow_sparsevec_ge) { PG_RETURN_BOOL(compare_arguments(fcinfo) >= 0); }

LB_FUNCTION(longbow_sparsevec_gt) { PG_RETURN_BOOL(compare_arguments(fcinfo) > 0); }

// Support function 1 of the B-tree operator class: -1, 0 or 1.
LB_FUNCTION(longbow_sparsevec_cmp) { PG_RETURN_INT32(compare_arguments(fcinfo)); }

// Support function 1 of the hash operator class.
LB_FUNCTION(longbow_hash_sparsevec) { PG_RETURN_UINT32(static_cast<uint32>(hash_argument(fcinfo, 0))); }

// Support function 2 of the hash operator class: 64 bits, with a seed.
LB_FUNCTION(longbow_hash_sparsevec_extended) {
  PG_RETURN_UINT64(hash_argument(fcinfo, static_cast<uint64>(PG_GETARG_INT64(1))));
}

}  // namespace longbow::types
