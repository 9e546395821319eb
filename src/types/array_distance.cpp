// Distances between arrays of real, of one dimension, without nulls and of equal length; by the kernels of vector, with its limits.
// Elements may be NaN or infinite, and results then are what float arithmetic makes of them.
#include <cmath>

#include "types/dense.hpp"
#include "types/number_array.hpp"

extern "C" {
#include "catalog/pg_type.h"
}

namespace longbow::types {
namespace {

struct Pair {
  const float* a;
  const float* b;
  std::size_t length;
};

Pair arguments(FunctionCallInfo fcinfo) {
  ArrayType* a = PG_GETARG_ARRAYTYPE_P(0);
  ArrayType* b = PG_GETARG_ARRAYTYPE_P(1);
  const int length = number_array_length(a);
  const int other = number_array_length(b);
  check_dims<float>(length);
  if (length != other)
    ereport(ERROR, (errcode(ERRCODE_DATA_EXCEPTION), errmsg("different array lengths %d and %d", length, other)));
  return {reinterpret_cast<const float*>(ARR_DATA_PTR(a)), reinterpret_cast<const float*>(ARR_DATA_PTR(b)),
          static_cast<std::size_t>(length)};
}

}  // namespace

// Euclidean distance.
LB_FUNCTION(longbow_array_l2_distance) {
  const Pair p = arguments(fcinfo);
  PG_RETURN_FLOAT8(std::sqrt(static_cast<double>(simd::kernels().l2_squared(p.a, p.b, p.length))));
}

// Inner product with its sign changed, so that less is nearer.
LB_FUNCTION(longbow_array_negative_inner_product) {
  const Pair p = arguments(fcinfo);
  PG_RETURN_FLOAT8(-static_cast<double>(simd::kernels().inner_product(p.a, p.b, p.length)));
}

// Cosine distance, from 0 to 2; NaN if an array is all zero.
LB_FUNCTION(longbow_array_cosine_distance) {
  const Pair p = arguments(fcinfo);
  const simd::CosineSums sums = simd::kernels().cosine(p.a, p.b, p.length);
  const double similarity = sums.dot / std::sqrt(static_cast<double>(sums.a_squared) * static_cast<double>(sums.b_squared));
  PG_RETURN_FLOAT8(1.0 - (similarity > 1 ? 1 : similarity < -1 ? -1 : similarity));
}

// Taxicab distance.
LB_FUNCTION(longbow_array_l1_distance) {
  const Pair p = arguments(fcinfo);
  PG_RETURN_FLOAT8(simd::kernels().l1(p.a, p.b, p.length));
}

}  // namespace longbow::types
