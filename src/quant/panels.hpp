// Centroids as the product kernels want them: columns in panels, and the squares that make products distances.
#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>

#include "longbow/simd/kernels.hpp"

namespace longbow::quant {

// Columns with those that fill the last panel.
constexpr std::size_t padded_columns(std::size_t columns) noexcept {
  return (columns + simd::kPanelColumns - 1) / simd::kPanelColumns * simd::kPanelColumns;
}

// Fills packed (packed_floats) and offset (padded_columns); what pads a panel is infinitely far.
inline void pack_centroids(const float* centroids, std::size_t count, std::size_t dims, float* packed,
                           float* offset) noexcept {
  simd::pack_columns(centroids, count, dims, packed);
  const simd::Kernels& k = simd::kernels();
  for (std::size_t j = 0; j < count; j++)
    offset[j] = k.inner_product(centroids + j * dims, centroids + j * dims, dims);
  std::fill(offset + count, offset + padded_columns(count), std::numeric_limits<float>::infinity());
}

}  // namespace longbow::quant
