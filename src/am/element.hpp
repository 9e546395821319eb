// What an index takes in the place of a value of the indexed type: cells of four bytes, which are floats, or bits.
//
//   vector   its elements
//   halfvec  its elements, exactly
//   bit      its bits, 32 a cell, the last one filled with zeros (quant/bits.hpp)
//   sparsevec  hashed to quant::kHashedDims floats
#pragma once

#include <cstdint>

#include "longbow/base/crc32c.hpp"
#include "longbow/tree/format.hpp"
#include "pg/boundary.hpp"

namespace longbow::am {

// As written on the meta page.
enum class Element : std::uint8_t {
  vector = tree::ElementCode::vector,
  halfvec = tree::ElementCode::halfvec,
  sparsevec = tree::ElementCode::sparsevec,
  bit = tree::ElementCode::bit,
};

// Whether codes bound no distance: a search measures its best rows in the table.
constexpr bool hashed(Element element) noexcept { return element == Element::sparsevec; }

// The most that an index takes: dimensions, or bits.
constexpr int most_dims(Element element) {
  return static_cast<int>(element == Element::bit ? tree::kMaxBits : tree::kMaxDims);
}

// A row or a query as cells; x is nullptr for NULL.
struct RowVector {
  const float* x;
  int dim;
  int cells;  // at x
};

// The type's name in SQL.
const char* element_name(Element element);
// What its length counts: "dimensions" or "bits".
const char* length_unit(Element element);
// What the operators report when lengths differ: the message's first words.
const char* lengths_of(Element element);

// The cells of a value, in place or in the current memory context.
RowVector query_vector(Element element, Datum datum);
// The same for a row, which must have between 1 and most_dims() dimensions.
RowVector row_vector(Element element, Datum datum);

// The dimensions of a sparsevec.
int sparse_dims(Datum datum);

// What identifies a vector in the pending list: the checksum of its cells.
inline std::uint32_t vector_crc(RowVector vector) {
  return base::crc32c(0, vector.x, static_cast<std::size_t>(vector.cells) * sizeof(float));
}

}  // namespace longbow::am
