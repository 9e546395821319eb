// Measures recall against effort on the index's own rows.
//
// Queries are rows picked at random among those that training was not given, decoded from their refine codes; the truth is
// the k nearest by the refine codes of all rows, each query without itself. Both sides see the same codes, so that what is
// measured is what the probes miss.
//
// What searches find is what lies in the leaves that they visit, but for the little that scan codes lose. In which leaves the true
// neighbours lie is known, and the order of the leaves costs no look at a row: so all queries tell the first, and a few, searched
// in earnest, by how much the second differs from it. On 130,000 GloVe rows the whole calibration takes 0.9 s instead of 1.7
// (CREATE INDEX at DEBUG1, medians of six in turns).
#include <algorithm>
#include <atomic>
#include <cmath>
#include <new>
#include <limits>
#include <span>

#include "leaf_rows.hpp"
#include "longbow/base/random.hpp"
#include "longbow/tree/maintain.hpp"
#include "longbow/tree/search.hpp"
#include "longbow/tree/train.hpp"
#include "nearest_rows.hpp"

namespace longbow::tree {

namespace {

// Of fewer rows those that training was not given are too few.
constexpr std::uint64_t kLeastHeldOut = 1000;
// Effort is raised until so many lie in the leaves; beyond, more leaves tell nothing that a target needs.
constexpr float kEnoughRecall = 0.996F;
// Queries that are searched in earnest, by k. Recall of the 100 nearest averages over ten times as many rows a query.
constexpr std::size_t kSearched[kCalibrationKs] = {400, 400, 100};
// Up to so many; beyond, where each costs most and differs least, one in kFewDivisor of them.
constexpr float kFineRecall = 0.97F;
constexpr std::size_t kFewDivisor = 4;
// What a member takes at a time.
constexpr std::size_t kLeafGrain = 4, kQueryGrain = 4;

// How many of a query's k nearest rows lie in the leaves of each effort.
struct Covered {
  std::uint8_t rows[kCalibrationKs][kCalibrationPoints];
};
static_assert(kMostNeighbours <= UINT8_MAX && kMostNeighbours == kCalibrationK[kCalibrationKs - 1]);

// What searches of each effort have found, by all members.
struct Found {
  std::atomic<std::uint64_t> hits[kCalibrationPoints], first_hits[kCalibrationPoints];
  std::atomic<std::uint64_t> queries, possible;
};

// Sums over the rows that one member has read, of squared distances: from their leaf's centroid, and of the centroid from
// their mean.
struct Spread {
  double rows, centroids;
};

// Queries that are picked: some are picked twice, and a leaf split meanwhile loses its picks, so a few more make up for them.
constexpr std::size_t most_queries(std::size_t wanted) noexcept { return wanted + wanted / 8; }

class Calibrator {
 public:
  Calibrator(PageStore& store, const Space& space, std::size_t wanted, base::Crew& crew, quant::Watch& watch,
             std::pmr::memory_resource& memory)
      : store_(store),
        space_(space),
        crew_(crew),
        watch_(watch),
        memory_(memory),
        wanted_(wanted),
        leaves_(&memory),
        picked_(crew, 1),
        ids_(crew, most_queries(wanted)),
        queries_(crew, most_queries(wanted) * space.raw_cells()),
        nearest_(crew, most_queries(wanted)),
        covered_(crew, most_queries(wanted)),
        found_(crew, 1),
        spread_(crew, crew.members()),
        mean_(space.dims(), &memory),
        query_(space.has_bits() ? space.dims() : 0, &memory),
        set_(&memory),
        truth_(&memory),
        bars_(&memory),
        half_bars_(&memory),
        rows_(memory) {}

  Calibration run() {
    Calibration result{};
    list_leaves(store_, space_, leaves_, nullptr, memory_);
    crew_.lead([&] { pick_queries(); });
    count_ = picked_[0].count;
    result.rows = picked_[0].rows;
    result.leaves = static_cast<std::uint32_t>(leaves_.size());
    result.queries = static_cast<std::uint32_t>(count_);
    if (count_ == 0) return result;
    find_truth();
    exchange_truth();
    result.drift = drift();
    measure(result);
    return result;
  }

  static std::size_t shared_bytes(std::size_t cells, std::size_t wanted, std::size_t members) noexcept {
    const std::size_t m = most_queries(wanted);
    return base::Shared<Picked>::bytes(1) + base::Shared<RowId>::bytes(m) + base::Shared<float>::bytes(m * cells) +
           base::Shared<Nearest>::bytes(m) + base::Shared<Covered>::bytes(m) + base::Shared<Found>::bytes(1) + base::Shared<Spread>::bytes(members) +
           base::Shared<Nearest>::bytes(m * members);
  }

 private:
  // Reads a leaf; false if it was split meanwhile (its rows are then left out: the calibration is a sample).
  bool read(const NodeRef& leaf) {
    store_.tick();
    const PageRef head(store_, leaf.head, Latch::share);
    if (!is_head_of(space_, head.data(), leaf.node_id, leaf.head)) return false;
    if ((node_head(head.data()).flags & kMoved) != 0) return false;
    read_leaf_rows(store_, space_, head, rows_);
    return true;
  }

  // Fills queries_ and ids_ with rows picked at random: the leader's work.
  void pick_queries() {
    new (picked_.data()) Picked{};
    std::pmr::vector<std::uint64_t> ends(&memory_);
    std::uint64_t total = 0;
    for (const NodeRef& leaf : leaves_) {
      const PageRef head(store_, leaf.head, Latch::share);
      if (is_head_of(space_, head.data(), leaf.node_id, leaf.head)) {
        const NodeHead& h = node_head(head.data());
        total += h.rows - std::min(h.rows, h.free);
      }
      ends.push_back(total);
    }
    picked_[0].rows = total;
    if (total < 2) return;
    std::pmr::vector<std::uint64_t> picks(&memory_);
    const std::uint64_t enough = most_queries(wanted_);
    for (std::size_t i = 0; i < std::min(enough, total); ++i) picks.push_back(total <= enough ? i : random_.below(total));
    std::sort(picks.begin(), picks.end());
    picks.erase(std::unique(picks.begin(), picks.end()), picks.end());
    std::pmr::vector<std::uint32_t> usable(&memory_);
    const std::size_t n = space_.dims();
    // Queries of the inner product are not centred: the centre, rotated, is added back.
    std::pmr::vector<float> shift(n, 0.0F, &memory_);
    if (space_.metric() == base::Metric::ip) {
      std::copy_n(space_.centre, n, shift.data());
      quant::rotate(space_.signs, shift.data(), n);
    }
    std::size_t at = 0;
    std::size_t count = 0;
    for (std::size_t l = 0; l < leaves_.size() && at < picks.size(); ++l) {
      if (picks[at] >= ends[l]) continue;
      const std::uint64_t start = l == 0 ? 0 : ends[l - 1];
      usable.clear();
      if (read(leaves_[l]))
        for (std::uint32_t i = 0; i < rows_.rows.size(); ++i)
          if (total < kLeastHeldOut || held_out(rows_.rows[i])) usable.push_back(i);
      std::size_t next = 0;
      for (; at < picks.size() && picks[at] < ends[l]; ++at) {
        // The leaf's rows that may be picked stand for all of them; one that is taken, for the next.
        const std::size_t which = std::max(next, (picks[at] - start) * usable.size() / (ends[l] - start));
        if (which >= usable.size()) continue;
        next = which + 1;
        const std::uint32_t i = usable[which];
        ids_[count] = rows_.rows[i];
        if (space_.has_bits())
          quant::gather_bits(rows_.vectors.data() + i * n, n, cells_of(count));
        else
          for (std::size_t d = 0; d < n; ++d) queries_[count * n + d] = rows_.vectors[i * n + d] + shift[d];
        ++count;
      }
    }
    picked_[0].count = count;
  }

  // The nearest rows of every query among the leaves that this member takes.
  void find_truth() {
    const std::size_t n = space_.dims();
    const std::size_t m = count_;
    truth_.reserve(m);
    for (std::size_t q = 0; q < m; ++q) truth_.emplace_back(memory_);
    if (space_.has_bits())
      for (std::size_t q = 0; q < m; ++q) set_.push_back(static_cast<std::uint32_t>(quant::count_bits(cells_of(q), n)));
    std::pmr::vector<float> packed(space_.has_bits() ? 0 : simd::packed_floats(m, n), &memory_);
    if (!space_.has_bits()) simd::pack_columns(queries_.data(), m, n, packed.data());
    std::pmr::vector<float> dots(&memory_);
    std::pmr::vector<std::uint32_t> near(m + 16, &memory_);
    bars_.assign(m, std::numeric_limits<float>::max());
    half_bars_.assign(m, std::numeric_limits<float>::max() / 2);
    spread_[crew_.me()] = {};
    crew_.for_each(leaves_.size(), kLeafGrain, [&](std::size_t first, std::size_t end) {
      watch_.tick(first, leaves_.size());
      for (std::size_t l = first; l < end; ++l) {
        if (!read(leaves_[l])) continue;
        if (space_.has_bits())
          compare_bits();
        else
          compare_leaf(packed, dots, near);
        measure_spread();
      }
    });
    for (Truth& t : truth_) t.finish();
  }

  // Of the leaf that was read.
  void measure_spread() {
    const std::size_t count = rows_.rows.size();
    if (count == 0) return;
    const auto& k = simd::kernels();
    const std::size_t n = space_.dims();
    double rows = 0;
    std::fill(mean_.begin(), mean_.end(), 0.0F);
    for (std::size_t i = 0; i < count; ++i) {
      const float* v = rows_.vectors.data() + i * n;
      k.add_to(v, mean_.data(), n);
      rows += static_cast<double>(k.l2_squared(v, rows_.centroid.data(), n));
    }
    k.scale(mean_.data(), 1.0F / static_cast<float>(count), n);
    Spread& sums = spread_[crew_.me()];
    sums.rows += rows;
    sums.centroids += static_cast<double>(count) * static_cast<double>(k.l2_squared(mean_.data(), rows_.centroid.data(), n));
  }
  [[nodiscard]] float drift() const noexcept {
    Spread all{};
    for (const Spread& s : spread_) {
      all.rows += s.rows;
      all.centroids += s.centroids;
    }
    return all.rows > 0 ? static_cast<float>(all.centroids / all.rows) : 0;
  }

  // A query's cells, where rows are bits.
  [[nodiscard]] std::uint8_t* cells_of(std::size_t q) noexcept {
    return reinterpret_cast<std::uint8_t*>(queries_.data() + q * space_.raw_cells());
  }

  // Offers the bits that were read to the queries that are near.
  void compare_bits() {
    const auto& k = simd::kernels();
    const Geometry& g = space_.leaf;
    const Form form = leaf_form(space_);
    for (std::size_t q = 0; q < count_; ++q) {
      for (std::size_t b = 0; b < rows_.factors.size(); ++b) {
        alignas(64) std::int32_t both[16] = {};
        alignas(64) float distance[16];
        const BitFactors& f = rows_.factors[b];
        k.block_both(rows_.blocks.data() + b * g.groups * simd::kGroupBytes, g.groups, cells_of(q), both);
        std::uint32_t mask = score_bits(form, set_[q], f.set, both, bars_[q], distance);
        const std::size_t end = std::min<std::size_t>(16, rows_.head.head.rows - b * 16);
        for (mask &= (1U << end) - 1; mask != 0; mask &= mask - 1) {
          const auto i = static_cast<std::size_t>(__builtin_ctz(mask));
          if (!is_free(f.ids, i)) offer(q, distance[i], {f.ids.row_block[i], f.ids.row_offset[i]});
        }
      }
    }
  }

  // Offers the rows that were read to the queries that are near.
  void compare_leaf(const std::pmr::vector<float>& packed, std::pmr::vector<float>& dots, std::pmr::vector<std::uint32_t>& near) {
    const auto& k = simd::kernels();
    const std::size_t n = space_.dims();
    const std::size_t m = count_;
    const std::size_t count = rows_.rows.size();
    if (space_.metric() == base::Metric::l1) {
      for (std::size_t i = 0; i < count; ++i)
        for (std::size_t q = 0; q < m; ++q)
          offer(q, k.l1(rows_.vectors.data() + i * n, queries_.data() + q * n, n), rows_.rows[i]);
      return;
    }
    const std::size_t stride = (m + simd::kPanelColumns - 1) / simd::kPanelColumns * simd::kPanelColumns;
    dots.resize(count * stride);
    k.dot_packed(rows_.vectors.data(), count, packed.data(), m, n, dots.data(), stride);
    const float half = space_.metric() == base::Metric::ip ? 0.0F : 1.0F;
    for (std::size_t i = 0; i < count; ++i) {
      const float* v = rows_.vectors.data() + i * n;
      const float own = half * k.inner_product(v, v, n);
      // Hardly any pair is near, own - 2 dot <= bar: the comparison of all goes ahead of any work on one.
      const std::size_t found = k.select_sums(dots.data() + i * stride, half_bars_.data(), m, 0.5F * own, near.data());
      for (std::size_t f = 0; f < found; ++f) offer(near[f], own - 2.0F * dots[i * stride + near[f]], rows_.rows[i]);
    }
  }
  void offer(std::size_t q, float distance, RowId row) {
    if (!(distance < truth_[q].bar) || row == ids_[q]) return;
    truth_[q].add({distance, rows_.head.head.node_id});
    bars_[q] = std::min(truth_[q].bar, std::numeric_limits<float>::max());
    half_bars_[q] = 0.5F * bars_[q];
  }

  // Brings together what the members have found.
  void exchange_truth() {
    const base::Shared<Nearest> all(crew_, count_ * crew_.members());
    for (std::size_t q = 0; q < count_; ++q) store_nearest(truth_[q], all[crew_.me() * count_ + q]);
    crew_.barrier();
    crew_.for_each(count_, kQueryGrain, [&](std::size_t first, std::size_t end) {
      for (std::size_t q = first; q < end; ++q) {
        Truth merged(memory_);
        for (std::size_t m = 0; m < crew_.members(); ++m) {
          const Nearest& part = all[m * count_ + q];
          for (std::size_t i = 0; i < part.count; ++i) merged.add(part.row[i]);
        }
        merged.finish();
        store_nearest(merged, nearest_[q]);
      }
    });
    truth_.clear();
  }
  static void store_nearest(const Truth& truth, Nearest& out) {
    out.count = static_cast<std::uint32_t>(truth.best.size());
    std::copy(truth.best.begin(), truth.best.end(), out.row);
  }

  // A query as searches take it.
  const float* prepared(std::size_t q) {
    const float* query = queries_.data() + q * space_.raw_cells();
    if (!space_.has_bits()) return query;
    space_.prepare_row(query, query_.data());
    return query_.data();
  }
  [[nodiscard]] float squared_of(const float* query) const noexcept {
    return space_.has_bits() ? 0.0F : simd::kernels().inner_product(query, query, space_.dims());
  }
  // How far the k-th nearest row is, in the units of find_truth(), with room for rounding.
  [[nodiscard]] static float bar_of(const Nearest& truth, std::size_t k, float query_squared) noexcept {
    const float distance = truth.row[k - 1].distance;
    return distance + 1e-5F * (std::abs(distance) + query_squared);
  }

  // The search's estimate in the units of find_truth(): without |q|^2, and squared for L2.
  [[nodiscard]] float in_truth_units(float estimate, float query_squared) const noexcept {
    if (space_.has_bits()) return estimate;
    switch (space_.metric()) {
      case base::Metric::l2: return estimate * estimate - query_squared;
      case base::Metric::cosine: return 2.0F * estimate - query_squared;
      case base::Metric::ip: return 2.0F * estimate;
      case base::Metric::l1: return estimate;
    }
    return estimate;
  }

  // Shares of the k nearest that searches of each effort find, over every step-th query. A found row counts if it is
  // as near as the k-th by truth: duplicates are as good as each other.
  // `first` receives the shares of the single nearest, seen by the same searches.
  void recalls(Search& search, std::uint32_t k, std::size_t step, std::span<const std::uint32_t> probes, float* out, float* first) {
    crew_.lead([&] { new (found_.data()) Found{}; });
    crew_.for_each((count_ + step - 1) / step, kQueryGrain, [&](std::size_t from, std::size_t to) {
      watch_.tick(from * step, count_);
      for (std::size_t i = from; i < to; ++i) try_query(search, i * step, k, probes);
    });
    const Found& f = found_[0];
    for (std::size_t i = 0; i < probes.size(); ++i) {
      out[i] = f.possible == 0 ? 1.0F : static_cast<float>(f.hits[i]) / static_cast<float>(f.possible);
      first[i] = f.queries == 0 ? 1.0F : static_cast<float>(f.first_hits[i]) / static_cast<float>(f.queries);
    }
    crew_.barrier();
  }

  void try_query(Search& search, std::size_t q, std::uint32_t k, std::span<const std::uint32_t> probes) {
    const Nearest& truth = nearest_[q];
    const std::size_t want = truth.up_to(k);
    if (want == 0) return;
    const float* query = prepared(q);
    const float squared = squared_of(query);
    const float bar = bar_of(truth, want, squared), nearest = bar_of(truth, 1, squared);
    float estimates[kMostNeighbours];
    Found& f = found_[0];
    search.trace(query, probes, k, ids_[q], estimates,
                 [&](std::size_t effort, std::span<const float> found, std::size_t count) {
                   std::uint64_t hits = 0;
                   for (std::size_t i = 0; i < std::min(count, want); ++i)
                     hits += in_truth_units(found[i], squared) <= bar ? 1 : 0;
                   f.hits[effort] += hits;
                   if (count > 0 && in_truth_units(found[0], squared) <= nearest) ++f.first_hits[effort];
                 });
    ++f.queries;
    f.possible += want;
  }

  // Counts, for every query, the nearest rows in the leaves of each effort: of rows as near as the k-th, any k.
  void cover(Search& search, std::span<const std::uint32_t> probes) {
    crew_.for_each(count_, kQueryGrain, [&](std::size_t first, std::size_t end) {
      watch_.tick(first, count_);
      for (std::size_t q = first; q < end; ++q) cover_query(search, q, probes);
    });
  }
  void cover_query(Search& search, std::size_t q, std::span<const std::uint32_t> probes) {
    const Nearest& truth = nearest_[q];
    const float* query = prepared(q);
    const float squared = squared_of(query);
    std::uint8_t want[kCalibrationKs], met[kCalibrationKs] = {};
    float bar[kCalibrationKs];
    for (std::size_t c = 0; c < kCalibrationKs; ++c) {
      want[c] = static_cast<std::uint8_t>(truth.up_to(kCalibrationK[c]));
      bar[c] = want[c] > 0 ? bar_of(truth, want[c], squared) : 0;
      std::fill_n(covered_[q].rows[c], kCalibrationPoints, want[c]);
    }
    std::size_t left = truth.count;
    search.trace_leaves(query, probes, [&](std::size_t effort, std::span<const std::uint32_t> leaves) {
      for (const std::uint32_t leaf : leaves)
        for (const Neighbour& near : std::span(truth.row, truth.count)) {
          if (near.leaf != leaf) continue;
          --left;
          for (std::size_t c = 0; c < kCalibrationKs; ++c) met[c] += near.distance <= bar[c] && met[c] < want[c] ? 1 : 0;
        }
      for (std::size_t c = 0; c < kCalibrationKs; ++c) covered_[q].rows[c][effort] = met[c];
      return left > 0;
    });
  }
  // The share of the k nearest of queries 0, step, ... that lies in the leaves of an effort.
  [[nodiscard]] float covered(std::size_t c, std::size_t step, std::size_t effort) const noexcept {
    std::uint64_t met = 0, possible = 0;
    for (std::size_t q = 0; q < count_; q += step) {
      met += covered_[q].rows[c][effort];
      possible += nearest_[q].up_to(kCalibrationK[c]);
    }
    return possible > 0 ? static_cast<float>(met) / static_cast<float>(possible) : 1.0F;
  }

  // The curve of the k nearest, and of the single nearest seen by the same searches: what lies in the leaves, and by how much
  // searches of a few queries differ from that.
  void measure_curve(Search& search, std::size_t c, std::span<const std::uint32_t> probes, Calibration& result) {
    std::size_t used = 1;
    while (used < probes.size() && covered(c, 1, used - 1) < kEnoughRecall) ++used;
    std::size_t fine = 1;
    while (fine < used && covered(c, 1, fine - 1) < kFineRecall) ++fine;
    const std::size_t step = std::max<std::size_t>(1, count_ / kSearched[c]);
    curve(search, c, step, probes.first(fine), 0, result);
    if (used > fine) curve(search, c, step * kFewDivisor, probes.first(used), fine, result);
  }
  // Its points from `from` on.
  void curve(Search& search, std::size_t c, std::size_t step, std::span<const std::uint32_t> probes, std::size_t from,
             Calibration& result) {
    float found[kCalibrationPoints], first[kCalibrationPoints];
    recalls(search, kCalibrationK[c], step, probes, found, first);
    const auto put = [&](std::size_t which, const float* share) {
      float before = from > 0 ? result.curve[which][from - 1].recall : 0;
      for (std::size_t i = from; i < probes.size(); ++i) {
        const float recall = covered(which, 1, i) + share[i] - covered(which, step, i);
        before = std::clamp(recall, before, 1.0F);
        result.curve[which][i] = {static_cast<float>(probes[i]), before};
      }
      result.points[which] = static_cast<std::uint32_t>(probes.size());
    };
    put(c, found);
    if (c == 1) put(0, first);
  }

  void measure(Calibration& result) {
    Search search(store_, space_, memory_);
    const auto most = static_cast<std::uint32_t>(leaves_.size());
    std::uint32_t grid[kCalibrationPoints];
    std::size_t points = 0;
    for (std::uint32_t p = 1; points < kCalibrationPoints; p = p < 4 ? p + 1 : p + p / 2) {
      grid[points++] = std::min(p, most);
      if (p >= most) break;
    }
    cover(search, {grid, points});
    for (std::size_t c = 1; c < kCalibrationKs; ++c) measure_curve(search, c, {grid, points}, result);
  }

  struct Picked {
    std::size_t count;
    std::uint64_t rows;
  };

  PageStore& store_;
  const Space& space_;
  base::Crew& crew_;
  quant::Watch& watch_;
  std::pmr::memory_resource& memory_;
  std::size_t wanted_, count_ = 0;
  std::pmr::vector<NodeRef> leaves_;
  base::Shared<Picked> picked_;
  base::Shared<RowId> ids_;
  base::Shared<float> queries_;  // raw cells where rows are bits
  base::Shared<Nearest> nearest_;
  base::Shared<Covered> covered_;
  base::Shared<Found> found_;
  base::Shared<Spread> spread_;  // by each member
  std::pmr::vector<float> mean_, query_;
  std::pmr::vector<std::uint32_t> set_;  // of queries that are bits: how many are set
  std::pmr::vector<Truth> truth_;  // by what this member has read
  std::pmr::vector<float> bars_, half_bars_;  // of truth_, side by side
  LeafRows rows_;
  base::SplitMix64 random_{1};
};

}  // namespace

Calibration calibrate(PageStore& store, const Space& space, std::size_t queries, base::Crew& crew, quant::Watch& watch,
                      std::pmr::memory_resource& memory) {
  return Calibrator(store, space, queries, crew, watch, memory).run();
}

std::size_t calibration_bytes(const Meta& meta, std::size_t queries, std::size_t members) noexcept {
  return Calibrator::shared_bytes(raw_cells(meta), queries, members);
}

}  // namespace longbow::tree
