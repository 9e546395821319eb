// Distances between vectors of equal length, computed by the SIMD kernels.
//
// Sums are taken in float32, where an overflow gives Infinity and not an error; what follows a sum (root, quotient,
// arc cosine) is in float64. No result but cosine_distance() of a zero or overflowing vector is NaN, unless products
// overflow to both infinities.
#include <cmath>
#include <numbers>

#include "longbow/simd/kernels.hpp"
#include "types/vector.hpp"

namespace longbow::types {
namespace {

struct Pair {
  const Vector* a;
  const Vector* b;
};

// The two arguments, which have equal length.
Pair arguments(FunctionCallInfo fcinfo) {
  const Pair pair{LB_ARG_VECTOR(0), LB_ARG_VECTOR(1)};
  check_same_dims(pair.a, pair.b);
  return pair;
}

double l2_squared(Pair pair) { return simd::kernels().l2_squared(pair.a->x, pair.b->x, pair.a->dim); }

double dot(Pair pair) { return simd::kernels().inner_product(pair.a->x, pair.b->x, pair.a->dim); }

// Within [-1, 1]; NaN stays.
double clamp_unit(double value) { return value > 1 ? 1 : value < -1 ? -1 : value; }

}  // namespace

// Euclidean distance.
LB_FUNCTION(longbow_l2_distance) { PG_RETURN_FLOAT8(std::sqrt(l2_squared(arguments(fcinfo)))); }

// Square of the Euclidean distance.
LB_FUNCTION(longbow_vector_l2_squared_distance) { PG_RETURN_FLOAT8(l2_squared(arguments(fcinfo))); }

// Inner product.
LB_FUNCTION(longbow_inner_product) { PG_RETURN_FLOAT8(dot(arguments(fcinfo))); }

// Inner product with its sign changed, so that less is nearer.
LB_FUNCTION(longbow_vector_negative_inner_product) { PG_RETURN_FLOAT8(-dot(arguments(fcinfo))); }

// 1 - cosine similarity, in [0, 2]. One root of the product, not a product of roots: a vector and its double differ by
// 0.
LB_FUNCTION(longbow_cosine_distance) {
  const Pair pair = arguments(fcinfo);
  const simd::CosineSums sums = simd::kernels().cosine(pair.a->x, pair.b->x, pair.a->dim);
  const double norms = std::sqrt(static_cast<double>(sums.a_squared) * static_cast<double>(sums.b_squared));
  PG_RETURN_FLOAT8(1.0 - clamp_unit(sums.dot / norms));
}

// Angle between unit vectors in half turns, in [0, 1].
LB_FUNCTION(longbow_vector_spherical_distance) {
  PG_RETURN_FLOAT8(std::acos(clamp_unit(dot(arguments(fcinfo)))) / std::numbers::pi);
}

// Taxicab distance.
LB_FUNCTION(longbow_l1_distance) {
  const Pair pair = arguments(fcinfo);
  PG_RETURN_FLOAT8(simd::kernels().l1(pair.a->x, pair.b->x, pair.a->dim));
}

}  // namespace longbow::types
