// Merging pending rows: one round, and longbow_merge(regclass).
//
// Locks: the index's merge lock for a round; under it what an insert takes.
#include "am/merge.hpp"

#include <algorithm>
#include <optional>

#include "am/batch.hpp"
#include "am/pending.hpp"
#include "am/vector_fetch.hpp"
#include "longbow/tree/pending.hpp"
#include "pg/activity.hpp"
#include "pg/context_resource.hpp"
#include "pg/index_stats.hpp"
#include "pg/settings.hpp"

extern "C" {
#include "access/relation.h"
#include "access/table.h"
#include "access/xlog.h"
#include "catalog/index.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
}

namespace longbow::am {

namespace {

// A round's rows: enough that most leaves which get rows get several, few enough to end soon and fit memory. Its plan and its
// part of the list take pages until it ends: in a small tree a round is a quarter of it, whose pages the next ones use again.
constexpr std::size_t kRoundRows = 20000, kSmallRoundRows = 1000, kPacedRows = 4096;
constexpr std::size_t kRoundBytes = 16 << 20;

std::size_t round_rows(const tree::Meta& meta) {
  const std::size_t quarter = std::max<std::size_t>(kSmallRoundRows, std::size_t{meta.leaves} * meta.leaf_size / 4);
  return std::min(std::clamp<std::size_t>(kRoundBytes / (meta.dims * sizeof(float)), 16, kRoundRows), quarter);
}

// Position in the side WAL of the oldest pending entry that has one; 0 if none has.
std::uint64_t oldest_position(tree::PageStore& store) {
  struct First final : tree::PendingReader {
    std::uint64_t position = 0;
    bool entries(std::uint64_t, std::span<const tree::PendingEntry> entries) override {
      for (const tree::PendingEntry& e : entries)
        if (e.position != 0 && (position == 0 || e.position < position)) position = e.position;
      return position == 0;
    }
  } first;
  tree::read_pending(store, 0, first);
  return first.position;
}

void count_round(const tree::MergeResult& r, const instr_time& start) {
  pg::GcCounters* counters = pg::gc_counters();
  if (counters == nullptr) return;
  instr_time end;
  INSTR_TIME_SET_CURRENT(end);
  INSTR_TIME_SUBTRACT(end, start);
  counters->rounds.add(1);
  counters->rows.add(r.rows);
  counters->stale.add(r.stale);
  counters->unknown.add(r.unknown);
  counters->round.record(static_cast<std::uint64_t>(INSTR_TIME_GET_DOUBLE(end) * 1e9));
}

void count_merged(Relation index, std::uint64_t rows) {
  pg::IndexSums sums;
  sums[pg::IndexCount::merged] = rows;
  pg::add_index_sums(pg::call([&] { return pg::index_entry(index); }), sums);
}

// The ordinals that the list has now: its first, and the one that its next entry gets.
struct Range {
  std::uint64_t from, end;
};
Range pending_range(Relation index) {
  Range range{};
  pg::enter([&] {
    pg::RelationStore store(index);
    range.from = tree::read_meta(store).pending_from;
    range.end = tree::next_pending_ordinal(store);
  });
  return range;
}

}  // namespace

double merge_base(double tree_rows) noexcept { return std::max(10000.0, tree_rows * 0.02); }

double merge_threshold(double tree_rows) {
  return pg::settings.gc_percent < 0 ? -1 : merge_base(tree_rows) * pg::settings.gc_percent / 100.0;
}

MergeRound merge_round(Relation heap, Relation index, bool wait, std::size_t most) {
  MergeRound round{};
  using Pace = pg::RelationStore::Pace;
  const MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "longbow merge", ALLOCSET_DEFAULT_SIZES);
  pg::enter([&] {
    pg::ContextResource memory(context, pg::MemoryKind::merge);
    pg::RelationStore store(index, pg::RelationStore::Mode::normal, heap != nullptr ? Pace::query : Pace::merge);
    std::optional<CostClock> clock;
    if (heap != nullptr) clock.emplace();
    const tree::MergeLock lock(store, wait);
    round.busy = !lock;
    if (!lock) return;
    instr_time start;
    INSTR_TIME_SET_CURRENT(start);
    const pg::Doing before = pg::call([&] { return pg::begin_activity(pg::Phase::merge, RelationGetRelid(index)); });
    const tree::Space* space = load_space(index, store, context);
    if (space->dims() == 0 || space->meta.pending_head == tree::kNoBlock) return pg::end_activity(before);
    VectorFetch vectors(heap, index, *space, memory);
    round.result = tree::merge_pending(store, *space, vectors, std::min(most, round_rows(space->meta)), memory);
    vectors.close();
    pg::Delta delta = pg::Delta::of(index, *space, false);
    if (delta) drop_merged(delta, store, round.result.from, oldest_position(store));
    // VACUUM never calibrates.
    if (heap != nullptr && round.result.rows > 0) recalibrate_if_grown(store, *space, memory);
    count_round(round.result, start);
    count_merged(index, round.result.rows);
    pg::end_activity(before);
    if (clock) round.cost = clock->cost();
  });
  MemoryContextDelete(context);
  return round;
}

pg::DeltaIndex* know_index(Relation index) {
  pg::DeltaIndex* entry = nullptr;
  const MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "longbow index", ALLOCSET_SMALL_SIZES);
  pg::enter([&] {
    pg::RelationStore store(index);
    const tree::Space* space = load_space(index, store, context);
    pg::Delta delta = pg::Delta::of(index, *space, true);
    if (!delta) return;
    const std::uint64_t next = tree::next_pending_ordinal(store);
    const std::uint64_t position = next > space->meta.pending_from ? oldest_position(store) : 0;
    // Its place may have become another index's meanwhile.
    const pg::SharedLock lock(delta.chunks_lock(), LW_SHARED);
    if (!delta.still_ours()) return;
    entry = &delta.entry();
    entry->from = space->meta.pending_from;
    entry->next = std::max(next, entry->next.load());
    entry->tree_rows = std::uint64_t{space->meta.leaves} * space->meta.leaf_size;
    delta.note_logged(position);
  });
  MemoryContextDelete(context);
  return entry;
}

std::uint64_t merge_all(Relation heap, Relation index, bool wait, MergePace (*pace)() noexcept) {
  // Others may append as fast as we merge: what is there now is enough.
  std::uint64_t rows = 0;
  for (auto [from, end] = pending_range(index); from < end;) {
    CHECK_FOR_INTERRUPTS();
    // Where rounds are paid for they are short, as the sleeps then are.
    const bool paced = pace != nullptr && pace().delay_ms > 0;
    const MergeRound round = merge_round(heap, index, wait, paced ? kPacedRows : SIZE_MAX);
    rows += round.result.rows;
    if (round.busy || round.result.from <= from) break;
    from = round.result.from;
    if (paced && from < end) pay(round.cost, pace, false, nullptr, InvalidOid);
  }
  return rows;
}

void merge_leftovers(Relation heap, Relation index) {
  merge_all(heap, index, false);
}

}  // namespace longbow::am

// longbow_merge(index regclass) returns bigint: rows that went into the tree. Those appended meanwhile stay pending.
// vacuum_cost_delay is honoured between its rounds.
LB_FUNCTION(longbow_merge) {
  const Oid oid = PG_GETARG_OID(0);
  PreventCommandDuringRecovery("longbow_merge()");
  longbow::am::flush_batches();
  Relation heap;
  const Relation index = longbow::am::open_index_and_table(oid, RowExclusiveLock, &heap);
  const std::uint64_t rows = longbow::am::merge_all(heap, index, true, longbow::am::session_pace);
  relation_close(index, RowExclusiveLock);
  table_close(heap, AccessShareLock);
  PG_RETURN_INT64(static_cast<int64>(rows));
}
