// longbow_index_counters(regclass): an index's sums from shared memory; longbow_stat_reset(): all counters begin anew.
#include "pg/build_stats.hpp"
#include "pg/delta.hpp"
#include "pg/index_stats.hpp"
#include "pg/memory_stats.hpp"
#include "pg/shared.hpp"
#include "pg/side_wal.hpp"

extern "C" {
#include "funcapi.h"
#include "utils/timestamp.h"
}

// NULLs without shared memory, and for an index that found no place in the table of counters.
LB_FUNCTION(longbow_index_counters) {
  TupleDesc desc;
  if (get_call_result_type(fcinfo, nullptr, &desc) != TYPEFUNC_COMPOSITE) elog(ERROR, "return type must be a row type");
  const longbow::pg::IndexTable* table = longbow::pg::shared_parts.indexes;
  longbow::pg::IndexSums sums;
  const bool found = longbow::pg::find_index_sums(PG_GETARG_OID(0), sums);
  const bool null = table == nullptr || (!found && table->full_said.load());
  Datum values[longbow::pg::kIndexCounters + 1];
  bool nulls[lengthof(values)];
  for (std::size_t i = 0; i < longbow::pg::kIndexCounters; i++) values[i] = Int64GetDatum(static_cast<int64>(sums.of[i]));
  values[longbow::pg::kIndexCounters] = TimestampTzGetDatum(null ? 0 : table->since.load());
  for (bool& n : nulls) n = null;
  PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, values, nulls)));
}

LB_FUNCTION(longbow_stat_reset) {
  longbow::pg::reset_memory_stats();
  longbow::pg::BuildStats& builds = longbow::pg::build_stats();
  builds.builds.reset();
  builds.bytes.reset();
  if (longbow::pg::have_shared_memory()) {
    longbow::pg::side_wal()->shared().counters.reset();
    longbow::pg::gc_counters()->reset();
    longbow::pg::reset_index_stats();
    longbow::pg::server_shared()->since = GetCurrentTimestamp();
  }
  PG_RETURN_VOID();
}
