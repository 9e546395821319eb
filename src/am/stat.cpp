// longbow_index_facts(regclass): what the view longbow_stat_index shows of one index.
#include "am/index.hpp"
#include "longbow/tree/maintain.hpp"
#include "longbow/tree/search.hpp"
#include "pg/context_resource.hpp"
#include "pg/settings.hpp"

extern "C" {
#include "access/relation.h"
#include "access/xlog.h"
#include "funcapi.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
}

namespace {

struct Row {
  longbow::tree::Meta meta;
  longbow::tree::Facts facts;
};

Row read_row(Relation index, MemoryContext context) {
  longbow::pg::ContextResource memory(context, longbow::pg::MemoryKind::other);
  longbow::pg::RelationStore store(index);
  const longbow::tree::Space space = *longbow::am::load_space(index, store, context);
  return {space.meta, longbow::tree::collect_facts(store, space, memory)};
}

// Metrics of bits are written as others: tree/format.hpp.
const char* metric_name(const longbow::tree::Meta& meta) {
  if (longbow::tree::has_bits(meta))
    return meta.metric == longbow::base::Metric::l2 ? "hamming" : "jaccard";
  switch (meta.metric) {
    case longbow::base::Metric::l2: return "l2";
    case longbow::base::Metric::ip: return "ip";
    case longbow::base::Metric::cosine: return "cosine";
    case longbow::base::Metric::l1: return "l1";
  }
  return "unknown";
}

}  // namespace

LB_FUNCTION(longbow_index_facts) {
  const Oid oid = PG_GETARG_OID(0);
  TupleDesc desc;
  if (get_call_result_type(fcinfo, nullptr, &desc) != TYPEFUNC_COMPOSITE) elog(ERROR, "return type must be a row type");
  const Relation index = try_relation_open(oid, AccessShareLock);
  // Dropped since the view listed it; or a temporary index of another session, whose pages cannot be read; or an unlogged
  // one on a standby, which has no pages.
  if (index == nullptr) PG_RETURN_NULL();
  if (RELATION_IS_OTHER_TEMP(index) ||
      (index->rd_rel->relpersistence == RELPERSISTENCE_UNLOGGED && RecoveryInProgress())) {
    relation_close(index, AccessShareLock);
    PG_RETURN_NULL();
  }
  relation_close(index, NoLock);
  const Relation checked = longbow::am::open_index(oid, NoLock, false);
  const MemoryContext context =
      AllocSetContextCreate(CurrentMemoryContext, "longbow facts", ALLOCSET_DEFAULT_SIZES);
  const Row row = read_row(checked, context);
  MemoryContextDelete(context);
  relation_close(checked, AccessShareLock);
  const longbow::tree::Meta& m = row.meta;
  const bool calibrated = m.calibration.queries > 0;
  Datum values[17];
  bool nulls[17] = {};
  int i = 0;
  values[i++] = Int64GetDatum(static_cast<int64>(row.facts.rows + row.facts.plain_rows));
  values[i++] = Int64GetDatum(static_cast<int64>(row.facts.pending));
  values[i++] = Int64GetDatum(static_cast<int64>(row.facts.free_slots));
  values[i++] = Int64GetDatum(static_cast<int64>(row.facts.plain_rows));
  values[i++] = Int32GetDatum(static_cast<int32>(row.facts.leaves));
  values[i++] = Int32GetDatum(static_cast<int32>(row.facts.height));
  values[i++] = Int32GetDatum(static_cast<int32>(m.dims));
  values[i++] = CStringGetTextDatum(metric_name(m));
  values[i++] = Int32GetDatum(m.bits);
  values[i++] = Int32GetDatum(static_cast<int32>(m.leaf_size));
  values[i++] = Int64GetDatum(static_cast<int64>(m.split_counter));
  values[i++] = Int32GetDatum(static_cast<int32>(m.calibration.queries));
  nulls[i] = !calibrated;
  values[i++] = Int64GetDatum(static_cast<int64>(m.calibration.rows));
  nulls[i] = m.leaves == 0;
  values[i++] = Int32GetDatum(static_cast<int32>(
      longbow::tree::planned_probes(m, static_cast<float>(longbow::pg::settings.target_recall), 10)));
  const bool trained = m.trained_at != 0;
  nulls[i] = !trained;
  values[i++] = TimestampTzGetDatum(m.trained_at);
  nulls[i] = !trained;
  values[i++] = Int64GetDatum(static_cast<int64>(m.trained_rows));
  nulls[i] = !calibrated;
  values[i++] = Float4GetDatum(m.calibration.drift);
  PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, values, nulls)));
}
