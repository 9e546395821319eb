// Index scans: a Search behind amgettuple.
//
// Only MVCC snapshots: no pin keeps VACUUM from removing a row that a scan has found, so a row id that was handed out may
// by then belong to another row, which an MVCC snapshot cannot see.
#include <cmath>
#include <new>

#include "am/access_method.hpp"
#include "am/index.hpp"
#include "am/pending.hpp"
#include "am/row_distances.hpp"
#include "am/scan.hpp"
#include "longbow/tree/search.hpp"
#include "pg/activity.hpp"
#include "pg/scan_arena.hpp"
#include "pg/settings.hpp"

extern "C" {
#include "access/relscan.h"
#include "catalog/pg_am.h"
#include "storage/bufmgr.h"
#include "pgstat.h"
#include "utils/float.h"
#include "utils/snapmgr.h"
}

namespace longbow::am {

namespace {

// What lives as long as the scan; all C++ objects lie in `memory` and own nothing outside of it.
struct ScanState {
  MemoryContext memory;  // reset by each rescan
  tree::Search* search;
  bool started;
  BlockNumber heap_blocks;  // of the table, as looked at last
  pg::IndexEntry* counters;  // nullptr if it has none
  ScanReport report;         // of the searches that have ended
  std::uint64_t returned;    // rows of the search that goes on
};

ScanState* state_of(IndexScanDesc scan) { return static_cast<ScanState*>(scan->opaque); }

template <class T, class... A>
T* make(MemoryContext context, A&&... args) {
  void* at = pg::call([&] { return MemoryContextAlloc(context, sizeof(T)); });
  return new (at) T(std::forward<A>(args)...);
}

// A sparse query of other dimensions than the column's looks like any other once it is hashed.
void check_sparse_dims(IndexScanDesc scan, Element element) {
  if (element != Element::sparsevec) return;
  const int expected = TupleDescAttr(RelationGetDescr(scan->indexRelation), 0)->atttypmod;
  const int found = sparse_dims(scan->orderByData[0].sk_argument);
  if (found != expected)
    ereport(ERROR, (errcode(ERRCODE_DATA_EXCEPTION), errmsg("different %s %d and %d", lengths_of(element), expected, found)));
}

// The query's floats, or nullptr for a NULL query or a scan without order.
const float* query_of(IndexScanDesc scan, const tree::Space& space, MemoryContext context) {
  if (scan->numberOfOrderBys == 0 || (scan->orderByData[0].sk_flags & SK_ISNULL) != 0) return nullptr;
  return pg::call([&]() -> const float* {
    const MemoryContext old = MemoryContextSwitchTo(context);
    const Element element = opclass_info(scan->indexRelation)->element;
    const RowVector vector = query_vector(element, scan->orderByData[0].sk_argument);
    MemoryContextSwitchTo(old);
    check_sparse_dims(scan, element);
    if (space.dims() != 0 && static_cast<std::size_t>(vector.dim) != space.dims())
      ereport(ERROR, (errcode(ERRCODE_DATA_EXCEPTION), errmsg("different %s %d and %d", lengths_of(element),
                                                              static_cast<int>(space.dims()), vector.dim)));
    return vector.x;
  });
}

// The effort that the settings and the index give the search that begins.
void note_effort(ScanState* s, const tree::Space& space, bool ranks) {
  ScanReport& r = s->report;
  r.target_recall = pg::settings.target_recall;
  r.leaves_there = space.meta.leaves;
  r.effort = !ranks                          ? Effort::whole
             : pg::settings.probes > 0       ? Effort::probes
             : space.meta.calibration.queries > 0 ? Effort::target
                                             : Effort::uncalibrated;
}

// Takes note of what the search that goes on has done, if one does, and ends it.
void finish_search(IndexScanDesc scan) {
  ScanState* s = state_of(scan);
  if (!s->started) return;
  add_search(s->report, s->search->counters(), s->returned, scan->numberOfOrderBys > 0);
  s->returned = 0;
  s->started = false;
  s->search = nullptr;
  pg::end_search_activity();
}

void start(IndexScanDesc scan) {
  ScanState* s = state_of(scan);
  if (!IsMVCCSnapshot(scan->xs_snapshot))
    pg::call([] {
      ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                      errmsg("longbow indexes can only be scanned with an MVCC snapshot")));
    });
  auto* memory = make<pg::ScanArena>(s->memory, s->memory);
  auto* store = make<pg::RelationStore>(s->memory, scan->indexRelation);
  const tree::Space* space = load_space(scan->indexRelation, *store, s->memory);
  const float* query = query_of(scan, *space, s->memory);
  tree::SearchOptions options;
  options.target_recall = static_cast<float>(pg::settings.target_recall);
  options.probes = static_cast<std::uint32_t>(pg::settings.probes);
  options.max_rows = static_cast<std::uint64_t>(pg::settings.max_scan_tuples);
  options.strict_order = pg::settings.strict_order;
  pg::call([&] { read_alias_settings(scan->indexRelation, space->meta, options); });
  options.memory_limit = static_cast<std::size_t>(work_mem) * 1024;
  options.pending = make<ScanPending>(s->memory, scan->indexRelation, scan->heapRelation, scan->xs_snapshot, *store, *space,
                                      *memory);
  if (query != nullptr && scan->heapRelation != nullptr && pg::call([&] { return hashed(opclass_info(scan->indexRelation)->element); }))
    options.exact = make<HeapDistances>(s->memory, scan);
  s->search = make<tree::Search>(s->memory, *store, *space, *memory);
  s->search->start(query, options);
  pg::call([&] { pgstat_count_index_scan(scan->indexRelation); });
  lb_count_search(scan);
  note_effort(s, *space, query != nullptr);
  pg::call([&] {
    s->counters = pg::index_entry(scan->indexRelation);
    pg::note_index(s->counters, scan->indexRelation, space->meta.incarnation, space->meta.leaves);
    pg::begin_search_activity(RelationGetRelid(scan->indexRelation));
  });
  s->started = true;
}

// A row beyond the table's end can only come from a damaged page. The scan's lock on the table keeps it from shrinking.
void check_row(IndexScanDesc scan, tree::RowId row) {
  ScanState* s = state_of(scan);
  const Relation heap = scan->heapRelation;
  if (row.block < s->heap_blocks || heap == nullptr || heap->rd_rel->relam != HEAP_TABLE_AM_OID) return;
  pg::call([&] {
    s->heap_blocks = RelationGetNumberOfBlocks(heap);
    if (row.block >= s->heap_blocks)
      ereport(ERROR, (errcode(ERRCODE_INDEX_CORRUPTED),
                      errmsg("index \"%s\" refers to row (%u,%u), but its table has only %u blocks",
                             RelationGetRelationName(scan->indexRelation), row.block, row.offset, s->heap_blocks),
                      errhint("Please REINDEX it.")));
  });
}

void hand_out(IndexScanDesc scan, const tree::Hit& hit) {
  check_row(scan, hit.row);
  ItemPointerSet(&scan->xs_heaptid, hit.row.block, hit.row.offset);
  scan->xs_recheck = false;
  if (scan->numberOfOrderBys == 0) return;
  scan->xs_recheckorderby = true;
  scan->xs_orderbynulls[0] = hit.null;
  scan->xs_orderbyvals[0] = hit.null ? static_cast<Datum>(0) : Float8GetDatum(hit.bound);
}

}  // namespace

IndexScanDesc begin_scan(Relation index, int keys, int orderbys) {
  const IndexScanDesc scan = RelationGetIndexScan(index, keys, orderbys);
  auto* s = static_cast<ScanState*>(palloc0(sizeof(ScanState)));
  s->memory = AllocSetContextCreate(CurrentMemoryContext, "longbow scan", ALLOCSET_DEFAULT_SIZES);
  s->report.index = RelationGetRelid(index);
  scan->opaque = s;
  if (orderbys > 0) {
    scan->xs_orderbyvals = static_cast<Datum*>(palloc0(sizeof(Datum) * static_cast<Size>(orderbys)));
    scan->xs_orderbynulls = static_cast<bool*>(palloc0(sizeof(bool) * static_cast<Size>(orderbys)));
  }
  return scan;
}

void rescan(IndexScanDesc scan, ScanKey keys, int nkeys, ScanKey orderbys, int norderbys) {
  ScanState* s = state_of(scan);
  finish_search(scan);
  MemoryContextReset(s->memory);
  if (keys != nullptr && nkeys > 0) memmove(scan->keyData, keys, static_cast<Size>(nkeys) * sizeof(ScanKeyData));
  if (orderbys != nullptr && norderbys > 0)
    memmove(scan->orderByData, orderbys, static_cast<Size>(norderbys) * sizeof(ScanKeyData));
}

bool get_tuple(IndexScanDesc scan, ScanDirection direction) {
  if (direction != ForwardScanDirection)
    pg::call([] {
      ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("longbow indexes cannot be scanned backwards")));
    });
  ScanState* s = state_of(scan);
  if (!s->started) start(scan);
  tree::Hit hit;
  if (!s->search->next(hit)) return false;
  hand_out(scan, hit);
  s->returned++;
  return true;
}

bool is_our_scan(IndexScanDesc scan) noexcept { return scan->indexRelation->rd_indam->amgettuple == pg::guarded<&get_tuple>; }

ScanReport scan_report(IndexScanDesc scan) {
  const ScanState* s = state_of(scan);
  ScanReport report = s->report;
  if (s->started) add_search(report, s->search->counters(), s->returned, scan->numberOfOrderBys > 0);
  return report;
}

void end_scan(IndexScanDesc scan) {
  ScanState* s = state_of(scan);
  finish_search(scan);
  publish_scan(s->report, s->counters);
  MemoryContextDelete(s->memory);
  pfree(s);
}

}  // namespace longbow::am
