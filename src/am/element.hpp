// What an index holds in the place of a value of the indexed type: floats, and how the index's distances between them
// become those of the operator.
//
//   vector   its elements
//   halfvec  its elements, exactly
//   bit      a float a bit, 0 or 1. hamming = |a - b|^2, so that the order by L2 is that by hamming.
//            jaccard similarity J = both / either. With the cosine C = both / sqrt(|a| |b|) and the mean of |a| and |b|
//            not below their geometric mean, J <= C / (2 - C), and equal where both have as many bits set.
//   sparsevec  hashed to quant::kHashedDims floats
#pragma once

#include <cmath>
#include <cstdint>

#include "longbow/base/crc32c.hpp"
#include "pg/boundary.hpp"

namespace longbow::am {

// As written on the meta page.
enum class Element : std::uint8_t { vector = 1, halfvec = 2, bit = 3, sparsevec = 4 };

// Whether codes bound no distance: a search measures its best rows in the table.
constexpr bool hashed(Element element) noexcept { return element == Element::sparsevec; }

// How an operator's distance follows from the index's.
enum class Unit : std::uint8_t {
  same,
  hamming,  // from L2
  jaccard,  // from cosine
};

// A row or a query as floats; x is nullptr for NULL.
struct RowVector {
  const float* x;
  int dim;
};

// The type's name in SQL.
const char* element_name(Element element);
// What its length counts: "dimensions" or "bits".
const char* length_unit(Element element);
// What the operators report when lengths differ: the message's first words.
const char* lengths_of(Element element);

// The floats of a value, in place or in the current memory context.
RowVector query_vector(Element element, Datum datum);
// The same for a row, which must have between 1 and tree::kMaxDims of them.
RowVector row_vector(Element element, Datum datum);

// The dimensions of a sparsevec.
int sparse_dims(Datum datum);

// What identifies a vector in the pending list: the checksum of its floats.
inline std::uint32_t vector_crc(RowVector vector) {
  return base::crc32c(0, vector.x, static_cast<std::size_t>(vector.dim) * sizeof(float));
}

// A lower bound of the operator's distance, from one of the index's. NaN, the cosine of a zero vector, is jaccard's 1.
inline double operator_bound(Unit unit, double bound) noexcept {
  switch (unit) {
    // The square of a float is exact in float64; distances are whole numbers.
    case Unit::hamming: return bound > 0 ? std::ceil(bound * bound) : bound;
    case Unit::jaccard: return bound != bound ? 1 : bound > 0 ? 2 * bound / (1 + bound) : bound;
    case Unit::same: break;
  }
  return bound;
}

}  // namespace longbow::am
