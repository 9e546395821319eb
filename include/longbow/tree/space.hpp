// What an index knows of its vectors: metric, centre, rotation; and how rows and queries are brought into its space.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <vector>

#include "longbow/quant/bits.hpp"
#include "longbow/quant/code.hpp"
#include "longbow/tree/format.hpp"
#include "longbow/quant/rotation.hpp"
#include "longbow/tree/geometry.hpp"

namespace longbow::tree {

// How a row goes into the index.
enum class RowClass : std::uint8_t {
  indexed,  // into the tree
  nan,      // zero vector under cosine: plain, distance NaN
  unknown,  // too large or too small for float arithmetic: plain, the executor decides
};

struct PreparedRow {
  RowClass kind;
  float norm;      // |x - centre|
  float raw_norm;  // |x|
};

// Cells of a raw row of an index with these dimensions.
constexpr std::size_t raw_cells(const Meta& meta) noexcept { return has_bits(meta) ? quant::bit_cells(meta.dims) : meta.dims; }

struct Space {
  Meta meta;            // as read last
  const float* centre;  // dims floats, zeros for bits
  const float* signs;   // rotation_floats(dims) floats; unused for L1 and bits
  Geometry leaf;
  Geometry inner;

  [[nodiscard]] std::size_t dims() const noexcept { return meta.dims; }
  [[nodiscard]] base::Metric metric() const noexcept { return meta.metric; }
  [[nodiscard]] bool rotated() const noexcept { return meta.metric != base::Metric::l1 && !has_bits(); }
  [[nodiscard]] bool has_bits() const noexcept { return tree::has_bits(meta); }
  // 4-byte cells of a row as the user gave it: floats, or bits.
  [[nodiscard]] std::size_t raw_cells() const noexcept { return tree::raw_cells(meta); }
  // Bytes of a row's codes outside of pages: a byte a dimension, or the row's cells and nothing to refine them.
  [[nodiscard]] std::size_t scan_bytes() const noexcept { return has_bits() ? raw_cells() * quant::kCellBytes : dims(); }
  [[nodiscard]] std::size_t refine_bytes() const noexcept { return has_bits() ? 0 : dims(); }
  [[nodiscard]] const Geometry& geometry(unsigned level) const noexcept { return level == 0 ? leaf : inner; }

  // Normalises (cosine), centres and rotates a row of raw_cells() into out (dims floats); bits become floats.
  PreparedRow prepare_row(const float* raw, float* out) const noexcept;
};

// Reads and checks the meta page.
Meta read_meta(PageStore& store);
// Checks one, as read from a page or made by a build. Throws Error(index_corrupted).
void check_meta(const Meta& meta);
// Floats that a space's centre and rotation take together.
constexpr std::size_t space_floats(std::size_t dims) noexcept { return dims + quant::rotation_floats(dims); }
constexpr std::size_t space_floats(const Meta& meta) noexcept { return has_bits(meta) ? meta.dims : space_floats(meta.dims); }
// Fills a space from its meta data; `buffer` (space_floats) receives centre and rotation. Reads the centre's pages.
Space make_space(PageStore& store, const Meta& meta, float* buffer);
// The same with a centre at hand: a build has no pages yet.
Space make_space(const Meta& meta, const float* centre, float* buffer);

}  // namespace longbow::tree
