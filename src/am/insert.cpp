// aminsert: NULLs and odd rows go into the index at once, vectors into the statement's batch.
#include "am/batch.hpp"
#include "am/index.hpp"
#include "longbow/tree/insert.hpp"
#include "longbow/tree/maintain.hpp"
#include "pg/context_resource.hpp"

namespace longbow::am {

namespace {

struct NoWatch final : tree::InsertWatch {
  void done(std::size_t) noexcept override {}
};

// Makes sure that the index has a root and takes vectors of this dimension.
const tree::Space* ready_space(Relation index, pg::RelationStore& store, RowVector vector,
                               MemoryContext context) {
  const tree::Space* space = load_space(index, store, context);
  const bool fits = space->dims() == 0 || static_cast<int>(space->dims()) == vector.dim;
  if (fits && space->meta.root == tree::kNoBlock) {
    pg::ContextResource memory(context, pg::MemoryKind::insert);
    tree::fix_dimensions(store, static_cast<std::uint32_t>(vector.dim), memory);
    space = load_space(index, store, context);
  }
  if (static_cast<std::size_t>(vector.dim) != space->dims())
    pg::call([&] { report_dims(index, static_cast<int>(space->dims()), vector.dim); });
  return space;
}

// Rows that CREATE INDEX CONCURRENTLY's validation brings were inserted by other transactions: they go in at once. So does
// what others insert while the index is not valid yet, which is harmless.
bool deferrable(Relation index) { return index->rd_index->indisvalid; }

void insert_now(pg::RelationStore& store, const tree::Space& space, RowVector vector, tree::RowId row,
                MemoryContext context) {
  pg::ContextResource memory(context, pg::MemoryKind::insert);
  std::pmr::vector<float> prepared(space.dims(), &memory);
  const tree::PreparedRow how = space.prepare_row(vector.x, prepared.data());
  if (how.kind != tree::RowClass::indexed) {
    tree::insert_plain(store, row, how.kind == tree::RowClass::nan ? tree::kPlainNan : tree::kPlainUnknown);
    return;
  }
  const tree::NewRow rows[1] = {{row, prepared.data(), how.norm, how.raw_norm}};
  NoWatch watch;
  tree::insert_rows(store, space, rows, watch, memory);
  recalibrate_if_grown(store, space, memory);
}

}  // namespace

bool insert(Relation index, Datum* values, bool* nulls, ItemPointer tid, Relation heap, IndexUniqueCheck, bool,
            IndexInfo*) {
  const MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "longbow insert", ALLOCSET_SMALL_SIZES);
  const MemoryContext old = MemoryContextSwitchTo(context);
  {
    pg::RelationStore store(index);
    if (nulls[0]) {
      tree::insert_plain(store, row_id(tid), tree::kPlainNull);
    } else {
      const RowVector vector = pg::call([&] { return row_vector(opclass_info(index)->element, values[0]); });
      const bool defer = deferrable(index);
      if (!defer || !add_to_batch(index, vector, row_id(tid))) {
        const tree::Space* space = ready_space(index, store, vector, context);
        if (defer) {
          begin_batch(index, heap);
          add_to_batch(index, vector, row_id(tid));
        } else {
          insert_now(store, *space, vector, row_id(tid), context);
        }
      }
    }
  }
  MemoryContextSwitchTo(old);
  MemoryContextDelete(context);
  return false;
}

}  // namespace longbow::am
