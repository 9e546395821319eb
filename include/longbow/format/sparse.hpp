// Text and binary input of sparsevec. Both formats are pgvector's.
//
// Text is {1:0.5,7:2}/10, index:value pairs and the number of dimensions, with white space anywhere between tokens;
// indices count from 1 and come in any order. Binary is int32 dimensions, int32 elements, int32 zero, then the indices
// as int32, ascending and counted from 0, then the values as float4, all in network byte order. No stored value is
// zero.
#pragma once

#include <cstddef>
#include <cstdint>

#include "longbow/format/problem.hpp"

namespace longbow::format {

inline constexpr int kSparseMaxDims = 1000000000;
inline constexpr int kSparseMaxElements = 16000;

struct SparseElement {
  std::int32_t index;  // from 0
  float value;         // finite, not zero
};

struct SparseShape {
  int dims, elements;
};

// Elements that a literal can have at most: one more than it has commas; a literal with more than the limit is a
// problem.
int sparse_room(const char* text, const char* end, Problem& problem) noexcept;

// Reads a literal, which ends with a zero byte at `end`, into `out`, which has room for sparse_room() elements:
// ascending by index, without zeros. `expected` asks for that many dimensions, -1 for any.
SparseShape parse_sparse(const char* text, const char* end, int expected, SparseElement* out,
                         Problem& problem) noexcept;

// Checks the head and the length of a message.
SparseShape open_sparse(const std::uint8_t* data, std::size_t size, int expected, Problem& problem) noexcept;

// Reads the elements of a message that open_sparse() has accepted.
void read_sparse(const std::uint8_t* data, SparseShape shape, std::int32_t* indices, float* values,
                 Problem& problem) noexcept;

}  // namespace longbow::format
