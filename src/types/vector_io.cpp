// Text and binary formats of vector, and its type modifier.
//
// Text is [1,2,3] with white space anywhere between tokens; an element is what strtof takes, as with real. Binary is
// int16 dimensions, int16 zero and the elements as float4, all in network byte order. Text input reports softly where
// the server can. Both formats are pgvector's.
#include <bit>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "types/vector.hpp"

extern "C" {
#include "common/shortest_dec.h"
#include "libpq/pqformat.h"
#include "utils/array.h"
}

namespace longbow::types {
namespace {

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

const char* skip_space(const char* at) {
  while (is_space(*at)) at++;
  return at;
}

// Whether a number may end before c.
bool ends_number(char c) { return c == ',' || c == ']' || is_space(c); }

// Reads one number as strtof does. Returns where it ends, or at where there is none; range tells of an overflow.
// from_chars is several times faster but knows no plus sign, hexadecimal or underflow, which are left to strtof.
const char* read_float(const char* at, const char* end, float& value, bool& range) {
  range = false;
  const std::from_chars_result quick = std::from_chars(at, end, value);
  if (quick.ec == std::errc() && ends_number(*quick.ptr)) return quick.ptr;
  char* stop;
  errno = 0;
  value = std::strtof(at, &stop);
  range = errno == ERANGE && std::isinf(value);
  return stop;
}

// The vector that a literal has room for: one element more than it has commas, within the limit.
Vector* room_for(const char* text, const char* end) {
  int dims = 1;
  for (const char* at = text; at < end && dims < kVectorMaxDims; at++) dims += *at == ',';
  return make_vector(dims);
}

// What is wrong with the text at a place where a number should be, for an error's detail.
const char* describe(const char* at) {
  if (*at == '\0') return "the literal ends";
  if (*at == ',' || *at == ']') return "an element is missing";
  return "there is no number";
}

}  // namespace

// Text to vector.
LB_FUNCTION(longbow_vector_in) {
  const char* text = PG_GETARG_CSTRING(0);
  const int32 typmod = PG_GETARG_INT32(2);
  const fmNodePtr soft = fcinfo->context;
  const char* const end = text + std::strlen(text);

#define LB_SYNTAX(...)                                                        \
  LB_SOFT_ERROR(soft, Datum{0}, errcode(ERRCODE_INVALID_TEXT_REPRESENTATION), \
                errmsg("invalid input syntax for type vector: \"%s\"", text), errdetail(__VA_ARGS__))

  const char* at = skip_space(text);
  if (*at != '[') LB_SYNTAX("Vector contents must start with \"[\".");
  at = skip_space(at + 1);
  if (*at == ']')
    LB_SOFT_ERROR(soft, Datum{0}, errcode(ERRCODE_DATA_EXCEPTION), errmsg("vector must have at least 1 dimension"));

  Vector* result = room_for(at, end);
  int dims = 0;
  for (bool more = true; more;) {
    if (dims == kVectorMaxDims)
      LB_SOFT_ERROR(soft, Datum{0}, errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                    errmsg("vector cannot have more than %d dimensions", kVectorMaxDims));
    at = skip_space(at);
    float value;
    bool range;
    const char* stop = read_float(at, end, value, range);
    if (stop == at) LB_SYNTAX("At element %d, byte %d, %s.", dims + 1, static_cast<int>(at - text) + 1, describe(at));
    if (range)
      LB_SOFT_ERROR(soft, Datum{0}, errcode(ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE),
                    errmsg("\"%.*s\" is out of range for type vector", static_cast<int>(stop - at), at),
                    errdetail("This is element %d.", dims + 1));
    if (std::isnan(value))
      LB_SOFT_ERROR(soft, Datum{0}, errcode(ERRCODE_DATA_EXCEPTION), errmsg("NaN not allowed in vector"),
                    errdetail("Element %d is NaN.", dims + 1));
    if (std::isinf(value))
      LB_SOFT_ERROR(soft, Datum{0}, errcode(ERRCODE_DATA_EXCEPTION), errmsg("infinite value not allowed in vector"),
                    errdetail("Element %d is %sInfinity.", dims + 1, value < 0 ? "-" : ""));
    result->x[dims++] = value;
    at = skip_space(stop);
    if (*at != ',' && *at != ']')
      LB_SYNTAX("After element %d, byte %d, \",\" or \"]\" is missing.", dims, static_cast<int>(at - text) + 1);
    more = *at++ == ',';
  }
  if (*skip_space(at) != '\0') LB_SYNTAX("Junk after closing right brace.");
  if (typmod != -1 && typmod != dims)
    LB_SOFT_ERROR(soft, Datum{0}, errcode(ERRCODE_DATA_EXCEPTION),
                  errmsg("expected %d dimensions, not %d", typmod, dims));

#undef LB_SYNTAX
  // Each comma outside junk began an element, so room_for() counted exactly.
  Assert(result->dim == dims);
  PG_RETURN_POINTER(result);
}

// Vector to text; each element has the fewest digits that read back as the same float.
LB_FUNCTION(longbow_vector_out) {
  Vector* vector = LB_ARG_VECTOR(0);
  // Per element its digits and a comma; FLOAT_SHORTEST_DECIMAL_LEN counts a terminator, which pays for the comma.
  char* text = static_cast<char*>(palloc(static_cast<Size>(FLOAT_SHORTEST_DECIMAL_LEN) * vector->dim + 2));
  char* at = text;
  *at++ = '[';
  for (int i = 0; i < vector->dim; i++) {
    if (i > 0) *at++ = ',';
    at += float_to_shortest_decimal_bufn(vector->x[i], at);
  }
  *at++ = ']';
  *at = '\0';
  PG_FREE_IF_COPY(vector, 0);
  PG_RETURN_CSTRING(text);
}

// Type modifier: the number of dimensions.
LB_FUNCTION(longbow_vector_typmod_in) {
  int count;
  const int32* values = ArrayGetIntegerTypmods(PG_GETARG_ARRAYTYPE_P(0), &count);
  if (count != 1)
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("invalid type modifier"),
                    errdetail("Type vector takes one modifier, the number of dimensions, not %d.", count)));
  if (values[0] < 1)
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("dimensions for type vector must be at least 1"),
                    errdetail("The modifier is %d.", values[0])));
  if (values[0] > kVectorMaxDims)
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("dimensions for type vector cannot exceed %d", kVectorMaxDims),
                    errdetail("The modifier is %d.", values[0])));
  PG_RETURN_INT32(values[0]);
}

// Binary to vector.
LB_FUNCTION(longbow_vector_recv) {
  const StringInfo message = reinterpret_cast<StringInfo>(PG_GETARG_POINTER(0));
  const int32 typmod = PG_GETARG_INT32(2);
  const int dims = static_cast<int16>(pq_getmsgint(message, sizeof(int16)));
  const int unused = static_cast<int16>(pq_getmsgint(message, sizeof(int16)));
  check_dims(dims);
  check_expected_dims(typmod, dims);
  if (unused != 0) ereport(ERROR, (errcode(ERRCODE_DATA_EXCEPTION), errmsg("expected unused to be 0, not %d", unused)));
  Vector* result = make_vector(dims);
  for (int i = 0; i < dims; i++) {
    result->x[i] = pq_getmsgfloat4(message);
    check_element(result->x[i], i + 1);
  }
  PG_RETURN_POINTER(result);
}

// Vector to binary.
LB_FUNCTION(longbow_vector_send) {
  Vector* vector = LB_ARG_VECTOR(0);
  StringInfoData message;
  pq_begintypsend(&message);
  enlargeStringInfo(&message, static_cast<int>(vector_size(vector->dim)));
  pq_writeint16(&message, static_cast<uint16>(vector->dim));
  pq_writeint16(&message, static_cast<uint16>(vector->unused));
  for (int i = 0; i < vector->dim; i++) pq_writeint32(&message, std::bit_cast<uint32>(vector->x[i]));
  PG_FREE_IF_COPY(vector, 0);
  PG_RETURN_BYTEA_P(pq_endtypsend(&message));
}

}  // namespace longbow::types
