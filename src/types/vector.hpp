// The type vector: its layout on disk, its limits, and the checks every function of it shares.
//
// The layout is that of pgvector, byte for byte: a varlena header, the number of dimensions, two zero bytes and the
// elements as 4-byte floats, aligned to 4 bytes. Every element is finite and a vector has 1 to 16,000 of them; zero
// may have either sign. The checks below report with pgvector's SQLSTATEs and primary messages.
#pragma once

#include <cmath>
#include <cstddef>

#include "pg/boundary.hpp"
#include "pg/compat.hpp"

namespace longbow::types {

inline constexpr int kVectorMaxDims = 16000;

struct Vector {
  int32 vl_len_;
  int16 dim;
  int16 unused;  // 0
  float x[];
};

// Bytes of a vector, its header included.
constexpr Size vector_size(int dims) { return offsetof(Vector, x) + sizeof(float) * static_cast<Size>(dims); }

// A vector with a 4-byte header, read in where it was out of line or short; the argument itself where it was not.
inline Vector* DatumGetVector(Datum datum) { return reinterpret_cast<Vector*>(PG_DETOAST_DATUM(datum)); }

// A zero vector in the current memory context.
inline Vector* make_vector(int dims) {
  const Size size = vector_size(dims);
  Vector* result = static_cast<Vector*>(palloc0(size));
  SET_VARSIZE(result, size);
  result->dim = static_cast<int16>(dims);
  return result;
}

// Requires two vectors of one length.
inline void check_same_dims(const Vector* a, const Vector* b) {
  if (a->dim != b->dim)
    ereport(ERROR, (errcode(ERRCODE_DATA_EXCEPTION), errmsg("different vector dimensions %d and %d", a->dim, b->dim)));
}

// Requires a number of dimensions that a vector can have.
inline void check_dims(int dims) {
  if (dims < 1) ereport(ERROR, (errcode(ERRCODE_DATA_EXCEPTION), errmsg("vector must have at least 1 dimension")));
  if (dims > kVectorMaxDims)
    ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                    errmsg("vector cannot have more than %d dimensions", kVectorMaxDims),
                    errdetail("The value has %d dimensions.", dims)));
}

// Requires the dimensions that the type modifier asks for; -1 asks for none.
inline void check_expected_dims(int32 typmod, int dims) {
  if (typmod != -1 && typmod != dims)
    ereport(ERROR, (errcode(ERRCODE_DATA_EXCEPTION), errmsg("expected %d dimensions, not %d", typmod, dims)));
}

// Requires a finite element; element counts from 1.
inline void check_element(float value, int element) {
  if (std::isnan(value))
    ereport(ERROR, (errcode(ERRCODE_DATA_EXCEPTION), errmsg("NaN not allowed in vector"),
                    errdetail("Element %d is NaN.", element)));
  if (std::isinf(value))
    ereport(ERROR, (errcode(ERRCODE_DATA_EXCEPTION), errmsg("infinite value not allowed in vector"),
                    errdetail("Element %d is %sInfinity.", element, value < 0 ? "-" : "")));
}

}  // namespace longbow::types

#define LB_ARG_VECTOR(n) longbow::types::DatumGetVector(PG_GETARG_DATUM(n))
