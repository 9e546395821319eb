// The dense types, vector (float elements) and halfvec (half elements): their layout on disk, their limits, and the
// checks every function of them shares.
//
// The layout is that of pgvector, byte for byte: a varlena header, the number of dimensions, two zero bytes and the
// elements, aligned to 4 bytes. Every element is finite and there are 1 to 16,000 of them; zero may have either sign.
// The checks below report with pgvector's SQLSTATEs and primary messages.
//
// Functions are templates over the element's type. They compute on floats, a piece at a time: floats() gives a piece of
// a value, room() and store() take one.
#pragma once

#include <cmath>
#include <cstddef>

#include "longbow/base/half.hpp"
#include "longbow/format/dense.hpp"
#include "longbow/simd/kernels.hpp"
#include "pg/boundary.hpp"
#include "pg/compat.hpp"

namespace longbow::types {

using base::Half;
using format::kDenseMaxDims;
using format::kDenseName;

inline constexpr int kPiece = 256;  // elements of a piece: a kilobyte of stack

template <class T>
struct Dense {
  int32 vl_len_;
  int16 dim;
  int16 unused;  // 0
  T x[];
};
using Vector = Dense<float>;
using HalfVector = Dense<Half>;

// Bytes of a value, its header included.
template <class T>
constexpr Size dense_size(int dims) {
  return offsetof(Dense<T>, x) + sizeof(T) * static_cast<Size>(dims);
}

// A value with a 4-byte header, read in where it was out of line or short; the argument itself where it was not.
template <class T>
Dense<T>* get_dense(Datum datum) {
  return reinterpret_cast<Dense<T>*>(PG_DETOAST_DATUM(datum));
}

// A zero value in the current memory context.
template <class T>
Dense<T>* make_dense(int dims) {
  const Size size = dense_size<T>(dims);
  Dense<T>* result = static_cast<Dense<T>*>(palloc0(size));
  SET_VARSIZE(result, size);
  result->dim = static_cast<int16>(dims);
  return result;
}

// Elements start .. start + count - 1 as floats, count <= kPiece: in place, or converted into the buffer.
inline const float* floats(const Vector* vector, int start, int, float*) { return vector->x + start; }
inline const float* floats(const HalfVector* vector, int start, int count, float* buffer) {
  simd::kernels().from_f16(vector->x + start, buffer, static_cast<std::size_t>(count));
  return buffer;
}

// Where to write elements from start on, and what to do when count of them are written.
inline float* room(Vector* vector, int start, float*) { return vector->x + start; }
inline float* room(HalfVector*, int, float* buffer) { return buffer; }
inline void store(Vector*, int, int, const float*) {}
inline void store(HalfVector* vector, int start, int count, const float* buffer) {
  simd::kernels().to_f16(buffer, vector->x + start, static_cast<std::size_t>(count));
}

inline float value_of(float element) { return element; }
inline float value_of(Half element) { return base::to_float(element); }

// Requires two values of one length.
template <class T>
void check_same_dims(const Dense<T>* a, const Dense<T>* b) {
  if (a->dim != b->dim)
    ereport(ERROR, (errcode(ERRCODE_DATA_EXCEPTION),
                    errmsg("different %s dimensions %d and %d", kDenseName<T>, a->dim, b->dim)));
}

// Requires a number of dimensions that a value can have.
template <class T>
void check_dims(int dims) {
  if (dims < 1)
    ereport(ERROR, (errcode(ERRCODE_DATA_EXCEPTION), errmsg("%s must have at least 1 dimension", kDenseName<T>)));
  if (dims > kDenseMaxDims)
    ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                    errmsg("%s cannot have more than %d dimensions", kDenseName<T>, kDenseMaxDims),
                    errdetail("The value has %d dimensions.", dims)));
}

// Requires the dimensions that the type modifier asks for; -1 asks for none.
inline void check_expected_dims(int32 typmod, int dims) {
  if (typmod != -1 && typmod != dims)
    ereport(ERROR, (errcode(ERRCODE_DATA_EXCEPTION), errmsg("expected %d dimensions, not %d", typmod, dims)));
}

// Requires a finite element; element counts from 1.
inline void check_element(float value, int element, const char* type) {
  if (std::isnan(value))
    ereport(ERROR, (errcode(ERRCODE_DATA_EXCEPTION), errmsg("NaN not allowed in %s", type),
                    errdetail("Element %d is NaN.", element)));
  if (std::isinf(value))
    ereport(ERROR, (errcode(ERRCODE_DATA_EXCEPTION), errmsg("infinite value not allowed in %s", type),
                    errdetail("Element %d is %sInfinity.", element, value < 0 ? "-" : "")));
}

}  // namespace longbow::types

#define LB_ARG_DENSE(T, n) longbow::types::get_dense<T>(PG_GETARG_DATUM(n))
