// Waves of a search: visit leaves, keep the best by scan code, refine them, hand them out by lower bound.
#include "longbow/tree/search.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <new>

#include "search_state.hpp"

namespace longbow::tree {

namespace {

constexpr double kFirstWaveRows = 10;
constexpr double kWaveGrowth = 4;

}  // namespace

// -- waves

bool Search::State::run_wave() {
  const double k = kFirstWaveRows * std::pow(kWaveGrowth, wave);
  std::size_t probes = options.probes;
  if (probes == 0)
    probes = std::max(planned_probes(space.meta, options.target_recall, k), options.least_probes);
  else
    probes = static_cast<std::size_t>(std::min(1e9, static_cast<double>(probes) * std::pow(kWaveGrowth, wave)));
  probes = std::max(probes, wave == 0 ? std::size_t{1} : visited * 2);
  if (counters.waves++ == 0) counters.planned = probes;
  prune = wave == 0;
  keep = std::max<std::size_t>(16, rows_to_refine(k));
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
  counters.stopped = counters.stopped || (over_limit && !exhausted);
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
  if (space.has_bits()) return;
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

void Search::begin_trace(const float* prepared_query, std::uint32_t k) {
  State& s = *state_;
  s.options = SearchOptions{};
  s.ranking = Ranking::scored;
  s.query.adopt(prepared_query);
  s.begin_tree();
  s.prune = true;
  s.keep = std::max<std::size_t>(16, s.rows_to_refine(k) + 1);
  s.threshold = kFar;
}

std::size_t Search::trace_to(std::uint32_t probes, std::uint32_t k, RowId exclude, std::span<float> estimates) {
  State& s = *state_;
  // No further than a search of this effort would: what lies under inner nodes that it leaves closed is missed.
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

std::span<const std::uint32_t> Search::leaves_to(std::uint32_t probes) {
  State& s = *state_;
  s.leaf_ids.clear();
  for (const std::size_t end = s.frontier.prepare(probes); s.visited < end; ++s.visited)
    s.leaf_ids.push_back(s.frontier.leaf(s.visited).node_id);
  return s.leaf_ids;
}

const SearchCounters& Search::counters() const noexcept { return state_->counters; }

}  // namespace longbow::tree
