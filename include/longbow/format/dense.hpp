// Text and binary input of the dense types: vector (elements are floats) and halfvec (halves). Both formats are
// pgvector's.
//
// Text is [1,2,3] with white space anywhere between tokens; an element is what strtof takes in the C locale. Binary is
// int16 dimensions, int16 zero, then the elements, all in network byte order. Every element must be finite.
#pragma once

#include <cstddef>
#include <cstdint>

#include "longbow/base/half.hpp"
#include "longbow/format/problem.hpp"

namespace longbow::format {

inline constexpr int kDenseMaxDims = 16000;

template <class T>
inline constexpr const char* kDenseName = "vector";
template <>
inline constexpr const char* kDenseName<base::Half> = "halfvec";

// Elements that a literal can have at most: one more than it has commas, within the limit.
int dense_room(const char* text, const char* end) noexcept;

// Reads a literal, which ends with a zero byte at `end`, into `out`, which has room for dense_room() elements. Returns
// the number of dimensions; `expected` asks for that many, -1 for any. T is float or base::Half.
template <class T>
int parse_dense(const char* text, const char* end, int expected, T* out, Problem& problem) noexcept;

// Checks the head and the length of a message; returns its number of dimensions.
template <class T>
int open_dense(const std::uint8_t* data, std::size_t size, int expected, Problem& problem) noexcept;

// Reads the elements of a message that open_dense() has accepted.
template <class T>
void read_dense(const std::uint8_t* data, int dims, T* out, Problem& problem) noexcept;

}  // namespace longbow::format
