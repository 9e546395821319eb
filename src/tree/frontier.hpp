// The leaves of a search in the order of their centroids: inner nodes are opened as far as the order needs.
#pragma once

#include <algorithm>
#include <bit>
#include <limits>
#include <memory_resource>
#include <vector>

#include "longbow/mem/flat_set.hpp"
#include "node.hpp"
#include "query.hpp"

namespace longbow::tree {

class Frontier {
 public:
  struct Entry {
    float key;  // estimate of the centroid's distance
    NodeRef node;
    std::uint16_t level;
  };

  Frontier(PageStore& store, const Space& space, const Query& query, std::pmr::memory_resource& memory)
      : store_(store),
        space_(space),
        query_(query),
        keys_(&memory),
        heads_(&memory),
        ids_(&memory),
        order_(&memory),
        near_(&memory),
        ranked_(&memory),
        sample_(&memory),
        inner_(&memory),
        seen_(memory),
        head_(memory),
        centroid_(&memory),
        t_(&memory) {}

  // Starts at the root of a freshly read meta page.
  void reset(const Meta& meta) {
    keys_.clear();
    heads_.clear();
    ids_.clear();
    order_.clear();
    inner_.clear();
    seen_.clear();
    known_ = opened_ = 0;
    Entry root{0, {meta.root, meta.root_id}, static_cast<std::uint16_t>(meta.height - 1)};
    if (meta.root == kNoBlock || meta.height == 0) return;
    if (root.level > 0) {
      inner_.push_back(root);
    } else {
      keys_.push_back(0);
      heads_.push_back(root.node.head);
      ids_.push_back(root.node.node_id);
      known_ = 1;
    }
  }

  // Makes the first `count` leaves available in order, as far as there are so many; returns how many there are.
  std::size_t prepare(std::size_t count) {
    while (!inner_.empty() && (known_ < count * kLeavesAhead || opened_ < kInnerAtLeast)) open_nearest();
    const std::size_t end = std::min(count, known_);
    if (end > order_.size()) take_nearest(end - order_.size());
    return order_.size() < end ? order_.size() : end;
  }
  [[nodiscard]] NodeRef leaf(std::size_t i) const noexcept { return {heads_[order_[i]], ids_[order_[i]]}; }
  [[nodiscard]] bool complete() const noexcept { return inner_.empty(); }
  [[nodiscard]] std::size_t known() const noexcept { return known_; }
  // An inner page changed hands under us: the caller starts again at the root.
  [[nodiscard]] bool lost() const noexcept { return lost_; }
  void forget_loss() noexcept { lost_ = false; }

 private:
  // Leaves known for each leaf that is visited: the slack that lets a far inner node's near leaf come in time.
  static constexpr std::size_t kLeavesAhead = 16;
  // Parents of leaves that are opened however few leaves are wanted: where rows form clusters, a near one may lie under a far
  // node. Of 1,000,000 x 768 (bench/million) 12 leaves find 94.8 % with 3, 98.1 with 7, 99.6 with 11, 99.75 with 15, 99.8
  // with 23.
  static constexpr std::size_t kInnerAtLeast = 16;
  // Of two leaves as far away, the one with the nearer rows is visited first. On GloVe 100 leaves find 94.6 % so, 93.1 %
  // without; weights of 0.3 and 0.6 lose 0.1 to 0.3 % of it, and 1 (the rows' mean distance) is worse than 0.
  static constexpr float kSpreadWeight = 0.4F;
  // One key in so many is looked at to guess where the wanted ones end.
  static constexpr std::size_t kSampleEvery = 16;
  // Appends the next `wanted` nearest leaves to the order. A few hundred of thousands are wanted: a bar guessed from a
  // sample keeps the rest out of the selection. What is taken gets the key infinity, as free slots have.
  void take_nearest(std::size_t wanted) {
    std::size_t found = 0;
    if (keys_.size() > 8 * wanted && keys_.size() > 512) {
      sample_.clear();
      for (std::size_t i = 0; i < keys_.size(); i += kSampleEvery)
        if (keys_[i] < kTaken) sample_.push_back(keys_[i]);
      const std::size_t rank = wanted / kSampleEvery * 3 / 2 + 8;
      if (rank < sample_.size()) {
        std::nth_element(sample_.begin(), sample_.begin() + static_cast<std::ptrdiff_t>(rank), sample_.end());
        found = gather(sample_[rank]);
      }
    }
    if (found < wanted) found = gather(std::numeric_limits<float>::max());
    // Ranked as whole numbers, key above place, not through an index: many comparisons and few cache misses.
    ranked_.resize(found);
    for (std::size_t i = 0; i < found; ++i) ranked_[i] = std::uint64_t{rising(keys_[near_[i]])} << 32 | near_[i];
    const std::size_t take = std::min(wanted, found);
    const auto at = [this](std::size_t i) { return ranked_.begin() + static_cast<std::ptrdiff_t>(i); };
    if (take < found) std::nth_element(ranked_.begin(), at(take) - 1, ranked_.end());
    std::sort(ranked_.begin(), at(take));
    for (std::size_t i = 0; i < take; ++i) {
      const auto leaf = static_cast<std::uint32_t>(ranked_[i]);
      order_.push_back(leaf);
      keys_[leaf] = kTaken;
    }
  }

  // Bits that order as the floats do.
  static std::uint32_t rising(float key) noexcept {
    const auto bits = std::bit_cast<std::uint32_t>(key);
    return (bits & 0x80000000U) != 0 ? ~bits : bits | 0x80000000U;
  }

  // Collects the leaves with keys up to the bar; returns how many.
  std::size_t gather(float bar) {
    near_.resize(keys_.size() + 16);
    return simd::kernels().select_upto(keys_.data(), keys_.size(), bar, near_.data());
  }

  void open_nearest() {
    const auto nearest =
        std::min_element(inner_.begin(), inner_.end(), [](const Entry& a, const Entry& b) { return a.key < b.key; });
    const Entry entry = *nearest;
    *nearest = inner_.back();
    inner_.pop_back();
    if (entry.level == 1) ++opened_;
    open(entry);
  }

  void open(const Entry& entry) {
    store_.tick();
    if (!seen_.insert(std::uint64_t{entry.node.node_id} + 1)) return;
    PageRef page(store_, entry.node.head, Latch::share);
    if (!is_head_of(space_, page.data(), entry.node.node_id, entry.node.head)) {
      lost_ = true;
      return;
    }
    const NodeHead& head = node_head(page.data());
    if (head.level != entry.level || head.level == 0) throw_corrupted(entry.node.head, "unexpected level of a node");
    if ((head.flags & kMoved) != 0)
      for (const NodeRef& to : head.forward) inner_.push_back({entry.key, to, entry.level});
    if (head.birth > space_.meta.split_counter) inner_.push_back({entry.key, head.sibling, entry.level});
    if ((head.flags & kMoved) != 0) return;
    copy_head(space_, page, head_);
    if (entry.level == 1) {
      // Room for all children at once; what is not read, because the node was lost, counts as taken.
      const std::size_t end = keys_.size() + head_.head.rows;
      keys_.resize(end, kTaken);
      heads_.resize(end);
      ids_.resize(end);
    }
    read_children(entry, page);
  }

  void read_children(const Entry& entry, PageRef& page) {
    const Geometry& g = space_.inner;
    centroid_.resize(g.dims);
    t_.resize(g.dims);
    if (g.centroid_span > 0) page.reset();
    if (!read_centroid(store_, space_, head_, page.data(), centroid_.data())) {
      lost_ = true;
      return;
    }
    const float base = query_.base_of(centroid_.data(), t_.data());
    BlockQuery block = query_.block();
    block.t = t_.data();
    BlockScorer scorer(g, block, form_of(space_.metric()));
    scorer.set_base(base);
    const auto level = static_cast<std::uint16_t>(entry.level - 1);
    const bool whole =
        for_each_block<InnerFactors>(store_, g, head_, page, &scorer, [&](std::size_t first, const InnerFactors& f) {
          alignas(64) float key[16];
          scorer.score(f.add, f.scale, 0, key);
          const std::size_t count = std::min<std::size_t>(16, head_.head.rows - first);
          if (level == 0)
            add_leaves(keys_.size() - head_.head.rows + first, key, f, count);
          else
            for (std::size_t i = 0; i < count; ++i)
              if (!is_free(f, i)) inner_.push_back({safe(key[i]), {f.child[i], f.child_id[i]}, level});
        });
    if (!whole) lost_ = true;
  }

  // A corrupted factor must not make the order undefined.
  static float safe(float key) noexcept {
    constexpr float kMost = std::numeric_limits<float>::max();
    return key < kMost ? key : kMost;
  }

  // Copies a block of leaves whole to their place; free slots count as taken.
  void add_leaves(std::size_t at, const float* key, const InnerFactors& f, std::size_t count) {
    // The inner product and L1 add up otherwise.
    const float weight = form_of(space_.metric()) == Form::squared ? kSpreadWeight : 0;
    std::copy_n(f.child, count, heads_.data() + at);
    std::copy_n(f.child_id, count, ids_.data() + at);
    alignas(64) float ranked[16];
    std::uint32_t used = 0;
    // A whole block without branches: a third of the time that a query takes for its centroids was here.
#pragma omp simd reduction(+ : used)
    for (std::uint32_t i = 0; i < 16; ++i) {
      const bool taken = f.child_id[i] == 0 || i >= count;
      ranked[i] = taken ? kTaken : safe(key[i] + weight * f.spread[i]);
      used += taken ? 0 : 1;
    }
    std::copy_n(ranked, count, keys_.data() + at);
    known_ += used;
  }

  static constexpr float kTaken = std::numeric_limits<float>::infinity();

  PageStore& store_;
  const Space& space_;
  const Query& query_;
  // The leaves known so far: key (kTaken once in the order), head and id.
  std::pmr::vector<float> keys_;
  std::pmr::vector<BlockId> heads_;
  std::pmr::vector<std::uint32_t> ids_;
  std::pmr::vector<std::uint32_t> order_;  // the nearest ones, sorted
  std::pmr::vector<std::uint32_t> near_;
  std::pmr::vector<std::uint64_t> ranked_;
  std::pmr::vector<float> sample_;
  std::pmr::vector<Entry> inner_;
  mem::FlatSet seen_;
  HeadCopy head_;
  std::pmr::vector<float> centroid_, t_;
  std::size_t known_ = 0, opened_ = 0;
  bool lost_ = false;
};

}  // namespace longbow::tree
