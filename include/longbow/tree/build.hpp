// Writes a new index: its meta page, its leaves in the order given, and the inner nodes above them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <memory_resource>
#include <span>
#include <vector>

#include "longbow/quant/kmeans.hpp"
#include "longbow/tree/space.hpp"

namespace longbow::tree {

// A row as a leaf stores it; codes are one byte a dimension. Of a bit string scan_codes are its cells, scan.add the number
// of bits set, and there is nothing to refine.
struct EncodedRow {
  RowId row;
  quant::ScanFactors scan;
  quant::RefineFactors refine;
  const std::uint8_t* scan_codes;
  const std::uint8_t* refine_codes;
  bool cells = false;  // scan_codes are cells of a vector's codes (quant::to_cells)
};

struct NewIndex {
  base::Metric metric;
  std::uint32_t dims;       // 0 = not known yet
  std::uint32_t bits;       // 0 = default for the dimensions
  std::uint32_t leaf_size;  // 0 = default for the dimensions
  std::uint64_t incarnation;
  std::uint8_t element_type = ElementCode::vector;
};

// The meta data of an index without rows. Until dims are known, bits and leaf_size stay as asked for.
Meta new_meta(const NewIndex& what);
// Settles bits and leaf size once the dimensions are known.
void settle(Meta& meta, std::uint32_t dims);
// Writes block 0 of an empty store.
void write_empty(PageStore& store, const Meta& meta);
// Fills the image of a fresh meta page.
void write_meta_image(std::uint8_t* image, const Meta& meta);
// Writes the centre's pages; returns the first.
BlockId write_centre(PageStore& store, const float* centre, std::size_t dims);
// Changes the meta page under its latch.
template <class F>
void update_meta(PageStore& store, F&& f) {
  const PageRef page(store, kMetaBlock, Latch::exclusive);
  Change change(store);
  f(meta_of(change.edit(page)));
  change.commit();
}

// A row's codes, made from its vector in the index's space; views into the encoder's buffers until the next encode.
class RowEncoder {
 public:
  RowEncoder(const Space& space, std::pmr::memory_resource& memory);
  void encode(const float* vector, const float* centroid, float norm, float raw_norm, float prior_error);
  [[nodiscard]] quant::ScanFactors scan() const noexcept { return scan_; }
  [[nodiscard]] quant::RefineFactors refine() const noexcept { return refine_; }
  [[nodiscard]] const std::uint8_t* scan_codes() const noexcept { return scan_codes_.data(); }
  [[nodiscard]] const std::uint8_t* refine_codes() const noexcept { return refine_codes_.data(); }

 private:
  const Space& space_;
  quant::ScanFactors scan_{};
  quant::RefineFactors refine_{};
  std::pmr::vector<float> residual_;
  std::pmr::vector<std::uint8_t> scan_codes_, refine_codes_;
};

// A row between encoding and writing, as it lies in a sort: RowId, factors, refine codes, cells.
class PackedRow {
 public:
  static std::size_t bytes(const Space& space) noexcept;
  static void pack(const Space& space, RowId row, const RowEncoder& encoder, std::uint8_t* out) noexcept;
  // A view of it, and its squared length around its centroid by its refine codes (0 of bits).
  static EncodedRow view(const Space& space, const std::uint8_t* in, float& squared) noexcept;
};

// The rules by which a build divides: rows of one cluster that make a leaf at most (room for appends must be left, so that a
// fresh index does not begin by splitting), nodes that go under one node, and groups that more of them are divided into first.
inline std::size_t most_built_rows(const Meta& meta) noexcept { return std::max<std::size_t>(meta.leaf_size * std::size_t{2} - 16, 16); }
inline std::size_t most_built_children(const Meta& meta) noexcept { return meta.fanout * std::size_t{3} / 2; }
inline std::size_t built_groups(const Meta& meta, std::size_t nodes) noexcept {
  return nodes <= most_built_children(meta) ? 1 : static_cast<std::size_t>(std::ceil(std::sqrt(static_cast<double>(nodes))));
}

// Builds the tree above leaves that come one after another.
class TreeBuilder {
 public:
  TreeBuilder(PageStore& store, Space& space, std::pmr::memory_resource& memory);
  // Adds the rows (packed, one after another) of one cluster; centroid stays valid until finish(). Many rows make
  // several leaves around the same centroid.
  void add_cluster(const float* centroid, const std::uint8_t* packed, std::size_t rows);
  // Writes the inner nodes and puts the root into space.meta.
  void finish(quant::Watch& watch);

 private:
  struct Entry {
    NodeRef node;
    const float* centroid;
    float spread;
  };
  NodeRef write_group(std::uint16_t level, const float* centroid, std::span<const Entry> members);
  std::uint32_t next_id() noexcept { return space_.meta.next_node_id++; }

  PageStore& store_;
  Space& space_;
  std::pmr::memory_resource& memory_;
  std::pmr::vector<Entry> leaves_;
};

}  // namespace longbow::tree
