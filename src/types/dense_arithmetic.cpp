// Arithmetic on vector and halfvec and their parts: sums, products, norms, concatenation, slices, signs.
//
// Elements stay finite: an overflow is an error that names the element, and so is a product of non-zero factors that
// underflows to 0. A result is computed as a float and then rounded; for halves that is the same as rounding once,
// since a float has more than twice their digits (Figueroa 1995). Loops gather faults in a flag and look for the
// element afterwards, which lets them vectorise.
#include <cmath>

#include "types/dense.hpp"

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

// Whether a float becomes infinite, or zero, as an element.
template <class T>
bool overflows(float value) {
  if constexpr (std::is_same_v<T, Half>) return std::fabs(value) >= base::kHalfOverflow;
  return std::isinf(value);
}
template <class T>
bool vanishes(float value) {
  if constexpr (std::is_same_v<T, Half>) return std::fabs(value) <= base::kHalfUnderflow;
  return value == 0;
}

template <class T, char op>
bool underflows(float a, float b, float result) {
  return op == kMultiply && vanishes<T>(result) && a != 0 && b != 0;
}

[[noreturn]] void report_range(const char* kind, int element, float a, char op, float b) {
  ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE), errmsg("value out of range: %s", kind),
                  errdetail("Element %d is %g %c %g.", element, a, op, b)));
  pg_unreachable();
}

// Combines count elements, the first of which has number first + 1.
template <class T, char op>
void combine(const float* a, const float* b, float* result, int count, int first) {
  unsigned fault = 0;
  for (int i = 0; i < count; i++) {
    const float value = apply<op>(a[i], b[i]);
    fault |= static_cast<unsigned>(overflows<T>(value)) | static_cast<unsigned>(underflows<T, op>(a[i], b[i], value));
    result[i] = value;
  }
  for (int i = 0; fault != 0 && i < count; i++) {
    const float value = apply<op>(a[i], b[i]);
    if (overflows<T>(value)) report_range("overflow", first + i + 1, a[i], op, b[i]);
    if (underflows<T, op>(a[i], b[i], value)) report_range("underflow", first + i + 1, a[i], op, b[i]);
  }
}

// Combines the two arguments element by element.
template <class T, char op>
Datum elementwise(FunctionCallInfo fcinfo) {
  const Dense<T>* a = LB_ARG_DENSE(T, 0);
  const Dense<T>* b = LB_ARG_DENSE(T, 1);
  check_same_dims(a, b);
  Dense<T>* result = make_dense<T>(a->dim);
  float left[kPiece], right[kPiece], out[kPiece];
  for (int start = 0; start < a->dim; start += kPiece) {
    const int count = Min(kPiece, a->dim - start);
    float* values = room(result, start, out);
    combine<T, op>(floats(a, start, count, left), floats(b, start, count, right), values, count, start);
    store(result, start, count, values);
  }
  PG_RETURN_POINTER(result);
}

// Euclidean norm. In float64 no vector of floats overflows it; eight sums let the loop vectorise.
template <class T>
double norm(const Dense<T>* vector) {
  constexpr int kLanes = 8;
  static_assert(kPiece % kLanes == 0);
  double sums[kLanes] = {};
  float piece[kPiece];
  for (int start = 0; start < vector->dim; start += kPiece) {
    const int count = Min(kPiece, vector->dim - start);
    const float* values = floats(vector, start, count, piece);
    int i = 0;
    for (; i + kLanes <= count; i += kLanes)
      for (int lane = 0; lane < kLanes; lane++) {
        const double value = values[i + lane];
        sums[lane] += value * value;
      }
    for (; i < count; i++) sums[0] += static_cast<double>(values[i]) * values[i];
  }
  double total = 0;
  for (const double sum : sums) total += sum;
  return std::sqrt(total);
}

// The argument divided by its Euclidean norm; zero stays zero. A quotient is at most 1, so nothing overflows.
template <class T>
Datum normalize(FunctionCallInfo fcinfo) {
  const Dense<T>* vector = LB_ARG_DENSE(T, 0);
  Dense<T>* result = make_dense<T>(vector->dim);
  const double length = norm(vector);
  float in[kPiece], out[kPiece];
  for (int start = 0; length > 0 && start < vector->dim; start += kPiece) {
    const int count = Min(kPiece, vector->dim - start);
    const float* from = floats(vector, start, count, in);
    float* values = room(result, start, out);
    for (int i = 0; i < count; i++) values[i] = static_cast<float>(from[i] / length);
    store(result, start, count, values);
  }
  PG_RETURN_POINTER(result);
}

// The elements of the first argument, then those of the second.
template <class T>
Datum concatenate(FunctionCallInfo fcinfo) {
  const Dense<T>* a = LB_ARG_DENSE(T, 0);
  const Dense<T>* b = LB_ARG_DENSE(T, 1);
  const int dims = a->dim + b->dim;
  check_dims<T>(dims);
  Dense<T>* result = make_dense<T>(dims);
  memcpy(result->x, a->x, sizeof(T) * a->dim);
  memcpy(result->x + a->dim, b->x, sizeof(T) * b->dim);
  PG_RETURN_POINTER(result);
}

bool is_positive(float element) { return element > 0; }
bool is_positive(Half element) { return element.bits - 1u < 0x7fff; }

// One bit an element: 1 where it is greater than 0. The first element is the leftmost bit.
template <class T>
Datum quantize(FunctionCallInfo fcinfo) {
  const Dense<T>* vector = LB_ARG_DENSE(T, 0);
  const Size size = VARBITTOTALLEN(vector->dim);
  VarBit* result = static_cast<VarBit*>(palloc0(size));
  SET_VARSIZE(result, size);
  VARBITLEN(result) = vector->dim;
  bits8* bits = VARBITS(result);
  for (int i = 0; i < vector->dim; i++) bits[i / 8] |= static_cast<bits8>(is_positive(vector->x[i]) << (7 - i % 8));
  PG_RETURN_VARBIT_P(result);
}

// The elements start .. start + count - 1 that there are, counted from 1, as substring() counts characters.
template <class T>
Datum slice(FunctionCallInfo fcinfo) {
  const Dense<T>* vector = LB_ARG_DENSE(T, 0);
  const int64 start = PG_GETARG_INT32(1);
  const int64 stop = Min(start + PG_GETARG_INT32(2), static_cast<int64>(vector->dim) + 1);
  const int64 first = Max(start, static_cast<int64>(1));
  const int dims = static_cast<int>(Max(stop - first, static_cast<int64>(0)));
  check_dims<T>(dims);
  Dense<T>* result = make_dense<T>(dims);
  memcpy(result->x, vector->x + first - 1, sizeof(T) * dims);
  PG_RETURN_POINTER(result);
}

}  // namespace

// Sum; also the transition and combine function of sum(vector).
LB_FUNCTION(longbow_vector_add) { return elementwise<float, kAdd>(fcinfo); }

LB_FUNCTION(longbow_vector_sub) { return elementwise<float, kSubtract>(fcinfo); }

LB_FUNCTION(longbow_vector_mul) { return elementwise<float, kMultiply>(fcinfo); }

LB_FUNCTION(longbow_vector_concat) { return concatenate<float>(fcinfo); }

LB_FUNCTION(longbow_vector_dims) { PG_RETURN_INT32(LB_ARG_DENSE(float, 0)->dim); }

LB_FUNCTION(longbow_vector_norm) { PG_RETURN_FLOAT8(norm(LB_ARG_DENSE(float, 0))); }

LB_FUNCTION(longbow_l2_normalize) { return normalize<float>(fcinfo); }

LB_FUNCTION(longbow_binary_quantize) { return quantize<float>(fcinfo); }

LB_FUNCTION(longbow_subvector) { return slice<float>(fcinfo); }

// Sum; also the transition and combine function of sum(halfvec).
LB_FUNCTION(longbow_halfvec_add) { return elementwise<Half, kAdd>(fcinfo); }

LB_FUNCTION(longbow_halfvec_sub) { return elementwise<Half, kSubtract>(fcinfo); }

LB_FUNCTION(longbow_halfvec_mul) { return elementwise<Half, kMultiply>(fcinfo); }

LB_FUNCTION(longbow_halfvec_concat) { return concatenate<Half>(fcinfo); }

LB_FUNCTION(longbow_halfvec_dims) { PG_RETURN_INT32(LB_ARG_DENSE(Half, 0)->dim); }

LB_FUNCTION(longbow_halfvec_norm) { PG_RETURN_FLOAT8(norm(LB_ARG_DENSE(Half, 0))); }

LB_FUNCTION(longbow_halfvec_l2_normalize) { return normalize<Half>(fcinfo); }

LB_FUNCTION(longbow_halfvec_binary_quantize) { return quantize<Half>(fcinfo); }

LB_FUNCTION(longbow_halfvec_subvector) { return slice<Half>(fcinfo); }

}  // namespace longbow::types
