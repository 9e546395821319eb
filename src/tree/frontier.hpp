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
        leaves_(&memory),
        inner_(&memory),
        seen_(memory),
        head_(memory),
        centroid_(&memory),
        t_(&memory) {}

  // Starts at the root of a freshly read meta page.
  void reset(const Meta& meta) {
    leaves_.clear();
    inner_.clear();
    seen_.clear();
    sorted_ = 0;
    opened_ = 0;
    Entry root{0, {meta.root, meta.root_id}, static_cast<std::uint16_t>(meta.height - 1)};
    if (meta.root == kNoBlock || meta.height == 0) return;
    (root.level == 0 ? leaves_ : inner_).push_back(root);
  }

  // Makes the first `count` leaves available in order, as far as there are so many; returns how many there are.
  std::size_t prepare(std::size_t count) {
    while (!inner_.empty() && (leaves_.size() < count * kLeavesAhead || opened_ < kInnerAtLeast)) open_nearest();
    const std::size_t end = std::min(count, leaves_.size());
    if (end > sorted_) {
      const auto nearer = [](const Entry& a, const Entry& b) { return a.key < b.key; };
      const auto from = leaves_.begin() + static_cast<std::ptrdiff_t>(sorted_);
      const auto to = leaves_.begin() + static_cast<std::ptrdiff_t>(end);
      if (to != leaves_.end()) std::nth_element(from, to - 1, leaves_.end(), nearer);
      std::sort(from, to, nearer);
      sorted_ = end;
    }
    return end;
  }
  [[nodiscard]] const Entry& leaf(std::size_t i) const noexcept { return leaves_[i]; }
  [[nodiscard]] bool complete() const noexcept { return inner_.empty(); }
  [[nodiscard]] std::size_t known() const noexcept { return leaves_.size(); }
  // An inner page changed hands under us: the caller starts again at the root.
  [[nodiscard]] bool lost() const noexcept { return lost_; }
  void forget_loss() noexcept { lost_ = false; }

 private:
  // Leaves known for each leaf that is visited: the slack that lets a far inner node's near leaf come in time.
  static constexpr std::size_t kLeavesAhead = 8;
  static constexpr std::size_t kInnerAtLeast = 4;

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
    auto& target = entry.level == 1 ? leaves_ : inner_;
    const auto level = static_cast<std::uint16_t>(entry.level - 1);
    const bool whole =
        for_each_block<InnerFactors>(store_, g, head_, page, &scorer, [&](std::size_t first, const InnerFactors& f) {
          alignas(64) float key[16];
          scorer.score(f.add, f.scale, 0, key);
          for (std::size_t i = 0; i < 16 && first + i < head_.head.rows; ++i) {
            if (is_free(f, i)) continue;
            // A corrupted factor must not make the order undefined.
            const float safe = key[i] == key[i] ? key[i] : std::numeric_limits<float>::max();
            target.push_back({safe, {f.child[i], f.child_id[i]}, level});
          }
        });
    if (!whole) lost_ = true;
  }

  PageStore& store_;
  const Space& space_;
  const Query& query_;
  std::pmr::vector<Entry> leaves_, inner_;
  mem::FlatSet seen_;
  HeadCopy head_;
  std::pmr::vector<float> centroid_, t_;
  std::size_t sorted_ = 0, opened_ = 0;
  bool lost_ = false;
};

}  // namespace longbow::tree
