// Where a search reads: the tree from its root, its leaves, and the pending rows, whose best by scan code become candidates.
#include "search_state.hpp"

#include <algorithm>

namespace longbow::tree {

namespace {

using base::Errc;
using base::Error;

// A reader that keeps losing its pages meets corruption, not concurrency.
constexpr int kMostRestarts = 16;
constexpr int kMostWalks = 8;
// Where pending rows are kept by coarser codes than the tree's, so many times more of them are refined.
constexpr std::size_t kCoarseKeep = 4;

}  // namespace

void Search::State::begin_tree() {
  frontier.reset(space.meta);
  visited = 0;
  seen.clear();
  visits.clear();
  leaf_t.clear();
  pool.clear();
}

// Makes pending rows candidates of the wave that begins: the best ones while it prunes, else all.
void Search::State::take_pending() {
  if (options.pending == nullptr || space.dims() == 0) return;
  if (ranking != Ranking::scored) {
    PendingIds ids(space, bare);
    options.pending->visit(ids);
    counters.pending += bare.size();
    return;
  }
  const std::size_t n = space.dims();
  leaf_t.insert(leaf_t.end(), query.vector(), query.vector() + n);
  const auto index = static_cast<std::uint32_t>(visits.size());
  visits.push_back({0, 0, static_cast<std::uint32_t>(leaf_t.size() / n) - 1});
  pending_codes.clear();
  pending_pool.clear();
  const bool coarse = delta_layout(space).geometry.bits < space.leaf.bits;
  PendingScorer scorer(space, query, query.vector(), prune ? (coarse ? keep * kCoarseKeep : keep) : 0, memory);
  scorer.set_output(prune ? pending_pool : pool, pending_codes, bare, index);
  const std::size_t before = pool.size();
  options.pending->visit(scorer);
  const auto handed_out = [&](const Candidate& c) { return returned.contains(row_key(c.row)); };
  if (!prune) pool.erase(std::remove_if(pool.begin() + static_cast<std::ptrdiff_t>(before), pool.end(), handed_out), pool.end());
  counters.pending += scorer.rows() + bare.size();
  counters.rows_scored += scorer.rows();
  limited_rows += scorer.rows();
}

// Puts the pending rows that only the executor can place before those that are ready.
void Search::State::give_bare() {
  if (bare.empty()) return;
  const bool null = ranking == Ranking::null;
  std::pmr::vector<Ready> first(&memory);
  for (const RowId row : bare) first.push_back({{row, null, null ? 0.0 : -kInfinity}, 0});
  ready.insert(ready.begin(), first.begin(), first.end());
  bare.clear();
}

void Search::State::restart_tree() {
  if (++restarts > kMostRestarts) throw Error(Errc::index_corrupted, "pages of the index belong to no node of its tree");
  // The walk begins anew, so only splits from here on matter: a sibling born before may be long gone.
  space.meta = read_meta(store);
  frontier.forget_loss();
  begin_tree();
}

// Whether rows may have gone from leaves that were still to come into leaves that had been read: then the tree is walked once
// more, and rows handed out are known. Moves are short and rare; a walk that meets some each time ends all the same.
bool Search::State::look_again() {
  if (++walks > kMostWalks) return false;
  const Meta now = read_meta(store);
  if (now.moves == moves && moves % 2 == 0) return false;
  space.meta = now;
  moves = now.moves;
  begin_tree();
  return true;
}

void Search::State::visit(NodeRef first) {
  pending.clear();
  pending.push_back(first);
  while (!pending.empty()) {
    const NodeRef node = pending.back();
    pending.pop_back();
    if (seen.insert(std::uint64_t{node.node_id} + 1)) visit_one(node);
  }
}

void Search::State::visit_one(NodeRef node) {
  store.tick();
  PageRef page(store, node.head, Latch::share);
  if (!is_head_of(space, page.data(), node.node_id, node.head)) {
    lost = true;
    return;
  }
  const NodeHead& h = node_head(page.data());
  if (h.level != 0) throw_corrupted(node.head, "a leaf was expected");
  if ((h.flags & kMoved) != 0) {
    // A leaf that was emptied leads nowhere.
    for (const NodeRef& to : h.forward)
      if (to.node_id != 0) pending.push_back(to);
    return;
  }
  if (h.birth > space.meta.split_counter) pending.push_back(h.sibling);
  copy_head(space, page, head);
  const Geometry& g = space.leaf;
  if (g.packed) {
    // Bits are scored as they are, wherever the centroid is.
    count_visit();
    scan_rows<BitFactors>(page, query.block(), 0, 0);
    return;
  }
  const float* c = g.centroid_span == 0 ? inline_centroid(g, page.data()) : centroid.data();
  if (g.centroid_span > 0) {
    page.reset();
    if (!read_centroid(store, space, head, nullptr, centroid.data())) {
      lost = true;
      return;
    }
  }
  count_visit();
  const auto index = static_cast<std::uint32_t>(visits.size());
  Visit v{node.node_id, 0, static_cast<std::uint32_t>(leaf_t.size() / std::max<std::size_t>(1, g.dims))};
  const bool l1 = space.metric() == base::Metric::l1;
  float base = 0;
  BlockQuery block = query.block();
  if (ranking == Ranking::scored) {
    if (space.metric() == base::Metric::ip) {
      base = query.base_of(c, nullptr);
      v.product = -base;
    } else {
      leaf_t.resize(leaf_t.size() + g.dims);
      float* t = leaf_t.data() + v.t_at * g.dims;
      simd::kernels().subtract(query.vector(), c, t, g.dims);
      base = l1 ? 0 : simd::kernels().inner_product(t, t, g.dims);
      block.t = t;
    }
  }
  visits.push_back(v);
  scan_rows<LeafFactors>(page, block, base, index);
}

void Search::State::count_visit() noexcept {
  ++counters.leaves;
  counters.rows_scored += head.head.rows;
  limited_rows += head.head.rows;
}

template <class Factors>
void Search::State::scan_rows(PageRef& page, const BlockQuery& block, float base, std::uint32_t visit_index) {
  const bool scored = ranking == Ranking::scored;
  BlockScorer scorer(space.leaf, block, leaf_form(space));
  scorer.set_base(base);
  scorer.begin();
  if constexpr (std::is_same_v<Factors, LeafFactors>)
    if (scored && scorer.scans() && space.leaf.block_pages == 1) return scan_pages(page, scorer, visit_index);
  const auto on_block = [&](std::size_t first, const Factors& f) {
    alignas(64) float estimate[16] = {};
    std::uint32_t mask = 0xFFFF;
    if (scored) {
      const std::uint32_t below = scorer.score(f, threshold, estimate);
      if (prune) mask = below;
    }
    collect(first, mask, f, estimate, scorer, visit_index);
  };
  if (!for_each_block<Factors>(store, space.leaf, head, page, scored ? &scorer : nullptr, on_block, next_head)) lost = true;
}

// The same for whole pages of blocks, each scored in one call.
void Search::State::scan_pages(PageRef& page, const BlockScorer& scorer, std::uint32_t visit_index) {
  const Geometry& g = space.leaf;
  constexpr std::size_t kMost = kBodyBytes / sizeof(LeafFactors);
  alignas(64) float estimate[kMost * 16];
  std::uint32_t below[kMost];
  const auto on_blocks = [&](const std::uint8_t* bytes, std::size_t first, std::size_t blocks, std::ptrdiff_t ahead) {
    const BlockPlace place = place_of_block(g, first);
    const auto factors = [&](std::size_t b) -> const LeafFactors& {
      return *reinterpret_cast<const LeafFactors*>(bytes + place.factors + b * g.factor_bytes);
    };
    scorer.scan(bytes + place.codes, g.groups * 64, factors(0), g.factor_bytes, g.groups, blocks, threshold, estimate, below, ahead);
    for (std::size_t b = 0; b < blocks; ++b)
      if (const std::uint32_t mask = prune ? below[b] : 0xFFFF; mask != 0)
        collect((first + b) * 16, mask, factors(b), estimate + b * 16, scorer, visit_index);
  };
  if (!for_each_page(store, g, head, page, on_blocks, next_head)) lost = true;
}

template <class Factors>
void Search::State::collect(std::size_t first, std::uint32_t mask, const Factors& f, const float* estimate,
                            const BlockScorer& scorer, std::uint32_t visit_index) {
  const Geometry& g = space.leaf;
  const std::size_t end = std::min<std::size_t>(16, head.head.rows - first);
  for (mask &= (1U << end) - 1; mask != 0; mask &= mask - 1) {
    const auto i = static_cast<std::size_t>(__builtin_ctz(mask));
    if (is_free(f.ids, i)) continue;
    const RowId row{f.ids.row_block[i], f.ids.row_offset[i]};
    if (!prune && returned.contains(row_key(row))) continue;
    if constexpr (std::is_same_v<Factors, BitFactors>) {
      pool.push_back({estimate[i], f.set[i], static_cast<std::uint32_t>(scorer.both()[i]), kNoBlock, row});
      continue;
    }
    const std::size_t slot = first + i;
    const float safe = estimate[i] == estimate[i] ? estimate[i] : kFar;
    pool.push_back({safe, visit_index, static_cast<std::uint32_t>(slot),
                    head.directory[g.refine_entry(place_of_refine(g, slot).page)], row});
  }
  if (prune && pool.size() >= keep * 4) trim();
}

// Keeps the best rows of the pool and raises the bar for further ones.
void Search::State::trim() {
  if (pool.size() <= keep) return;
  const auto nth = pool.begin() + static_cast<std::ptrdiff_t>(keep) - 1;
  std::nth_element(pool.begin(), nth, pool.end(),
                   [](const Candidate& a, const Candidate& b) { return a.estimate < b.estimate; });
  threshold = nth->estimate;
  pool.resize(keep);
}

}  // namespace longbow::tree
