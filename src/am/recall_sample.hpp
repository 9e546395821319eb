// Random rows of a table, for longbow_recall(): a reservoir over the rows of blocks drawn at random. Plain data in one memory context.
#pragma once

#include "am/index.hpp"

extern "C" {
#include "access/tableam.h"
#include "utils/snapshot.h"
}

namespace longbow::am {

struct HeapReader;

// A query of the estimate.
struct RecallQuery {
  Datum value;           // detoasted, in the reservoir's memory
  ItemPointerData self;  // of the row that it is, which is not its own neighbour; invalid if it is no row of the index
  int exact_count, found_count;
  double *exact, *found;  // the k smallest distances: a max-heap, then sorted
};

struct RecallSample {
  MemoryContext memory;
  RecallQuery* query;
  int most, count;
  double seen;        // rows that the reservoir has chosen from
  std::size_t bytes;  // taken
  std::size_t limit;  // of them: an error beyond
};

// Memory for so many queries of k neighbours each; reports an error if that alone is beyond the limit.
RecallSample new_recall_sample(MemoryContext memory, int most, int k);
// Takes rows that belong into the reader's index, their values as the index would have them.
void sample_own_rows(RecallSample* sample, HeapReader* reader);
// Takes values of a column of another table.
void sample_column(RecallSample* sample, Relation table, AttrNumber column, Snapshot snapshot);

}  // namespace longbow::am
