// The layout of nodes over all dimensions, code widths and leaf sizes: everything fits its page and nothing overlaps.
#include "longbow/tree/geometry.hpp"

#include <gtest/gtest.h>

#include <map>
#include <unordered_map>
#include <vector>

#include "longbow/quant/code.hpp"
#include "longbow/tree/build.hpp"
#include "tree/node.hpp"

namespace longbow::tree {
namespace {

std::vector<std::size_t> some_dims() {
  std::vector<std::size_t> all;
  for (std::size_t d = 1; d <= 520; d += d < 200 ? 3 : 13) all.push_back(d);
  for (std::size_t d = 521; d <= kMaxDims; d += 397) all.push_back(d);
  // Where something begins to span pages, and the ends.
  for (const std::size_t edge : {490, 985, 1600, 1969, 2026, 3900, 4052, 7800, 8096, 15744, 16000})
    for (std::size_t d = edge - 1; d <= std::min(kMaxDims, edge + std::size_t{1}); ++d) all.push_back(d);
  return all;
}

// Marks ranges of pages as used; one that overlaps another or leaves the page's body is a failure.
class Pages {
 public:
  bool use(std::size_t page, std::size_t from, std::size_t bytes) {
    if (from < kPageHeaderBytes || from + bytes > kTrailerOffset) return false;
    std::map<std::size_t, std::size_t>& used = pages_[page];
    const auto after = used.lower_bound(from);
    if (after != used.end() && after->first < from + bytes) return false;
    if (after != used.begin() && std::prev(after)->second > from) return false;
    return used.emplace(from, from + bytes).second;
  }

 private:
  std::unordered_map<std::size_t, std::map<std::size_t, std::size_t>> pages_;
};

// Page 0 is the head, then scan pages from 1 on, refine pages from 100000 on.
bool lays_out(const Geometry& g) {
  constexpr std::size_t kScan = 1, kRefine = 100000;
  Pages pages;
  if (g.max_rows % 16 != 0) return false;
  if (g.leaf && (g.block_pages > kMostBlockPages || g.refine_span > kMostRefineSpan)) return false;
  if (!pages.use(0, kPageHeaderBytes, sizeof(NodeHead))) return false;
  if (!pages.use(0, kDirectoryOffset, g.refine_entry(g.refine_capacity) * sizeof(BlockId))) return false;
  if (g.centroid_span == 0 ? !pages.use(0, g.centroid_offset, g.centroid_bytes) : g.centroid_span * kBodyBytes < g.centroid_bytes)
    return false;
  for (std::size_t b = 0; b < g.max_rows / 16; ++b) {
    const BlockPlace place = place_of_block(g, b);
    if (place.codes % 64 != 0) return false;
    const std::size_t page = place.in_head ? 0 : kScan + place.page;
    if (!place.in_head && place.page + g.block_pages > g.scan_capacity) return false;
    if (place.in_head && g.block_pages > 1) return false;
    if (!pages.use(page, place.factors, g.factor_bytes)) return false;
    if (g.leaf && place.ids + sizeof(RowIds) != place.factors + g.factor_bytes) return false;
    std::size_t groups = 0;
    for (std::size_t p = 0; p < g.block_pages; ++p) {
      const std::size_t count = g.block_pages == 1 ? g.groups : std::min(g.page_groups, g.groups - p * g.page_groups);
      if (count == 0 || !pages.use(page + p, p == 0 ? place.codes : kBodyOffset, count * 64)) return false;
      groups += count;
    }
    if (groups != g.groups || g.groups * 32 / g.bits < g.dims) return false;
    // The pages that a count of rows needs are exactly those that its blocks use.
    if (!place.in_head && g.scan_pages((b + 1) * 16) != place.page + g.block_pages) return false;
  }
  if (g.packed && (g.refine_capacity != 0 || g.refine_pages(g.max_rows) != 0)) return false;
  for (std::size_t slot = 0; g.leaf && !g.packed && slot < g.max_rows; ++slot) {
    const RefinePlace place = place_of_refine(g, slot);
    if (place.page + g.refine_span > g.refine_capacity || place.offset % alignof(RefineHeader) != 0) return false;
    std::size_t left = sizeof(RefineHeader) + g.dims;
    for (std::size_t p = 0; p < g.refine_span; ++p) {
      const std::size_t part = std::min(left, kTrailerOffset - (p == 0 ? place.offset : kBodyOffset));
      if (!pages.use(kRefine + place.page + p, p == 0 ? place.offset : kBodyOffset, part)) return false;
      left -= part;
    }
    if (left != 0 || g.refine_pages(slot + 1) != place.page + g.refine_span) return false;
  }
  return true;
}

TEST(Geometry, EveryLeafFits) {
  for (const std::size_t dims : some_dims())
    for (const unsigned bits : {1U, 2U, 4U})
      for (const std::uint32_t wanted : {0U, 16U, 100U, 160U, 1024U}) {
        if (wanted > 160 && dims % 7 != 0 && dims > 200) continue;  // time
        Meta meta{};
        meta.bits = static_cast<std::uint8_t>(bits);
        meta.leaf_size = wanted;
        settle(meta, static_cast<std::uint32_t>(dims));
        EXPECT_GE(meta.leaf_size, kMinLeafSize);
        EXPECT_TRUE(wanted == 0 || meta.leaf_size <= wanted);
        const Geometry g = leaf_geometry(dims, meta.bits, meta.leaf_size);
        ASSERT_TRUE(lays_out(g)) << dims << " dims, " << bits << " bits, leaf size " << meta.leaf_size;
        EXPECT_GE(g.max_rows, meta.leaf_size * 4);
      }
}

TEST(Geometry, EveryLeafOfBitsFits) {
  for (std::size_t dims = 1; dims <= kMaxBits; dims += dims < 600 ? 1 : dims < 8000 ? 97 : 977)
    for (const std::uint32_t wanted : {0U, 16U, 100U, 1024U}) {
      Meta meta{};
      meta.element_type = ElementCode::bit;
      meta.leaf_size = wanted;
      settle(meta, static_cast<std::uint32_t>(dims));
      EXPECT_GE(meta.leaf_size, kMinLeafSize);
      const Geometry g = leaf_geometry(meta);
      ASSERT_TRUE(lays_out(g)) << dims << " bits, leaf size " << meta.leaf_size;
      ASSERT_TRUE(lays_out(inner_geometry(dims, meta.fanout))) << dims;
      EXPECT_EQ(g.bits, 1U);
      EXPECT_GE(g.max_rows, meta.leaf_size * 4);
      if (wanted == 0) {
        EXPECT_EQ(meta.leaf_size, default_leaf_size(dims, true)) << dims;
      }
    }
  Meta meta = new_meta({base::Metric::l2, kMaxBits, 0, 0, 1, ElementCode::bit});
  meta.fanout = static_cast<std::uint32_t>(target_fanout(kMaxBits));
  check_meta(meta);
  ASSERT_TRUE(lays_out(leaf_geometry(meta)));
}

TEST(Geometry, EveryInnerNodeFits) {
  for (const std::size_t dims : some_dims()) {
    const Geometry g = inner_geometry(dims, target_fanout(dims));
    ASSERT_TRUE(lays_out(g)) << dims;
    EXPECT_GE(g.max_rows, target_fanout(dims) * 2);
    EXPECT_EQ(g.refine_capacity, 0U);
  }
}

TEST(Geometry, DefaultsAreLeftAlone) {
  for (std::size_t dims = 1; dims <= kMaxDims; dims += dims < 600 ? 1 : 51) {
    Meta meta{};
    settle(meta, static_cast<std::uint32_t>(dims));
    EXPECT_EQ(meta.leaf_size, default_leaf_size(dims)) << dims;
    EXPECT_EQ(meta.bits, default_bits(dims));
  }
}

// A meta page whose sizes do not fit each other is refused before anything is laid out by it.
TEST(Geometry, ImpossibleMetaPagesAreRefused) {
  Meta meta = new_meta({base::Metric::l2, 16000, 4, 0, 1});
  check_meta(meta);
  meta.leaf_size = kMaxLeafSize;
  EXPECT_THROW(check_meta(meta), base::Error);
  meta = new_meta({base::Metric::l2, 100, 4, 160, 1});
  meta.dims = 8000;
  meta.leaf_size = 1024;
  EXPECT_THROW(check_meta(meta), base::Error);
}

}  // namespace
}  // namespace longbow::tree
