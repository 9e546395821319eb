// From candidates to rows that can be handed out: refine codes bound their distances, or the caller measures them.
#include "search_state.hpp"

#include <algorithm>
#include <span>

namespace longbow::tree {

// Makes the pool's first `count` rows ready with their distances, which bits tell exactly.
void Search::State::place_bits(std::size_t count) {
  const std::uint32_t set = query.block().set;
  const bool jaccard = leaf_form(space) == Form::jaccard;
  for (const Candidate& c : std::span(pool).first(count)) {
    const double distance = jaccard ? quant::jaccard_of(c.visit, set, c.slot) : quant::hamming_of(c.visit, set, c.slot);
    ready.push_back({{c.row, false, distance}, c.estimate});
  }
}

// The same by their refine codes.
void Search::State::refine(std::size_t count) {
  const Geometry& g = space.leaf;
  const auto split = pool.begin() + static_cast<std::ptrdiff_t>(count);
  std::sort(pool.begin(), split, [](const Candidate& a, const Candidate& b) { return a.refine_block < b.refine_block; });
  for (auto it = pool.begin(); it != split; ++it)
    if (g.refine_span == 1 && it->refine_block != kNoBlock)
      store.prefetch(it->refine_block, place_of_refine(g, it->slot).offset, g.refine_bytes);
  const std::size_t pending_bytes = delta_layout(space).refine_bytes;
  PageRef page;
  for (auto it = pool.begin(); it != split; ++it) {
    const Visit& v = visits[it->visit];
    const float* t = space.metric() == base::Metric::ip ? query.vector() : leaf_t.data() + v.t_at * g.dims;
    quant::Refined r{kFar, -std::numeric_limits<float>::infinity()};
    if (it->refine_block == kNoBlock) {
      const std::uint8_t* at = pending_codes.data() + it->slot * pending_bytes;
      r = quant::refine(query.refine(), t, v.product, at + sizeof(quant::RefineFactors),
                        *reinterpret_cast<const quant::RefineFactors*>(at));
    } else if (g.refine_span > 1) {
      RefineHeader header;
      if (read_refine(store, g, it->refine_block, v.node_id, it->slot, header, codes.data()) && header.row == it->row)
        r = quant::refine(query.refine(), t, v.product, codes.data(), header.factors);
    } else {
      if (page.block() != it->refine_block) {
        page.reset();
        store.tick();
        page = PageRef(store, it->refine_block, Latch::share);
      }
      if (belongs(page.data(), PageKind::refine, v.node_id)) {
        const std::uint8_t* at = page.data() + place_of_refine(g, it->slot).offset;
        const auto& header = *reinterpret_cast<const RefineHeader*>(at);
        // A row that has moved since is handed out unplaced: the executor decides.
        if (header.row == it->row) r = quant::refine(query.refine(), t, v.product, at + sizeof header, header.factors);
      }
    }
    const double bound = r.lower_bound == r.lower_bound ? r.lower_bound : -kInfinity;
    ready.push_back({{it->row, false, bound}, r.estimate == r.estimate ? r.estimate : kFar});
  }
  page.reset();
  counters.rows_refined += count;
}

// Takes the best `count` rows out of the pool and makes them ready, in the order of their bounds.
void Search::State::refine_into_ready(std::size_t count) {
  count = std::min(count, pool.size());
  const auto split = pool.begin() + static_cast<std::ptrdiff_t>(count);
  if (count < pool.size())
    std::nth_element(pool.begin(), split, pool.end(),
                     [](const Candidate& a, const Candidate& b) { return a.estimate < b.estimate; });
  ready.clear();
  given = 0;
  if (space.has_bits())
    place_bits(count);
  else
    refine(count);
  pool.erase(pool.begin(), split);
  std::sort(ready.begin(), ready.end(), [](const Ready& a, const Ready& b) { return a.hit.bound < b.hit.bound; });
}

// Puts exact distances in the place of estimates and bounds, of the best `most` rows, which are kept.
void Search::State::measure_ready(std::size_t most) {
  if (ready.size() > most) {
    std::nth_element(ready.begin(), ready.begin() + static_cast<std::ptrdiff_t>(most), ready.end(),
                     [](const Ready& a, const Ready& b) { return a.estimate < b.estimate; });
    ready.resize(most);
  }
  std::pmr::vector<MeasuredRow> rows(&memory);
  rows.reserve(ready.size());
  for (const Ready& r : ready) rows.push_back({r.hit.row, false, false, 0});
  options.exact->measure(rows);
  counters.rows_measured += rows.size();
  ready.clear();
  for (const MeasuredRow& m : rows) {
    if (!m.visible) continue;
    const bool number = m.known && m.distance == m.distance;
    ready.push_back({{m.row, false, number ? m.distance : -kInfinity}, number ? static_cast<float>(m.distance) : -kFar});
  }
  std::sort(ready.begin(), ready.end(), [](const Ready& a, const Ready& b) { return a.hit.bound < b.hit.bound; });
}

// Keeps all but the nearest `most` measured rows for the next wave, which may measure nearer ones.
void Search::State::hold_back(std::size_t most) {
  ready.insert(ready.end(), held.begin(), held.end());
  held.clear();
  std::sort(ready.begin(), ready.end(), [](const Ready& a, const Ready& b) { return a.hit.bound < b.hit.bound; });
  if (ready.size() <= most) return;
  held.assign(ready.begin() + static_cast<std::ptrdiff_t>(most), ready.end());
  ready.resize(most);
}

// Cuts what is ready to the rows that prove the first `wanted`, and one beyond them.
void Search::State::take_best(std::size_t count, std::size_t wanted) {
  refine_into_ready(count);
  if (options.exact != nullptr) measure_ready(count / kHashedKeep * kHashedMeasured);
  if (ready.size() <= wanted) return;
  std::pmr::vector<double> upper(&memory);
  upper.reserve(ready.size());
  for (const Ready& r : ready) upper.push_back(2.0 * r.estimate - r.hit.bound);
  std::nth_element(upper.begin(), upper.begin() + static_cast<std::ptrdiff_t>(wanted) - 1, upper.end());
  const double proof = upper[wanted - 1];
  std::size_t need = 0;
  while (need < ready.size() && ready[need].hit.bound <= proof) ++need;
  ready.resize(std::min(ready.size(), std::max(need, wanted) + 1));
}

}  // namespace longbow::tree
