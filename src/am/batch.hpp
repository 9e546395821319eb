// Rows that a statement has inserted and that are not in the index yet.
//
// A batch belongs to one index file and lives for one statement at most. It goes into the tree when it is full, when the
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
// Adds a row to the index's batch, or puts it where it belongs at once if it cannot be deferred.
void defer_row(Relation index, Relation heap, const types::Vector* vector, tree::RowId row);
// Puts every batch into its index.
void flush_batches();
// Forgets the rows of a table: its index is built anew from the heap.
void forget_batches(Oid heap);

}  // namespace longbow::am
