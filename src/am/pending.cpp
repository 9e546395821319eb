// The pending list and the delta together.
//
// An append holds the delta's `append` lock of its index from the choice of the ordinals until the slots are published; rows
// go in page by page, each page's record and its slots with no error between them. A reader takes the ordinals from
// `covered` on from the delta alone, and those below from the list, with codes where a slot has them: a row that VACUUM
// marked, here or before redo on a standby, is marked there.
#include "am/pending.hpp"

#include <algorithm>

#include "am/pending_cache.hpp"
#include "pg/context_resource.hpp"

extern "C" {
#include "access/xlog.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
}

namespace longbow::am {

namespace {

// Publishes the codes of rows whose entries are in the list.
class Publisher final : public tree::PendingWatch {
 public:
  Publisher(pg::Delta& delta, const tree::Space& space, const tree::DeltaEncoder& codes, tree::InsertWatch& watch)
      : delta_(delta), layout_(tree::delta_layout(space)), codes_(codes), watch_(watch) {}
  void appended(std::size_t first, std::size_t count, std::uint64_t ordinal) noexcept override {
    const pg::SharedLock lock(delta_.chunks_lock(), LW_SHARED);
    for (std::size_t i = first; i < first + count; ++i, ++ordinal) {
      std::size_t lane = 0;
      const tree::DeltaBlock block = delta_.block_of(ordinal, lane);
      if (block.codes != nullptr) tree::put_delta_row(layout_, block, lane, codes_[i]);
      watch_.done(i);
    }
    delta_.entry().next = ordinal;
  }

 private:
  pg::Delta& delta_;
  tree::DeltaLayout layout_;
  const tree::DeltaEncoder& codes_;
  tree::InsertWatch& watch_;
};

}  // namespace

bool takes_pending(Relation index) { return pg::have_shared_memory() && !RelationUsesLocalBuffers(index); }

bool forget_gone() {
  bool any = false;
  for (int i = 0; i < pg::kMostDeltaIndexes; i++) {
    const pg::DeltaIndex& e = pg::shared_parts.delta->index[i];
    if (!e.used || lb_database(e.file) != MyDatabaseId || OidIsValid(lb_relation_of_file(e.file))) continue;
    pg::forget_delta(i);
    any = true;
  }
  return any;
}

bool has_pending_room(Relation index, const tree::Space& space, std::size_t rows) {
  pg::Delta delta = pg::Delta::of(index, space, true);
  return delta && delta.has_room(rows);
}

bool append_pending_rows(Relation index, tree::PageStore& store, const tree::Space& space, std::span<const FlushRow> rows,
                         tree::InsertWatch& watch, std::pmr::memory_resource& memory) {
  pg::Delta delta = pg::Delta::of(index, space, true);
  if (!delta) return false;
  tree::DeltaEncoder codes(space, memory);
  std::pmr::vector<tree::NewPending> entries(&memory);
  entries.reserve(rows.size());
  for (const FlushRow& r : rows) {
    codes.add(r.row.row, r.row.vector, r.row.norm, r.row.raw_norm);
    entries.push_back({r.row.row, r.crc, r.position});
  }
  const pg::SharedLock lock(delta.append_lock(), LW_EXCLUSIVE);
  if (!delta.still_ours()) return false;
  const std::uint64_t next = tree::next_pending_ordinal(store);
  if (!delta.reserve(next, rows.size())) return false;
  // Whatever comes after this is in the delta too.
  if (delta.entry().covered == 0) delta.entry().covered = next;
  Publisher publisher(delta, space, codes, watch);
  tree::append_pending(store, entries, publisher);
  for (const FlushRow& r : rows) delta.note_logged(r.position);
  return true;
}

void drop_merged(pg::Delta& delta, tree::PageStore& store, std::uint64_t ordinal, std::uint64_t position) {
  delta.drop_below(ordinal, position);
  // Nobody appends meanwhile, so what the list says holds.
  const pg::SharedLock lock(delta.append_lock(), LW_EXCLUSIVE);
  if (const std::uint64_t next = tree::next_pending_ordinal(store); next <= ordinal) delta.drop_all(next);
}

PauseClock::PauseClock(bool counts) : counts_(counts) { INSTR_TIME_SET_CURRENT(start_); }

PauseClock::~PauseClock() {
  if (!counts_ || pg::gc_counters() == nullptr) return;
  instr_time end;
  INSTR_TIME_SET_CURRENT(end);
  INSTR_TIME_SUBTRACT(end, start_);
  pg::gc_counters()->pauses.add(1);
  pg::gc_counters()->pause.record(static_cast<std::uint64_t>(INSTR_TIME_GET_DOUBLE(end) * 1e9));
}

namespace {

// Shows a visitor the delta's rows from `from` on: those below `covered` that `old` has too, the others of `old` as the session's
// own cache has them. False if the entry is another index's by now. finish() is called while blocks are still as they were.
bool visit_delta(pg::Delta& delta, std::uint64_t from, std::uint64_t covered, const OldEntries& old, const PendingCache* cache,
                 const tree::DeltaLayout& layout, tree::PendingVisitor& visitor) {
  std::uint64_t next = old.first_block();  // first ordinal of the block of the list that comes next
  const auto others_below = [&](std::uint64_t ordinal) {
    for (; next < std::min(ordinal, old.end()); next += tree::kDeltaRows) show_cached(cache, old, layout, next, 0xFFFF, visitor);
  };
  const std::uint64_t trusted = std::max(covered, from);
  // A block of which some slots are to be compared with the list.
  const auto show_compared = [&](tree::DeltaBlock block, std::uint64_t first) {
    const tree::RowIds& f = layout.ids_of(block);
    others_below(first);
    const SlotMatch m = old.match(first, &f);
    std::uint32_t mask = m.there;
    if (m.missing != 0) show_cached(cache, old, layout, first, m.missing, visitor);
    next = first + tree::kDeltaRows;
    const std::uint32_t there = tree::delta_rows_there(f);
    for (std::uint64_t ordinal = std::max(first, trusted); ordinal < first + tree::kDeltaRows; ++ordinal)
      mask |= there & 1U << (ordinal - first);
    if (mask != 0) visitor.block(block, mask);
  };
  const pg::SharedLock lock(delta.chunks_lock(), LW_SHARED);
  // Another entry for the same file, which covers less, may have taken the place of the one that was looked at.
  if (!delta.still_ours() || delta.covered() > covered) return false;
  // From `covered` up to here all slots have been published, and no flush is at work on their blocks. Their row ids are not read
  // before they are scored: that would take as long as scoring them, each being on a line of its own far from the last one.
  const std::uint64_t published = delta.entry().next.load();
  delta.for_each_run(from, ~std::uint64_t{0}, [&](tree::DeltaBlock block, std::uint64_t first, std::size_t blocks) {
    const std::uint64_t end = first + blocks * tree::kDeltaRows;
    for (; first < trusted && first < end; first += tree::kDeltaRows, block = layout.further(block, 1)) show_compared(block, first);
    others_below(first);
    if (const std::uint64_t whole = std::min(published, end); first + tree::kDeltaRows <= whole) {
      const std::size_t count = (whole - first) / tree::kDeltaRows;
      visitor.run(block, count);
      first += count * tree::kDeltaRows;
      block = layout.further(block, count);
    }
    for (; first < end; first += tree::kDeltaRows, block = layout.further(block, 1)) {
      const std::uint32_t mask = tree::delta_rows_there(layout.ids_of(block));
      if (mask != 0) visitor.block(block, mask);
    }
  });
  others_below(~std::uint64_t{0});
  visitor.finish();
  return true;
}

}  // namespace

pg::Delta ScanPending::open_delta() {
  const std::uint64_t from = space_.meta.pending_from;
  pg::Delta delta = pg::Delta::of(index_, space_, heap_ != nullptr);
  // On a standby nobody else sees that the list's head has moved.
  if (delta && delta.entry().from < from && RecoveryInProgress()) drop_merged(delta, store_, from, delta.entry().log_floor);
  return delta;
}

const PendingCache* ScanPending::fill_gaps(pg::Delta& delta, const OldEntries& old, bool others) {
  pg::ContextResource memory(CurrentMemoryContext, pg::MemoryKind::fill);
  DeltaFiller filler(delta, old, space_, memory);
  filler.run(store_, heap_, index_, snapshot_);
  const PendingCache* cache = others && !filler.left().empty() ? fill_cache(old, &filler.left()) : nullptr;
  if (filler.had_all() && !RecoveryInProgress()) cover_list(delta, store_, space_);
  return cache;
}

void ScanPending::fill() {
  const std::uint64_t from = space_.meta.pending_from;
  if (space_.meta.pending_head == tree::kNoBlock) return;
  pg::Delta delta = open_delta();
  if (!delta || delta.covered() <= from) return;
  OldEntries old(delta.covered(), memory_);
  old.read(store_, from);
  if (!old.empty()) fill_gaps(delta, old, false);
}

void ScanPending::visit(tree::PendingVisitor& visitor) {
  const std::uint64_t from = space_.meta.pending_from;
  // No list has ever been made, unless a flush under way makes the first: this snapshot does not see its rows. The
  // transaction's own rows came before the meta page was read.
  if (space_.meta.pending_head == tree::kNoBlock) return visitor.finish();
  pg::Delta delta = open_delta();
  const std::uint64_t covered = delta ? delta.covered() : ~std::uint64_t{0};
  OldEntries old(covered, memory_);
  if (covered > from) old.read(store_, from);
  const PendingCache* cache = nullptr;
  if (delta && heap_ != nullptr && !old.empty()) cache = fill_gaps(delta, old, true);
  if (delta && visit_delta(delta, from, covered, old, cache, tree::delta_layout(space_), visitor)) return;
  // Without a delta, or with one that was forgotten meanwhile, the list says it all.
  OldEntries all(~std::uint64_t{0}, memory_);
  all.read(store_, from);
  cache = heap_ != nullptr && !all.empty() ? fill_cache(all, nullptr) : nullptr;
  const tree::DeltaLayout layout = tree::delta_layout(space_);
  for (std::uint64_t block = all.first_block(); block < all.end(); block += tree::kDeltaRows)
    show_cached(cache, all, layout, block, 0xFFFF, visitor);
  visitor.finish();
}

const PendingCache* ScanPending::fill_cache(const OldEntries& old, const std::pmr::vector<std::uint64_t>* wanted) {
  pg::ContextResource memory(CurrentMemoryContext, pg::MemoryKind::fill);
  CacheFiller(index_, old, wanted, space_, memory).run(store_, heap_, index_, snapshot_);
  return PendingCache::find(index_, space_);
}

void fill_delta(Relation heap, Relation index) {
  const MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "longbow fill", ALLOCSET_DEFAULT_SIZES);
  pg::enter([&] {
    pg::RelationStore store(index);
    pg::ContextResource memory(context, pg::MemoryKind::fill);
    const tree::Space* space = load_space(index, store, context);
    ScanPending(index, heap, pg::call([] { return GetActiveSnapshot(); }), store, *space, memory).fill();
  });
  MemoryContextDelete(context);
}

}  // namespace longbow::am
