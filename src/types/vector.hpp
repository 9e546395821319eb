// The type vector as the access method sees it.
#pragma once

#include "types/dense.hpp"

namespace longbow::types {

inline constexpr int kVectorMaxDims = kDenseMaxDims;

// A vector with a 4-byte header, read in where it was out of line or short; the argument itself where it was not.
inline Vector* DatumGetVector(Datum datum) { return get_dense<float>(datum); }

}  // namespace longbow::types

#define LB_ARG_VECTOR(n) longbow::types::DatumGetVector(PG_GETARG_DATUM(n))
