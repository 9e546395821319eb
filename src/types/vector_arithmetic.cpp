// Arithmetic on vectors and their parts: sums, products, norms, concatenation, slices, signs.
//
// Elements stay finite: an overflow is an error that names the element, and so is a product of non-zero factors that
// underflows to 0. Loops gather faults in a flag and look for the element afterwards, which lets them vectorise.
#include <cmath>

#include "types/vector.hpp"

extern "C" {
#include "utils/varbit.h"
}

namespace longbow::types {
namespace {

constexpr char kAdd = '+';
constexpr char kSubtract = '-';
constexpr char kMultiply = '*';

template <char op>
float apply(float a, float b) {
  if constexpr (op == kAdd) return a + b;
  if constexpr (op == kSubtract) return a - b;
  if constexpr (op == kMultiply) return a * b;
}

template <char op>
bool underflows(float a, float b, float result) {
  return op == kMultiply && result == 0 && a != 0 && b != 0;
}

[[noreturn]] void report_range(const char* kind, int element, float a, char op, float b) {
  ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE), errmsg("value out of range: %s", kind),
                  errdetail("Element %d is %g %c %g.", element, a, op, b)));
  pg_unreachable();
}

// Combines the two arguments element by element.
template <char op>
Datum elementwise(FunctionCallInfo fcinfo) {
  const Vector* a = LB_ARG_VECTOR(0);
  const Vector* b = LB_ARG_VECTOR(1);
  check_same_dims(a, b);
  const int dims = a->dim;
  Vector* result = make_vector(dims);
  unsigned fault = 0;
  for (int i = 0; i < dims; i++) {
    const float value = apply<op>(a->x[i], b->x[i]);
    result->x[i] = value;
    fault |= static_cast<unsigned>(std::isinf(value)) | static_cast<unsigned>(underflows<op>(a->x[i], b->x[i], value));
  }
  for (int i = 0; fault != 0 && i < dims; i++) {
    if (std::isinf(result->x[i])) report_range("overflow", i + 1, a->x[i], op, b->x[i]);
    if (underflows<op>(a->x[i], b->x[i], result->x[i])) report_range("underflow", i + 1, a->x[i], op, b->x[i]);
  }
  PG_RETURN_POINTER(result);
}

// Euclidean norm. In float64 no vector of floats overflows it; eight sums let the loop vectorise.
double norm(const Vector* vector) {
  constexpr int kLanes = 8;
  double sums[kLanes] = {};
  int i = 0;
  for (; i + kLanes <= vector->dim; i += kLanes)
    for (int lane = 0; lane < kLanes; lane++) {
      const double value = vector->x[i + lane];
      sums[lane] += value * value;
    }
  for (; i < vector->dim; i++) sums[0] += static_cast<double>(vector->x[i]) * vector->x[i];
  double total = 0;
  for (const double sum : sums) total += sum;
  return std::sqrt(total);
}

}  // namespace

// Sum, element by element; also the transition and combine function of sum(vector).
LB_FUNCTION(longbow_vector_add) { return elementwise<kAdd>(fcinfo); }

// Difference, element by element.
LB_FUNCTION(longbow_vector_sub) { return elementwise<kSubtract>(fcinfo); }

// Product, element by element.
LB_FUNCTION(longbow_vector_mul) { return elementwise<kMultiply>(fcinfo); }

// The elements of the first argument, then those of the second.
LB_FUNCTION(longbow_vector_concat) {
  const Vector* a = LB_ARG_VECTOR(0);
  const Vector* b = LB_ARG_VECTOR(1);
  const int dims = a->dim + b->dim;
  check_dims(dims);
  Vector* result = make_vector(dims);
  memcpy(result->x, a->x, sizeof(float) * a->dim);
  memcpy(result->x + a->dim, b->x, sizeof(float) * b->dim);
  PG_RETURN_POINTER(result);
}

// Number of dimensions.
LB_FUNCTION(longbow_vector_dims) { PG_RETURN_INT32(LB_ARG_VECTOR(0)->dim); }

// Euclidean norm.
LB_FUNCTION(longbow_vector_norm) { PG_RETURN_FLOAT8(norm(LB_ARG_VECTOR(0))); }

// The vector divided by its Euclidean norm; a zero vector stays zero. A quotient is at most 1, so nothing overflows.
LB_FUNCTION(longbow_l2_normalize) {
  const Vector* vector = LB_ARG_VECTOR(0);
  Vector* result = make_vector(vector->dim);
  const double length = norm(vector);
  if (length > 0)
    for (int i = 0; i < vector->dim; i++) result->x[i] = static_cast<float>(vector->x[i] / length);
  PG_RETURN_POINTER(result);
}

// One bit an element: 1 where it is greater than 0. The first element is the leftmost bit.
LB_FUNCTION(longbow_binary_quantize) {
  const Vector* vector = LB_ARG_VECTOR(0);
  const Size size = VARBITTOTALLEN(vector->dim);
  VarBit* result = static_cast<VarBit*>(palloc0(size));
  SET_VARSIZE(result, size);
  VARBITLEN(result) = vector->dim;
  bits8* bits = VARBITS(result);
  for (int i = 0; i < vector->dim; i++) bits[i / 8] |= static_cast<bits8>((vector->x[i] > 0) << (7 - i % 8));
  PG_RETURN_VARBIT_P(result);
}

// The elements start .. start + count - 1 that the vector has, counted from 1, as substring() counts characters.
LB_FUNCTION(longbow_subvector) {
  const Vector* vector = LB_ARG_VECTOR(0);
  const int64 start = PG_GETARG_INT32(1);
  const int64 stop = Min(start + PG_GETARG_INT32(2), static_cast<int64>(vector->dim) + 1);
  const int64 first = Max(start, static_cast<int64>(1));
  const int dims = static_cast<int>(Max(stop - first, static_cast<int64>(0)));
  check_dims(dims);
  Vector* result = make_vector(dims);
  memcpy(result->x, vector->x + first - 1, sizeof(float) * dims);
  PG_RETURN_POINTER(result);
}

}  // namespace longbow::types
