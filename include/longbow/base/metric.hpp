// The four metrics of the index, as numbers that are written on its meta page.
#pragma once

#include <cstdint>

namespace longbow::base {

enum class Metric : std::uint8_t {
  l2 = 1,      // Euclidean distance, operator <->
  ip = 2,      // negative inner product, operator <#>
  cosine = 3,  // 1 - cosine similarity, operator <=>; rows and queries are scaled to unit length
  l1 = 4,      // taxicab distance, operator <+>; codes are not rotated
};

}  // namespace longbow::base
