// The leaves of a search in the order of their centroids: inner nodes are opened as far as the order needs.
#pragma once

#include <algorithm>
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
  static constexpr std::size_t kInnerAtLeast = 4;
  // Of two leaves as far away, the one with the nearer rows is visited first. On GloVe the 94.6 % recall of 100 leaves
  // took 137 without; weights of 0.3 and 0.6 lose 0.1 to 0.2 % of recall, 1 (the rows' mean distance) more than 0 does.
  static constexpr float kSpreadWeight = 0.4F;
  // One key in so many is looked at to guess where the wanted ones end.
  static constexpr std::size_t kSampleEvery = 8;

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
    const auto nearer = [this](std::uint32_t a, std::uint32_t b) { return keys_[a] < keys_[b]; };
    const std::size_t take = std::min(wanted, found);
    const auto end = near_.begin() + static_cast<std::ptrdiff_t>(take);
    if (take < found) std::nth_element(near_.begin(), end - 1, near_.begin() + static_cast<std::ptrdiff_t>(found), nearer);
    std::sort(near_.begin(), end, nearer);
    for (auto it = near_.begin(); it != end; ++it) {
      order_.push_back(*it);
      keys_[*it] = kTaken;
    }
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
    ++opened_;
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
    if (entry.level == 1)
      for (auto* of : {&heads_, &ids_}) of->reserve(of->size() + head_.head.rows);
    if (entry.level == 1) keys_.reserve(keys_.size() + head_.head.rows);
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
            add_leaves(key, f, count);
          else
            for (std::size_t i = 0; i < count; ++i)
              if (!is_free(f, i)) inner_.push_back({safe(key[i]), {f.child[i], f.child_id[i]}, level});
        });
    if (!whole) lost_ = true;
  }

  // A corrupted factor must not make the order undefined.
  static float safe(float key) noexcept { return key == key && key < kTaken ? key : std::numeric_limits<float>::max(); }

  // Copies a block of leaves whole; free slots count as taken.
  void add_leaves(float* key, const InnerFactors& f, std::size_t count) {
    if (space_.metric() == base::Metric::l2 || space_.metric() == base::Metric::cosine)
      for (std::size_t i = 0; i < 16; ++i) key[i] += kSpreadWeight * f.spread[i];

    heads_.insert(heads_.end(), f.child, f.child + count);
    ids_.insert(ids_.end(), f.child_id, f.child_id + count);
    float safe_key[16];
    std::size_t used = 0;
    for (std::size_t i = 0; i < 16; ++i) {
      safe_key[i] = f.child_id[i] == 0 ? kTaken : safe(key[i]);
      used += i < count && f.child_id[i] != 0 ? 1 : 0;
    }
    keys_.insert(keys_.end(), safe_key, safe_key + count);
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
  std::pmr::vector<float> sample_;
  std::pmr::vector<Entry> inner_;
  mem::FlatSet seen_;
  HeadCopy head_;
  std::pmr::vector<float> centroid_, t_;
  std::size_t known_ = 0, opened_ = 0;
  bool lost_ = false;
};

}  // namespace longbow::tree
