// Rows that a statement has inserted and that are not in the index yet.
//
// A batch belongs to one index file and lives for the statement that began it at most. It goes into the tree when it is full, when the
// statement ends, before a plan that reads its table starts, before and after every utility command, and before commit or
// prepare. A subtransaction that aborts takes its own rows with it.
//
// What a batch defers is only the work: row ids whose tuples are gone by then (a speculative insertion that lost, vacuumed and
// reused) are recognised, since the tuple there was not inserted by this transaction.
#pragma once

#include "am/index.hpp"

namespace longbow::am {

// Installs the hooks and transaction callbacks that end batches; called when the library is loaded.
void install_batch_hooks();
void register_batch_callbacks();
// Whether any batch waits and no flush is under way; whether one of them belongs to a table of this range table.
bool batches_pending();
bool batch_reads(const List* range_table);
// Begins the batch of an index that has a root and its dimension.
void begin_batch(Relation index, Relation heap);
// Adds a row to the batch that the index has; false if there is none or the vector does not fit. Rows that the tree cannot
// order go into the index at once.
bool add_to_batch(Relation index, RowVector vector, tree::RowId row);
// Puts the batches that statements deeper than `depth` began into their indexes; all of them by default.
void flush_batches(int depth = -1);
// How many statements are under way, one inside the other.
extern int statement_depth;
// Forgets the rows of an index that is built anew from the heap.
void forget_batch(Oid index);

}  // namespace longbow::am
