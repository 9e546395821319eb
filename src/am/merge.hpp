// The merge inside PostgreSQL: rounds over one index's pending list.
#pragma once

#include "am/index.hpp"
#include "am/throttle.hpp"
#include "longbow/tree/merge.hpp"
#include "pg/delta.hpp"

namespace longbow::am {

struct MergeRound {
  bool busy;  // another session merges this index: nothing was done
  tree::MergeResult result;
  int cost;  // by VACUUM's prices; 0 where VACUUM merges, which counts it itself
};

// Rows that may be pending in an index of so many before workers merge it; negative for never.
double merge_threshold(double tree_rows);
// The same at longbow.gc_percent = 100.
double merge_base(double tree_rows) noexcept;
// Merges up to one round's rows, at most `most`; `wait` for a session that is at it. The caller's transaction gives the
// snapshot, and it has locked heap and index. Without a heap only rows that the side WAL has are merged, with VACUUM's delays.
MergeRound merge_round(Relation heap, Relation index, bool wait, std::size_t most = SIZE_MAX);
// The index's entry in the delta, made if there is none and brought up to date by the index's pages; nullptr if it cannot
// have one.
pg::DeltaIndex* know_index(Relation index);
// Merges, round by round, what is in the list now; returns the rows that went into the tree. With a pace, rounds are paid for.
std::uint64_t merge_all(Relation heap, Relation index, bool wait, MergePace (*pace)() noexcept = nullptr);
// Merges what an earlier server start with shared memory has left pending, unless another session is at it.
void merge_leftovers(Relation heap, Relation index);

}  // namespace longbow::am
