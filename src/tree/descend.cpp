// Greedy descent to a leaf. Rows are assigned by L2 (L1 for that metric), whatever metric orders the searches.
#include "descend.hpp"

#include <limits>

#include "longbow/quant/code.hpp"

namespace longbow::tree {

namespace {
// Splits move a node away at most a few times during one descent; more is corruption.
constexpr int kMostAttempts = 1000;
// Inner nodes of a level that are looked into for the leaves near a vector.
constexpr std::size_t kNearInner = 3;
}  // namespace

Descent::Descent(PageStore& store, const Space& space, std::pmr::memory_resource& memory)
    : store_(store),
      space_(space),
      root_(root_of(space.meta)),
      head_(memory),
      centroid_(space.dims(), &memory),
      other_(space.dims(), &memory),
      t_(space.dims(), &memory),
      q8_(quant::padded_dims(space.dims(), 1), &memory) {}

Descent::Step Descent::root_of(const Meta& meta) noexcept {
  if (meta.root == kNoBlock || meta.height == 0) return {{kNoBlock, 0}, 0};
  return {{meta.root, meta.root_id}, static_cast<std::uint16_t>(meta.height - 1)};
}

float Descent::distance(const float* vector, const float* centroid) {
  const auto& k = simd::kernels();
  return space_.metric() == base::Metric::l1 ? k.l1(vector, centroid, space_.dims())
                                             : k.l2_squared(vector, centroid, space_.dims());
}

bool Descent::open(Step& step, PageRef& page, const float* vector) {
  for (int hop = 0; hop < kMostAttempts; ++hop) {
    page.reset();
    page = PageRef(store_, step.node.head, Latch::share);
    if (!is_head_of(space_, page.data(), step.node.node_id, step.node.head)) return false;
    const NodeHead& h = node_head(page.data());
    if (h.level != step.level) throw_corrupted(step.node.head, "unexpected level of a node");
    if ((h.flags & kMoved) == 0) return true;
    const NodeRef to[2] = {h.forward[0], h.forward[1]};
    page.reset();
    // An emptied leaf was taken out: its parent knows by now.
    if (to[0].node_id == 0) return false;
    float best = std::numeric_limits<float>::infinity();
    step.node = to[0];
    for (const NodeRef& candidate : to) {
      PageRef other(store_, candidate.head, Latch::share);
      if (!is_head_of(space_, other.data(), candidate.node_id, candidate.head)) continue;
      copy_head(space_, other, head_);
      if (space_.geometry(step.level).centroid_span > 0) other.reset();
      if (!read_centroid(store_, space_, head_, other.data(), other_.data())) continue;
      const float d = distance(vector, other_.data());
      if (d < best) {
        best = d;
        step.node = candidate;
      }
    }
  }
  throw_corrupted(step.node.head, "forward links have a loop");
}

template <class Found>
bool Descent::score_children(PageRef& page, const float* vector, Found&& found) {
  const Geometry& g = space_.inner;
  copy_head(space_, page, head_);
  if (g.centroid_span > 0) page.reset();
  if (!read_centroid(store_, space_, head_, page.data(), centroid_.data())) return false;
  const bool l1 = space_.metric() == base::Metric::l1;
  simd::kernels().subtract(vector, centroid_.data(), t_.data(), g.dims);
  const float base = l1 ? 0 : simd::kernels().inner_product(t_.data(), t_.data(), g.dims);
  BlockQuery query{q8_.data(), {}, t_.data()};
  query.scale = quant::quantize_query(vector, g.dims, q8_.size(), q8_.data());
  BlockScorer scorer(g, query, l1 ? Form::taxicab : Form::squared);
  scorer.set_base(base);
  return for_each_block<InnerFactors>(store_, g, head_, page, &scorer, [&](std::size_t first, const InnerFactors& f) {
    alignas(64) float d[16];
    scorer.score(f.add, f.scale, std::numeric_limits<float>::infinity(), d);
    for (std::size_t i = 0; i < 16 && first + i < head_.head.rows; ++i)
      if (!is_free(f, i)) found(d[i], NodeRef{f.child[i], f.child_id[i]});
  });
}

bool Descent::best_child(Step& step, PageRef& page, const float* vector) {
  float best = std::numeric_limits<float>::infinity();
  NodeRef child{kNoBlock, 0};
  const bool whole = score_children(page, vector, [&](float d, NodeRef node) {
    if (!(d < best) && child.node_id != 0) return;
    best = d;
    child = node;
  });
  if (!whole) return false;
  if (child.node_id == 0) throw_corrupted(step.node.head, "an inner node has no children");
  step = {child, static_cast<std::uint16_t>(step.level - 1)};
  return true;
}

NodeRef Descent::leaf_of(const float* vector) {
  for (int attempt = 0; attempt < kMostAttempts; ++attempt) {
    store_.tick();
    if (attempt > 0) root_ = root_of(read_meta(store_));
    if (root_.node.head == kNoBlock) throw_corrupted(kMetaBlock, "the index has no root");
    Step step = root_;
    PageRef page;
    bool found = open(step, page, vector);
    // The links of a root that was split lead on, but by choices of one in two: the new root knows all nodes below it.
    if (found && step.node.node_id != root_.node.node_id) continue;
    while (found && step.level > 0) {
      found = best_child(step, page, vector);
      page.reset();
      if (found) found = open(step, page, vector);
    }
    if (found) return step.node;
  }
  throw_corrupted(kMetaBlock, "no path leads to a leaf");
}

void Descent::leaves_near(const float* vector, std::size_t count, std::pmr::vector<Placed>& out) {
  struct Near {
    float distance;
    NodeRef node, parent;
  };
  const auto nearer = [](const Near& a, const Near& b) { return a.distance < b.distance; };
  const Meta meta = read_meta(store_);
  std::pmr::vector<Near> level(centroid_.get_allocator()), below(centroid_.get_allocator());
  level.push_back({0, {meta.root, meta.root_id}, {kNoBlock, 0}});
  for (std::uint32_t height = meta.height; height > 1; --height) {
    below.clear();
    for (const Near& at : level) {
      store_.tick();
      PageRef page(store_, at.node.head, Latch::share);
      if (!is_head_of(space_, page.data(), at.node.node_id, at.node.head)) continue;
      score_children(page, vector, [&](float d, NodeRef node) { below.push_back({d, node, at.node}); });
    }
    const std::size_t kept = std::min(below.size(), height > 2 ? kNearInner : count);
    std::partial_sort(below.begin(), below.begin() + static_cast<std::ptrdiff_t>(kept), below.end(), nearer);
    below.resize(kept);
    level.swap(below);
  }
  if (meta.height < 2) return;
  for (const Near& at : level) out.push_back({at.node, at.parent});
}

bool Descent::parent_of(NodeRef node, std::uint16_t level, NodeRef& parent) {
  const Meta meta = read_meta(store_);
  std::pmr::vector<Step> todo(centroid_.get_allocator().resource());
  todo.push_back({{meta.root, meta.root_id}, static_cast<std::uint16_t>(meta.height - 1)});
  while (!todo.empty()) {
    const Step step = todo.back();
    todo.pop_back();
    if (step.level <= level) continue;
    store_.tick();
    PageRef page(store_, step.node.head, Latch::share);
    if (!is_head_of(space_, page.data(), step.node.node_id, step.node.head))
      throw_corrupted(step.node.head, "an inner node is not where its parent says");
    if (node_head(page.data()).level != step.level) throw_corrupted(step.node.head, "unexpected level of a node");
    copy_head(space_, page, head_);
    bool here = false;
    const bool whole = for_each_block<InnerFactors>(
        store_, space_.inner, head_, page, nullptr, [&](std::size_t first, const InnerFactors& f) {
          for (std::size_t i = 0; i < 16 && first + i < head_.head.rows; ++i) {
            if (is_free(f, i)) continue;
            if (step.level == level + 1)
              here = here || f.child_id[i] == node.node_id;
            else
              todo.push_back({{f.child[i], f.child_id[i]}, static_cast<std::uint16_t>(step.level - 1)});
          }
        });
    if (!whole) throw_corrupted(step.node.head, "a page of an inner node is not its own");
    if (here) {
      parent = step.node;
      return true;
    }
  }
  return false;
}

}  // namespace longbow::tree
