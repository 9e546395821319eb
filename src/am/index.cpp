// The index's space from its meta page and the relcache; opening an index by OID.
#include "am/index.hpp"

#include <new>

extern "C" {
#include "access/relation.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "commands/defrem.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/syscache.h"
}

namespace longbow::am {

namespace {

// In rd_amcache: one chunk, since the relcache frees it with one pfree.
struct Cached {
  tree::Space space;
  float buffer[];
};

}  // namespace

const OpclassInfo* opclass_info(Relation index) {
  return reinterpret_cast<const OpclassInfo*>(
      DatumGetPointer(FunctionCall1(index_getprocinfo(index, 1, kSupportProc), PointerGetDatum(nullptr))));
}

const tree::Space* load_space(Relation index, tree::PageStore& store) {
  const tree::Meta meta = tree::read_meta(store);
  auto* cached = static_cast<Cached*>(index->rd_amcache);
  if (cached != nullptr && cached->space.meta.incarnation == meta.incarnation && cached->space.meta.dims == meta.dims) {
    cached->space.meta = meta;
    return &cached->space;
  }
  const Size bytes = sizeof(Cached) + tree::space_floats(meta.dims) * sizeof(float);
  auto* fresh = static_cast<Cached*>(pg::call([&] { return MemoryContextAlloc(index->rd_indexcxt, bytes); }));
  fresh->space = tree::make_space(store, meta, fresh->buffer);
  // Replaced only when complete; an older one may still be in use by an open scan, which has its own copy of the space
  // but not of the buffers, so it stays until the relcache entry goes.
  index->rd_amcache = fresh;
  return &fresh->space;
}

Relation open_index(Oid oid, LOCKMODE mode, bool owner_only) {
  const Relation index = relation_open(oid, mode);
  const Oid ours = get_index_am_oid("longbow", true);
  if (index->rd_rel->relkind != RELKIND_INDEX || !OidIsValid(ours) || index->rd_rel->relam != ours)
    ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE),
                    errmsg("\"%s\" is not a longbow index", RelationGetRelationName(index))));
  if (owner_only && !lb_owns_relation(oid))
    aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_INDEX, RelationGetRelationName(index));
  if (RELATION_IS_OTHER_TEMP(index))
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                    errmsg("cannot access temporary indexes of other sessions")));
  return index;
}

}  // namespace longbow::am
