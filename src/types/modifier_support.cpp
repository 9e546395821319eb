// Planner support of the functions that apply a type modifier: a value that is known to have the dimensions asked for is left
// alone. So ALTER TABLE ... TYPE vector(n) over a binary-coercible cast (longbow_pgvector) rewrites no row.
#include "pg/boundary.hpp"

extern "C" {
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "nodes/nodeFuncs.h"
#include "nodes/primnodes.h"
#include "nodes/supportnodes.h"
#include "utils/syscache.h"
}

namespace longbow::types {
namespace {

bool same_name(Oid a, Oid b) {
  const HeapTuple first = SearchSysCache1(TYPEOID, ObjectIdGetDatum(a));
  const HeapTuple second = SearchSysCache1(TYPEOID, ObjectIdGetDatum(b));
  const auto name = [](HeapTuple tuple) { return NameStr(reinterpret_cast<Form_pg_type>(GETSTRUCT(tuple))->typname); };
  const bool same = HeapTupleIsValid(first) && HeapTupleIsValid(second) && strcmp(name(first), name(second)) == 0;
  if (HeapTupleIsValid(first)) ReleaseSysCache(first);
  if (HeapTupleIsValid(second)) ReleaseSysCache(second);
  return same;
}

// The type modifier that an expression is known to have. Looks through binary coercions from a type of the same name: that is
// pgvector's, whose modifier counts dimensions too.
int32 known_modifier(const Node* expression) {
  for (;;) {
    const int32 modifier = exprTypmod(expression);
    if (modifier >= 0 || !IsA(expression, RelabelType)) return modifier;
    const Node* inner = reinterpret_cast<const Node*>(reinterpret_cast<const RelabelType*>(expression)->arg);
    if (!same_name(exprType(inner), exprType(expression))) return -1;
    expression = inner;
  }
}

}  // namespace
}  // namespace longbow::types

LB_FUNCTION(longbow_modifier_support) {
  auto* request = static_cast<Node*>(static_cast<void*>(PG_GETARG_POINTER(0)));
  if (!IsA(request, SupportRequestSimplify)) PG_RETURN_POINTER(nullptr);
  const FuncExpr* call = reinterpret_cast<SupportRequestSimplify*>(request)->fcall;
  if (list_length(call->args) != 3) PG_RETURN_POINTER(nullptr);
  auto* value = static_cast<Node*>(linitial(call->args));
  const auto* modifier = static_cast<const Const*>(lsecond(call->args));
  if (!IsA(modifier, Const) || modifier->constisnull) PG_RETURN_POINTER(nullptr);
  const int32 asked = DatumGetInt32(modifier->constvalue);
  if (asked >= 0 && asked != longbow::types::known_modifier(value)) PG_RETURN_POINTER(nullptr);
  PG_RETURN_POINTER(relabel_to_typmod(value, asked));
}
