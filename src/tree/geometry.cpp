// Derives the layout of leaves and inner nodes.
#include "longbow/tree/geometry.hpp"

#include <algorithm>

#include "longbow/quant/bits.hpp"
#include "longbow/quant/code.hpp"

namespace longbow::tree {

namespace {

// Largest centroid kept inside the head; above it the directory of a wide row would not fit beside it.
constexpr std::size_t kInlineCentroidBytes = 6400;
// Bytes of one level's centroid codes that a query may read without a further level paying.
constexpr std::size_t kFlatLevelBytes = 512 * 1024;

// The part of the head that does not depend on the rows in use: directory, and the centroid if it is inline.
std::size_t head_end(const Geometry& g) noexcept {
  return g.centroid_offset + (g.centroid_span == 0 ? g.centroid_bytes : 0);
}

constexpr std::size_t round_up(std::size_t n, std::size_t unit) { return (n + unit - 1) / unit * unit; }

Geometry lay_out(std::size_t dims, unsigned bits, bool leaf, bool packed, std::size_t max_rows) {
  Geometry g{};
  g.dims = dims;
  g.bits = bits;
  g.leaf = leaf;
  g.packed = packed;
  g.groups = quant::groups(dims, bits);
  g.factor_bytes = packed ? sizeof(BitFactors) : leaf ? sizeof(LeafFactors) : sizeof(InnerFactors);
  g.ids_offset = packed ? offsetof(BitFactors, ids) : offsetof(LeafFactors, ids);
  const std::size_t block_bytes = g.groups * 64 + g.factor_bytes;
  if (block_bytes <= kBodyBytes) {
    g.block_pages = 1;
    g.page_blocks = kBodyBytes / block_bytes;
    g.page_groups = g.groups;
  } else {
    g.page_groups = (kBodyBytes - g.factor_bytes) / 64;
    g.block_pages = (g.groups + g.page_groups - 1) / g.page_groups;
    g.page_blocks = 1;
  }
  if (leaf && !packed) {
    g.refine_bytes = sizeof(RefineHeader) + round_up(dims, 4);
    g.refine_rows = std::max<std::size_t>(1, kBodyBytes / g.refine_bytes);
    g.refine_span = (g.refine_bytes + kBodyBytes - 1) / kBodyBytes;
  }
  g.centroid_bytes = packed ? quant::share_bytes(dims) : dims * sizeof(float);
  g.centroid_span = g.centroid_bytes <= kInlineCentroidBytes ? 0 : (g.centroid_bytes + kBodyBytes - 1) / kBodyBytes;
  g.max_rows = round_up(max_rows, 16);
  g.scan_capacity = g.scan_pages(g.max_rows);
  g.refine_capacity = g.refine_pages(g.max_rows);
  g.centroid_offset =
      kDirectoryOffset + (g.centroid_span + g.scan_capacity + g.refine_capacity) * sizeof(BlockId);
  g.head_codes = round_up(head_end(g), 64);
  const bool room = g.head_codes < kTrailerOffset && g.block_pages == 1 && g.centroid_span == 0;
  g.head_blocks = room ? (kTrailerOffset - g.head_codes) / block_bytes : 0;
  return g;
}

}  // namespace

Geometry leaf_geometry(std::size_t dims, unsigned bits, std::size_t leaf_size, bool packed) {
  // A leaf that cannot be split at once (another split is under way) grows to four times its size before inserts wait.
  return lay_out(dims, bits, true, packed, leaf_size * 4);
}

Geometry inner_geometry(std::size_t dims, std::size_t fanout) { return lay_out(dims, inner_bits(dims), false, false, fanout * 2); }

bool head_fits(const Geometry& geometry) noexcept { return head_end(geometry) <= kTrailerOffset; }

// On GloVe the leaves' order by 4 bits gives the same recall as by 8, with 30 pages of centroids a query instead of 52. A
// code's relative error grows as dimensions become few.
unsigned inner_bits(std::size_t dims) noexcept { return dims < 64 ? 8 : 4; }

unsigned default_bits(std::size_t dims) noexcept { return dims < 192 ? 4 : dims < 384 ? 2 : 1; }

std::uint32_t default_leaf_size(std::size_t dims, bool packed) noexcept {
  if (packed) {
    // A page of the shortest rows, two pages of short ones: words by signs (100 bits) took 62, 40, 37 and 34 bytes a row with leaves
    // of 128, 208, 320 and 512, by trigrams (512 bits) 142, 127, 103 and 97 with 96, 128, 192 and 256, at about the same time a
    // search. Of long rows enough to be worth a centroid.
    const std::size_t block = quant::groups(dims, 1) * 64 + sizeof(BitFactors);
    const auto page = static_cast<std::uint32_t>((kBodyBytes - sizeof(NodeHead) - quant::share_bytes(std::min<std::size_t>(dims, 1024))) / block * 16);
    return page >= 256 ? 208 : std::clamp<std::uint32_t>(page * 2, dims <= 4096 ? 128 : 64, 320);
  }
  // Long rows make a leaf expensive to visit; very long ones must keep their directory small.
  return dims <= 256 ? 104 : dims <= 1024 ? 128 : dims <= 4096 ? 64 : 32;
}

std::uint32_t fitting_leaf_size(std::size_t dims, unsigned bits, std::uint32_t wanted, bool packed) {
  while (wanted > kMinLeafSize && !head_fits(leaf_geometry(dims, bits, wanted, packed))) --wanted;
  return wanted;
}

std::size_t target_fanout(std::size_t dims) noexcept {
  return std::clamp<std::size_t>(kFlatLevelBytes / quant::padded_dims(dims, 8), 64, 4096);
}

}  // namespace longbow::tree
