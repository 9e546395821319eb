// Fetching rows of the heap for the check, the merge and the delta's fill.
#include "am/heap_reader.hpp"

extern "C" {
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "catalog/index.h"
#include "catalog/pg_am.h"
#include "executor/executor.h"
#include "storage/bufmgr.h"
#include "storage/procarray.h"
#include "utils/guc.h"
#include "utils/snapmgr.h"
}

namespace longbow::am {

void HeapReader::open(Relation heap_arg, Relation index_arg, Snapshot with) {
  heap = heap_arg;
  index = index_arg;
  snapshot = RegisterSnapshot(with != nullptr ? with : GetTransactionSnapshot());
  info = BuildIndexInfo(index);
  element = opclass_info(index)->element;
  estate = CreateExecutorState();
  slot = table_slot_create(heap, nullptr);
  GetPerTupleExprContext(estate)->ecxt_scantuple = slot;
  predicate = ExecPrepareQual(info->ii_Predicate, estate);
  fetch = table_index_fetch_begin(heap);
  blocks = 0;
}

void HeapReader::close() {
  table_index_fetch_end(fetch);
  ExecDropSingleTupleTableSlot(slot);
  FreeExecutorState(estate);
  UnregisterSnapshot(snapshot);
}

bool HeapReader::find(tree::RowId row) {
  ItemPointerData tid;
  ItemPointerSet(&tid, row.block, row.offset);
  bool again = false, all_dead = false;
  return table_index_fetch_tuple(fetch, &tid, snapshot, slot, &again, &all_dead);
}

PendingRow HeapReader::find_pending(tree::RowId row) {
  if (heap->rd_rel->relam != HEAP_TABLE_AM_OID) return find(row) ? PendingRow::readable : PendingRow::guarded;
  if (lies_beyond(row)) return PendingRow::absent;
  ItemPointerData tid;
  ItemPointerSet(&tid, row.block, row.offset);
  const Buffer buffer = ReadBuffer(heap, row.block);
  LockBuffer(buffer, BUFFER_LOCK_SHARE);
  PendingRow found = PendingRow::absent;
  HeapTuple copy = nullptr;
  HeapTupleData tuple;
  for (bool first = true; heap_hot_search_buffer(&tid, heap, buffer, SnapshotAny, &tuple, nullptr, first); first = false) {
    if (HeapTupleSatisfiesVacuum(&tuple, snapshot->xmin, buffer) != HEAPTUPLE_DEAD) {
      copy = heap_copytuple(&tuple);
      found = PendingRow::readable;
      break;
    }
    if (HeapTupleSatisfiesVacuum(&tuple, GetOldestNonRemovableTransactionId(heap), buffer) != HEAPTUPLE_DEAD)
      found = PendingRow::guarded;
    else if (found == PendingRow::absent)
      found = PendingRow::dead;
  }
  UnlockReleaseBuffer(buffer);
  if (copy != nullptr) ExecForceStoreHeapTuple(copy, slot, true);
  return found;
}

bool HeapReader::lies_beyond(tree::RowId row) {
  if (row.block < blocks || heap->rd_rel->relam != HEAP_TABLE_AM_OID) return false;
  blocks = pg::call([&] { return RelationGetNumberOfBlocks(heap); });
  return row.block >= blocks;
}

Datum HeapReader::value(bool* null) {
  Datum values[INDEX_MAX_KEYS];
  bool nulls[INDEX_MAX_KEYS];
  const MemoryContext old = MemoryContextSwitchTo(GetPerTupleMemoryContext(estate));
  FormIndexDatum(info, slot, estate, values, nulls);
  MemoryContextSwitchTo(old);
  *null = nulls[0];
  return values[0];
}

RowVector HeapReader::vector() {
  bool null = false;
  const Datum datum = value(&null);
  if (null) return {};
  const MemoryContext old = MemoryContextSwitchTo(GetPerTupleMemoryContext(estate));
  const RowVector result = row_vector(element, datum);
  MemoryContextSwitchTo(old);
  return result;
}

void HeapReader::forget() { ResetPerTupleExprContext(estate); }

int64 HeapReader::count() {
  int64 rows = 0;
  const TableScanDesc scan = table_beginscan(heap, snapshot, 0, nullptr);
  while (table_scan_getnextslot(scan, ForwardScanDirection, slot)) {
    CHECK_FOR_INTERRUPTS();
    if (predicate == nullptr || ExecQual(predicate, GetPerTupleExprContext(estate))) rows++;
    forget();
  }
  table_endscan(scan);
  return rows;
}

void OwnerRights::enter(Relation heap) {
  GetUserIdAndSecContext(&user, &context);
  SetUserIdAndSecContext(heap->rd_rel->relowner, context | SECURITY_RESTRICTED_OPERATION);
  nest = NewGUCNestLevel();
  lb_restrict_search_path();
}

void OwnerRights::leave() {
  AtEOXact_GUC(false, nest);
  SetUserIdAndSecContext(user, context);
}

}  // namespace longbow::am
