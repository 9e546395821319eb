// VACUUM: the sweep behind ambulkdelete and amvacuumcleanup.
#include "am/index.hpp"
#include "am/merge.hpp"
#include "longbow/tree/maintain.hpp"
#include "longbow/tree/pending.hpp"
#include "pg/activity.hpp"
#include "pg/context_resource.hpp"
#include "pg/delta.hpp"

extern "C" {
#include "commands/vacuum.h"
#include "storage/indexfsm.h"
}

namespace longbow::am {

namespace {

// Asks VACUUM which rows are dead.
class VacuumDead final : public tree::DeadRows {
 public:
  VacuumDead(IndexBulkDeleteCallback callback, void* state) : callback_(callback), state_(state) {}
  bool is_dead(tree::RowId row) override {
    ItemPointerData tid;
    ItemPointerSet(&tid, row.block, row.offset);
    // CREATE INDEX CONCURRENTLY's callback collects the row ids in a sort, which may fail.
    return pg::call([&] { return callback_(&tid, state_); });
  }

 private:
  IndexBulkDeleteCallback callback_;
  void* state_;
};

// Takes rows that the list's sweep marks out of the delta too.
class DropMarked final : public tree::PendingSweepWatch {
 public:
  DropMarked(pg::Delta& delta, const tree::Space& space) : delta_(delta), layout_(tree::delta_layout(space)) {}
  void marked(std::uint64_t ordinal) noexcept override {
    if (delta_) delta_.drop_row(ordinal, layout_);
  }

 private:
  pg::Delta& delta_;
  tree::DeltaLayout layout_;
};

// Marks dead rows of the pending list, so that nothing in it is dead when the tree's turn comes: what a merge brings there
// afterwards is alive. Chunks stay where they are meanwhile: only a merge gives them back, and it waits.
tree::PendingSweep sweep_list(Relation index, pg::RelationStore& store, const tree::Space& space, tree::DeadRows& dead) {
  const tree::MergeLock lock(store, true);
  pg::Delta delta = pg::Delta::of(index, space, false);
  DropMarked watch(delta, space);
  return tree::sweep_pending(store, dead, watch);
}

IndexBulkDeleteResult* run(IndexVacuumInfo* info, IndexBulkDeleteResult* stats, tree::DeadRows* dead) {
  if (stats == nullptr) stats = static_cast<IndexBulkDeleteResult*>(palloc0(sizeof(IndexBulkDeleteResult)));
  const pg::Doing before = pg::call([&] { return pg::begin_activity(pg::Phase::vacuum, RelationGetRelid(info->index)); });
  const MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "longbow vacuum", ALLOCSET_DEFAULT_SIZES);
  {
    pg::ContextResource memory(context, pg::MemoryKind::vacuum);
    pg::RelationStore store(info->index, pg::RelationStore::Mode::normal, pg::RelationStore::Pace::vacuum,
                            info->strategy);
    const tree::Space* space = load_space(info->index, store, context);
    struct None final : tree::DeadRows {
      bool is_dead(tree::RowId) override { return false; }
    } none;
    const tree::PendingSweep list = sweep_list(info->index, store, *space, dead != nullptr ? *dead : none);
    tree::SweepResult r = tree::sweep(store, *space, dead, memory);
    r.rows += list.rows;
    r.removed += list.removed;
    stats->num_pages = static_cast<BlockNumber>(r.pages);
    stats->num_index_tuples = static_cast<double>(r.rows);
    stats->tuples_removed += static_cast<double>(r.removed);
    stats->pages_newly_deleted += static_cast<BlockNumber>(r.retired);
    stats->pages_deleted = static_cast<BlockNumber>(r.free_pages);
    stats->pages_free = static_cast<BlockNumber>(r.free_pages);
    stats->estimated_count = false;
  }
  MemoryContextDelete(context);
  pg::end_activity(before);
  return stats;
}

}  // namespace

IndexBulkDeleteResult* bulk_delete(IndexVacuumInfo* info, IndexBulkDeleteResult* stats, IndexBulkDeleteCallback dead,
                                   void* state) {
  VacuumDead rows(dead, state);
  return run(info, stats, &rows);
}

IndexBulkDeleteResult* vacuum_cleanup(IndexVacuumInfo* info, IndexBulkDeleteResult* stats) {
  if (info->analyze_only) return stats;
  // A merge takes the pages that the bulk delete has freed before it asks for more: the disk may be full.
  if (stats != nullptr) pg::call([&] { IndexFreeSpaceMapVacuum(info->index); });
  // What the side WAL has of the pending rows goes into the tree: VACUUM holds no snapshot that would let it read the table.
  pg::call([&] { merge_all(nullptr, info->index, false); });
  // Without a bulk delete before it, one pass counts the rows and takes moved nodes out of use.
  if (stats == nullptr) stats = run(info, nullptr, nullptr);
  pg::call([&] { IndexFreeSpaceMapVacuum(info->index); });
  return stats;
}

}  // namespace longbow::am
