// Casts of vector and halfvec: to themselves (which checks the type modifier), to each other, from arrays of numbers,
// and to real[].
//
// Narrowing rounds to the nearest value of the type. What rounds to infinity is an error: "out of range" where the type
// is halfvec and the value a float, as in pgvector.
#include <cmath>

#include "types/dense.hpp"
#include "types/number_array.hpp"

extern "C" {
#include "catalog/pg_type.h"
#include "utils/array.h"
}

namespace longbow::types {
namespace {

// The argument itself, if it has the dimensions that the type modifier asks for.
template <class T>
Datum check_modifier(FunctionCallInfo fcinfo) {
  Dense<T>* vector = LB_ARG_DENSE(T, 0);
  check_expected_dims(PG_GETARG_INT32(1), vector->dim);
  PG_RETURN_POINTER(vector);
}

// Array of integer, real, double precision or numeric to T.
template <class T>
Datum from_array(FunctionCallInfo fcinfo) {
  ArrayType* array = PG_GETARG_ARRAYTYPE_P(0);
  const int dims = number_array_length(array);
  check_dims<T>(dims);
  check_expected_dims(PG_GETARG_INT32(1), dims);
  Dense<T>* result = make_dense<T>(dims);
  if constexpr (std::is_same_v<T, float>) {
    read_number_array(array, result->x, kDenseName<T>);
  } else {
    float* values = static_cast<float*>(palloc(sizeof(float) * static_cast<Size>(dims)));
    read_number_array(array, values, kDenseName<T>);
    check_half_range(values, dims, 1);
    simd::kernels().to_f16(values, result->x, static_cast<std::size_t>(dims));
    pfree(values);
  }
  PG_RETURN_POINTER(result);
}

// T to real[].
template <class T>
Datum to_float4(FunctionCallInfo fcinfo) {
  const Dense<T>* vector = LB_ARG_DENSE(T, 0);
  const Size size = ARR_OVERHEAD_NONULLS(1) + sizeof(float4) * vector->dim;
  ArrayType* result = static_cast<ArrayType*>(palloc0(size));
  SET_VARSIZE(result, size);
  result->ndim = 1;
  result->elemtype = FLOAT4OID;
  ARR_DIMS(result)[0] = vector->dim;
  ARR_LBOUND(result)[0] = 1;
  float* values = reinterpret_cast<float*>(ARR_DATA_PTR(result));
  if constexpr (std::is_same_v<T, float>)
    memcpy(values, vector->x, sizeof(float4) * vector->dim);
  else
    simd::kernels().from_f16(vector->x, values, static_cast<std::size_t>(vector->dim));
  PG_RETURN_ARRAYTYPE_P(result);
}

}  // namespace

LB_FUNCTION(longbow_vector) { return check_modifier<float>(fcinfo); }

LB_FUNCTION(longbow_halfvec) { return check_modifier<Half>(fcinfo); }

LB_FUNCTION(longbow_array_to_vector) { return from_array<float>(fcinfo); }

LB_FUNCTION(longbow_array_to_halfvec) { return from_array<Half>(fcinfo); }

LB_FUNCTION(longbow_vector_to_float4) { return to_float4<float>(fcinfo); }

LB_FUNCTION(longbow_halfvec_to_float4) { return to_float4<Half>(fcinfo); }

// Vector to halfvec, rounding each element to the nearest half.
LB_FUNCTION(longbow_vector_to_halfvec) {
  const Vector* vector = LB_ARG_DENSE(float, 0);
  check_expected_dims(PG_GETARG_INT32(1), vector->dim);
  check_half_range(vector->x, vector->dim, 1);
  HalfVector* result = make_dense<Half>(vector->dim);
  simd::kernels().to_f16(vector->x, result->x, static_cast<std::size_t>(vector->dim));
  PG_RETURN_POINTER(result);
}

// Halfvec to vector, which is exact.
LB_FUNCTION(longbow_halfvec_to_vector) {
  const HalfVector* vector = LB_ARG_DENSE(Half, 0);
  check_expected_dims(PG_GETARG_INT32(1), vector->dim);
  Vector* result = make_dense<float>(vector->dim);
  simd::kernels().from_f16(vector->x, result->x, static_cast<std::size_t>(vector->dim));
  PG_RETURN_POINTER(result);
}

}  // namespace longbow::types
