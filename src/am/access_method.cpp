// Tells our access methods and indexes by their handlers' routines.
#include "am/access_method.hpp"

#include "am/index.hpp"

extern "C" {
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_proc.h"
#include "utils/builtins.h"
#include "utils/syscache.h"
}

namespace longbow::am {

namespace {

bool is_ours(const IndexAmRoutine* routine) { return routine->ambuild == pg::guarded<&build>; }

// Whether a handler's C name looks like ours: handlers of others are not called, since their library may be gone.
bool may_be_ours(Oid handler) {
  const HeapTuple tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(handler));
  if (!HeapTupleIsValid(tuple)) return false;
  bool null;
  const Datum source = SysCacheGetAttr(PROCOID, tuple, Anum_pg_proc_prosrc, &null);
  const bool may = !null && strncmp(TextDatumGetCString(source), "longbow_", strlen("longbow_")) == 0;
  ReleaseSysCache(tuple);
  return may;
}

}  // namespace

bool is_longbow_index(Relation relation) {
  return relation->rd_rel->relkind == RELKIND_INDEX && relation->rd_indam != nullptr && is_ours(relation->rd_indam);
}

bool is_longbow_am(Oid access_method) {
  const HeapTuple tuple = SearchSysCache1(AMOID, ObjectIdGetDatum(access_method));
  if (!HeapTupleIsValid(tuple)) return false;
  const auto* form = reinterpret_cast<Form_pg_am>(GETSTRUCT(tuple));
  const Oid handler = form->amtype == AMTYPE_INDEX ? form->amhandler : InvalidOid;
  ReleaseSysCache(tuple);
  return OidIsValid(handler) && may_be_ours(handler) && is_ours(GetIndexAmRoutine(handler));
}

List* longbow_ams() {
  List* result = NIL;
  const Relation pg_am = table_open(AccessMethodRelationId, AccessShareLock);
  const TableScanDesc scan = table_beginscan_catalog(pg_am, 0, nullptr);
  HeapTuple tuple;
  while ((tuple = heap_getnext(scan, ForwardScanDirection)) != nullptr) {
    const Oid oid = reinterpret_cast<Form_pg_am>(GETSTRUCT(tuple))->oid;
    if (is_longbow_am(oid)) result = lappend_oid(result, oid);
  }
  table_endscan(scan);
  table_close(pg_am, AccessShareLock);
  return result;
}

Alias alias_of(Relation index) {
  if (index->rd_indam->amoptions == pg::guarded<&hnsw_options>) return Alias::hnsw;
  if (index->rd_indam->amoptions == pg::guarded<&ivfflat_options>) return Alias::ivfflat;
  return Alias::none;
}

}  // namespace longbow::am

LB_FUNCTION(longbow_serves) { PG_RETURN_BOOL(longbow::am::is_longbow_am(PG_GETARG_OID(0))); }
