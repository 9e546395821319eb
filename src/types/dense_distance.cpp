// Distances between vectors, and between halfvecs, of equal length, computed by the SIMD kernels.
//
// Sums are taken in float32, where an overflow gives Infinity and not an error; what follows a sum (root, quotient,
// arc cosine) is in float64. No result but cosine_distance() of a zero or overflowing vector is NaN, unless products
// overflow to both infinities.
#include <cmath>
#include <numbers>

#include "types/dense.hpp"

namespace longbow::types {
namespace {

template <class T>
struct Pair {
  const T* a;
  const T* b;
  std::size_t dims;
};

// The elements of the two arguments, which have equal length.
template <class T>
Pair<T> arguments(FunctionCallInfo fcinfo) {
  const Dense<T>* a = LB_ARG_DENSE(T, 0);
  const Dense<T>* b = LB_ARG_DENSE(T, 1);
  check_same_dims(a, b);
  return {a->x, b->x, static_cast<std::size_t>(a->dim)};
}

double l2_squared(Pair<float> p) { return simd::kernels().l2_squared(p.a, p.b, p.dims); }
double l2_squared(Pair<Half> p) { return simd::kernels().l2_squared_f16(p.a, p.b, p.dims); }
double dot(Pair<float> p) { return simd::kernels().inner_product(p.a, p.b, p.dims); }
double dot(Pair<Half> p) { return simd::kernels().inner_product_f16(p.a, p.b, p.dims); }
double l1(Pair<float> p) { return simd::kernels().l1(p.a, p.b, p.dims); }
double l1(Pair<Half> p) { return simd::kernels().l1_f16(p.a, p.b, p.dims); }
simd::CosineSums cosine_sums(Pair<float> p) { return simd::kernels().cosine(p.a, p.b, p.dims); }
simd::CosineSums cosine_sums(Pair<Half> p) { return simd::kernels().cosine_f16(p.a, p.b, p.dims); }

// Within [-1, 1]; NaN stays.
double clamp_unit(double value) { return value > 1 ? 1 : value < -1 ? -1 : value; }

// 1 - cosine similarity, in [0, 2]. One root of the product, not a product of roots: a vector and its double differ by
// 0.
double cosine(const simd::CosineSums& sums) {
  const double norms = std::sqrt(static_cast<double>(sums.a_squared) * static_cast<double>(sums.b_squared));
  return 1.0 - clamp_unit(sums.dot / norms);
}

// Angle between unit vectors in half turns, in [0, 1].
double angle(double similarity) { return std::acos(clamp_unit(similarity)) / std::numbers::pi; }

}  // namespace

// Euclidean distance.
LB_FUNCTION(longbow_l2_distance) { PG_RETURN_FLOAT8(std::sqrt(l2_squared(arguments<float>(fcinfo)))); }

// Square of the Euclidean distance.
LB_FUNCTION(longbow_vector_l2_squared_distance) { PG_RETURN_FLOAT8(l2_squared(arguments<float>(fcinfo))); }

// Inner product.
LB_FUNCTION(longbow_inner_product) { PG_RETURN_FLOAT8(dot(arguments<float>(fcinfo))); }

// Inner product with its sign changed, so that less is nearer.
LB_FUNCTION(longbow_vector_negative_inner_product) { PG_RETURN_FLOAT8(-dot(arguments<float>(fcinfo))); }

// Cosine distance.
LB_FUNCTION(longbow_cosine_distance) { PG_RETURN_FLOAT8(cosine(cosine_sums(arguments<float>(fcinfo)))); }

// Angle between unit vectors.
LB_FUNCTION(longbow_vector_spherical_distance) { PG_RETURN_FLOAT8(angle(dot(arguments<float>(fcinfo)))); }

// Taxicab distance.
LB_FUNCTION(longbow_l1_distance) { PG_RETURN_FLOAT8(l1(arguments<float>(fcinfo))); }

// Euclidean distance.
LB_FUNCTION(longbow_halfvec_l2_distance) { PG_RETURN_FLOAT8(std::sqrt(l2_squared(arguments<Half>(fcinfo)))); }

// Square of the Euclidean distance.
LB_FUNCTION(longbow_halfvec_l2_squared_distance) { PG_RETURN_FLOAT8(l2_squared(arguments<Half>(fcinfo))); }

// Inner product.
LB_FUNCTION(longbow_halfvec_inner_product) { PG_RETURN_FLOAT8(dot(arguments<Half>(fcinfo))); }

// Inner product with its sign changed, so that less is nearer.
LB_FUNCTION(longbow_halfvec_negative_inner_product) { PG_RETURN_FLOAT8(-dot(arguments<Half>(fcinfo))); }

// Cosine distance.
LB_FUNCTION(longbow_halfvec_cosine_distance) { PG_RETURN_FLOAT8(cosine(cosine_sums(arguments<Half>(fcinfo)))); }

// Angle between unit vectors.
LB_FUNCTION(longbow_halfvec_spherical_distance) { PG_RETURN_FLOAT8(angle(dot(arguments<Half>(fcinfo)))); }

// Taxicab distance.
LB_FUNCTION(longbow_halfvec_l1_distance) { PG_RETURN_FLOAT8(l1(arguments<Half>(fcinfo))); }

}  // namespace longbow::types
