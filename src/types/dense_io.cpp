// Text and binary formats of vector and halfvec, and their type modifier. Input is read by format/dense; text input
// reports softly where the server can. Both formats are pgvector's.
#include <bit>
#include <cstring>

#include "types/dense.hpp"
#include "types/input_error.hpp"

extern "C" {
#include "common/shortest_dec.h"
#include "libpq/pqformat.h"
}

namespace longbow::types {
namespace {

// Text to value.
template <class T>
Datum input(FunctionCallInfo fcinfo) {
  const char* text = PG_GETARG_CSTRING(0);
  const char* const end = text + std::strlen(text);
  Dense<T>* result = make_dense<T>(format::dense_room(text, end));
  format::Problem problem;
  const int dims = format::parse_dense(text, end, PG_GETARG_INT32(2), result->x, problem);
  if (problem) return report_problem(fcinfo->context, problem, kDenseName<T>, text);
  // Each comma outside junk began an element, so dense_room() counted exactly.
  Assert(result->dim == dims);
  (void)dims;
  PG_RETURN_POINTER(result);
}

// Value to text; each element has the fewest digits that read back as the same float.
template <class T>
Datum output(FunctionCallInfo fcinfo) {
  Dense<T>* vector = LB_ARG_DENSE(T, 0);
  // Per element its digits and a comma; FLOAT_SHORTEST_DECIMAL_LEN counts a terminator, which pays for the comma.
  char* text = static_cast<char*>(palloc(static_cast<Size>(FLOAT_SHORTEST_DECIMAL_LEN) * vector->dim + 2));
  char* at = text;
  *at++ = '[';
  for (int i = 0; i < vector->dim; i++) {
    if (i > 0) *at++ = ',';
    at += float_to_shortest_decimal_bufn(value_of(vector->x[i]), at);
  }
  *at++ = ']';
  *at = '\0';
  PG_FREE_IF_COPY(vector, 0);
  PG_RETURN_CSTRING(text);
}

// Binary to value.
template <class T>
Datum receive(FunctionCallInfo fcinfo) {
  const StringInfo message = reinterpret_cast<StringInfo>(PG_GETARG_POINTER(0));
  format::Problem problem;
  const int dims = format::open_dense<T>(message_bytes(message), message_size(message), PG_GETARG_INT32(2), problem);
  if (problem) return report_problem(nullptr, problem, kDenseName<T>, nullptr);
  Dense<T>* result = make_dense<T>(dims);
  format::read_dense(message_bytes(message), dims, result->x, problem);
  if (problem) return report_problem(nullptr, problem, kDenseName<T>, nullptr);
  message->cursor = message->len;
  PG_RETURN_POINTER(result);
}

void write_element(StringInfo message, float element) { pq_writeint32(message, std::bit_cast<uint32>(element)); }
void write_element(StringInfo message, Half element) { pq_writeint16(message, element.bits); }

// Value to binary.
template <class T>
Datum send(FunctionCallInfo fcinfo) {
  Dense<T>* vector = LB_ARG_DENSE(T, 0);
  StringInfoData message;
  pq_begintypsend(&message);
  enlargeStringInfo(&message, static_cast<int>(dense_size<T>(vector->dim)));
  pq_writeint16(&message, static_cast<uint16>(vector->dim));
  pq_writeint16(&message, static_cast<uint16>(vector->unused));
  for (int i = 0; i < vector->dim; i++) write_element(&message, vector->x[i]);
  PG_FREE_IF_COPY(vector, 0);
  PG_RETURN_BYTEA_P(pq_endtypsend(&message));
}

}  // namespace

LB_FUNCTION(longbow_vector_in) { return input<float>(fcinfo); }

LB_FUNCTION(longbow_halfvec_in) { return input<Half>(fcinfo); }

LB_FUNCTION(longbow_vector_out) { return output<float>(fcinfo); }

LB_FUNCTION(longbow_halfvec_out) { return output<Half>(fcinfo); }

LB_FUNCTION(longbow_vector_typmod_in) {
  PG_RETURN_INT32(dimensions_modifier(PG_GETARG_DATUM(0), kDenseName<float>, kDenseMaxDims));
}

LB_FUNCTION(longbow_halfvec_typmod_in) {
  PG_RETURN_INT32(dimensions_modifier(PG_GETARG_DATUM(0), kDenseName<Half>, kDenseMaxDims));
}

LB_FUNCTION(longbow_vector_recv) { return receive<float>(fcinfo); }

LB_FUNCTION(longbow_halfvec_recv) { return receive<Half>(fcinfo); }

LB_FUNCTION(longbow_vector_send) { return send<float>(fcinfo); }

LB_FUNCTION(longbow_halfvec_send) { return send<Half>(fcinfo); }

}  // namespace longbow::types
