// longbow_check(regclass): the whole index against its heap.
//
// The snapshot comes first, then the index, then the heap: a row that the snapshot sees was in the index before its transaction
// committed. Splits and VACUUM's sweep wait while it runs; inserts and searches do not.
#include <cmath>
#include <new>

#include "am/batch.hpp"
#include "am/heap_reader.hpp"
#include "am/index.hpp"
#include "longbow/mem/flat_set.hpp"
#include "longbow/simd/kernels.hpp"
#include "longbow/tree/maintain.hpp"
#include "pg/activity.hpp"
#include "pg/context_resource.hpp"

extern "C" {
#include "access/relation.h"
#include "access/table.h"
#include "catalog/index.h"
}

namespace longbow::am {

namespace {

class Checker final : public tree::RowVisitor {
 public:
  Checker(HeapReader& reader, const tree::Space& space, std::pmr::memory_resource& memory)
      : reader_(reader), space_(space), seen_(memory), listed_(memory), prepared_(space.dims(), &memory) {}

  void pending(const tree::PendingEntry& entry) override {
    const tree::RowId row{entry.block, entry.offset};
    if (reader_.lies_beyond(row)) fail(row, "lies beyond the end of its table");
    if (!pg::call([&] { return reader_.find(row); })) return;
    const RowVector vector = pg::call([&] { return reader_.vector(); });
    // Another row has taken the place of the one that the entry means: it has an entry of its own.
    const bool meant = vector.x != nullptr && vector_crc(vector) == entry.crc;
    if (meant && static_cast<std::size_t>(vector.dim) != space_.dims()) fail(row, "has another dimension than the index");
    pg::call([&] { reader_.forget(); });
    if (!meant) return;
    if (!listed_.insert(tree::row_key(row))) fail(row, "occurs twice in the pending list");
    ++visible;
  }
  void row(tree::RowId row, const float* decoded, float error, std::uint16_t flags) override {
    if (reader_.lies_beyond(row)) fail(row, "lies beyond the end of its table");
    if (!seen_.insert(tree::row_key(row))) fail(row, "occurs twice in the index");
    if (!pg::call([&] { return reader_.find(row); })) return;
    // One that was on its way from the list into the tree was counted there.
    if (!listed_.contains(tree::row_key(row))) ++visible;
    const RowVector vector = pg::call([&] { return reader_.vector(); });
    compare(row, vector, decoded, error, flags);
    pg::call([&] { reader_.forget(); });
  }

  std::int64_t visible = 0;

 private:
  [[noreturn]] void fail(tree::RowId row, const char* what) {
    pg::call([&] {
      ereport(ERROR, (errcode(ERRCODE_INDEX_CORRUPTED),
                      errmsg("heap row (%u,%u) %s", row.block, row.offset, what),
                      errdetail("Index \"%s\" of table \"%s\".", RelationGetRelationName(reader_.index),
                                RelationGetRelationName(reader_.heap)),
                      errhint("Please REINDEX it.")));
    });
    pg_unreachable();
  }

  void compare(tree::RowId row, RowVector vector, const float* decoded, float error, std::uint16_t flags) {
    if ((vector.x == nullptr) != (flags == tree::kPlainNull)) fail(row, "is NULL in one place and a vector in the other");
    if (vector.x == nullptr) return;
    if (static_cast<std::size_t>(vector.dim) != space_.dims()) fail(row, "has another dimension than the index");
    const tree::PreparedRow how = space_.prepare_row(vector.x, prepared_.data());
    const std::uint16_t expected = how.kind == tree::RowClass::indexed ? 0
                                   : how.kind == tree::RowClass::nan   ? tree::kPlainNan
                                                                       : tree::kPlainUnknown;
    // Rows whose vectors a merge could not read are left to the executor: that is always right.
    if (flags != expected && flags != tree::kPlainUnknown) fail(row, "is in the wrong part of the index");
    if (decoded == nullptr) return;
    const auto& k = simd::kernels();
    const std::size_t n = space_.dims();
    const float distance = space_.metric() == base::Metric::l1 ? k.l1(prepared_.data(), decoded, n)
                                                               : std::sqrt(k.l2_squared(prepared_.data(), decoded, n));
    // Decoding and this sum round too.
    const float slack = quant::sum_error(n) * (distance + how.norm) + 1e-30F;
    if (!(distance <= error + slack)) fail(row, "is farther from its code than the code's error bound says");
  }

  HeapReader& reader_;
  const tree::Space& space_;
  mem::FlatSet seen_;    // in the tree
  mem::FlatSet listed_;  // in the pending list, visible
  std::pmr::vector<float> prepared_;
};

int64 check(Relation heap, Relation index) {
  const MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "longbow check", ALLOCSET_DEFAULT_SIZES);
  HeapReader reader{};
  reader.open(heap, index);
  int64 visible = 0;
  {
    pg::ContextResource memory(context, pg::MemoryKind::other);
    pg::RelationStore store(index);
    const tree::Space space = *load_space(index, store, context);
    Checker checker(reader, space, memory);
    tree::visit_rows(store, space, checker, memory);
    visible = checker.visible;
  }
  const int64 expected = reader.count();
  if (visible != expected)
    ereport(ERROR, (errcode(ERRCODE_INDEX_CORRUPTED),
                    errmsg("index \"%s\" has " INT64_FORMAT " of the " INT64_FORMAT " rows of its table",
                           RelationGetRelationName(index), visible, expected),
                    errhint("Please REINDEX it.")));
  reader.close();
  MemoryContextDelete(context);
  return visible;
}

}  // namespace

}  // namespace longbow::am

// longbow_check(index regclass) returns bigint: rows that were compared.
LB_FUNCTION(longbow_check) {
  const Oid oid = PG_GETARG_OID(0);
  longbow::am::flush_batches();
  Relation heap;
  const Relation index = longbow::am::open_index_and_table(oid, AccessShareLock, &heap);
  if (!index->rd_index->indisvalid)
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("index \"%s\" is not valid", RelationGetRelationName(index))));
  longbow::am::OwnerRights rights{};
  rights.enter(heap);
  const longbow::pg::Doing before = longbow::pg::begin_activity(longbow::pg::Phase::check, oid);
  const int64 rows = longbow::am::check(heap, index);
  longbow::pg::end_activity(before);
  rights.leave();
  relation_close(index, AccessShareLock);
  table_close(heap, AccessShareLock);
  PG_RETURN_INT64(rows);
}
