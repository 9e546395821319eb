// Batches: collecting, the check of row ids, flushing.
//
// Locks: the first deferred row takes RowExclusiveLock on its index until the transaction ends, so that the file stays what
// it is. A flush latches heap pages one at a time, before any page of the index.
#include "am/batch.hpp"

#include <algorithm>

#include "am/merge.hpp"
#include "am/pending.hpp"
#include "longbow/tree/insert.hpp"
#include "longbow/tree/maintain.hpp"
#include "pg/activity.hpp"
#include "pg/context_resource.hpp"
#include "pg/index_stats.hpp"
#include "pg/settings.hpp"
#include "pg/side_wal.hpp"

extern "C" {
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/parallel.h"
#include "access/relation.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
}

namespace longbow::am {

int statement_depth;

namespace {

// Rows of high dimension fill memory before they fill a batch.
constexpr Size kMostBytes = 16 << 20;

struct DeferredRow {
  tree::RowId row;
  float norm, raw_norm;
  std::uint32_t crc;
  SubTransactionId subtransaction;
  bool done;
};

struct Batch {
  Batch* next;
  MemoryContext memory;  // holds the batch itself
  Oid heap;
  Oid index;
  LbLocator file;
  uint64 incarnation;
  const tree::Space* space;
  int depth;  // of the statement that began it
  uint32 rows, capacity;
  DeferredRow* row;
  float* vector;  // rows x dims, in the index's space
  float* raw;     // rows x raw_cells, as they came
};

Batch* batches;
bool flushing;

void drop(Batch* batch) {
  for (Batch** link = &batches; *link != nullptr; link = &(*link)->next) {
    if (*link != batch) continue;
    *link = batch->next;
    MemoryContextDelete(batch->memory);
    return;
  }
}

Batch* find(Relation index) {
  for (Batch* b = batches; b != nullptr; b = b->next)
    if (lb_same_file(b->file, lb_locator(index))) return b;
  return nullptr;
}

// Keeps the rows that are not done and that `keep` wants.
template <class Keep>
void retain(Batch* batch, Keep&& keep) {
  const std::size_t dims = batch->space->dims(), cells = batch->space->raw_cells();
  uint32 left = 0;
  for (uint32 i = 0; i < batch->rows; i++) {
    if (batch->row[i].done || !keep(batch->row[i])) continue;
    if (left != i) {
      batch->row[left] = batch->row[i];
      memmove(batch->vector + left * dims, batch->vector + i * dims, dims * sizeof(float));
      memmove(batch->raw + left * cells, batch->raw + i * cells, cells * sizeof(float));
    }
    left++;
  }
  batch->rows = left;
}

Batch* begin(Relation index, Relation heap) {
  // The index's file must not change before the rows are in it.
  LockRelationOid(RelationGetRelid(index), RowExclusiveLock);
  const MemoryContext memory = AllocSetContextCreate(TopTransactionContext, "longbow batch", ALLOCSET_DEFAULT_SIZES);
  auto* batch = static_cast<Batch*>(MemoryContextAllocZero(memory, sizeof(Batch)));
  batch->memory = memory;
  batch->heap = RelationGetRelid(heap);
  batch->index = RelationGetRelid(index);
  batch->file = lb_locator(index);
  batch->depth = statement_depth;
  return batch;
}

// Most rows that the batch may hold.
uint32 most_rows(const Batch* batch) {
  const Size row = (batch->space->dims() + batch->space->raw_cells()) * sizeof(float);
  return Max(1, Min(static_cast<uint32>(pg::settings.wal_batch_size), static_cast<uint32>(kMostBytes / row)));
}

// Makes room for one more row. Most batches are a row long: memory for a full one at once would cost a row more than all
// else does.
void grow(Batch* batch) {
  if (batch->rows < batch->capacity) return;
  const uint32 capacity = Min(most_rows(batch), Max(1, batch->capacity * 4));
  const Size vectors = static_cast<Size>(capacity) * batch->space->dims() * sizeof(float);
  const Size raw = static_cast<Size>(capacity) * batch->space->raw_cells() * sizeof(float);
  if (batch->capacity == 0) {
    batch->row = static_cast<DeferredRow*>(MemoryContextAlloc(batch->memory, capacity * sizeof(DeferredRow)));
    batch->vector = static_cast<float*>(MemoryContextAllocHuge(batch->memory, vectors));
    batch->raw = static_cast<float*>(MemoryContextAllocHuge(batch->memory, raw));
  } else {
    batch->row = static_cast<DeferredRow*>(repalloc(batch->row, capacity * sizeof(DeferredRow)));
    batch->vector = static_cast<float*>(repalloc_huge(batch->vector, vectors));
    batch->raw = static_cast<float*>(repalloc_huge(batch->raw, raw));
  }
  batch->capacity = capacity;
}

// -- the check of row ids

// Marks as done the rows whose tuple is not one that this transaction inserted, and all but the last of those with
// one row id. `order` holds row numbers sorted by row id.
void discard_strangers(Relation heap, Batch* batch, const uint32* order) {
  Buffer buffer = InvalidBuffer;
  for (uint32 i = 0; i < batch->rows; i++) {
    DeferredRow& r = batch->row[order[i]];
    if (i + 1 < batch->rows && batch->row[order[i + 1]].row == r.row) {
      r.done = true;
      continue;
    }
    if (!BufferIsValid(buffer) || BufferGetBlockNumber(buffer) != r.row.block) {
      if (BufferIsValid(buffer)) UnlockReleaseBuffer(buffer);
      buffer = ReadBuffer(heap, r.row.block);
      LockBuffer(buffer, BUFFER_LOCK_SHARE);
    }
    const Page page = BufferGetPage(buffer);
    bool ours = r.row.offset <= PageGetMaxOffsetNumber(page);
    if (ours) {
      const ItemId item = PageGetItemId(page, r.row.offset);
      ours = ItemIdIsNormal(item);
      if (ours) {
        // The raw xmin: COPY FREEZE writes tuples that look frozen at once.
        const auto* tuple = reinterpret_cast<HeapTupleHeader>(PageGetItem(page, item));
        ours = TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetRawXmin(tuple));
      }
    }
    if (!ours) r.done = true;
  }
  if (BufferIsValid(buffer)) UnlockReleaseBuffer(buffer);
}

void check_rows(Relation heap, Batch* batch) {
  if (heap->rd_tableam != GetHeapamTableAmRoutine()) return;
  auto* order = static_cast<uint32*>(palloc(batch->rows * sizeof(uint32)));
  for (uint32 i = 0; i < batch->rows; i++) order[i] = i;
  std::sort(order, order + batch->rows, [batch](uint32 a, uint32 b) {
    const tree::RowId x = batch->row[a].row, y = batch->row[b].row;
    if (x.block != y.block) return x.block < y.block;
    return x.offset != y.offset ? x.offset < y.offset : a < b;
  });
  discard_strangers(heap, batch, order);
  pfree(order);
}

// -- flushing

// Marks rows as they become part of the index: never appended again, also if the flush fails half-way.
class MarkDone final : public tree::InsertWatch {
 public:
  MarkDone(Batch* batch, const uint32* numbers) : batch_(batch), numbers_(numbers) {}
  void done(std::size_t index) noexcept override { batch_->row[numbers_[index]].done = true; }

 private:
  Batch* batch_;
  const uint32* numbers_;
};

// Writes the rows' vectors to the side WAL, in as many records as they need, and notes where.
void log_rows(Relation index, const Batch* batch, std::span<const uint32> numbers, std::span<FlushRow> rows,
              std::pmr::memory_resource& memory) {
  const std::size_t cells = batch->space->raw_cells();
  const std::size_t most = pg::side_wal_rows(cells);
  std::pmr::vector<wal::RowId> ids(&memory);
  std::pmr::vector<float> vectors(&memory);
  for (std::size_t at = 0; most > 0 && at < rows.size();) {
    const std::size_t end = std::min(rows.size(), at + most);
    ids.clear();
    vectors.clear();
    for (std::size_t i = at; i < end; ++i) {
      ids.push_back({rows[i].row.row.block, rows[i].row.row.offset, 0});
      const float* raw = batch->raw + numbers[i] * cells;
      vectors.insert(vectors.end(), raw, raw + cells);
    }
    const std::uint64_t position = pg::call([&] {
      return pg::log_batch(index, batch->incarnation, ids, vectors.data(), static_cast<std::uint32_t>(cells));
    });
    if (position == 0) return;
    for (; at < end; ++at) rows[at].position = position;
  }
}

// Puts a flush's rows into the pending list, or straight into the tree where there is none or no room: the writer's pause
// that users of other systems know as that of a garbage collection. Rows that the list will not take are not logged.
void put_rows(Relation index, pg::RelationStore& store, const tree::Space& space, const Batch* batch,
              std::span<const uint32> numbers, std::span<FlushRow> rows, tree::InsertWatch& watch,
              std::pmr::memory_resource& memory) {
  if (rows.empty()) return;
  const bool listed = takes_pending(index);
  const auto room = [&] { return has_pending_room(index, space, rows.size()); };
  // Memory that an index no longer needs may be all that is wanted.
  if (listed && (room() || (pg::call([] { return forget_gone(); }) && room()))) {
    log_rows(index, batch, numbers, rows, memory);
    if (append_pending_rows(index, store, space, rows, watch, memory)) return;
  }
  const PauseClock clock(listed);
  std::pmr::vector<tree::NewRow> direct(&memory);
  for (const FlushRow& r : rows) direct.push_back(r.row);
  tree::insert_rows(store, space, direct, watch, memory);
  recalibrate_if_grown(store, space, memory);
}

void count_inserted(Relation index, const tree::Space& space, std::size_t rows) {
  pg::IndexEntry* counters = pg::call([&] {
    pg::IndexEntry* entry = pg::index_entry(index);
    pg::note_index(entry, index, space.meta.incarnation, space.meta.leaves);
    return entry;
  });
  pg::IndexSums sums;
  sums[pg::IndexCount::inserted] = rows;
  pg::add_index_sums(counters, sums);
}

// Returns whether the index has a pending list that only a server with shared memory can have made.
bool insert_batch(Relation index, Batch* batch, MemoryContext context) {
  pg::ContextResource memory(context, pg::MemoryKind::insert);
  pg::RelationStore store(index);
  const tree::Space* space = load_space(index, store, context);
  if (space->meta.incarnation != batch->incarnation) return false;  // built anew from the heap meanwhile
  std::pmr::vector<FlushRow> rows(&memory);
  std::pmr::vector<uint32> numbers(&memory);
  for (uint32 i = 0; i < batch->rows; i++) {
    const DeferredRow& r = batch->row[i];
    if (r.done) continue;
    rows.push_back({{r.row, batch->vector + i * space->dims(), r.norm, r.raw_norm}, r.crc, 0});
    numbers.push_back(i);
  }
  MarkDone watch(batch, numbers.data());
  const pg::Doing before = pg::call([&] { return pg::begin_activity(pg::Phase::flush, RelationGetRelid(index)); });
  put_rows(index, store, *space, batch, numbers, rows, watch, memory);
  count_inserted(index, *space, rows.size());
  pg::end_activity(before);
  return !takes_pending(index) && space->meta.pending_head != tree::kNoBlock;
}

// An error leaves `flushing` to the end of the subtransaction or transaction; rows that are done stay marked.
void flush(Batch* batch) {
  const bool inside = flushing;
  flushing = true;
  const MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "longbow flush", ALLOCSET_DEFAULT_SIZES);
  const Relation index = try_relation_open(batch->index, RowExclusiveLock);
  if (index != nullptr && lb_same_file(batch->file, lb_locator(index))) {
    const Relation heap = relation_open(batch->heap, AccessShareLock);
    check_rows(heap, batch);
    if (pg::enter([&] { return insert_batch(index, batch, context); })) merge_leftovers(heap, index);
    relation_close(heap, AccessShareLock);
  }
  if (index != nullptr) relation_close(index, RowExclusiveLock);
  MemoryContextDelete(context);
  batch->rows = 0;
  flushing = inside;
}

}  // namespace

bool add_to_batch(Relation index, RowVector vector, tree::RowId row) {
  Batch* batch = find(index);
  if (batch == nullptr || static_cast<std::size_t>(vector.dim) != batch->space->dims()) return false;
  // Left full by a flush that failed in a subtransaction.
  pg::call([&] {
    if (batch->rows >= most_rows(batch)) flush(batch);
    grow(batch);
  });
  const std::size_t dims = batch->space->dims();
  float* at = batch->vector + batch->rows * dims;
  const tree::PreparedRow how = batch->space->prepare_row(vector.x, at);
  if (how.kind != tree::RowClass::indexed) {
    pg::RelationStore store(index);
    tree::insert_plain(store, row, how.kind == tree::RowClass::nan ? tree::kPlainNan : tree::kPlainUnknown);
    return true;
  }
  memcpy(batch->raw + batch->rows * batch->space->raw_cells(), vector.x, batch->space->raw_cells() * sizeof(float));
  batch->row[batch->rows++] = {row, how.norm, how.raw_norm, vector_crc(vector), GetCurrentSubTransactionId(), false};
  if (batch->rows >= most_rows(batch)) pg::call([&] { flush(batch); });
  return true;
}

void begin_batch(Relation index, Relation heap) {
  Batch* batch = pg::call([&] { return begin(index, heap); });
  pg::RelationStore store(index);
  batch->space = load_space(index, store, batch->memory);
  batch->incarnation = batch->space->meta.incarnation;
  batch->next = batches;
  batches = batch;
}

void flush_batches(int depth) {
  if (flushing) return;
  for (Batch* b = batches; b != nullptr;) {
    if (b->depth <= depth) {
      b = b->next;
      continue;
    }
    flush(b);
    drop(b);
    // A flush may run functions of the user, and so other statements.
    b = batches;
  }
}

void forget_batch(Oid index) {
  for (Batch* b = batches; b != nullptr;) {
    Batch* next = b->next;
    if (b->index == index) drop(b);
    b = next;
  }
}

// Ends a subtransaction: its rows go with it, or become its parent's.
static void end_subtransaction(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void*) {
  if (event != SUBXACT_EVENT_ABORT_SUB && event != SUBXACT_EVENT_COMMIT_SUB) return;
  if (event == SUBXACT_EVENT_ABORT_SUB) flushing = false;
  for (Batch *b = batches, *next; b != nullptr; b = next) {
    next = b->next;
    if (event == SUBXACT_EVENT_ABORT_SUB) {
      retain(b, [mine](const DeferredRow& r) { return r.subtransaction != mine; });
      // A batch that this subtransaction began loses its lock too.
      if (b->rows == 0) drop(b);
      continue;
    }
    for (uint32 i = 0; i < b->rows; i++)
      if (b->row[i].subtransaction == mine) b->row[i].subtransaction = parent;
  }
}

static void end_transaction(XactEvent event, void*) {
  switch (event) {
    case XACT_EVENT_PRE_COMMIT:
    case XACT_EVENT_PRE_PREPARE:
      flush_batches();
      pg::side_wal_before_commit();
      break;
    case XACT_EVENT_COMMIT:
    case XACT_EVENT_PREPARE:
    case XACT_EVENT_ABORT:
      if (event == XACT_EVENT_ABORT) {
        statement_depth = 0;
        pg::side_wal_at_end();
      } else {
        pg::side_wal_after_commit();
      }
      // The batches' memory goes with the transaction's.
      batches = nullptr;
      flushing = false;
      break;
    default: break;
  }
}

bool batch_reads(const List* range_table) {
  for (const Batch* b = batches; b != nullptr; b = b->next) {
    ListCell* cell;
    foreach (cell, range_table) {
      const auto* entry = static_cast<const RangeTblEntry*>(lfirst(cell));
      if (entry->rtekind == RTE_RELATION && entry->relid == b->heap && b->rows > 0) return true;
    }
  }
  return false;
}

bool batches_pending() { return batches != nullptr && !flushing; }

void register_batch_callbacks() {
  RegisterXactCallback(end_transaction, nullptr);
  RegisterSubXactCallback(end_subtransaction, nullptr);
}

}  // namespace longbow::am
