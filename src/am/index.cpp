// The index's space from its meta page and the session's memory of it; opening an index by OID.
#include "am/index.hpp"

#include <algorithm>

#include "am/access_method.hpp"
#include "longbow/tree/build.hpp"
#include "longbow/tree/maintain.hpp"

extern "C" {
#include "access/relation.h"
#include "access/table.h"
#include "catalog/index.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/syscache.h"
}

namespace longbow::am {

namespace {

// Blocks that one index's hints may cover at most: 8 GB of index, 4 MB of memory.
constexpr BlockNumber kMostHints = 1 << 20;
// Indexes that a session remembers while nobody uses them.
constexpr int kMostIdle = 64;

// What a session keeps of one index: not in the relcache entry, which an invalidation frees under an open scan.
struct Remembered {
  Remembered* next;
  MemoryContext memory;  // holds the entry itself
  LbLocator file;
  tree::Space space;
  pg::BufferHints hints;
  int users;
  std::uint32_t looks;  // at the file's size
};

Remembered* remembered;

void drop_user(void* entry) { --static_cast<Remembered*>(entry)->users; }

// Counts a user for as long as its memory context lives, also if the transaction aborts.
void add_user(Remembered* entry, MemoryContext user) {
  auto* callback = static_cast<MemoryContextCallback*>(MemoryContextAlloc(user, sizeof(MemoryContextCallback)));
  callback->func = drop_user;
  callback->arg = entry;
  MemoryContextRegisterResetCallback(user, callback);
  ++entry->users;
}

Remembered* find(Relation index) {
  for (Remembered* e = remembered; e != nullptr; e = e->next)
    if (lb_same_file(e->file, lb_locator(index))) return e;
  return nullptr;
}

// Forgets entries without users: all stale ones of this file, and the oldest beyond the limit.
void forget(const Remembered* stale) {
  int idle = 0;
  for (Remembered** link = &remembered; *link != nullptr;) {
    Remembered* e = *link;
    if (e->users == 0 && (e == stale || ++idle > kMostIdle)) {
      *link = e->next;
      MemoryContextDelete(e->memory);
    } else {
      link = &e->next;
    }
  }
}

Remembered* remember(Relation index, tree::PageStore& store, const tree::Meta& meta) {
  // The session's only once it is whole: until then an error takes it along.
  Remembered* entry = pg::call([&] {
    const MemoryContext memory = AllocSetContextCreate(CurrentMemoryContext, "longbow index", ALLOCSET_SMALL_SIZES);
    auto* fresh = static_cast<Remembered*>(MemoryContextAllocZero(memory, sizeof(Remembered)));
    fresh->memory = memory;
    fresh->file = lb_locator(index);
    return fresh;
  });
  auto* buffer = static_cast<float*>(pg::call([&] {
    return MemoryContextAllocHuge(entry->memory, (tree::space_floats(meta) + 1) * sizeof(float));
  }));
  entry->space = tree::make_space(store, meta, buffer);
  MemoryContextSetParent(entry->memory, CacheMemoryContext);
  entry->next = remembered;
  remembered = entry;
  return entry;
}

// Makes room for the hints of all blocks that the index has now; looks every so often, since asking is a system call.
void size_hints(Relation index, Remembered* entry) {
  constexpr std::uint32_t kLookEvery = 32;
  if (RelationUsesLocalBuffers(index) || entry->looks++ % kLookEvery != 0) return;
  const BlockNumber blocks = Min(RelationGetNumberOfBlocks(index), kMostHints);
  if (blocks <= entry->hints.size) return;
  const BlockNumber size = Min(kMostHints, blocks + blocks / 4 + 16);
  auto* fresh = static_cast<Buffer*>(MemoryContextAllocExtended(entry->memory, size * sizeof(Buffer),
                                                                MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO));
  if (entry->hints.size > 0) {
    memcpy(fresh, entry->hints.at, entry->hints.size * sizeof(Buffer));
    pfree(entry->hints.at);
  }
  entry->hints.at = fresh;
  entry->hints.size = size;
}

}  // namespace

const OpclassInfo* opclass_info(Relation index) {
  return reinterpret_cast<const OpclassInfo*>(
      DatumGetPointer(FunctionCall1(index_getprocinfo(index, 1, kSupportProc), PointerGetDatum(nullptr))));
}

void report_dims(Relation index, int expected, int found) {
  const Element element = opclass_info(index)->element;
  const bool bits = element == Element::bit;
  ereport(ERROR, (errcode(ERRCODE_DATA_EXCEPTION),
                  errmsg("expected %d %s, not %d", expected, length_unit(element), found),
                  errdetail("All %s of index \"%s\" must have the same %s.", bits ? "bit strings" : "vectors",
                            RelationGetRelationName(index), bits ? "length" : "dimension"),
                  errhint("Give the column a %s, such as %s(%d), or index an expression that has one.",
                          bits ? "length" : "dimension", element_name(element), expected)));
}

const tree::Space* load_space(Relation index, pg::RelationStore& store, MemoryContext user) {
  Remembered* entry = find(index);
  if (entry != nullptr) store.set_hints(&entry->hints);
  const tree::Meta meta = tree::read_meta(store);
  if (entry != nullptr &&
      (entry->space.meta.incarnation != meta.incarnation || entry->space.meta.dims != meta.dims)) {
    store.set_hints(nullptr);
    // Still in use by an open scan: then it is found no more, and freed when another one goes.
    if (entry->users > 0) entry->file = LbLocator{};
    pg::call([&] { forget(entry); });
    entry = nullptr;
  }
  if (entry == nullptr) {
    entry = remember(index, store, meta);
    pg::call([&] { forget(nullptr); });
  }
  entry->space.meta = meta;
  return pg::call([&] {
    size_hints(index, entry);
    store.set_hints(&entry->hints);
    add_user(entry, user);
    auto* copy = static_cast<tree::Space*>(MemoryContextAlloc(user, sizeof(tree::Space)));
    *copy = entry->space;
    return copy;
  });
}

namespace {

// Smaller trees are searched whole at little cost: the guess for uncalibrated ones does.
constexpr std::uint32_t kFewLeaves = 16;

struct InterruptWatch final : quant::Watch {
  void tick(std::size_t, std::size_t) override { pause(); }
  void pause() override {
    if (INTERRUPTS_PENDING_CONDITION()) pg::call([] { CHECK_FOR_INTERRUPTS(); });
  }
};

}  // namespace

void recalibrate_if_grown(tree::PageStore& store, const tree::Space& space, std::pmr::memory_resource& memory) {
  const auto grown = [](const tree::Meta& m) {
    return m.leaves >= kFewLeaves &&
           m.leaves >= std::uint64_t{2} * std::max(m.calibration.leaves, m.calibration.claimed);
  };
  const tree::Meta before = tree::read_meta(store);
  if (!grown(before)) return;
  // Claimed first, so that of many sessions only one measures; what the old curves were measured on stays beside them,
  // since this session may be cancelled.
  bool claimed = false;
  tree::update_meta(store, [&](tree::Meta& m) {
    claimed = grown(m);
    if (claimed) m.calibration.claimed = m.leaves;
  });
  if (!claimed) return;
  tree::Space current = space;
  current.meta = tree::read_meta(store);
  InterruptWatch watch;
  base::Alone alone(memory);
  const tree::Calibration c = tree::calibrate(store, current, kCalibrationQueries, alone, watch, memory);
  tree::update_meta(store, [&](tree::Meta& m) { m.calibration = c; });
}

Relation open_index(Oid oid, LOCKMODE mode, bool owner_only) {
  const Relation index = relation_open(oid, mode);
  if (!is_longbow_index(index))
    ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
                    errmsg("\"%s\" is not a longbow index", RelationGetRelationName(index))));
  if (owner_only && !lb_owns_relation(oid))
    aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_INDEX, RelationGetRelationName(index));
  if (RELATION_IS_OTHER_TEMP(index))
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("cannot access temporary indexes of other sessions")));
  return index;
}

Relation open_index_and_table(Oid oid, LOCKMODE index_mode, Relation* heap) {
  // The table's lock comes first, as in every other command.
  const Oid heap_oid = IndexGetRelation(oid, true);
  *heap = OidIsValid(heap_oid) ? table_open(heap_oid, AccessShareLock) : nullptr;
  const Relation index = open_index(oid, index_mode, true);
  if (*heap == nullptr || heap_oid != IndexGetRelation(oid, false))
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE), errmsg("could not open the table of index \"%s\"", RelationGetRelationName(index))));
  return index;
}

}  // namespace longbow::am
