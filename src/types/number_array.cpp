// Arrays of numbers as the elements of a vector type.
#include "types/number_array.hpp"

#include <cmath>

#include "longbow/base/half.hpp"
#include "types/dense.hpp"

extern "C" {
#include "catalog/pg_type.h"
#include "common/shortest_dec.h"
#include "utils/fmgrprotos.h"
}

namespace longbow::types {
namespace {

// Converts elements of a fixed size, as they lie in an array without nulls.
template <class T>
void convert(const ArrayType* array, int count, float* out, const char* type) {
  const T* values = reinterpret_cast<const T*>(ARR_DATA_PTR(array));
  for (int i = 0; i < count; i++) {
    out[i] = static_cast<float>(values[i]);
    if (!std::isfinite(out[i]) && std::isfinite(static_cast<double>(values[i])))
      ereport(ERROR, (errcode(ERRCODE_DATA_EXCEPTION), errmsg("infinite value not allowed in %s", type),
                      errdetail("Element %d is %g, beyond the range of a 4-byte float.", i + 1,
                                static_cast<double>(values[i]))));
    check_element(out[i], i + 1, type);
  }
}

// Converts elements of type numeric.
void convert_numeric(ArrayType* array, float* out, const char* type) {
  Datum* values;
  int count;
  deconstruct_array(array, NUMERICOID, -1, false, TYPALIGN_INT, &values, nullptr, &count);
  for (int i = 0; i < count; i++) {
    out[i] = DatumGetFloat4(DirectFunctionCall1(numeric_float4, values[i]));
    check_element(out[i], i + 1, type);
  }
  pfree(values);
}

}  // namespace

int number_array_length(ArrayType* array) {
  if (ARR_NDIM(array) > 1)
    ereport(ERROR, (errcode(ERRCODE_DATA_EXCEPTION), errmsg("array must be 1-D"),
                    errdetail("The array has %d dimensions.", ARR_NDIM(array))));
  if (ARR_HASNULL(array) && array_contains_nulls(array))
    ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("array must not contain nulls")));
  return ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
}

void read_number_array(ArrayType* array, float* values, const char* type) {
  const int count = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
  switch (ARR_ELEMTYPE(array)) {
    case INT4OID:
      convert<int32>(array, count, values, type);
      break;
    case FLOAT4OID:
      convert<float4>(array, count, values, type);
      break;
    case FLOAT8OID:
      convert<float8>(array, count, values, type);
      break;
    case NUMERICOID:
      convert_numeric(array, values, type);
      break;
    default:
      ereport(ERROR, (errcode(ERRCODE_DATA_EXCEPTION), errmsg("unsupported array type")));
  }
}

void check_half_range(const float* values, int count, int first) {
  unsigned fault = 0;
  for (int i = 0; i < count; i++) fault |= static_cast<unsigned>(std::fabs(values[i]) >= base::kHalfOverflow);
  for (int i = 0; fault != 0 && i < count; i++)
    if (std::fabs(values[i]) >= base::kHalfOverflow) {
      char digits[FLOAT_SHORTEST_DECIMAL_LEN];
      float_to_shortest_decimal_buf(values[i], digits);
      ereport(ERROR, (errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
                      errmsg("\"%s\" is out of range for type %s", digits, kDenseName<Half>),
                      errdetail("This is element %d.", first + i)));
    }
}

}  // namespace longbow::types
