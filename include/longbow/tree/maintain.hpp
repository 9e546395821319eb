// Looking after an index: the sweep of VACUUM, the calibration of recall, figures and the structural check.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <vector>

#include "longbow/quant/kmeans.hpp"
#include "longbow/tree/space.hpp"

namespace longbow::tree {

// -- sweep: one pass over all pages in file order, under the structure lock, which it lends to who waits for it

class DeadRows {
 public:
  virtual ~DeadRows() = default;
  virtual bool is_dead(RowId row) = 0;
};

struct SweepResult {
  std::uint64_t rows = 0;        // left in the index
  std::uint64_t removed = 0;
  std::uint64_t pages = 0;
  std::uint64_t free_pages = 0;  // ready for reuse
  std::uint64_t retired = 0;     // pages of moved or unfinished nodes that were taken out of use
};

// Removes dead rows (nullptr: none are), frees pages that no reachable node owns, offers free pages for reuse.
// Latches: one page; or a head and then one of its pages.
SweepResult sweep(PageStore& store, const Space& space, DeadRows* dead, std::pmr::memory_resource& memory);

// -- walking

// All leaves that can be reached from the root; inner nodes and their levels are checked on the way. Without the
// structure lock a split may come between, and a leaf listed may have moved.
void list_leaves(PageStore& store, const Space& space, std::pmr::vector<NodeRef>& leaves,
                 std::pmr::vector<NodeRef>* inner, std::pmr::memory_resource& memory);

struct Facts {
  std::uint64_t rows = 0;       // in leaves
  std::uint64_t free_slots = 0; // left by removed rows
  std::uint64_t plain_rows = 0;
  std::uint64_t pending = 0;    // in the pending list, not dead
  std::uint32_t leaves = 0;
  std::uint32_t inner = 0;
  std::uint32_t height = 0;
};
Facts collect_facts(PageStore& store, const Space& space, std::pmr::memory_resource& memory);

// Receives every row of the index.
class RowVisitor {
 public:
  virtual ~RowVisitor() = default;
  // `decoded` is the vector in the index's space within `error` (in the metric's norm); nullptr for plain rows, whose
  // flags are given.
  virtual void row(RowId row, const float* decoded, float error, std::uint16_t plain_flags) = 0;
  // A row of the pending list; visit_rows() shows them first, so that one on its way is met there or in the tree, or both.
  virtual void pending(const PendingEntry& /*entry*/) {}
};
// Visits all rows under the structure lock, checking structure and that codes decode to finite vectors.
void visit_rows(PageStore& store, const Space& space, RowVisitor& visitor, std::pmr::memory_resource& memory);
// Visits the plain rows alone.
void visit_plain(PageStore& store, RowVisitor& visitor);

// -- calibration

// Searches up to `queries` of the index's own rows exactly and by probes, and returns the curves of recall. The rows of the
// index are compared through their refine codes: no heap access. All members of a crew call it together, each with its own
// store, space and memory; all get the same curves.
Calibration calibrate(PageStore& store, const Space& space, std::size_t queries, base::Crew& crew, quant::Watch& watch,
                      std::pmr::memory_resource& memory);
// Bytes of the crew's memory that it takes.
std::size_t calibration_bytes(const Meta& meta, std::size_t queries, std::size_t members) noexcept;

}  // namespace longbow::tree
