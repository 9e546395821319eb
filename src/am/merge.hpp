// The merge inside PostgreSQL: rounds over one index's pending list.
#pragma once

#include "am/index.hpp"
#include "longbow/tree/merge.hpp"

namespace longbow::am {

struct MergeRound {
  bool busy;  // another session merges this index: nothing was done
  tree::MergeResult result;
};

// Merges up to one round's rows; `wait` for a session that is at it. The caller's transaction gives the snapshot; a
// standing lock on heap and index is the caller's.
MergeRound merge_round(Relation heap, Relation index, bool wait);
// Merges what a list holds that no memory knows of, if there is any and nobody is at it: what a flush does without shared
// memory.
void merge_leftovers(Relation heap, Relation index);
// The ordinal that the list's next entry gets.
std::uint64_t pending_end(Relation index);
// Rows of the list that are not in the tree yet, dead ones included, by its pages.
std::uint64_t pending_rows(Relation index);

}  // namespace longbow::am
