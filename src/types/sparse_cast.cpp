// Casts of sparsevec: to itself (which checks the type modifier), from and to vector and halfvec, from arrays of
// numbers. What is zero, or becomes it, is not stored.
#include "types/dense.hpp"
#include "types/number_array.hpp"
#include "types/sparse.hpp"

namespace longbow::types {
namespace {

// The elements of an array of floats that are not zero.
SparseVector* compress(const float* values, int dims) {
  int elements = 0;
  for (int i = 0; i < dims; i++) elements += values[i] != 0;
  if (elements > kSparseMaxElements)
    ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                    errmsg("%s cannot have more than %d non-zero elements", kSparseName, kSparseMaxElements),
                    errdetail("The value has %d.", elements)));
  SparseVector* result = make_sparse(dims, elements);
  int at = 0;
  for (int i = 0; i < dims; i++)
    if (values[i] != 0) {
      result->indices[at] = i;
      result->values()[at++] = values[i];
    }
  return result;
}

// A dense type from sparsevec.
template <class T>
Dense<T>* expand(FunctionCallInfo fcinfo) {
  const SparseVector* vector = LB_ARG_SPARSE(0);
  check_dims<T>(vector->dim);
  check_expected_dims(PG_GETARG_INT32(1), vector->dim);
  Dense<T>* result = make_dense<T>(vector->dim);
  const float* values = vector->values();
  for (int i = 0; i < vector->nnz; i++) {
    const int index = vector->indices[i];
    if constexpr (std::is_same_v<T, Half>) {
      check_half_range(values + i, 1, index + 1);
      result->x[index] = base::to_half(values[i]);
    } else {
      result->x[index] = values[i];
    }
  }
  return result;
}

}  // namespace

LB_FUNCTION(longbow_sparsevec) {
  SparseVector* vector = LB_ARG_SPARSE(0);
  check_expected_dims(PG_GETARG_INT32(1), vector->dim);
  PG_RETURN_POINTER(vector);
}

LB_FUNCTION(longbow_vector_to_sparsevec) {
  const Vector* vector = LB_ARG_DENSE(float, 0);
  check_expected_dims(PG_GETARG_INT32(1), vector->dim);
  PG_RETURN_POINTER(compress(vector->x, vector->dim));
}

LB_FUNCTION(longbow_halfvec_to_sparsevec) {
  const HalfVector* vector = LB_ARG_DENSE(Half, 0);
  check_expected_dims(PG_GETARG_INT32(1), vector->dim);
  float* values = static_cast<float*>(palloc(sizeof(float) * static_cast<Size>(vector->dim)));
  simd::kernels().from_f16(vector->x, values, static_cast<std::size_t>(vector->dim));
  SparseVector* result = compress(values, vector->dim);
  pfree(values);
  PG_RETURN_POINTER(result);
}

LB_FUNCTION(longbow_sparsevec_to_vector) { PG_RETURN_POINTER(expand<float>(fcinfo)); }

LB_FUNCTION(longbow_sparsevec_to_halfvec) { PG_RETURN_POINTER(expand<Half>(fcinfo)); }

// Array of integer, real, double precision or numeric to sparsevec.
LB_FUNCTION(longbow_array_to_sparsevec) {
  ArrayType* array = PG_GETARG_ARRAYTYPE_P(0);
  const int dims = number_array_length(array);
  if (dims < 1)
    ereport(ERROR, (errcode(ERRCODE_DATA_EXCEPTION), errmsg("%s must have at least 1 dimension", kSparseName)));
  check_expected_dims(PG_GETARG_INT32(1), dims);
  // MaxArraySize keeps dims below the limit of the type, and this below a gigabyte.
  float* values = static_cast<float*>(palloc(sizeof(float) * static_cast<Size>(dims)));
  read_number_array(array, values, kSparseName);
  SparseVector* result = compress(values, dims);
  pfree(values);
  PG_RETURN_POINTER(result);
}

}  // namespace longbow::types
