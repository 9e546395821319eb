// One nearest-neighbour search: an iterator over rows in the order of sound lower bounds.
//
// A search works in waves. The first visits the leaves that the calibration names for ten rows, keeps the best by scan
// code, refines them and hands out what the executor needs to prove ten rows. When more is asked for, each further wave
// serves four times as many rows: it visits more leaves and refines more of the rows seen, until nothing is left. A row
// is handed out at most once.
//
// Order: rows that only the executor can judge (bound -infinity), the tree's rows, rows at distance NaN, then NULL. Pending
// rows count as the tree's; they are read before the tree, so that a row on its way is met at least once.
// Concurrency: at most one latch at a time. A leaf that was split meanwhile leads to the nodes that took its rows, and a
// node born after the search began leads to its sibling, so that no row that was there at the start is missed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <span>

#include "longbow/tree/delta.hpp"
#include "longbow/tree/space.hpp"

namespace longbow::tree {

// Exact distances of rows, from whoever can read them.
struct MeasuredRow {
  RowId row;
  bool visible;     // false: no search of this snapshot wants it
  bool known;       // distance is what the operator gives
  double distance;  // may be NaN
};
class RowDistances {
 public:
  virtual ~RowDistances() = default;
  // Fills all but `row`; may reorder the rows. No latch is held.
  virtual void measure(std::span<MeasuredRow> rows) = 0;
};

struct SearchOptions {
  float target_recall = 0.95F;
  std::uint32_t probes = 0;         // leaves of the first wave; 0 = by the calibration
  std::uint32_t least_probes = 0;   // the first wave visits at least so many where `probes` is 0
  std::uint64_t max_rows = 0;       // stop after scoring that many rows; 0 = no limit
  bool strict_order = false;        // drop rows found too late instead of handing them out late
  std::size_t memory_limit = 4 << 20;  // bytes of rows waiting, about
  PendingSource* pending = nullptr;    // outlives the search
  // For codes that bound no distance: rows are ordered by what this says. Outlives the search.
  RowDistances* exact = nullptr;
};

struct Hit {
  RowId row;
  bool null;     // the distance is NULL
  double bound;  // not above the distance that the operator computes; NaN only where that is NaN
};

struct SearchCounters {
  std::uint64_t leaves = 0;
  std::uint64_t rows_scored = 0;
  std::uint64_t rows_refined = 0;
  std::uint64_t waves = 0;
  std::uint64_t pending = 0;  // pending rows scored, and handed out unscored
  std::uint64_t rows_measured = 0;  // by SearchOptions::exact
  std::uint64_t planned = 0;        // leaves that the first wave was to visit
  bool stopped = false;             // max_rows ended a wave before the index was exhausted
};

class Search {
 public:
  // `space` and `memory` outlive the search; memory is given back by whoever owns it.
  Search(PageStore& store, const Space& space, std::pmr::memory_resource& memory);
  Search(const Search&) = delete;
  Search& operator=(const Search&) = delete;
  ~Search();

  // Begins a search for a raw query of space.dims() floats; nullptr means a NULL query: every row, distance NULL.
  void start(const float* query, const SearchOptions& options);
  // Finds the next row; false at the end.
  bool next(Hit& hit);
  // For the calibration: what first waves of several efforts find for a query in the index's space, in one pass.
  // At each of `probes` (ascending numbers of leaves) calls found(index, estimates, count) with the estimates of the best
  // rows so far, nearest first, without the row `exclude`; at most k.
  template <class Found>
  void trace(const float* prepared_query, std::span<const std::uint32_t> probes, std::uint32_t k, RowId exclude,
             std::span<float> estimates, Found&& found) {
    begin_trace(prepared_query, k);
    for (std::size_t i = 0; i < probes.size(); ++i) found(i, estimates, trace_to(probes[i], k, exclude, estimates));
  }
  // Their leaves alone: calls seen(index, ids of the leaves that this effort visits beyond the one before) while that gives true.
  template <class Seen>
  void trace_leaves(const float* prepared_query, std::span<const std::uint32_t> probes, Seen&& seen) {
    begin_trace(prepared_query, 1);
    for (std::size_t i = 0; i < probes.size() && seen(i, leaves_to(probes[i])); ++i) {
    }
  }
  [[nodiscard]] const SearchCounters& counters() const noexcept;

 private:
  void begin_trace(const float* prepared_query, std::uint32_t k);
  std::size_t trace_to(std::uint32_t probes, std::uint32_t k, RowId exclude, std::span<float> estimates);
  std::span<const std::uint32_t> leaves_to(std::uint32_t probes);

  struct State;
  State* state_;
};

// Leaves that the calibration names for k rows at a recall; `meta` must have been calibrated or the guess is used.
std::uint32_t planned_probes(const Meta& meta, float target_recall, double k) noexcept;
// Rows to refine in order to return k.
std::size_t planned_refine(unsigned bits, double k) noexcept;

}  // namespace longbow::tree
