// The state of avg(vector) and avg(halfvec): an array of float8, the number of rows and then the sum of each element.
//
// {0} is the state before the first row. A state that an aggregate owns is changed in place, as PostgreSQL's own
// float8 aggregates do, so that a row costs no allocation; a state passed in a plain call is copied.
#include <cmath>

#include "types/dense.hpp"
#include "types/number_array.hpp"

extern "C" {
#include "catalog/pg_type.h"
#include "utils/array.h"
}

namespace longbow::types {
namespace {

struct State {
  ArrayType* array;
  double* values;  // values[0] rows, values[1 + i] the sum of element i
  int dims;
};

// Reads a state, which SQL can pass as anything.
template <class T>
State get_state(ArrayType* array, const char* caller) {
  if (ARR_NDIM(array) != 1 || ARR_DIMS(array)[0] < 1 || ARR_HASNULL(array) || ARR_ELEMTYPE(array) != FLOAT8OID)
    elog(ERROR, "%s: expected state array", caller);
  const State state{array, reinterpret_cast<double*>(ARR_DATA_PTR(array)), ARR_DIMS(array)[0] - 1};
  if (state.dims > kDenseMaxDims) check_dims<T>(state.dims);
  return state;
}

// A state of zeros in the current memory context.
State make_state(int dims) {
  const Size size = ARR_OVERHEAD_NONULLS(1) + sizeof(double) * (static_cast<Size>(dims) + 1);
  ArrayType* array = static_cast<ArrayType*>(palloc0(size));
  SET_VARSIZE(array, size);
  array->ndim = 1;
  array->elemtype = FLOAT8OID;
  ARR_DIMS(array)[0] = dims + 1;
  ARR_LBOUND(array)[0] = 1;
  return {array, reinterpret_cast<double*>(ARR_DATA_PTR(array)), dims};
}

// The state to write to: the caller's own inside an aggregate, a copy of it elsewhere.
State writable(FunctionCallInfo fcinfo, const State& state) {
  if (AggCheckCallContext(fcinfo, nullptr) != 0) return state;
  const State copy = make_state(state.dims);
  memcpy(copy.values, state.values, sizeof(double) * (static_cast<Size>(state.dims) + 1));
  return copy;
}

// Adds count sums to those of a state, of which they are elements first + 1 and on.
template <class T>
void add(double* sums, const T* values, int count, int first) {
  unsigned fault = 0;
  for (int i = 0; i < count; i++) {
    sums[i] += values[i];
    fault |= static_cast<unsigned>(std::isinf(sums[i]));
  }
  for (int i = 0; fault != 0 && i < count; i++)
    if (std::isinf(sums[i]))
      ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE), errmsg("value out of range: overflow"),
                      errdetail("The sum of element %d is beyond the range of an 8-byte float.", first + i + 1)));
}

// Adds a row to a state.
template <class T>
Datum accumulate(FunctionCallInfo fcinfo, const char* caller) {
  State state = get_state<T>(PG_GETARG_ARRAYTYPE_P(0), caller);
  const Dense<T>* row = LB_ARG_DENSE(T, 1);
  if (state.dims == 0) {
    const double rows = state.values[0];
    state = make_state(row->dim);
    state.values[0] = rows;
  } else {
    check_expected_dims(state.dims, row->dim);
    state = writable(fcinfo, state);
  }
  state.values[0] += 1;
  float piece[kPiece];
  for (int start = 0; start < row->dim; start += kPiece) {
    const int count = Min(kPiece, row->dim - start);
    add(state.values + 1 + start, floats(row, start, count, piece), count, start);
  }
  PG_RETURN_ARRAYTYPE_P(state.array);
}

// Merges two states; a state without rows leaves the other as it is.
template <class T>
Datum combine(FunctionCallInfo fcinfo, const char* caller) {
  const State a = get_state<T>(PG_GETARG_ARRAYTYPE_P(0), caller);
  const State b = get_state<T>(PG_GETARG_ARRAYTYPE_P(1), caller);
  if (a.values[0] == 0) PG_RETURN_ARRAYTYPE_P(b.array);
  if (b.values[0] == 0) PG_RETURN_ARRAYTYPE_P(a.array);
  check_expected_dims(a.dims, b.dims);
  const State sum = writable(fcinfo, a);
  sum.values[0] += b.values[0];
  add(sum.values + 1, b.values + 1, b.dims, 0);
  PG_RETURN_ARRAYTYPE_P(sum.array);
}

// The mean of a state's rows; NULL without rows.
template <class T>
Datum mean(FunctionCallInfo fcinfo, const char* caller) {
  const State state = get_state<T>(PG_GETARG_ARRAYTYPE_P(0), caller);
  if (state.values[0] == 0) PG_RETURN_NULL();
  check_dims<T>(state.dims);
  Dense<T>* result = make_dense<T>(state.dims);
  float piece[kPiece];
  for (int start = 0; start < state.dims; start += kPiece) {
    const int count = Min(kPiece, state.dims - start);
    float* values = room(result, start, piece);
    for (int i = 0; i < count; i++) {
      values[i] = static_cast<float>(state.values[1 + start + i] / state.values[0]);
      check_element(values[i], start + i + 1, kDenseName<T>);
    }
    if constexpr (std::is_same_v<T, Half>) check_half_range(values, count, start + 1);
    store(result, start, count, values);
  }
  PG_RETURN_POINTER(result);
}

}  // namespace

LB_FUNCTION(longbow_vector_accum) { return accumulate<float>(fcinfo, "vector_accum"); }

LB_FUNCTION(longbow_halfvec_accum) { return accumulate<Half>(fcinfo, "halfvec_accum"); }

LB_FUNCTION(longbow_vector_combine) { return combine<float>(fcinfo, "vector_combine"); }

LB_FUNCTION(longbow_halfvec_combine) { return combine<Half>(fcinfo, "halfvec_combine"); }

LB_FUNCTION(longbow_vector_avg) { return mean<float>(fcinfo, "vector_avg"); }

LB_FUNCTION(longbow_halfvec_avg) { return mean<Half>(fcinfo, "halfvec_avg"); }

}  // namespace longbow::types
