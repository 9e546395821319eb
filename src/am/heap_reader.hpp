// Rows of an index's table by row id, under one snapshot, with their index values. A POD: it owns nothing with a destructor.
#pragma once

#include "am/index.hpp"

extern "C" {
#include "access/tableam.h"
#include "utils/snapshot.h"
}

namespace longbow::am {

// What find_pending() found at a row id.
enum class PendingRow : uint8 {
  readable,
  dead,     // nobody can see it any more
  guarded,  // an older snapshot may see it, but what it keeps out of line may be gone
  absent,   // no row there
};

struct HeapReader {
  Relation heap;
  Relation index;
  Snapshot snapshot;  // registered by open()
  IndexInfo* info;
  Element element;
  EState* estate;
  ExprState* predicate;
  TupleTableSlot* slot;
  struct IndexFetchTableData* fetch;
  BlockNumber blocks;  // of the table, as looked at last

  // Uses `with`, or a new snapshot if it is null.
  void open(Relation heap_arg, Relation index_arg, Snapshot with = nullptr);
  void close();
  // Whether the snapshot sees a row there.
  bool find(tree::RowId row);
  // Looks at every member of the row's HOT chain: the indexed vector is the same in all of them. A member that is alive
  // against the snapshot's xmin can be read, visible or not: VACUUM leaves it alone while the snapshot is held.
  PendingRow find_pending(tree::RowId row);
  // Whether the table has no such block.
  bool lies_beyond(tree::RowId row);
  // The found row's indexed value, in per-tuple memory where it is computed. Index expressions run as the current user.
  Datum value(bool* null);
  // The found row's vector in per-tuple memory. Index expressions run: see OwnerRights.
  RowVector vector();
  void forget();
  // Rows of the heap that belong into the index.
  int64 count();
};

// The rights and search path under which index expressions run: the table owner's, restricted, as in a build. An error leaves
// them to the transaction's end.
struct OwnerRights {
  Oid user;
  int context;
  int nest;
  void enter(Relation heap);
  void leave();
};

}  // namespace longbow::am
