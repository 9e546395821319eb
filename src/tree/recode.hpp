// Rows of a leaf, encoded anew around another centroid: what splits and re-assignments write.
#pragma once

#include <cmath>
#include <memory_resource>
#include <span>
#include <vector>

#include "leaf_rows.hpp"
#include "longbow/tree/build.hpp"

namespace longbow::tree {

class Recoder {
 public:
  Recoder(const Space& space, std::pmr::memory_resource& memory)
      : space_(space), encoder_(space, memory), rows_(&memory), codes_(&memory) {}

  // Encodes the leaf's rows that are named by their places; valid until the next call.
  std::span<const EncodedRow> encode(const LeafRows& leaf, std::span<const std::uint32_t> which, const float* centroid) {
    const std::size_t n = space_.dims();
    rows_.clear();
    const std::size_t scan_bytes = space_.scan_bytes(), refine_bytes = space_.refine_bytes();
    codes_.resize(which.size() * (scan_bytes + refine_bytes));
    for (const std::uint32_t i : which) {
      // The old code's error bound covers what lies before it; the new one adds its own, decoding's rounding included.
      const float* vector = leaf.vectors.data() + i * n;
      const float norm = std::sqrt(simd::kernels().inner_product(vector, vector, n));
      encoder_.encode(vector, centroid, norm, 0, leaf.errors[i]);
      std::uint8_t* scan = codes_.data() + rows_.size() * (scan_bytes + refine_bytes);
      std::copy_n(encoder_.scan_codes(), scan_bytes, scan);
      std::copy_n(encoder_.refine_codes(), refine_bytes, scan + scan_bytes);
      rows_.push_back({leaf.rows[i], encoder_.scan(), encoder_.refine(), scan, scan + scan_bytes});
    }
    return rows_;
  }

 private:
  const Space& space_;
  RowEncoder encoder_;
  std::pmr::vector<EncodedRow> rows_;
  std::pmr::vector<std::uint8_t> codes_;
};

}  // namespace longbow::tree
