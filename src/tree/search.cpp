// Waves of a search: visit leaves, keep the best by scan code, refine them, hand them out by lower bound.
#include "longbow/tree/search.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <new>

#include "frontier.hpp"
#include "pending_scorer.hpp"

namespace longbow::tree {

namespace {

using base::Errc;
using base::Error;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// A reader that keeps losing its pages meets corruption, not concurrency.
constexpr int kMostRestarts = 16;
constexpr int kMostWalks = 8;
constexpr double kFirstWaveRows = 10;
constexpr double kWaveGrowth = 4;
// Where pending rows are kept by coarser codes than the tree's, so many times more of them are refined.
constexpr std::size_t kCoarseKeep = 4;
// Where codes are of hashed vectors, each wave refines so many times more rows; the first measures so many times as many
// as it would refine otherwise, later ones all.
constexpr std::size_t kHashedKeep = 4, kHashedMeasured = 1;

// What a visited leaf brings to the refinement of its rows.
struct Visit {
  std::uint32_t node_id;
  float product;      // ip: <q, centroid>
  std::uint32_t t_at; // offset of q - centroid in the pool of them
};

struct Ready {
  Hit hit;
  float estimate;
};

}  // namespace

struct Search::State {
  enum class Phase : std::uint8_t { bare, unknowns, waves, unknowns_late, nans, nulls, done };

  State(PageStore& store_arg, const Space& space_arg, std::pmr::memory_resource& memory_arg)
      : store(store_arg),
        space(space_arg),
        memory(memory_arg),
        query(space, memory),
        frontier(store, space, query, memory),
        pool(&memory),
        visits(&memory),
        leaf_t(&memory),
        ready(&memory),
        held(&memory),
        pending(&memory),
        head(memory),
        centroid(&memory),
        codes(&memory),
        pending_codes(&memory),
        pending_pool(&memory),
        bare(&memory),
        seen(memory),
        returned(memory) {}

  PageStore& store;
  Space space;
  std::pmr::memory_resource& memory;
  SearchOptions options;
  SearchCounters counters;
  Query query;
  Frontier frontier;
  Ranking ranking = Ranking::scored;
  Phase phase = Phase::unknowns;

  std::pmr::vector<Candidate> pool;
  std::pmr::vector<Visit> visits;
  std::pmr::vector<float> leaf_t;
  std::pmr::vector<Ready> ready;
  std::pmr::vector<Ready> held;  // measured rows that may yet be preceded
  std::size_t given = 0;
  std::pmr::vector<NodeRef> pending;
  HeadCopy head;
  std::pmr::vector<float> centroid;
  std::pmr::vector<std::uint8_t> codes;
  std::pmr::vector<std::uint8_t> pending_codes;  // refine factors and codes of pending candidates, copied
  std::pmr::vector<Candidate> pending_pool;      // of the first wave
  std::pmr::vector<RowId> bare;                  // pending rows that only the executor can place
  mem::FlatSet seen;      // leaves visited
  mem::FlatSet returned;  // rows handed out
  std::size_t visited = 0;
  int wave = 0;
  int restarts = 0;
  bool prune = false;
  float threshold = kFar;
  std::size_t keep = 0;
  double highest_bound = -kInfinity;
  BlockId plain_at = kNoBlock;
  std::size_t plain_pages = 0, plain_limit = 64;
  std::uint32_t moves = 0;  // of the meta page, when the walk that goes on began
  int walks = 0;            // that came to an end
  BlockId next_head = kNoBlock;  // the leaf that will be visited next
  std::uint64_t limited_rows = 0;  // rows scored, those of the first wave's leaves once
  bool lost = false;        // a page changed hands: the tree is read again
  bool waves_left = true;

  void begin_tree();
  void take_pending();
  void give_bare();
  void visit(NodeRef first);
  void visit_one(NodeRef node);
  void collect(std::size_t first, std::uint32_t mask, const LeafFactors& f, const float* estimate,
               std::uint32_t visit_index);
  void trim();
  void take_best(std::size_t count, std::size_t wanted);
  void refine_into_ready(std::size_t count);
  void measure_ready(std::size_t most);
  void hold_back(std::size_t most);
  bool run_wave();
  bool run_blind();
  bool run_plain(std::uint16_t flags);
  void restart_tree();
  bool look_again();
  // Reads the chain of plain rows once more, for the next phase.
  void next_plain(Phase next) {
    phase = next;
    plain_at = space.meta.plain_head;
    plain_pages = 0;
  }
};

// -- leaves

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
  const float* c = g.centroid_span == 0 ? inline_centroid(g, page.data()) : centroid.data();
  if (g.centroid_span > 0) {
    page.reset();
    if (!read_centroid(store, space, head, nullptr, centroid.data())) {
      lost = true;
      return;
    }
  }
  ++counters.leaves;
  counters.rows_scored += head.head.rows;
  limited_rows += head.head.rows;
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
  const bool scored = ranking == Ranking::scored;
  BlockScorer scorer(g, block, form_of(space.metric()));
  scorer.set_base(base);
  const bool whole = for_each_block<LeafFactors>(store, g, head, page, scored ? &scorer : nullptr,
                                                 [&](std::size_t first, const LeafFactors& f) {
                                                   alignas(64) float estimate[16] = {};
                                                   std::uint32_t mask = 0xFFFF;
                                                   if (scored) {
                                                     const std::uint32_t below =
                                                         scorer.score(f.add, f.scale, threshold, estimate);
                                                     if (prune) mask = below;
                                                   }
                                                   collect(first, mask, f, estimate, index);
                                                 },
                                                 next_head);
  if (!whole) lost = true;
}

void Search::State::collect(std::size_t first, std::uint32_t mask, const LeafFactors& f, const float* estimate,
                            std::uint32_t visit_index) {
  const Geometry& g = space.leaf;
  const std::size_t end = std::min<std::size_t>(16, head.head.rows - first);
  for (mask &= (1U << end) - 1; mask != 0; mask &= mask - 1) {
    const auto i = static_cast<std::size_t>(__builtin_ctz(mask));
    if (is_free(f, i)) continue;
    const RowId row{f.row_block[i], f.row_offset[i]};
    if (!prune && returned.contains(row_key(row))) continue;
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

// -- refinement

// Refines the best `count` rows of the pool and makes them ready, in the order of their bounds.
void Search::State::refine_into_ready(std::size_t count) {
  const Geometry& g = space.leaf;
  count = std::min(count, pool.size());
  const auto split = pool.begin() + static_cast<std::ptrdiff_t>(count);
  if (count < pool.size())
    std::nth_element(pool.begin(), split, pool.end(),
                     [](const Candidate& a, const Candidate& b) { return a.estimate < b.estimate; });
  std::sort(pool.begin(), split, [](const Candidate& a, const Candidate& b) { return a.refine_block < b.refine_block; });
  ready.clear();
  given = 0;
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

// -- waves

bool Search::State::run_wave() {
  const double k = kFirstWaveRows * std::pow(kWaveGrowth, wave);
  std::size_t probes = options.probes;
  if (probes == 0)
    probes = planned_probes(space.meta, options.target_recall, k);
  else
    probes = static_cast<std::size_t>(std::min(1e9, static_cast<double>(probes) * std::pow(kWaveGrowth, wave)));
  probes = std::max(probes, wave == 0 ? std::size_t{1} : visited * 2);
  ++counters.waves;
  prune = wave == 0;
  keep = std::max<std::size_t>(16, planned_refine(space.leaf.bits, k));
  if (options.exact != nullptr) keep *= kHashedKeep;
  threshold = kFar;
  // The first wave forgets what it does not hand out; the second visits its leaves again, now keeping all.
  if (wave == 1) {
    begin_tree();
    limited_rows = 0;
  }
  if (wave <= 1) take_pending();
  const std::size_t end = frontier.prepare(probes);
  bool full = false;
  while (visited < end && !lost && !frontier.lost()) {
    next_head = visited + 1 < end ? frontier.leaf(visited + 1).head : kNoBlock;
    store.prefetch(next_head, 0, space.leaf.head_codes);
    store.prefetch(next_head, kTrailerOffset, sizeof(Trailer));
    visit(frontier.leaf(visited++));
    if (options.max_rows > 0 && limited_rows >= options.max_rows) break;
    full = !prune && pool.size() * sizeof(Candidate) + leaf_t.size() * sizeof(float) > options.memory_limit;
    if (full) break;
  }
  if (lost || frontier.lost()) {
    lost = false;
    restart_tree();
    // Pending rows may have gone into leaves that were read before.
    wave = 1;
    return true;
  }
  const bool exhausted = visited >= end && frontier.complete() && visited >= frontier.known();
  const bool over_limit = options.max_rows > 0 && limited_rows >= options.max_rows;
  if (wave == 0) {
    // Estimates of pending rows are coarser: all that were kept are refined.
    if (!pending_pool.empty()) {
      trim();
      pool.insert(pool.end(), pending_pool.begin(), pending_pool.end());
    }
    take_best(keep + pending_pool.size(), static_cast<std::size_t>(kFirstWaveRows));
  } else {
    refine_into_ready(full ? pool.size() : keep);
    if (options.exact != nullptr) {
      measure_ready(ready.size());
      hold_back(full || (pool.empty() && (exhausted || over_limit)) ? SIZE_MAX : static_cast<std::size_t>(k));
    }
    if (pool.empty()) {
      visits.clear();
      leaf_t.clear();
    }
  }
  give_bare();
  // A row can have been met twice if it moved; the set of returned rows decides.
  std::erase_if(ready, [&](const Ready& r) { return !returned.insert(row_key(r.hit.row)); });
  if (!ready.empty()) restarts = 0;
  if (options.strict_order && wave > 0)
    std::erase_if(ready, [&](const Ready& r) { return r.hit.bound < highest_bound; });
  if (!ready.empty()) highest_bound = std::max(highest_bound, ready.back().hit.bound);
  // Nothing is left once the pool is empty and all leaves have been visited without forgetting.
  const bool more = wave == 0 || !pool.empty() || !held.empty() || (!exhausted && !over_limit);
  if (!more && exhausted && look_again()) {
    wave = 1;
    return true;
  }
  // The leaves that filled the second wave must not be visited a third time.
  if (!full || wave == 1) ++wave;
  return more && !(over_limit && wave > 0 && pool.empty());
}

// Every row of one more leaf, for queries that cannot rank.
bool Search::State::run_blind() {
  prune = false;
  const std::size_t end = frontier.prepare(visited + 1);
  if (visited >= end) {
    if (!frontier.lost()) return look_again();
    restart_tree();
    return true;
  }
  visits.clear();
  visit(frontier.leaf(visited++));
  ready.clear();
  given = 0;
  for (const Candidate& c : pool)
    if (returned.insert(row_key(c.row)))
      ready.push_back({{c.row, ranking == Ranking::null, ranking == Ranking::null ? 0.0 : -kInfinity}, 0});
  pool.clear();
  if (!ready.empty()) restarts = 0;
  if (lost || frontier.lost()) {
    lost = false;
    restart_tree();
  }
  return true;
}

// One page of plain rows; false when the chain has ended.
bool Search::State::run_plain(std::uint16_t flags) {
  if (plain_at == kNoBlock) return false;
  store.tick();
  // Asked for only where the chain is longer than the file was: counting takes the file's extension lock.
  if (++plain_pages > plain_limit) {
    plain_limit = store.block_count();
    if (plain_pages > plain_limit) throw_corrupted(plain_at, "the chain of plain rows has a loop");
  }
  const PageRef page(store, plain_at, Latch::share);
  const Trailer& t = trailer(page.data());
  if (t.magic != kTrailerMagic || t.kind != PageKind::plain || t.used > kPlainCapacity)
    throw_corrupted(plain_at, "a page of plain rows was expected");
  const PlainEntry* entries = plain_entries(page.data());
  ready.clear();
  given = 0;
  for (std::size_t i = 0; i < t.used; ++i) {
    if (entries[i].offset == 0 || (entries[i].flags != flags && ranking != Ranking::null)) continue;
    const RowId row{entries[i].block, entries[i].offset};
    if (!returned.insert(row_key(row))) continue;
    Hit hit{row, false, -kInfinity};
    if (ranking == Ranking::null || flags == kPlainNull) hit = {row, true, 0};
    else if (flags == kPlainNan && ranking == Ranking::scored) hit.bound = std::numeric_limits<double>::quiet_NaN();
    ready.push_back({hit, 0});
  }
  plain_at = t.next;
  return true;
}

// -- the iterator

Search::Search(PageStore& store, const Space& space, std::pmr::memory_resource& memory)
    : state_(new (memory.allocate(sizeof(State), alignof(State))) State(store, space, memory)) {
  state_->centroid.resize(space.dims());
  state_->codes.resize(space.dims());
}

Search::~Search() {
  std::pmr::memory_resource& memory = state_->memory;
  state_->~State();
  memory.deallocate(state_, sizeof(State), alignof(State));
}

void Search::start(const float* query, const SearchOptions& options) {
  State& s = *state_;
  s.options = options;
  s.ranking = query == nullptr ? Ranking::null : s.space.dims() == 0 ? Ranking::blind : s.query.prepare(query);
  s.phase = State::Phase::bare;
  s.plain_at = s.space.meta.plain_head;
  s.moves = s.space.meta.moves;
  s.walks = 0;
  s.begin_tree();
}

bool Search::next(Hit& hit) {
  State& s = *state_;
  for (;;) {
    if (s.given < s.ready.size()) {
      hit = s.ready[s.given++].hit;
      return true;
    }
    switch (s.phase) {
      case State::Phase::bare:
        s.phase = State::Phase::unknowns;
        if (s.ranking == Ranking::scored) break;
        s.ready.clear();
        s.given = 0;
        s.take_pending();
        s.give_bare();
        std::erase_if(s.ready, [&](const Ready& r) { return !s.returned.insert(row_key(r.hit.row)); });
        break;
      case State::Phase::unknowns:
        // Only the executor can place these rows: they come first. A NULL or blind query takes all in one go at the end.
        if (s.ranking != Ranking::scored || s.space.meta.unknowns == 0 || !s.run_plain(kPlainUnknown)) {
          s.next_plain(State::Phase::waves);
        }
        break;
      case State::Phase::waves:
        if (s.ranking == Ranking::scored ? s.waves_left : s.run_blind()) {
          if (s.ranking == Ranking::scored) s.waves_left = s.run_wave();
        } else {
          s.next_plain(s.ranking == Ranking::blind ? State::Phase::unknowns_late : State::Phase::nans);
        }
        break;
      case State::Phase::unknowns_late:
        if (!s.run_plain(kPlainUnknown)) s.next_plain(State::Phase::nans);
        break;
      case State::Phase::nans:
        if (!s.run_plain(kPlainNan)) s.next_plain(s.ranking == Ranking::null ? State::Phase::done : State::Phase::nulls);
        break;
      case State::Phase::nulls:
        if (!s.run_plain(kPlainNull)) s.next_plain(State::Phase::done);
        break;
      case State::Phase::done: return false;
    }
  }
}

void Search::begin_trace(const float* prepared_query, std::uint32_t k, std::uint32_t most) {
  State& s = *state_;
  s.options = SearchOptions{};
  s.ranking = Ranking::scored;
  s.query.adopt(prepared_query);
  s.begin_tree();
  s.prune = true;
  s.keep = std::max<std::size_t>(16, planned_refine(s.space.leaf.bits, k) + 1);
  s.threshold = kFar;
  s.frontier.prepare(most);
}

std::size_t Search::trace_to(std::uint32_t probes, std::uint32_t k, RowId exclude, std::span<float> estimates) {
  State& s = *state_;
  const std::size_t end = s.frontier.prepare(probes);
  while (s.visited < end) s.visit(s.frontier.leaf(s.visited++));
  // Refining takes rows out of the pool, which the next effort still needs.
  const std::pmr::vector<Candidate> pool(s.pool, &s.memory);
  s.refine_into_ready(s.keep);
  s.pool = pool;
  std::sort(s.ready.begin(), s.ready.end(), [](const Ready& a, const Ready& b) { return a.estimate < b.estimate; });
  std::size_t count = 0;
  for (std::size_t i = 0; i < s.ready.size() && count < k; ++i)
    if (!(s.ready[i].hit.row == exclude)) estimates[count++] = s.ready[i].estimate;
  s.ready.clear();
  s.given = 0;
  return count;
}

const SearchCounters& Search::counters() const noexcept { return state_->counters; }

}  // namespace longbow::tree
