// Distances between sparsevecs of equal dimensions, their norm, and normalising.
//
// As with the dense types, products and sums are in float32, where an overflow gives Infinity and not an error; taxicab
// distances are summed in float64, as pgvector does.
#include <cmath>

#include "types/sparse.hpp"

namespace longbow::types {
namespace {

struct Pair {
  const SparseVector* a;
  const SparseVector* b;
};

// The two arguments, which have equal dimensions.
Pair arguments(FunctionCallInfo fcinfo) {
  const Pair pair{LB_ARG_SPARSE(0), LB_ARG_SPARSE(1)};
  check_same_dims(pair.a, pair.b);
  return pair;
}

// Sums term(x, y) over the indices at which either has an element, in ascending order; the other is 0 there.
template <class Sum, class Term>
Sum sum_of(Pair pair, Term term) {
  const SparseVector &a = *pair.a, &b = *pair.b;
  const float *x = a.values(), *y = b.values();
  Sum sum = 0;
  int i = 0, j = 0;
  while (i < a.nnz && j < b.nnz) {
    const int left = a.indices[i], right = b.indices[j];
    if (left == right)
      sum += term(x[i++], y[j++]);
    else if (left < right)
      sum += term(x[i++], 0.0f);
    else
      sum += term(0.0f, y[j++]);
  }
  for (; i < a.nnz; i++) sum += term(x[i], 0.0f);
  for (; j < b.nnz; j++) sum += term(0.0f, y[j]);
  return sum;
}

// An index of one alone adds nothing.
float dot(Pair pair) {
  const SparseVector &a = *pair.a, &b = *pair.b;
  const float *x = a.values(), *y = b.values();
  float sum = 0;
  for (int i = 0, j = 0; i < a.nnz && j < b.nnz;) {
    const int left = a.indices[i], right = b.indices[j];
    if (left == right) sum += x[i] * y[j];
    i += left <= right;
    j += right <= left;
  }
  return sum;
}

float l2_squared(Pair pair) {
  return sum_of<float>(pair, [](float x, float y) { return (x - y) * (x - y); });
}

float squared(const SparseVector* vector) {
  float sum = 0;
  for (int i = 0; i < vector->nnz; i++) sum += vector->values()[i] * vector->values()[i];
  return sum;
}

// Euclidean norm; in float64 no floats overflow it.
double norm(const SparseVector* vector) {
  double sum = 0;
  for (int i = 0; i < vector->nnz; i++) sum += static_cast<double>(vector->values()[i]) * vector->values()[i];
  return std::sqrt(sum);
}

}  // namespace

// Euclidean distance.
LB_FUNCTION(longbow_sparsevec_l2_distance) {
  PG_RETURN_FLOAT8(std::sqrt(static_cast<double>(l2_squared(arguments(fcinfo)))));
}

// Square of the Euclidean distance.
LB_FUNCTION(longbow_sparsevec_l2_squared_distance) { PG_RETURN_FLOAT8(l2_squared(arguments(fcinfo))); }

// Inner product.
LB_FUNCTION(longbow_sparsevec_inner_product) { PG_RETURN_FLOAT8(dot(arguments(fcinfo))); }

// Inner product with its sign changed, so that less is nearer.
LB_FUNCTION(longbow_sparsevec_negative_inner_product) { PG_RETURN_FLOAT8(-dot(arguments(fcinfo))); }

// 1 - cosine similarity, in [0, 2]; NaN if one has no elements.
LB_FUNCTION(longbow_sparsevec_cosine_distance) {
  const Pair pair = arguments(fcinfo);
  const double norms = std::sqrt(static_cast<double>(squared(pair.a)) * static_cast<double>(squared(pair.b)));
  const double similarity = dot(pair) / norms;
  PG_RETURN_FLOAT8(1.0 - (similarity > 1 ? 1 : similarity < -1 ? -1 : similarity));
}

// Taxicab distance.
LB_FUNCTION(longbow_sparsevec_l1_distance) {
  PG_RETURN_FLOAT8(sum_of<double>(arguments(fcinfo), [](float x, float y) { return std::fabs(x - y); }));
}

// Euclidean norm.
LB_FUNCTION(longbow_sparsevec_l2_norm) { PG_RETURN_FLOAT8(norm(LB_ARG_SPARSE(0))); }

// The vector divided by its Euclidean norm; elements that underflow to zero are left out, zero stays zero.
LB_FUNCTION(longbow_sparsevec_l2_normalize) {
  const SparseVector* vector = LB_ARG_SPARSE(0);
  const double length = norm(vector);
  const auto quotient = [vector, length](int i) { return static_cast<float>(vector->values()[i] / length); };
  int elements = 0;
  for (int i = 0; i < vector->nnz; i++) elements += quotient(i) != 0;
  SparseVector* result = make_sparse(vector->dim, elements);
  int at = 0;
  for (int i = 0; i < vector->nnz; i++)
    if (const float value = quotient(i); value != 0) {
      result->indices[at] = vector->indices[i];
      result->values()[at++] = value;
    }
  PG_RETURN_POINTER(result);
}

}  // namespace longbow::types
