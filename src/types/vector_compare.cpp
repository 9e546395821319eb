// Order and hash of vectors, for sorting, B-trees, hash joins and grouping.
//
// Order: element by element as floats, then the shorter before the longer, as with arrays. Elements are never NaN, so
// this is a total order; -0 and 0 are equal and so hash equally. Copies made by detoasting are freed: a sort calls
// these functions in a memory context that lives as long as the sort.
#include "types/vector.hpp"

extern "C" {
#include "common/hashfn.h"
}

namespace longbow::types {
namespace {

int compare(const Vector* a, const Vector* b) {
  const int dims = Min(a->dim, b->dim);
  for (int i = 0; i < dims; i++) {
    if (a->x[i] < b->x[i]) return -1;
    if (a->x[i] > b->x[i]) return 1;
  }
  return (a->dim > b->dim) - (a->dim < b->dim);
}

// Compares the two arguments: less than, equal to or greater than 0.
int compare_arguments(FunctionCallInfo fcinfo) {
  Vector* a = LB_ARG_VECTOR(0);
  Vector* b = LB_ARG_VECTOR(1);
  const int order = compare(a, b);
  PG_FREE_IF_COPY(a, 0);
  PG_FREE_IF_COPY(b, 1);
  return order;
}

// Hashes the elements in pieces, each seeded with the hash so far, with -0 made 0. With seed 0 the low half is the
// 32-bit hash, as PostgreSQL asks of an extended hash function.
uint64 hash(const Vector* vector, uint64 seed) {
  constexpr int kPiece = 64;
  float piece[kPiece];
  uint64 state = seed;
  for (int start = 0; start < vector->dim; start += kPiece) {
    const int count = Min(kPiece, vector->dim - start);
    for (int i = 0; i < count; i++) piece[i] = vector->x[start + i] + 0.0f;
    state = hash_bytes_extended(reinterpret_cast<const unsigned char*>(piece), count * static_cast<int>(sizeof(float)),
                                state);
  }
  return state;
}

}  // namespace

LB_FUNCTION(longbow_vector_lt) { PG_RETURN_BOOL(compare_arguments(fcinfo) < 0); }

LB_FUNCTION(longbow_vector_le) { PG_RETURN_BOOL(compare_arguments(fcinfo) <= 0); }

LB_FUNCTION(longbow_vector_eq) { PG_RETURN_BOOL(compare_arguments(fcinfo) == 0); }

LB_FUNCTION(longbow_vector_ne) { PG_RETURN_BOOL(compare_arguments(fcinfo) != 0); }

LB_FUNCTION(longbow_vector_ge) { PG_RETURN_BOOL(compare_arguments(fcinfo) >= 0); }

LB_FUNCTION(longbow_vector_gt) { PG_RETURN_BOOL(compare_arguments(fcinfo) > 0); }

// Support function 1 of the B-tree operator class: -1, 0 or 1.
LB_FUNCTION(longbow_vector_cmp) { PG_RETURN_INT32(compare_arguments(fcinfo)); }

// Support function 1 of the hash operator class.
LB_FUNCTION(longbow_hash_vector) {
  Vector* vector = LB_ARG_VECTOR(0);
  const uint64 value = hash(vector, 0);
  PG_FREE_IF_COPY(vector, 0);
  PG_RETURN_UINT32(static_cast<uint32>(value));
}

// Support function 2 of the hash operator class: 64 bits, with a seed.
LB_FUNCTION(longbow_hash_vector_extended) {
  Vector* vector = LB_ARG_VECTOR(0);
  const uint64 value = hash(vector, static_cast<uint64>(PG_GETARG_INT64(1)));
  PG_FREE_IF_COPY(vector, 0);
  PG_RETURN_UINT64(value);
}

}  // namespace longbow::types
