// Where things lie on a node's pages, derived from dimensions, code width and capacity alone.
#pragma once

#include <cstddef>
#include <cstdint>

#include "longbow/quant/code.hpp"
#include "longbow/tree/format.hpp"

namespace longbow::tree {

// Before a row's refine codes. The row id tells a scan, which comes back to a slot that it has seen, whether the row is still
// there: rows move between leaves, and their slots are used again.
struct RefineHeader {
  quant::RefineFactors factors;
  RowId row;
};
static_assert(sizeof(RefineHeader) == 16);

struct Geometry {
  std::size_t dims;
  unsigned bits;              // of scan codes
  bool leaf;
  bool packed;                // a leaf whose codes are its rows' bits: BitFactors, no refine codes
  std::size_t groups;         // 64-byte groups a block
  std::size_t factor_bytes;   // LeafFactors, BitFactors or InnerFactors
  std::size_t ids_offset;     // of a leaf's RowIds in its factors
  std::size_t block_pages;    // pages that one block spans; 1 for all but long rows
  std::size_t page_blocks;    // blocks a scan page holds (1 where a block spans pages)
  std::size_t page_groups;    // groups a page holds of a spanning block
  std::size_t head_blocks;    // blocks inside the head page
  std::size_t refine_bytes;   // a row's refine codes and factors; 0 for inner nodes and bits
  std::size_t refine_rows;    // rows a refine page holds (1 where a row spans pages)
  std::size_t refine_span;    // pages that one row spans, 0 for bits
  std::size_t centroid_bytes; // floats, or shares (quant/bits.hpp) in a leaf of bits
  std::size_t centroid_span;  // pages of the centroid, 0 = in the head
  std::size_t max_rows;       // slots a node may have
  std::size_t scan_capacity;  // directory entries for scan pages
  std::size_t refine_capacity;
  std::size_t centroid_offset;  // in the head, if inline
  std::size_t head_codes;       // offset of the codes in the head

  // Directory order: centroid pages, scan pages, refine pages; each with its fixed place.
  [[nodiscard]] std::size_t scan_entry(std::size_t page) const noexcept { return centroid_span + page; }
  [[nodiscard]] std::size_t refine_entry(std::size_t page) const noexcept {
    return centroid_span + scan_capacity + page;
  }
  [[nodiscard]] std::size_t blocks(std::size_t rows) const noexcept { return (rows + 15) / 16; }
  // Scan pages needed for that many slots, beyond the blocks in the head.
  [[nodiscard]] std::size_t scan_pages(std::size_t rows) const noexcept {
    const std::size_t count = blocks(rows);
    if (count <= head_blocks) return 0;
    const std::size_t outside = count - head_blocks;
    return block_pages > 1 ? outside * block_pages : (outside + page_blocks - 1) / page_blocks;
  }
  [[nodiscard]] std::size_t refine_pages(std::size_t rows) const noexcept {
    if (!leaf || packed) return 0;
    return refine_span > 1 ? rows * refine_span : (rows + refine_rows - 1) / refine_rows;
  }
  // Blocks stored on one page: codes of all of them first, their factors after.
  [[nodiscard]] static std::size_t codes_at(std::size_t base, std::size_t groups, std::size_t index) noexcept {
    return base + index * groups * 64;
  }
};

// Fewest and most rows that a leaf may be built for.
inline constexpr std::uint32_t kMinLeafSize = 16;
inline constexpr std::uint32_t kMaxLeafSize = 1024;

// Pages that a leaf's block of 16 rows or one row's refine codes span at kMaxDims: 17 with 4-bit codes, and 2. So many for a
// block of kMaxBits too.
inline constexpr std::size_t kMostBlockPages = 17;
inline constexpr std::size_t kMostRefineSpan = 2;

Geometry leaf_geometry(std::size_t dims, unsigned bits, std::size_t leaf_size, bool packed = false);
inline Geometry leaf_geometry(const Meta& meta) { return leaf_geometry(meta.dims, meta.bits, meta.leaf_size, has_bits(meta)); }
Geometry inner_geometry(std::size_t dims, std::size_t fanout);
// Whether the head's fixed parts fit its page.
bool head_fits(const Geometry& geometry) noexcept;

// Defaults where the user names nothing.
unsigned default_bits(std::size_t dims) noexcept;
// Bits of the codes of an inner node's children.
unsigned inner_bits(std::size_t dims) noexcept;
std::uint32_t default_leaf_size(std::size_t dims, bool packed = false) noexcept;
// The leaf size asked for, or the largest whose directory still fits the leaf's head page: long rows take many pages.
std::uint32_t fitting_leaf_size(std::size_t dims, unsigned bits, std::uint32_t wanted, bool packed = false);
// Children that an inner node of a new index is built for; half as many more make it one level higher.
std::size_t target_fanout(std::size_t dims) noexcept;

}  // namespace longbow::tree
