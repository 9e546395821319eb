// Order and hash of vector and halfvec, for sorting, B-trees, hash joins and grouping.
//
// Order: element by element as floats, then the shorter before the longer, as with arrays. Elements are never NaN, so
// this is a total order; -0 and 0 are equal and so hash equally. Copies made by detoasting are freed: a sort calls
// these functions in a memory context that lives as long as the sort.
#include "types/dense.hpp"

extern "C" {
#include "common/hashfn.h"
}

namespace longbow::types {
namespace {

template <class T>
int compare(const Dense<T>* a, const Dense<T>* b) {
  const int dims = Min(a->dim, b->dim);
  for (int i = 0; i < dims; i++) {
    const float x = value_of(a->x[i]), y = value_of(b->x[i]);
    if (x < y) return -1;
    if (x > y) return 1;
  }
  return (a->dim > b->dim) - (a->dim < b->dim);
}

// Compares the two arguments: less than, equal to or greater than 0.
template <class T>
int compare_arguments(FunctionCallInfo fcinfo) {
  Dense<T>* a = LB_ARG_DENSE(T, 0);
  Dense<T>* b = LB_ARG_DENSE(T, 1);
  const int order = compare(a, b);
  PG_FREE_IF_COPY(a, 0);
  PG_FREE_IF_COPY(b, 1);
  return order;
}

// Hashes the elements as floats in pieces, each seeded with the hash so far, with -0 made 0. With seed 0 the low half
// is the 32-bit hash, as PostgreSQL asks of an extended hash function.
template <class T>
uint64 hash_argument(FunctionCallInfo fcinfo, uint64 seed) {
  constexpr int kHashPiece = 64;
  Dense<T>* vector = LB_ARG_DENSE(T, 0);
  float piece[kHashPiece];
  uint64 state = seed;
  for (int start = 0; start < vector->dim; start += kHashPiece) {
    const int count = Min(kHashPiece, vector->dim - start);
    const float* values = floats(vector, start, count, piece);
    for (int i = 0; i < count; i++) piece[i] = values[i] + 0.0f;
    state = hash_bytes_extended(reinterpret_cast<const unsigned char*>(piece), count * static_cast<int>(sizeof(float)),
                                state);
  }
  PG_FREE_IF_COPY(vector, 0);
  return state;
}

}  // namespace

LB_FUNCTION(longbow_vector_lt) { PG_RETURN_BOOL(compare_arguments<float>(fcinfo) < 0); }

LB_FUNCTION(longbow_vector_le) { PG_RETURN_BOOL(compare_arguments<float>(fcinfo) <= 0); }

LB_FUNCTION(longbow_vector_eq) { PG_RETURN_BOOL(compare_arguments<float>(fcinfo) == 0); }

LB_FUNCTION(longbow_vector_ne) { PG_RETURN_BOOL(compare_arguments<float>(fcinfo) != 0); }

LB_FUNCTION(longbow_vector_ge) { PG_RETURN_BOOL(compare_arguments<float>(fcinfo) >= 0); }

LB_FUNCTION(longbow_vector_gt) { PG_RETURN_BOOL(compare_arguments<float>(fcinfo) > 0); }

// Support function 1 of the B-tree operator class: -1, 0 or 1.
LB_FUNCTION(longbow_vector_cmp) { PG_RETURN_INT32(compare_arguments<float>(fcinfo)); }

// Support function 1 of the hash operator class.
LB_FUNCTION(longbow_hash_vector) { PG_RETURN_UINT32(static_cast<uint32>(hash_argument<float>(fcinfo, 0))); }

// Support function 2 of the hash operator class: 64 bits, with a seed.
LB_FUNCTION(longbow_hash_vector_extended) {
  PG_RETURN_UINT64(hash_argument<float>(fcinfo, static_cast<uint64>(PG_GETARG_INT64(1))));
}

LB_FUNCTION(longbow_halfvec_lt) { PG_RETURN_BOOL(compare_arguments<Half>(fcinfo) < 0); }

LB_FUNCTION(longbow_halfvec_le) { PG_RETURN_BOOL(compare_arguments<Half>(fcinfo) <= 0); }

LB_FUNCTION(longbow_halfvec_eq) { PG_RETURN_BOOL(compare_arguments<Half>(fcinfo) == 0); }

LB_FUNCTION(longbow_halfvec_ne) { PG_RETURN_BOOL(compare_arguments<Half>(fcinfo) != 0); }

LB_FUNCTION(longbow_halfvec_ge) { PG_RETURN_BOOL(compare_arguments<Half>(fcinfo) >= 0); }

LB_FUNCTION(longbow_halfvec_gt) { PG_RETURN_BOOL(compare_arguments<Half>(fcinfo) > 0); }

// Support function 1 of the B-tree operator class: -1, 0 or 1.
LB_FUNCTION(longbow_halfvec_cmp) { PG_RETURN_INT32(compare_arguments<Half>(fcinfo)); }

// Support function 1 of the hash operator class.
LB_FUNCTION(longbow_hash_halfvec) { PG_RETURN_UINT32(static_cast<uint32>(hash_argument<Half>(fcinfo, 0))); }

// Support function 2 of the hash operator class: 64 bits, with a seed.
LB_FUNCTION(longbow_hash_halfvec_extended) {
  PG_RETURN_UINT64(hash_argument<Half>(fcinfo, static_cast<uint64>(PG_GETARG_INT64(1))));
}

}  // namespace longbow::types
