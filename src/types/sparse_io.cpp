// Text and binary formats of sparsevec, and its type modifier. Input is read by format/sparse; text input reports
// softly where the server can. Both formats are pgvector's.
#include <bit>
#include <cstring>

#include "types/input_error.hpp"
#include "types/sparse.hpp"

extern "C" {
#include "common/shortest_dec.h"
#include "libpq/pqformat.h"
#include "utils/builtins.h"
}

namespace longbow::types {

// Text to sparsevec.
LB_FUNCTION(longbow_sparsevec_in) {
  const char* text = PG_GETARG_CSTRING(0);
  const char* const end = text + std::strlen(text);
  format::Problem problem;
  const int room = format::sparse_room(text, end, problem);
  if (problem) return report_problem(fcinfo->context, problem, kSparseName, text);
  auto* elements = static_cast<format::SparseElement*>(palloc(sizeof(format::SparseElement) * static_cast<Size>(room)));
  const format::SparseShape shape = format::parse_sparse(text, end, PG_GETARG_INT32(2), elements, problem);
  if (problem) return report_problem(fcinfo->context, problem, kSparseName, text);
  SparseVector* result = make_sparse(shape.dims, shape.elements);
  for (int i = 0; i < shape.elements; i++) {
    result->indices[i] = elements[i].index;
    result->values()[i] = elements[i].value;
  }
  pfree(elements);
  PG_RETURN_POINTER(result);
}

// Sparsevec to text; each value has the fewest digits that read back as the same float.
LB_FUNCTION(longbow_sparsevec_out) {
  SparseVector* vector = LB_ARG_SPARSE(0);
  // An element: an index of at most 10 digits, a colon, digits, a comma; FLOAT_SHORTEST_DECIMAL_LEN counts a
  // terminator.
  char* text = static_cast<char*>(palloc((11 + static_cast<Size>(FLOAT_SHORTEST_DECIMAL_LEN)) * vector->nnz + 14));
  char* at = text;
  *at++ = '{';
  for (int i = 0; i < vector->nnz; i++) {
    if (i > 0) *at++ = ',';
    at += pg_ltoa(vector->indices[i] + 1, at);
    *at++ = ':';
    at += float_to_shortest_decimal_bufn(vector->values()[i], at);
  }
  *at++ = '}';
  *at++ = '/';
  at += pg_ltoa(vector->dim, at);
  *at = '\0';
  PG_FREE_IF_COPY(vector, 0);
  PG_RETURN_CSTRING(text);
}

// Type modifier: the number of dimensions.
LB_FUNCTION(longbow_sparsevec_typmod_in) {
  PG_RETURN_INT32(dimensions_modifier(PG_GETARG_DATUM(0), kSparseName, kSparseMaxDims));
}

// Binary to sparsevec.
LB_FUNCTION(longbow_sparsevec_recv) {
  const StringInfo message = reinterpret_cast<StringInfo>(PG_GETARG_POINTER(0));
  const std::uint8_t* bytes = message_bytes(message);
  format::Problem problem;
  const format::SparseShape shape = format::open_sparse(bytes, message_size(message), PG_GETARG_INT32(2), problem);
  if (problem) return report_problem(nullptr, problem, kSparseName, nullptr);
  SparseVector* result = make_sparse(shape.dims, shape.elements);
  format::read_sparse(bytes, shape, result->indices, result->values(), problem);
  if (problem) return report_problem(nullptr, problem, kSparseName, nullptr);
  message->cursor = message->len;
  PG_RETURN_POINTER(result);
}

// Sparsevec to binary.
LB_FUNCTION(longbow_sparsevec_send) {
  SparseVector* vector = LB_ARG_SPARSE(0);
  StringInfoData message;
  pq_begintypsend(&message);
  enlargeStringInfo(&message, static_cast<int>(VARSIZE(vector)));
  pq_writeint32(&message, static_cast<uint32>(vector->dim));
  pq_writeint32(&message, static_cast<uint32>(vector->nnz));
  pq_writeint32(&message, static_cast<uint32>(vector->unused));
  for (int i = 0; i < vector->nnz; i++) pq_writeint32(&message, static_cast<uint32>(vector->indices[i]));
  for (int i = 0; i < vector->nnz; i++) pq_writeint32(&message, std::bit_cast<uint32>(vector->values()[i]));
  PG_FREE_IF_COPY(vector, 0);
  PG_RETURN_BYTEA_P(pq_endtypsend(&message));
}

}  // namespace longbow::types
