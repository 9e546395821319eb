// longbow_activity(): what the view longbow_stat_activity shows, one row a process that is in longbow now; or one row that says why
// there is none.
#include "pg/activity.hpp"
#include "pg/compat.hpp"
#include "pg/shared.hpp"

extern "C" {
#include "catalog/pg_authid.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"
}

namespace longbow::am {

namespace {

constexpr int kColumns = 7;  // pid, database, index, phase, since, waits_for, note

// Whether the current user may see what a role's processes do: the rule of pg_stat_activity.
bool may_see(Oid role) {
  return has_privs_of_role(GetUserId(), ROLE_PG_READ_ALL_STATS) || (OidIsValid(role) && has_privs_of_role(GetUserId(), role));
}

void put_note(ReturnSetInfo* result, const char* note) {
  Datum values[kColumns] = {};
  bool nulls[kColumns] = {true, true, true, true, true, true, false};
  values[6] = CStringGetTextDatum(note);
  tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

void put_activity(ReturnSetInfo* result, const pg::Activity& a) {
  const bool seen = may_see(a.role);
  Datum values[kColumns] = {};
  bool nulls[kColumns] = {false, true, true, true, true, true, true};
  values[0] = Int32GetDatum(a.pid);
  if (seen) {
    values[1] = ObjectIdGetDatum(a.database), nulls[1] = !OidIsValid(a.database);
    values[2] = ObjectIdGetDatum(a.index), nulls[2] = !OidIsValid(a.index);
    values[3] = CStringGetTextDatum(pg::phase_name(a.phase)), nulls[3] = false;
    values[4] = TimestampTzGetDatum(a.since), nulls[4] = false;
    nulls[5] = a.wait == pg::Wait::none;
    if (!nulls[5]) values[5] = CStringGetTextDatum(pg::wait_name(a.wait));
  } else {
    values[6] = CStringGetTextDatum("insufficient privilege"), nulls[6] = false;
  }
  tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
}

}  // namespace

}  // namespace longbow::am

LB_FUNCTION(longbow_activity) {
  InitMaterializedSRF(fcinfo, 0);
  auto* result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
  if (!longbow::pg::have_shared_memory()) {
    longbow::am::put_note(result, longbow::pg::kNoPreload);
    return static_cast<Datum>(0);
  }
  bool any = false;
  for (int i = 0; i < MaxBackends; i++) {
    longbow::pg::Activity a;
    if (!longbow::pg::read_activity(i, a)) continue;
    longbow::am::put_activity(result, a);
    any = true;
  }
  if (!any) longbow::am::put_note(result, "no process is in longbow");
  return static_cast<Datum>(0);
}
