// The state of avg(vector): an array of float8, the number of rows and then the sum of each element.
//
// {0} is the state before the first row. A state that an aggregate owns is changed in place, as PostgreSQL's own
// float8 aggregates do, so that a row costs no allocation; a state passed in a plain call is copied.
#include <cmath>

#include "types/vector.hpp"

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
State get_state(ArrayType* array, const char* caller) {
  if (ARR_NDIM(array) != 1 || ARR_DIMS(array)[0] < 1 || ARR_HASNULL(array) || ARR_ELEMTYPE(array) != FLOAT8OID)
    elog(ERROR, "%s: expected state array", caller);
  const State state{array, reinterpret_cast<double*>(ARR_DATA_PTR(array)), ARR_DIMS(array)[0] - 1};
  if (state.dims > kVectorMaxDims) check_dims(state.dims);
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

// Adds count sums to those of a state.
template <class T>
void add(double* sums, const T* values, int count) {
  unsigned fault = 0;
  for (int i = 0; i < count; i++) {
    sums[i] += values[i];
    fault |= static_cast<unsigned>(std::isinf(sums[i]));
  }
  for (int i = 0; fault != 0 && i < count; i++)
    if (std::isinf(sums[i]))
      ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE), errmsg("value out of range: overflow"),
                      errdetail("The sum of element %d is beyond the range of an 8-byte float.", i + 1)));
}

}  // namespace

// Adds a row to a state.
LB_FUNCTION(longbow_vector_accum) {
  State state = get_state(PG_GETARG_ARRAYTYPE_P(0), "vector_accum");
  const Vector* row = LB_ARG_VECTOR(1);
  if (state.dims == 0) {
    const double rows = state.values[0];
    state = make_state(row->dim);
    state.values[0] = rows;
  } else {
    check_expected_dims(state.dims, row->dim);
    state = writable(fcinfo, state);
  }
  state.values[0] += 1;
  add(state.values + 1, row->x, row->dim);
  PG_RETURN_ARRAYTYPE_P(state.array);
}

// Merges two states; a state without rows leaves the other as it is.
LB_FUNCTION(longbow_vector_combine) {
  const State a = get_state(PG_GETARG_ARRAYTYPE_P(0), "vector_combine");
  const State b = get_state(PG_GETARG_ARRAYTYPE_P(1), "vector_combine");
  if (a.values[0] == 0) PG_RETURN_ARRAYTYPE_P(b.array);
  if (b.values[0] == 0) PG_RETURN_ARRAYTYPE_P(a.array);
  check_expected_dims(a.dims, b.dims);
  const State sum = writable(fcinfo, a);
  sum.values[0] += b.values[0];
  add(sum.values + 1, b.values + 1, b.dims);
  PG_RETURN_ARRAYTYPE_P(sum.array);
}

// The mean of a state's rows; NULL without rows.
LB_FUNCTION(longbow_vector_avg) {
  const State state = get_state(PG_GETARG_ARRAYTYPE_P(0), "vector_avg");
  if (state.values[0] == 0) PG_RETURN_NULL();
  check_dims(state.dims);
  Vector* result = make_vector(state.dims);
  for (int i = 0; i < state.dims; i++) {
    result->x[i] = static_cast<float>(state.values[i + 1] / state.values[0]);
    check_element(result->x[i], i + 1);
  }
  PG_RETURN_POINTER(result);
}

}  // namespace longbow::types
