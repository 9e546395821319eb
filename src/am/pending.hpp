// Pending rows inside PostgreSQL: a flush's rows into list and delta, and a search's view of them.
#pragma once

#include <span>

#include "am/index.hpp"
#include "longbow/tree/insert.hpp"
#include "longbow/tree/pending.hpp"
#include "longbow/tree/search.hpp"
#include "pg/delta.hpp"

extern "C" {
#include "portability/instr_time.h"
#include "utils/snapshot.h"
}

namespace longbow::am {

// A row of a flush: as the tree takes it, and what identifies its vector.
struct FlushRow {
  tree::NewRow row;
  std::uint32_t crc;
  std::uint64_t position;  // of its record in the side WAL, or 0
};

// Whether rows of this index go into a pending list: there is shared memory, and others can see the index.
bool takes_pending(Relation index);
// Whether append_pending_rows() would find room for so many rows, as of now.
bool has_pending_room(Relation index, const tree::Space& space, std::size_t rows);
// Appends rows to the index's pending list and their codes to the delta; false if there is no room: then none is in.
bool append_pending_rows(Relation index, tree::PageStore& store, const tree::Space& space, std::span<const FlushRow> rows,
                         tree::InsertWatch& watch, std::pmr::memory_resource& memory);

// After a merge: gives the memory of rows below an ordinal back, all of it if the list is empty now, since a chunk that one row
// is left in, or none, would be kept from other indexes. Lets go of the side WAL before `position` (0: of all).
void drop_merged(pg::Delta& delta, tree::PageStore& store, std::uint64_t ordinal, std::uint64_t position);

// Forgets entries of the delta whose file no relation of this database has: dropped, truncated, rebuilt, or rolled back. One
// whose creator has not committed yet is forgotten too: its rows are then read from its list. Returns whether there were any.
bool forget_gone();

// Counts the time of a flush that goes straight into the tree though its index has a pending list.
class PauseClock {
 public:
  explicit PauseClock(bool counts);
  PauseClock(const PauseClock&) = delete;
  PauseClock& operator=(const PauseClock&) = delete;
  ~PauseClock();

 private:
  bool counts_;
  instr_time start_;
};

// Brings codes of the pending rows that the delta lacks into it, as a search does, under the active snapshot: so the first search
// after a restart, or on a standby, finds them. For workers.
void fill_delta(Relation heap, Relation index);

class OldEntries;
class PendingCache;

// What a search needs to meet the pending rows.
class ScanPending final : public tree::PendingSource {
 public:
  // Gaps in the delta are filled from `heap` under the snapshot, if there is one; without a delta, or room in it, the session's own
  // cache is.
  ScanPending(Relation index, Relation heap, Snapshot snapshot, tree::PageStore& store, const tree::Space& space,
              std::pmr::memory_resource& memory)
      : index_(index), heap_(heap), snapshot_(snapshot), store_(store), space_(space), memory_(memory) {}
  void visit(tree::PendingVisitor& visitor) override;
  // Fills the delta's gaps alone, as far as it has room.
  void fill();

 private:
  [[nodiscard]] pg::Delta open_delta();
  // Fills the delta's gaps, and with `others` the session's own cache with what the delta has no room for, which is returned.
  const PendingCache* fill_gaps(pg::Delta& delta, const OldEntries& old, bool others);
  // Reads what the session's own cache lacks of these entries, all if `wanted` is null.
  const PendingCache* fill_cache(const OldEntries& old, const std::pmr::vector<std::uint64_t>* wanted);

  Relation index_, heap_;
  Snapshot snapshot_;
  tree::PageStore& store_;
  const tree::Space& space_;
  std::pmr::memory_resource& memory_;
};

}  // namespace longbow::am
