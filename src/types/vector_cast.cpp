// Casts: vector to vector (which checks the type modifier), from arrays of numbers, and to real[].
#include <cmath>

#include "types/vector.hpp"

extern "C" {
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/fmgrprotos.h"
}

namespace longbow::types {
namespace {

// Converts elements of a fixed size, as they lie in an array without nulls.
template <class T>
void convert(const ArrayType* array, Vector* result) {
  const T* values = reinterpret_cast<const T*>(ARR_DATA_PTR(array));
  for (int i = 0; i < result->dim; i++) {
    result->x[i] = static_cast<float>(values[i]);
    if (!std::isfinite(result->x[i]) && std::isfinite(static_cast<double>(values[i])))
      ereport(ERROR, (errcode(ERRCODE_DATA_EXCEPTION), errmsg("infinite value not allowed in vector"),
                      errdetail("Element %d is %g, beyond the range of a 4-byte float.", i + 1,
                                static_cast<double>(values[i]))));
    check_element(result->x[i], i + 1);
  }
}

// Converts elements of type numeric.
void convert_numeric(ArrayType* array, Vector* result) {
  Datum* values;
  int count;
  deconstruct_array(array, NUMERICOID, -1, false, TYPALIGN_INT, &values, nullptr, &count);
  for (int i = 0; i < count; i++) {
    result->x[i] = DatumGetFloat4(DirectFunctionCall1(numeric_float4, values[i]));
    check_element(result->x[i], i + 1);
  }
  pfree(values);
}

}  // namespace

// Checks the type modifier.
LB_FUNCTION(longbow_vector) {
  Vector* vector = LB_ARG_VECTOR(0);
  check_expected_dims(PG_GETARG_INT32(1), vector->dim);
  PG_RETURN_POINTER(vector);
}

// Array of integer, real, double precision or numeric to vector.
LB_FUNCTION(longbow_array_to_vector) {
  ArrayType* array = PG_GETARG_ARRAYTYPE_P(0);
  const int32 typmod = PG_GETARG_INT32(1);
  if (ARR_NDIM(array) > 1)
    ereport(ERROR, (errcode(ERRCODE_DATA_EXCEPTION), errmsg("array must be 1-D"),
                    errdetail("The array has %d dimensions.", ARR_NDIM(array))));
  if (ARR_HASNULL(array) && array_contains_nulls(array))
    ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("array must not contain nulls")));
  const int dims = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
  check_dims(dims);
  check_expected_dims(typmod, dims);
  Vector* result = make_vector(dims);
  switch (ARR_ELEMTYPE(array)) {
    case INT4OID:
      convert<int32>(array, result);
      break;
    case FLOAT4OID:
      convert<float4>(array, result);
      break;
    case FLOAT8OID:
      convert<float8>(array, result);
      break;
    case NUMERICOID:
      convert_numeric(array, result);
      break;
    default:
      ereport(ERROR, (errcode(ERRCODE_DATA_EXCEPTION), errmsg("unsupported array type")));
  }
  PG_RETURN_POINTER(result);
}

// Vector to real[].
LB_FUNCTION(longbow_vector_to_float4) {
  const Vector* vector = LB_ARG_VECTOR(0);
  const Size size = ARR_OVERHEAD_NONULLS(1) + sizeof(float4) * vector->dim;
  ArrayType* result = static_cast<ArrayType*>(palloc0(size));
  SET_VARSIZE(result, size);
  result->ndim = 1;
  result->elemtype = FLOAT4OID;
  ARR_DIMS(result)[0] = vector->dim;
  ARR_LBOUND(result)[0] = 1;
  memcpy(ARR_DATA_PTR(result), vector->x, sizeof(float4) * vector->dim);
  PG_RETURN_ARRAYTYPE_P(result);
}

}  // namespace longbow::types
