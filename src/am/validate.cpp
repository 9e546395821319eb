// amvalidate: checks the members of an operator class.
#include "am/index.hpp"

extern "C" {
#include "access/amvalidate.h"
#include "access/htup_details.h"
#include "catalog/pg_amop.h"
#include "catalog/pg_amproc.h"
#include "catalog/pg_opclass.h"
#include "catalog/pg_opfamily.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/catcache.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
}

namespace longbow::am {

namespace {

bool check_operators(CatCList* operators, const char* family) {
  bool valid = true;
  for (int i = 0; i < operators->n_members; i++) {
    auto* op = reinterpret_cast<Form_pg_amop>(GETSTRUCT(&operators->members[i]->tuple));
    if (op->amopstrategy == 1 && op->amoppurpose == AMOP_ORDER && get_op_rettype(op->amopopr) == FLOAT8OID) continue;
    ereport(INFO, (errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
                   errmsg("operator family \"%s\" of access method longbow contains an invalid operator %u", family,
                          op->amopopr),
                   errdetail("It must be strategy 1, FOR ORDER BY, and return double precision.")));
    valid = false;
  }
  return valid;
}

// Whether a support function reads values of the type whose values the index hands it.
bool reads_type(Oid function, Oid type) {
  const auto* info = reinterpret_cast<const OpclassInfo*>(DatumGetPointer(OidFunctionCall1(function, PointerGetDatum(nullptr))));
  const HeapTuple tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
  if (!HeapTupleIsValid(tuple)) elog(ERROR, "cache lookup failed for type %u", type);
  const bool reads = strcmp(NameStr(reinterpret_cast<Form_pg_type>(GETSTRUCT(tuple))->typname), element_name(info->element)) == 0;
  ReleaseSysCache(tuple);
  return reads;
}

bool check_functions(CatCList* functions, const char* family) {
  bool valid = false;
  for (int i = 0; i < functions->n_members; i++) {
    auto* proc = reinterpret_cast<Form_pg_amproc>(GETSTRUCT(&functions->members[i]->tuple));
    if (proc->amprocnum == kSupportProc &&
        check_amproc_signature(proc->amproc, INTERNALOID, true, 1, 1, INTERNALOID) &&
        reads_type(proc->amproc, proc->amproclefttype)) {
      valid = true;
      continue;
    }
    ereport(INFO, (errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
                   errmsg("operator family \"%s\" of access method longbow contains an invalid support function %u",
                          family, proc->amproc)));
    return false;
  }
  if (!valid)
    ereport(INFO, (errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
                   errmsg("operator family \"%s\" of access method longbow has no support function", family)));
  return valid;
}

}  // namespace

bool validate(Oid opclass) {
  const HeapTuple tuple = SearchSysCache1(CLAOID, ObjectIdGetDatum(opclass));
  if (!HeapTupleIsValid(tuple)) elog(ERROR, "cache lookup failed for operator class %u", opclass);
  const Oid family_oid = reinterpret_cast<Form_pg_opclass>(GETSTRUCT(tuple))->opcfamily;
  ReleaseSysCache(tuple);
  const HeapTuple family_tuple = SearchSysCache1(OPFAMILYOID, ObjectIdGetDatum(family_oid));
  if (!HeapTupleIsValid(family_tuple)) elog(ERROR, "cache lookup failed for operator family %u", family_oid);
  const char* family = pstrdup(NameStr(reinterpret_cast<Form_pg_opfamily>(GETSTRUCT(family_tuple))->opfname));
  ReleaseSysCache(family_tuple);
  CatCList* operators = SearchSysCacheList1(AMOPSTRATEGY, ObjectIdGetDatum(family_oid));
  CatCList* functions = SearchSysCacheList1(AMPROCNUM, ObjectIdGetDatum(family_oid));
  const bool operators_valid = check_operators(operators, family);
  const bool functions_valid = check_functions(functions, family);
  ReleaseCatCacheList(functions);
  ReleaseCatCacheList(operators);
  return operators_valid && functions_valid;
}

// pg_index_column_has_property(..., 'distance_orderable') and its kin.
bool property(Oid, int column, IndexAMProperty which, const char*, bool* result, bool* null) {
  if (column == 0 || which != AMPROP_DISTANCE_ORDERABLE) return false;
  *result = true;
  *null = false;
  return true;
}

}  // namespace longbow::am
