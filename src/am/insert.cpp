// aminsert: a row into the tree.
#include "am/index.hpp"
#include "longbow/tree/insert.hpp"
#include "pg/context_resource.hpp"

namespace longbow::am {

namespace {

struct NoWatch final : tree::InsertWatch {
  void done(std::size_t) noexcept override {}
};

void insert_vector(Relation index, const types::Vector* vector, tree::RowId row, MemoryContext context) {
  pg::ContextResource memory(context);
  pg::RelationStore store(index);
  const tree::Space* space = load_space(index, store, context);
  if (space->meta.root == tree::kNoBlock && (space->dims() == 0 || static_cast<int>(space->dims()) == vector->dim)) {
    tree::fix_dimensions(store, static_cast<std::uint32_t>(vector->dim), memory);
    space = load_space(index, store, context);
  }
  if (static_cast<std::size_t>(vector->dim) != space->dims())
    pg::call([&] { report_dims(index, static_cast<int>(space->dims()), vector->dim); });
  std::pmr::vector<float> prepared(space->dims(), &memory);
  const tree::PreparedRow how = space->prepare_row(vector->x, prepared.data());
  if (how.kind != tree::RowClass::indexed) {
    tree::insert_plain(store, row, how.kind == tree::RowClass::nan ? tree::kPlainNan : tree::kPlainUnknown);
    return;
  }
  const tree::NewRow rows[1] = {{row, prepared.data(), how.norm, how.raw_norm}};
  NoWatch watch;
  tree::insert_rows(store, *space, rows, watch, memory);
}

}  // namespace

bool insert(Relation index, Datum* values, bool* nulls, ItemPointer tid, Relation, IndexUniqueCheck, bool, IndexInfo*) {
  const MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "longbow insert", ALLOCSET_DEFAULT_SIZES);
  const MemoryContext old = MemoryContextSwitchTo(context);
  if (nulls[0]) {
    pg::RelationStore store(index);
    tree::insert_plain(store, row_id(tid), tree::kPlainNull);
  } else {
    const types::Vector* vector = pg::call([&] { return types::DatumGetVector(values[0]); });
    insert_vector(index, vector, row_id(tid), context);
  }
  MemoryContextSwitchTo(old);
  MemoryContextDelete(context);
  return false;
}

}  // namespace longbow::am
