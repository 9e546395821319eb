// longbow_recall(): the share of the true nearest neighbours that searches of an index find, estimated on a sample of queries.
//
// One sequential pass over the table computes the exact neighbours of all queries at once, by the operator's own function; then each
// query is searched through the index as the executor would: rows are taken until the next one's lower bound proves the k nearest.
// A neighbour counts as found if a row at its distance or nearer was found, so that ties do not matter. All under one snapshot.
//
// Memory: the queries and 2 k distances each, within maintenance_work_mem. All in C's way: nothing owns anything with a destructor.
#include <algorithm>
#include <cmath>

#include "am/batch.hpp"
#include "am/heap_reader.hpp"
#include "am/recall_sample.hpp"
#include "pg/activity.hpp"

extern "C" {
#include "access/relation.h"
#include "access/table.h"
#include "catalog/index.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"
}

namespace longbow::am {

namespace {

constexpr int kMostNeighbours = 10000, kMostSamples = 100000;

struct Estimate {
  double recall, low, high;
  int queries;
  double rows;  // that were compared with each query
};

// Keeps the k smallest distances; NaN is none, as it comes last in any order.
void keep_nearest(double* heap, int* count, int k, double distance) {
  if (std::isnan(distance)) return;
  if (*count == k) {
    if (distance >= heap[0]) return;
    std::pop_heap(heap, heap + k);
    heap[--*count] = 0;
  }
  heap[(*count)++] = distance;
  std::push_heap(heap, heap + *count);
}

void find_ordering(Relation index, FmgrInfo* distance) {
  const Oid op = get_opfamily_member(index->rd_opfamily[0], index->rd_opcintype[0], index->rd_opcintype[0], 1);
  if (!OidIsValid(op)) elog(ERROR, "index \"%s\" has no ordering operator", RelationGetRelationName(index));
  fmgr_info(get_opcode(op), distance);
}

// The exact nearest neighbours of all queries, in one pass. Returns the rows compared.
double find_exact(HeapReader* reader, RecallSample* sample, int k, FmgrInfo* distance) {
  double rows = 0;
  const Oid collation = reader->index->rd_indcollation[0];
  const TableScanDesc scan = table_beginscan(reader->heap, reader->snapshot, 0, nullptr);
  while (table_scan_getnextslot(scan, ForwardScanDirection, reader->slot)) {
    CHECK_FOR_INTERRUPTS();
    bool null = true;
    Datum value = 0;
    if (reader->predicate == nullptr || ExecQual(reader->predicate, GetPerTupleExprContext(reader->estate))) value = reader->value(&null);
    if (!null) {
      rows++;
      const MemoryContext old = MemoryContextSwitchTo(GetPerTupleMemoryContext(reader->estate));
      value = PointerGetDatum(PG_DETOAST_DATUM(value));
      for (int i = 0; i < sample->count; i++) {
        RecallQuery* q = &sample->query[i];
        if (ItemPointerIsValid(&q->self) && ItemPointerEquals(&q->self, &reader->slot->tts_tid)) continue;
        keep_nearest(q->exact, &q->exact_count, k, DatumGetFloat8(FunctionCall2Coll(distance, collation, value, q->value)));
      }
      MemoryContextSwitchTo(old);
    }
    reader->forget();
  }
  table_endscan(scan);
  return rows;
}

// What a search finds for one query until the next row's bound proves the k nearest.
void search_one(HeapReader* reader, IndexScanDesc scan, RecallQuery* q, int k, FmgrInfo* distance) {
  ScanKeyData key;
  ScanKeyEntryInitialize(&key, SK_ORDER_BY, 1, 1, reader->index->rd_opcintype[0], reader->index->rd_indcollation[0], distance->fn_oid,
                         q->value);
  index_rescan(scan, nullptr, 0, &key, 1);
  while (index_getnext_slot(scan, ForwardScanDirection, reader->slot)) {
    CHECK_FOR_INTERRUPTS();
    if (scan->xs_orderbynulls[0]) break;
    const double bound = DatumGetFloat8(scan->xs_orderbyvals[0]);
    if (std::isnan(bound) || (q->found_count == k && bound > q->found[0])) break;
    bool null = false;
    const Datum value = reader->value(&null);
    if (!null && !(ItemPointerIsValid(&q->self) && ItemPointerEquals(&q->self, &reader->slot->tts_tid))) {
      const MemoryContext old = MemoryContextSwitchTo(GetPerTupleMemoryContext(reader->estate));
      keep_nearest(q->found, &q->found_count, k,
                   DatumGetFloat8(FunctionCall2Coll(distance, reader->index->rd_indcollation[0], value, q->value)));
      MemoryContextSwitchTo(old);
    }
    reader->forget();
  }
}

void search_all(HeapReader* reader, RecallSample* sample, int k, FmgrInfo* distance) {
  const IndexScanDesc scan = lb_index_beginscan(reader->heap, reader->index, reader->snapshot, 0, 1);
  for (int i = 0; i < sample->count; i++) search_one(reader, scan, &sample->query[i], k, distance);
  index_endscan(scan);
}

// The mean of the queries' recalls, with Wilson's interval at 95 %. It is made for independent trials; the k neighbours of a query
// are not, so the number of trials is what would give the variance that the queries show (at least one a query, at most k).
Estimate summarise(const RecallSample* sample, int k, double rows) {
  Estimate e{0, 0, 0, 0, rows};
  double sum = 0, squares = 0;
  for (int i = 0; i < sample->count; i++) {
    const RecallQuery* q = &sample->query[i];
    if (q->exact_count == 0) continue;
    const double worst = *std::max_element(q->exact, q->exact + q->exact_count);
    const auto good = std::min<std::ptrdiff_t>(q->exact_count, std::count_if(q->found, q->found + q->found_count,
                                                                             [worst](double d) { return d <= worst; }));
    const double share = static_cast<double>(good) / q->exact_count;
    sum += share;
    squares += share * share;
    e.queries++;
  }
  if (e.queries == 0) return e;
  const double n = e.queries, p = sum / n;
  const double variance = n > 1 ? std::max(0.0, (squares - n * p * p) / (n - 1)) : 0;
  const double trials = variance > 0 ? std::clamp(n * p * (1 - p) / variance, n, n * k) : n;
  const double z2 = 1.959964 * 1.959964;
  const double centre = (p + z2 / (2 * trials)) / (1 + z2 / trials);
  const double half = std::sqrt(z2 * (p * (1 - p) / trials + z2 / (4 * trials * trials))) / (1 + z2 / trials);
  e.recall = p;
  e.low = std::min(p, std::max(0.0, centre - half));
  e.high = std::max(p, std::min(1.0, centre + half));
  return e;
}

// -- arguments

struct Arguments {
  Oid index;
  Relation queries;  // nullptr: the index's own rows
  AttrNumber column;
  int k, samples;
  bool has_target;
  double target;
};

void check_range(const char* name, double value, double least, double most) {
  if (value >= least && value <= most) return;
  ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s must be between %g and %g", name, least, most)));
}

// Opens a table of queries for who may read it, and finds the column.
void open_queries(Arguments* a, Oid table, const char* column) {
  a->queries = table_open(table, AccessShareLock);
  const char* name = RelationGetRelationName(a->queries);
  if (a->queries->rd_rel->relkind != RELKIND_RELATION && a->queries->rd_rel->relkind != RELKIND_MATVIEW)
    ereport(ERROR, (errcode(ERRCODE_WRONG_OBJECT_TYPE), errmsg("\"%s\" is not a table or materialized view", name)));
  a->column = get_attnum(table, column);
  if (a->column <= 0)
    ereport(ERROR, (errcode(ERRCODE_UNDEFINED_COLUMN), errmsg("column \"%s\" of relation \"%s\" does not exist", column, name)));
  if (pg_class_aclcheck(table, GetUserId(), ACL_SELECT) != ACLCHECK_OK &&
      pg_attribute_aclcheck(table, a->column, GetUserId(), ACL_SELECT) != ACLCHECK_OK)
    aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, name);
  if (check_enable_rls(table, InvalidOid, false) == RLS_ENABLED)
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("table \"%s\" has row-level security, which a sample cannot keep", name)));
}

void check_queries_type(const Arguments* a, Relation index) {
  const Oid type = TupleDescAttr(RelationGetDescr(a->queries), a->column - 1)->atttypid;
  if (getBaseType(type) == index->rd_opcintype[0]) return;
  ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                  errmsg("queries are of type %s, index \"%s\" is on type %s", format_type_be(type), RelationGetRelationName(index),
                         format_type_be(index->rd_opcintype[0]))));
}

void set_for_now(const char* name, const char* value) {
  (void)set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

Estimate estimate(const Arguments* a, Relation heap, Relation index) {
  const MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "longbow recall", ALLOCSET_DEFAULT_SIZES);
  OwnerRights rights{};
  rights.enter(heap);
  set_for_now("longbow.explain", "off");
  if (a->has_target) {
    char text[32];
    snprintf(text, sizeof text, "%.9g", a->target);
    set_for_now("longbow.target_recall", text);
    set_for_now("longbow.probes", "0");
  }
  HeapReader reader{};
  reader.open(heap, index);
  FmgrInfo distance;
  find_ordering(index, &distance);
  RecallSample sample = new_recall_sample(context, a->samples, a->k);
  if (a->queries != nullptr)
    sample_column(&sample, a->queries, a->column, reader.snapshot);
  else
    sample_own_rows(&sample, &reader);
  // Searches come first: what is wrong with a query is said at once.
  search_all(&reader, &sample, a->k, &distance);
  const double rows = sample.count > 0 ? find_exact(&reader, &sample, a->k, &distance) : 0;
  const Estimate e = summarise(&sample, a->k, rows);
  reader.close();
  rights.leave();
  MemoryContextDelete(context);
  return e;
}

Datum run(FunctionCallInfo fcinfo, Arguments* a) {
  TupleDesc desc;
  if (get_call_result_type(fcinfo, nullptr, &desc) != TYPEFUNC_COMPOSITE) elog(ERROR, "return type must be a row type");
  check_range("k", a->k, 1, kMostNeighbours);
  check_range("samples", a->samples, 1, kMostSamples);
  if (a->has_target) check_range("target", a->target, 0.5, 1);
  flush_batches();
  Relation heap;
  const Relation index = open_index_and_table(a->index, AccessShareLock, &heap);
  if (!index->rd_index->indisvalid)
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("index \"%s\" is not valid", RelationGetRelationName(index))));
  if (a->queries != nullptr) check_queries_type(a, index);
  const pg::Doing before = pg::begin_activity(pg::Phase::recall, a->index);
  const Estimate e = estimate(a, heap, index);
  pg::end_activity(before);
  relation_close(index, AccessShareLock);
  table_close(heap, AccessShareLock);
  if (a->queries != nullptr) table_close(a->queries, AccessShareLock);
  Datum values[] = {Float8GetDatum(e.recall), Float8GetDatum(e.low), Float8GetDatum(e.high), Int32GetDatum(e.queries),
                    Int64GetDatum(static_cast<int64>(e.rows))};
  bool nulls[lengthof(values)] = {e.queries == 0, e.queries == 0, e.queries == 0, false, false};
  return HeapTupleGetDatum(heap_form_tuple(desc, values, nulls));
}

// k, samples and target, from argument number `first` on; only target may be NULL.
Arguments numbers_of(FunctionCallInfo fcinfo, int first) {
  for (int i = 0; i < first + 2; i++)
    if (PG_ARGISNULL(i))
      ereport(ERROR, (errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED), errmsg("only the target of longbow_recall() may be NULL")));
  Arguments a{};
  a.index = PG_GETARG_OID(0);
  a.k = PG_GETARG_INT32(first);
  a.samples = PG_GETARG_INT32(first + 1);
  a.has_target = !PG_ARGISNULL(first + 2);
  if (a.has_target) a.target = static_cast<double>(PG_GETARG_FLOAT4(first + 2));
  return a;
}

}  // namespace

}  // namespace longbow::am

LB_FUNCTION(longbow_recall) {
  longbow::am::Arguments a = longbow::am::numbers_of(fcinfo, 1);
  return longbow::am::run(fcinfo, &a);
}

LB_FUNCTION(longbow_recall_of) {
  longbow::am::Arguments a = longbow::am::numbers_of(fcinfo, 3);
  longbow::am::open_queries(&a, PG_GETARG_OID(1), NameStr(*PG_GETARG_NAME(2)));
  return longbow::am::run(fcinfo, &a);
}
