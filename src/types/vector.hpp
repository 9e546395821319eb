// The type vector as the access method sees it.
#pragma once

#include "types/dense.hpp"

namespace longbow::types {

// A vector with a 4-byte header, read in where it was out of line or short; the argument itself where it was not.
inline Vector* DatumGetVector(Datum datum) { return get_dense<float>(datum); }

}  // namespace longbow::types
