// Problems of inputs as PostgreSQL errors, with pgvector's SQLSTATEs and primary messages.
#include "types/input_error.hpp"

#include "pg/compat.hpp"

extern "C" {
#include "utils/array.h"
}

namespace longbow::types {

using format::Kind;

Datum report_problem(fmNodePtr soft, const format::Problem& problem, const char* type, const char* text) {
#define LB_REPORT(code, ...)                                        \
  LB_SOFT_ERROR(soft, Datum{0}, errcode(code), errmsg(__VA_ARGS__), \
                problem.detail[0] != '\0' ? errdetail_internal("%s", problem.detail) : 0)
  switch (problem.kind) {
    case Kind::none:
      break;
    case Kind::syntax:
      LB_REPORT(ERRCODE_INVALID_TEXT_REPRESENTATION, "invalid input syntax for type %s: \"%s\"", type, text);
    case Kind::no_dimension:
      LB_REPORT(ERRCODE_DATA_EXCEPTION, "%s must have at least 1 dimension", type);
    case Kind::too_many_dimensions:
      LB_REPORT(ERRCODE_PROGRAM_LIMIT_EXCEEDED, "%s cannot have more than %d dimensions", type, problem.limit);
    case Kind::unexpected_dimensions:
      LB_REPORT(ERRCODE_DATA_EXCEPTION, "expected %d dimensions, not %d", problem.limit, problem.number);
    case Kind::out_of_range:
      LB_REPORT(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE, "\"%.*s\" is out of range for type %s", problem.token_length,
                problem.token, type);
    case Kind::not_a_number:
      LB_REPORT(ERRCODE_DATA_EXCEPTION, "NaN not allowed in %s", type);
    case Kind::infinite:
      LB_REPORT(ERRCODE_DATA_EXCEPTION, "infinite value not allowed in %s", type);
    case Kind::too_many_elements:
      LB_REPORT(ERRCODE_PROGRAM_LIMIT_EXCEEDED, "%s cannot have more than %d non-zero elements", type, problem.limit);
    case Kind::negative_elements:
      LB_REPORT(ERRCODE_DATA_EXCEPTION, "%s cannot have negative number of elements", type);
    case Kind::more_elements_than_dimensions:
      LB_REPORT(ERRCODE_PROGRAM_LIMIT_EXCEEDED, "%s cannot have more elements than dimensions", type);
    case Kind::index_out_of_bounds:
      LB_REPORT(ERRCODE_DATA_EXCEPTION, "%s index out of bounds", type);
    case Kind::indices_not_ascending:
      LB_REPORT(ERRCODE_DATA_EXCEPTION, "%s indices must be in ascending order", type);
    case Kind::duplicate_index:
      LB_REPORT(ERRCODE_DATA_EXCEPTION, "%s indices must not contain duplicates", type);
    case Kind::zero_value:
      LB_REPORT(ERRCODE_DATA_EXCEPTION, "binary representation of %s cannot contain zero values", type);
    case Kind::reserved_not_zero:
      LB_REPORT(ERRCODE_DATA_EXCEPTION, "expected unused to be 0, not %d", problem.number);
    case Kind::too_short:
      LB_REPORT(ERRCODE_PROTOCOL_VIOLATION, "insufficient data left in message");
    case Kind::too_long:
      LB_REPORT(ERRCODE_INVALID_BINARY_REPRESENTATION, "incorrect binary data format");
  }
#undef LB_REPORT
  elog(ERROR, "unknown problem of type %s", type);
}

int32 dimensions_modifier(Datum modifiers, const char* type, int most) {
  int count;
  const int32* values = ArrayGetIntegerTypmods(DatumGetArrayTypeP(modifiers), &count);
  if (count != 1)
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("invalid type modifier"),
                    errdetail("Type %s takes one modifier, the number of dimensions, not %d.", type, count)));
  if (values[0] < 1)
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("dimensions for type %s must be at least 1", type),
                    errdetail("The modifier is %d.", values[0])));
  if (values[0] > most)
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("dimensions for type %s cannot exceed %d", type, most),
             errdetail("The modifier is %d.", values[0])));
  return values[0];
}

}  // namespace longbow::types
