// Reading and placing rows on a node's pages: checks of heads, addresses of blocks and refine rows, and the loop over blocks.
//
// Everything read from a page is checked before it is used as a count, a block number or an index: a bad value is
// Error(index_corrupted). A page that carries another owner's id is not an error for a scan: the node has moved.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <memory_resource>
#include <type_traits>
#include <vector>

#include "longbow/base/error.hpp"
#include "longbow/quant/bits.hpp"
#include "longbow/simd/kernels.hpp"
#include "longbow/tree/space.hpp"

namespace longbow::tree {

// A node's head, copied out of its page, with the directory entries in use.
struct HeadCopy {
  NodeHead head;
  BlockId block;
  std::pmr::vector<BlockId> directory;  // Geometry's directory order

  explicit HeadCopy(std::pmr::memory_resource& memory) : head{}, block(kNoBlock), directory(&memory) {}
};

// Where a block's codes and factors lie.
struct BlockPlace {
  bool in_head;
  std::size_t page;  // scan page in the directory, if not in the head
  std::size_t codes;
  std::size_t factors;
  std::size_t ids;  // of a leaf: RowIds within the factors
};

inline BlockPlace place_of_block(const Geometry& g, std::size_t block) noexcept {
  const auto place = [&g](bool in_head, std::size_t page, std::size_t codes, std::size_t factors) {
    return BlockPlace{in_head, page, codes, factors, factors + g.ids_offset};
  };
  if (block < g.head_blocks)
    return place(true, 0, Geometry::codes_at(g.head_codes, g.groups, block),
                 g.head_codes + g.head_blocks * g.groups * 64 + block * g.factor_bytes);
  const std::size_t outside = block - g.head_blocks;
  if (g.block_pages > 1) return place(false, outside * g.block_pages, kBodyOffset, kBodyOffset + g.page_groups * 64);
  const std::size_t index = outside % g.page_blocks;
  return place(false, outside / g.page_blocks, Geometry::codes_at(kBodyOffset, g.groups, index),
               kBodyOffset + g.page_blocks * g.groups * 64 + index * g.factor_bytes);
}

// Where a row's refine codes lie: refine page in the directory, and offset on it.
struct RefinePlace {
  std::size_t page;
  std::size_t offset;
};
inline RefinePlace place_of_refine(const Geometry& g, std::size_t slot) noexcept {
  if (g.packed) return {0, kBodyOffset};  // there are none
  if (g.refine_span > 1) return {slot * g.refine_span, kBodyOffset};
  return {slot / g.refine_rows, kBodyOffset + slot % g.refine_rows * g.refine_bytes};
}

// Whether a page is the head of the node `id`; counts on it are checked, impossible ones throw.
bool is_head_of(const Space& space, const std::uint8_t* page, std::uint32_t id, BlockId block);
// Whether a page belongs to the node as that kind of page.
inline bool belongs(const std::uint8_t* page, PageKind kind, std::uint32_t id) noexcept {
  const Trailer& t = trailer(page);
  return t.magic == kTrailerMagic && t.kind == kind && t.node_id == id;
}
[[noreturn]] void throw_corrupted(BlockId block, const char* what);

// Copies the head and its directory entries out of a checked page.
void copy_head(const Space& space, const PageRef& page, HeadCopy& out);
// Of a node whose centroid is floats in its head: not a leaf of bits.
inline const float* inline_centroid(const Geometry& g, const std::uint8_t* page) noexcept {
  return reinterpret_cast<const float*>(page + g.centroid_offset);
}
// Reads a chain of pages of one owner (trailer.next) into bytes.
void read_chain(PageStore& store, PageKind kind, std::uint32_t id, BlockId first, std::uint8_t* out, std::size_t bytes);
// Reads a node's centroid; `page` is its latched head. False if the node has changed hands.
bool read_centroid(PageStore& store, const Space& space, const HeadCopy& head, const std::uint8_t* page, float* out);

inline bool is_free(const RowIds& ids, std::size_t row) noexcept { return ids.row_offset[row] == 0; }
inline bool is_free(const InnerFactors& f, std::size_t row) noexcept { return f.child_id[row] == 0; }

// Looks through the slots of a node whose head is latched, its scan pages latched shared one after another, until
// wanted(factors, row in its block, slot) is true. Returns whether that happened, and where. A leaf's factors are RowIds here.
template <class Factors, class Wanted>
bool find_slot(PageStore& store, const Geometry& g, const PageRef& head, Wanted&& wanted, std::size_t& slot) {
  const NodeHead& h = node_head(head.data());
  const auto* directory = reinterpret_cast<const BlockId*>(head.data() + kDirectoryOffset);
  for (std::size_t b = 0; b < g.blocks(h.rows); ++b) {
    const BlockPlace place = place_of_block(g, b);
    PageRef page;
    if (!place.in_head) {
      page = PageRef(store, directory[g.scan_entry(place.page)], Latch::share);
      if (!belongs(page.data(), PageKind::scan, h.node_id))
        throw_corrupted(head.block(), "a scan page is not its node's own");
    }
    const std::size_t at = std::is_same_v<Factors, RowIds> ? place.ids : place.factors;
    const auto& f = *reinterpret_cast<const Factors*>((place.in_head ? head.data() : page.data()) + at);
    for (std::size_t i = 0; i < 16 && b * 16 + i < h.rows; ++i) {
      if (!wanted(f, i, b * 16 + i)) continue;
      slot = b * 16 + i;
      return true;
    }
  }
  return false;
}

// A query as the block kernels want it.
struct BlockQuery {
  const std::int8_t* q8;   // integer form, padded to the widest group
  quant::QuantizedQuery scale;
  const float* t = nullptr;  // L1: query - centroid of the node
  // Where leaves hold bits: the query's cells, and how many bits are set in them.
  const std::uint8_t* cells = nullptr;
  std::uint32_t set = 0;
};

// How a block's sums become estimates of distances.
enum class Form : std::uint8_t {
  squared,  // base + add + scale * <q, v>: L2, cosine, and every descent but L1's
  product,  // base + scale / 2 * <q, v>: inner product
  taxicab,  // the sums themselves: L1
  // Of leaves of bits, whose sums are the bits set in row and query: the operators' own distances.
  hamming,
  jaccard,
};
constexpr Form form_of(base::Metric metric) noexcept {
  return metric == base::Metric::ip ? Form::product : metric == base::Metric::l1 ? Form::taxicab : Form::squared;
}

inline Form leaf_form(const Space& space) noexcept {
  if (!space.has_bits()) return form_of(space.metric());
  return space.metric() == base::Metric::cosine ? Form::jaccard : Form::hamming;
}

// Estimates of a block of bit strings by the bits set in them (`row`), in the query and in both; a bit a row tells which are
// below the threshold. What is no row may give anything.
inline std::uint32_t score_bits(Form form, std::uint32_t query, const std::uint16_t* row, const std::int32_t* both,
                                float threshold, float* estimate) noexcept {
  const auto q = static_cast<std::int32_t>(query);
  std::uint32_t mask = 0;
  if (form == Form::hamming) {
    for (std::size_t i = 0; i < 16; ++i) estimate[i] = static_cast<float>(q + row[i] - 2 * both[i]);
  } else {
    // At least 1 below, for two rows without any bit.
    for (std::size_t i = 0; i < 16; ++i)
      estimate[i] = 1.0F - static_cast<float>(both[i]) / static_cast<float>(std::max(1, q + row[i] - both[i]));
  }
  for (std::uint32_t i = 0; i < 16; ++i) mask |= static_cast<std::uint32_t>(estimate[i] < threshold) << i;
  return mask;
}

// Scores one block after another, page part by page part.
class BlockScorer {
 public:
  BlockScorer(const Geometry& g, const BlockQuery& query, Form form) noexcept
      : kernels_(simd::kernels()),
        dot_(kernels_.block_dot[simd::width_index(g.bits)]),
        l1_(kernels_.block_l1[simd::width_index(g.bits)]),
        scan_(kernels_.block_scan[simd::width_index(g.bits)]),
        query_(query),
        per_group_(32 / g.bits),
        dims_(g.dims),
        form_(form) {
    const float half = static_cast<float>((1U << g.bits) - 1) / 2.0F;
    by_ = {0, query.scale.step * (form == Form::product ? 0.5F : 1.0F), -half * static_cast<float>(query.scale.sum)};
  }

  // The node's own part of the estimates.
  void set_base(float base) noexcept { by_.base = base; }

  void begin() noexcept {
    std::memset(acc_, 0, sizeof acc_);
    if (form_ == Form::taxicab) std::memset(sum_, 0, sizeof sum_);
  }
  // Adds groups [first, first + count) whose codes start at `codes`; scale is the block's (for L1).
  void add(const std::uint8_t* codes, std::size_t first, std::size_t count, const float* scale) noexcept {
    if (form_ <= Form::product) {
      dot_(codes, count, query_.q8 + first * per_group_, acc_);
      return;
    }
    if (form_ != Form::taxicab) {
      kernels_.block_both(codes, count, query_.cells + first * quant::kCellBytes, acc_);
      return;
    }
    const std::size_t from = first * per_group_;
    l1_(codes, std::min(dims_, from + count * per_group_) - from, query_.t + from, scale, sum_);
  }
  // The same of a block of bits; both()[i] are the bits that row i shares with the query.
  std::uint32_t score(const BitFactors& f, float threshold, float* estimate) const noexcept {
    return score_bits(form_, query_.set, f.set, acc_, threshold, estimate);
  }
  std::uint32_t score(const LeafFactors& f, float threshold, float* estimate) const noexcept {
    return score(f.add, f.scale, threshold, estimate);
  }
  [[nodiscard]] const std::int32_t* both() const noexcept { return acc_; }
  // Writes the 16 estimates; a bit a row tells which are below the threshold.
  std::uint32_t score(const float* add, const float* scale, float threshold, float* estimate) const noexcept {
    if (form_ != Form::taxicab)
      return kernels_.block_score(acc_, form_ == Form::product ? kNothing : add, scale, by_, threshold, estimate);
    std::uint32_t mask = 0;
    for (std::uint32_t i = 0; i < 16; ++i) {
      estimate[i] = sum_[i];
      mask |= static_cast<std::uint32_t>(sum_[i] < threshold) << i;
    }
    return mask;
  }

  // Whether scan() can do what begin(), add() and score() do block by block.
  [[nodiscard]] bool scans() const noexcept { return form_ <= Form::product; }
  // Scores whole blocks of leaf rows, the first with these codes and factors, the others each so many bytes further on:
  // estimates of 16 rows and a mask of those below the threshold for each block. `ahead` as BlockRun has it.
  void scan(const std::uint8_t* codes, std::size_t code_stride, const LeafFactors& f, std::size_t factor_stride, std::size_t groups,
            std::size_t blocks, float threshold, float* estimate, std::uint32_t* below, std::ptrdiff_t ahead = 0) const noexcept {
    const bool product = form_ == Form::product;
    scan_({codes, product ? kNothing : f.add, f.scale, code_stride, product ? 0 : factor_stride, factor_stride, blocks, groups,
           query_.q8, by_, ahead},
          threshold, estimate, below);
  }

 private:
  static constexpr float kNothing[16] = {};
  const simd::Kernels& kernels_;
  simd::BlockDot dot_;
  simd::BlockL1 l1_;
  simd::BlockScan scan_;
  BlockQuery query_;
  std::size_t per_group_, dims_;
  Form form_;
  simd::BlockScale by_{};
  alignas(64) std::int32_t acc_[16];
  alignas(64) float sum_[16];
};

// What scoring reads of a block's factors.
inline const float* scale_of(const BitFactors&) noexcept { return nullptr; }
template <class Factors>
const float* scale_of(const Factors& f) noexcept {
  return f.scale;
}
template <class Factors>
constexpr std::size_t offset_of_ids() noexcept {
  if constexpr (std::is_same_v<Factors, InnerFactors>)
    return sizeof(Factors);
  else
    return offsetof(Factors, ids);
}

// Calls on_blocks(page's bytes, first block, blocks, ahead) for each page of a node that has whole blocks (g.block_pages is 1), the
// head's first. `head_page` is latched on entry and released on the way; at most one latch is held at a time. Returns false if
// a page has changed hands. `next_head` is the node that will be read after this one. `ahead` is how far from here the page
// lies that is read after this one, if that is known, else 0: its blocks are to be fetched one by one while these are scored,
// since a burst of prefetches only fills the core's line buffers and stalls.
template <class OnBlocks>
bool for_each_page(PageStore& store, const Geometry& g, const HeadCopy& head, PageRef& head_page, OnBlocks&& on_blocks,
                   BlockId next_head) {
  const std::size_t count = g.blocks(head.head.rows), in_head = std::min(count, g.head_blocks);
  const auto page_of = [&](std::size_t b) { return b < count ? head.directory[g.scan_entry(place_of_block(g, b).page)] : kNoBlock; };
  const auto ahead_of = [&](const PageRef& here, BlockId there) {
    const std::uint8_t* page = there == kNoBlock ? nullptr : store.whereabouts(there);
    return page == nullptr ? 0 : reinterpret_cast<std::intptr_t>(page) - reinterpret_cast<std::intptr_t>(here.data());
  };
  if (const BlockId first = page_of(in_head); first != kNoBlock) {
    const BlockPlace place = place_of_block(g, in_head);
    const std::size_t blocks = std::min(count - in_head, g.page_blocks);
    store.prefetch(first, kTrailerOffset, sizeof(Trailer));
    store.prefetch(first, place.codes, blocks * g.groups * 64);
    store.prefetch(first, place.factors, blocks * g.factor_bytes);
  }
  if (in_head > 0) on_blocks(head_page.data(), std::size_t{0}, in_head, ahead_of(head_page, next_head));
  head_page.reset();
  for (std::size_t b = in_head; b < count; b += g.page_blocks) {
    const PageRef page(store, page_of(b), Latch::share);
    if (!belongs(page.data(), PageKind::scan, head.head.node_id)) return false;
    const BlockId next = page_of(b + g.page_blocks);
    store.prefetch(next, kTrailerOffset, sizeof(Trailer));
    on_blocks(page.data(), b, std::min(count - b, g.page_blocks), ahead_of(page, next));
  }
  return true;
}

// Of a leaf's factors the rows' ids are wanted seldom; an inner node's are read whole.
template <class Factors>
void fetch_block(const Geometry& g, const BlockPlace& place, const std::uint8_t* page) noexcept {
  for (std::size_t at = 0; at < g.groups * 64; at += 64) __builtin_prefetch(page + place.codes + at, 0, 3);
  for (std::size_t at = 0; at < offset_of_ids<Factors>(); at += 64) __builtin_prefetch(page + place.factors + at, 0, 3);
}

// Calls on_block(first_slot, factors) for each block of a node, in slot order, after the scorer (if any) has summed the
// block. Latches and result as for_each_page().
template <class Factors, class OnBlock>
bool for_each_block(PageStore& store, const Geometry& g, const HeadCopy& head, PageRef& head_page, BlockScorer* sums,
                    OnBlock&& on_block, BlockId next_head = kNoBlock) {
  if (g.block_pages == 1) {
    const auto on_blocks = [&](const std::uint8_t* page, std::size_t first, std::size_t blocks, std::ptrdiff_t ahead) {
      for (std::size_t b = first; b < first + blocks; ++b) {
        const BlockPlace place = place_of_block(g, b);
        if (ahead != 0) fetch_block<Factors>(g, place, page + ahead);
        const auto& f = *reinterpret_cast<const Factors*>(page + place.factors);
        if (sums != nullptr) {
          sums->begin();
          sums->add(page + place.codes, 0, g.groups, scale_of(f));
        }
        on_block(b * 16, f);
      }
    };
    return for_each_page(store, g, head, head_page, on_blocks, next_head);
  }
  // Blocks that lie on several pages: none of them in the head.
  head_page.reset();
  for (std::size_t b = 0; b < g.blocks(head.head.rows); ++b) {
    const std::size_t first = place_of_block(g, b).page;
    PageRef page(store, head.directory[g.scan_entry(first)], Latch::share);
    if (!belongs(page.data(), PageKind::scan, head.head.node_id)) return false;
    const Factors f = *reinterpret_cast<const Factors*>(page.data() + place_of_block(g, b).factors);
    if (sums != nullptr) {
      sums->begin();
      sums->add(page.data() + kBodyOffset, 0, std::min(g.page_groups, g.groups), scale_of(f));
      for (std::size_t p = 1; p < g.block_pages; ++p) {
        page = PageRef();
        page = PageRef(store, head.directory[g.scan_entry(first + p)], Latch::share);
        if (!belongs(page.data(), PageKind::scan, head.head.node_id)) return false;
        const std::size_t from = p * g.page_groups;
        sums->add(page.data() + kBodyOffset, from, std::min(g.page_groups, g.groups - from), scale_of(f));
      }
    }
    page.reset();
    on_block(b * 16, f);
  }
  return true;
}

// Reads one slot's refine header and codes; false if the page has changed hands. `codes` has dims bytes.
bool read_refine(PageStore& store, const Geometry& g, BlockId first_page, std::uint32_t id, std::size_t slot,
                 RefineHeader& header, std::uint8_t* codes);

}  // namespace longbow::tree
