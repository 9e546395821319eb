// What a search makes of pending rows: candidates beside those of the leaves, or bare row ids.
#pragma once

#include <algorithm>
#include <limits>
#include <memory_resource>
#include <vector>

#include "longbow/tree/delta.hpp"
#include "node.hpp"
#include "query.hpp"

namespace longbow::tree {

// An estimate beyond all others.
inline constexpr float kFar = std::numeric_limits<float>::max();

// A row of a visited leaf, by its scan code.
struct Candidate {
  float estimate;
  std::uint32_t visit;   // which visited leaf; bits: how many are set in the row
  std::uint32_t slot;    // bits: how many are set in row and query
  BlockId refine_block;  // first refine page; kNoBlock: a pending row, `slot` is its number in pending_codes; not for bits
  RowId row;
};

// Scores pending rows as one more leaf around the index's centre.
class PendingScorer final : public PendingVisitor {
 public:
  // `visit` and its t belong to the pending rows; `keep` bounds the candidates, 0 keeps all.
  PendingScorer(const Space& space, const Query& query, const float* t, std::size_t keep, std::pmr::memory_resource& memory)
      : space_(space),
        layout_(delta_layout(space)),
        keep_(keep),
        block_(with_t(query.block(), t)),
        scorer_(layout_.geometry, block_, leaf_form(space)),
        found_(&memory) {
    if (space.metric() == base::Metric::l2 || space.metric() == base::Metric::cosine)
      scorer_.set_base(simd::kernels().inner_product(t, t, space.dims()));
    else
      scorer_.set_base(0);
  }

  void run(DeltaBlock first, std::size_t blocks) override {
    constexpr std::size_t kMost = 32;
    alignas(64) float estimate[kMost * kDeltaRows];
    std::uint32_t below[kMost];
    rows_ += blocks * kDeltaRows;
    for (std::size_t n; blocks > 0; blocks -= n, first = layout_.further(first, n)) {
      n = scorer_.scans() ? std::min(blocks, kMost) : 1;
      if (scorer_.scans())
        scorer_.scan(first.codes, layout_.block_bytes, *reinterpret_cast<const LeafFactors*>(first.codes + layout_.factors),
                     layout_.block_bytes, layout_.geometry.groups, n, threshold_, estimate, below);
      else
        below[0] = score_one(first, estimate);
      for (std::size_t b = 0; b < n; ++b) {
        const DeltaBlock at = layout_.further(first, b);
        if (const std::uint32_t found = keep_ > 0 ? below[b] : 0xFFFFU; found != 0)
          take(at, found & delta_rows_there(layout_.ids_of(at)), estimate + b * kDeltaRows);
      }
      if (keep_ > 0 && found_.size() >= keep_ * 4) trim();
    }
  }
  void block(DeltaBlock bytes, std::uint32_t mask) override {
    alignas(64) float estimate[kDeltaRows];
    const std::uint32_t below = score_one(bytes, estimate);
    rows_ += static_cast<std::uint64_t>(__builtin_popcount(mask));
    take(bytes, keep_ > 0 ? mask & below : mask, estimate);
    if (keep_ > 0 && found_.size() >= keep_ * 4) trim();
  }
  void bare(RowId row) override { bare_->push_back(row); }
  // Copies what the search will need.
  void finish() override {
    if (keep_ > 0) trim();
    for (const Found& f : found_) {
      if (space_.has_bits()) {
        pool_->push_back({f.estimate, f.set, f.both, kNoBlock, f.row});
        continue;
      }
      pool_->push_back({f.estimate, visit_, static_cast<std::uint32_t>(codes_->size() / layout_.refine_bytes), kNoBlock, f.row});
      codes_->insert(codes_->end(), f.refine, f.refine + layout_.refine_bytes);
    }
  }
  // Where finish() and bare() put what they get.
  void set_output(std::pmr::vector<Candidate>& pool, std::pmr::vector<std::uint8_t>& codes, std::pmr::vector<RowId>& bare,
                  std::uint32_t visit) {
    pool_ = &pool;
    codes_ = &codes;
    bare_ = &bare;
    visit_ = visit;
  }
  [[nodiscard]] std::uint64_t rows() const noexcept { return rows_; }

 private:
  struct Found {
    float estimate;
    std::uint32_t set, both;  // of bits
    const std::uint8_t* refine;
    RowId row;
  };
  // Notes the rows of `mask` with their estimates.
  void take(DeltaBlock bytes, std::uint32_t mask, const float* estimate) {
    const RowIds& ids = layout_.ids_of(bytes);
    for (; mask != 0; mask &= mask - 1) {
      const auto i = static_cast<std::size_t>(__builtin_ctz(mask));
      const float safe = estimate[i] == estimate[i] ? estimate[i] : kFar;
      found_.push_back({safe, set_[i], static_cast<std::uint32_t>(scorer_.both()[i]), bytes.refine + i * layout_.refine_bytes,
                        {ids.row_block[i], ids.row_offset[i]}});
    }
  }
  // A bit a row of the block that is below the threshold.
  std::uint32_t score_one(DeltaBlock bytes, float* estimate) noexcept {
    return space_.has_bits() ? score<BitFactors>(bytes, estimate) : score<LeafFactors>(bytes, estimate);
  }
  template <class Factors>
  std::uint32_t score(DeltaBlock bytes, float* estimate) noexcept {
    const auto& f = *reinterpret_cast<const Factors*>(bytes.codes + layout_.factors);
    scorer_.begin();
    scorer_.add(bytes.codes, 0, layout_.geometry.groups, scale_of(f));
    if constexpr (std::is_same_v<Factors, BitFactors>) std::copy_n(f.set, 16, set_);
    return scorer_.score(f, threshold_, estimate);
  }
  static BlockQuery with_t(BlockQuery query, const float* t) noexcept {
    query.t = t;
    return query;
  }
  void trim() {
    if (found_.size() <= keep_) return;
    const auto nth = found_.begin() + static_cast<std::ptrdiff_t>(keep_) - 1;
    std::nth_element(found_.begin(), nth, found_.end(),
                     [](const Found& a, const Found& b) { return a.estimate < b.estimate; });
    threshold_ = nth->estimate;
    found_.resize(keep_);
  }

  const Space& space_;
  DeltaLayout layout_;
  std::size_t keep_;
  BlockQuery block_;
  BlockScorer scorer_;
  std::pmr::vector<Found> found_;
  std::pmr::vector<Candidate>* pool_ = nullptr;
  std::pmr::vector<std::uint8_t>* codes_ = nullptr;
  std::pmr::vector<RowId>* bare_ = nullptr;
  std::uint32_t visit_ = 0;
  std::uint32_t set_[16] = {};  // of the block's rows
  float threshold_ = kFar;
  std::uint64_t rows_ = 0;
};

// Takes pending rows' ids alone, for queries that cannot rank.
class PendingIds final : public PendingVisitor {
 public:
  PendingIds(const Space& space, std::pmr::vector<RowId>& bare) : layout_(delta_layout(space)), bare_(bare) {}
  void run(DeltaBlock first, std::size_t blocks) override {
    for (std::size_t b = 0; b < blocks; ++b) {
      const DeltaBlock at = layout_.further(first, b);
      block(at, delta_rows_there(layout_.ids_of(at)));
    }
  }
  void block(DeltaBlock bytes, std::uint32_t mask) override {
    const RowIds& f = layout_.ids_of(bytes);
    for (; mask != 0; mask &= mask - 1) {
      const auto i = static_cast<std::size_t>(__builtin_ctz(mask));
      bare_.push_back({f.row_block[i], f.row_offset[i]});
    }
  }
  void bare(RowId row) override { bare_.push_back(row); }
  void finish() override {}

 private:
  DeltaLayout layout_;
  std::pmr::vector<RowId>& bare_;
};

}  // namespace longbow::tree
