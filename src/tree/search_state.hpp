// The state of a search, which its parts share: leaves (search_leaves.cpp), refinement (search_refine.cpp), waves and the
// iterator (search.cpp).
#pragma once

#include <limits>

#include "frontier.hpp"
#include "longbow/tree/search.hpp"
#include "pending_scorer.hpp"

namespace longbow::tree {

inline constexpr double kInfinity = std::numeric_limits<double>::infinity();
// Where codes are of hashed vectors, each wave refines so many times more rows; the first measures so many times as many
// as it would refine otherwise, later ones all.
inline constexpr std::size_t kHashedKeep = 4, kHashedMeasured = 1;

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
        leaf_ids(&memory),
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
  std::pmr::vector<std::uint32_t> leaf_ids;      // what leaves_to() gives
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
  void count_visit() noexcept;
  template <class Factors>
  void scan_rows(PageRef& page, const BlockQuery& block, float base, std::uint32_t visit_index);
  void scan_pages(PageRef& page, const BlockScorer& scorer, std::uint32_t visit_index);
  template <class Factors>
  void collect(std::size_t first, std::uint32_t mask, const Factors& f, const float* estimate, const BlockScorer& scorer,
               std::uint32_t visit_index);
  void trim();
  void take_best(std::size_t count, std::size_t wanted);
  void refine_into_ready(std::size_t count);
  void place_bits(std::size_t count);
  void refine(std::size_t count);
  void measure_ready(std::size_t most);
  void hold_back(std::size_t most);
  bool run_wave();
  bool run_blind();
  bool run_plain(std::uint16_t flags);
  void restart_tree();
  bool look_again();
  // Rows to refine in order to return k; the codes of bits leave nothing to refine.
  [[nodiscard]] std::size_t rows_to_refine(double k) const noexcept {
    return space.has_bits() ? static_cast<std::size_t>(k) + 6 : planned_refine(space.leaf.bits, k);
  }
  // Reads the chain of plain rows once more, for the next phase.
  void next_plain(Phase next) {
    phase = next;
    plain_at = space.meta.plain_head;
    plain_pages = 0;
  }
};

}  // namespace longbow::tree
