// longbow_sizing(): what an index, its table and the server's memory will take, row by row with the reckoning.
#include "am/sizing.hpp"

#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <cstring>

#include "am/index.hpp"
#include "am/merge.hpp"
#include "longbow/quant/feature_hash.hpp"
#include "longbow/tree/build.hpp"
#include "longbow/tree/delta.hpp"
#include "longbow/tree/maintain.hpp"
#include "longbow/tree/sizing.hpp"
#include "longbow/tree/train.hpp"
#include "longbow/wal/record.hpp"
#include "longbow/wal/segment.hpp"
#include "pg/context_resource.hpp"
#include "pg/numa.hpp"
#include "pg/settings.hpp"
#include "pg/side_wal.hpp"

extern "C" {
#include "access/heaptoast.h"
#include "access/relation.h"
#include "access/xlog.h"
#include "catalog/index.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "storage/fd.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/tuplestore.h"
}

namespace longbow::am {

namespace {

constexpr double kMegabyte = 1 << 20;
// What a session keeps for its scans (pg/scan_arena.cpp), and for each block of an index: 4 bytes and a quarter of
// growth.
constexpr double kSessionBytes = 1 << 20, kHintBytes = 5;
// PostgreSQL's default; less is for machines that do little else.
constexpr double kLeastSharedBuffers = 128 * kMegabyte;
// Shared memory for a buffer with its descriptor, lookup and place in a checkpoint's list: what shared_memory_size of
// PostgreSQL 15 grows by from 1 to 8 GB of shared_buffers.
constexpr double kBufferOverhead = 1.022;
// A row in a build's sort beside its codes: tuple header, leaf, length, the sort's own array.
constexpr double kSortedRowBytes = 64;
constexpr double kUnknown = -1;

// Rows of the result.
class Report {
 public:
  explicit Report(FunctionCallInfo fcinfo) {
    InitMaterializedSRF(fcinfo, 0);
    result_ = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
  }
  // One row; bytes < 0 are NULL.
  void put(const char* component, double bytes, const char* format, ...) pg_attribute_printf(4, 5) {
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    const double most = 9e18;  // of a bigint, about
    Datum values[] = {CStringGetTextDatum(component),
                      Int64GetDatum(static_cast<int64>(std::min(std::ceil(bytes), most))), CStringGetTextDatum(text)};
    bool nulls[] = {false, bytes < 0, false};
    tuplestore_putvalues(result_->setResult, result_->setDesc, values, nulls);
  }

 private:
  ReturnSetInfo* result_;
};

const char* setting(const char* name) { return GetConfigOptionByName(name, nullptr, false); }
// A setting that is a number, in its own unit; 0 where it is not known.
double number_setting(const char* name) {
  const char* text = GetConfigOption(name, true, false);
  return text == nullptr ? 0 : std::max(0.0, strtod(text, nullptr));
}

// -- the index

double put_index(Report& out, const SizingSubject& s, double& searched) {
  const tree::ExpectedPages pages = tree::expected_pages(s.meta, s.rows);
  const double index = pages.total() * BLCKSZ, rows = std::max(s.rows, 1.0);
  searched = pages.searched() * BLCKSZ;
  out.put("index", index, "built anew: %.0f leaves of %.0f rows, %.2f pages each; %.0f bytes a row, %u-bit scan codes",
          pages.leaves, s.rows / pages.leaves, (pages.leaves + pages.scan + pages.refine) / pages.leaves, index / rows,
          s.meta.bits);
  if (s.index_bytes > 0)
    out.put("index, now", s.index_bytes, "%.2f of what it would take built anew (REINDEX INDEX CONCURRENTLY)",
            s.index_bytes / index);
  out.put("index, scan codes", searched, "with inner nodes and leaves' heads, what searches read most: %.0f bytes a row",
          searched / rows);
  out.put("index, refine codes", pages.refine * BLCKSZ,
          "8-bit codes, of which a search reads those of some dozens of rows");
  return std::max(index, s.index_bytes);
}

double put_table(Report& out, const SizingSubject& s, double& dataset) {
  const double value = value_bytes(s.element, s.dims);
  dataset = value > 0 ? value * s.rows : s.table_bytes > 0 ? s.table_bytes : kUnknown;
  if (value > 0)
    out.put("dataset", dataset, "%.0f values of %.0f bytes", s.rows, value);
  else if (dataset >= 0)
    out.put("dataset", dataset, "the table: values of sparsevec differ in size");
  else
    out.put("dataset", kUnknown, "values of sparsevec differ in size: 16 bytes and 8 for each element that is not 0");
  if (s.table_bytes > 0) {
    out.put("table", s.table_bytes, "as it is, with its TOAST table");
    return s.table_bytes;
  }
  const double table = value > 0 ? expected_table_bytes(s.element, s.dims, s.rows) : kUnknown;
  if (table < 0)
    out.put("table", kUnknown, "not known: see dataset");
  else
    out.put("table", table, "rows of an 8-byte id and a vector%s",
            value > TOAST_TUPLE_THRESHOLD ? ", which lies in TOAST" : "");
  return table;
}

// -- rows that are pending

struct Pending {
  double delta, log;  // bytes
};

Pending put_pending(Report& out, const SizingSubject& s) {
  const bool never = pg::settings.gc_percent < 0;
  // Where nothing merges by itself nothing bounds the list: what the default would need.
  const double start = never ? merge_base(s.rows) : merge_threshold(s.rows);
  tree::Space space{};
  space.meta = s.meta;
  space.leaf = tree::leaf_geometry(s.meta);
  const std::uint32_t chunk_rows = pg::delta_chunk_rows(tree::delta_layout(space));
  Pending need{0, 0};
  if (chunk_rows == 0) {
    out.put("delta", 0, "16 rows are larger than a chunk of it: rows go straight into the tree");
  } else {
    need.delta = std::ceil(2 * start / chunk_rows) * pg::kDeltaChunkBytes;
    out.put("delta", need.delta, "2 x %.0f rows, at which workers merge%s, of %.0f bytes; %s%s", start,
            never ? " by default (longbow.gc_percent is -1: never)" : "",
            static_cast<double>(pg::kDeltaChunkBytes) / chunk_rows,
            pg::have_shared_memory() ? "longbow.delta_memory is "
                                     : "there is none, shared_preload_libraries does not name longbow",
            pg::have_shared_memory() ? setting("longbow.delta_memory") : "");
  }
  const double row = static_cast<double>(tree::raw_cells(s.meta) * sizeof(float) + sizeof(wal::RowId)) +
                     static_cast<double>(sizeof(wal::RecordHeader)) / pg::settings.wal_batch_size;
  const double most = pg::settings.side_wal_size * kMegabyte;
  const double segments = static_cast<double>(wal::kSegmentBytes);
  // The one in use and two spare ones are always there.
  need.log = std::min(most, (std::ceil(2 * start * row / segments) + 3) * segments);
  out.put("side WAL, on disk", need.log,
          "vectors of as many rows, %.0f bytes each, and spare segments of 16 MB; longbow.max_wal_size is %s", row,
          setting("longbow.max_wal_size"));
  return need;
}

// -- the server's memory

// What /proc/meminfo says of huge pages; zeros where there is none.
struct HugePages {
  double bytes, all, free;
};
HugePages huge_pages() {
  HugePages h{};
  FILE* file = AllocateFile("/proc/meminfo", "r");
  if (file == nullptr) return h;
  char line[256];
  unsigned long n = 0;
  while (fgets(line, sizeof line, file) != nullptr) {
    if (sscanf(line, "HugePages_Total: %lu", &n) == 1) h.all = static_cast<double>(n);
    if (sscanf(line, "HugePages_Free: %lu", &n) == 1) h.free = static_cast<double>(n);
    if (sscanf(line, "Hugepagesize: %lu kB", &n) == 1) h.bytes = static_cast<double>(n) * 1024;
  }
  FreeFile(file);
  return h;
}

void put_huge_pages(Report& out, double buffers, double delta) {
  const HugePages h = huge_pages();
  if (h.bytes <= 0) {
    out.put("huge pages", kUnknown, "this system does not tell of huge pages");
    return;
  }
  // Beside buffers and delta the segment holds what it holds now.
  const double now = number_setting("shared_memory_size") * kMegabyte,
               buffers_now = static_cast<double>(NBuffers) * BLCKSZ;
  const double delta_now = pg::have_shared_memory() ? pg::settings.delta_memory * kMegabyte : 0;
  const double rest = std::max(0.0, now - buffers_now * kBufferOverhead - delta_now);
  const double pages = std::ceil((buffers * kBufferOverhead + delta + rest) / h.bytes);
  out.put("huge pages", pages * h.bytes,
          "vm.nr_hugepages = %.0f for this shared_buffers and delta; settings now need %s, the system has %.0f, %.0f "
          "free; shared "
          "memory is in %s pages, huge_pages = %s",
          pages, setting("shared_memory_size_in_huge_pages"), h.all, h.free,
          pg::shared_segment().huge ? "huge" : "small", setting("huge_pages"));
}

void put_memory(Report& out, double index, double searched, double table, double dataset, double delta) {
  const double ring = static_cast<double>(pg::side_wal_bytes());
  const double buffers = std::max(kLeastSharedBuffers, index * 1.1);
  const double sessions = MaxConnections * (kSessionBytes + kHintBytes * std::min(index / BLCKSZ, 1048576.0));
  const double total = buffers + std::max(table, 0.0) + delta + ring + sessions;
  out.put("side WAL, buffer", ring, "fixed");
  out.put("shared_buffers", buffers, "the index and a tenth, at least 128 MB; shared_buffers is %s",
          setting("shared_buffers"));
  out.put(
      "page cache", table,
      "the table, where a search fetches each row that it returns; what shared_buffers hold of it is not needed twice");
  out.put("sessions", sessions, "max_connections = %d, each 1 MB for scans and 5 bytes a block of the index",
          MaxConnections);
  out.put("total memory", total,
          "shared_buffers, page cache, delta, side WAL's buffer and sessions: nothing is read from disk%s",
          table < 0 ? "; without the table" : "");
  if (dataset > 0)
    out.put("2 x dataset", 2 * dataset, "the usual rule of thumb; total memory is %.2f of it", total / (2 * dataset));
  else
    out.put("2 x dataset", kUnknown, "the usual rule of thumb");
  out.put("least memory", searched + delta + ring + sessions,
          "scan codes, delta, side WAL's buffer and sessions: rows that are refined or returned may come "
          "from disk");
}

void put_build(Report& out, const SizingSubject& s) {
  const tree::TrainingPlan plan = tree::plan_training(s.meta, s.rows);
  tree::Space space{};
  space.meta = s.meta;
  const double rows = s.rows * (static_cast<double>(tree::PackedRow::bytes(space)) + kSortedRowBytes);
  const double training = static_cast<double>(plan.shared_bytes);
  out.put("maintenance_work_mem", 2 * std::max(training, rows),
          "for a build without temporary files: twice the larger of training (%.0f MB) and sort (%.0f MB); "
          "maintenance_work_mem is %s",
          training / kMegabyte, rows / kMegabyte, setting("maintenance_work_mem"));
}

void report(FunctionCallInfo fcinfo, const SizingSubject& s) {
  Report out(fcinfo);
  double dataset = 0, searched = 0;
  const double table = put_table(out, s, dataset);
  const double index = put_index(out, s, searched);
  const Pending pending = put_pending(out, s);
  put_memory(out, index, searched, table, dataset, pending.delta);
  put_build(out, s);
  put_huge_pages(out, std::max(kLeastSharedBuffers, index * 1.1), pending.delta);
  const pg::NumaState numa = pg::numa_state();
  out.put("NUMA", kUnknown, "nodes: %u; %s", numa.nodes, numa.text);
}

// -- what is asked for

constexpr Element kElements[] = {Element::vector, Element::halfvec, Element::bit, Element::sparsevec};

Element element_named(const char* name) {
  for (const Element e : kElements)
    if (strcmp(element_name(e), name) == 0) return e;
  ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("type \"%s\" cannot be indexed by longbow", name),
                  errhint("Available types: vector, halfvec, bit, sparsevec.")));
}

SizingSubject subject_of(int64 rows, int dims, const char* type) {
  const Element element = element_named(type);
  if (rows < 0)
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("number of rows must not be negative")));
  if (dims < 1 || (!hashed(element) && dims > most_dims(element)))
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s out of range: %d", length_unit(element), dims),
                    hashed(element) ? errdetail("There must be at least 1.")
                                    : errdetail("An index takes between 1 and %d.", most_dims(element))));
  const auto index_dims =
      hashed(element) ? static_cast<std::uint32_t>(quant::kHashedDims) : static_cast<std::uint32_t>(dims);
  return {element,
          dims,
          tree::new_meta({base::Metric::l2, index_dims, 0, 0, 1, static_cast<std::uint8_t>(element)}),
          static_cast<double>(rows),
          0,
          0};
}

SizingSubject subject_of(Relation index) {
  const MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "longbow sizing", ALLOCSET_DEFAULT_SIZES);
  SizingSubject subject{};
  {
    pg::ContextResource memory(context, pg::MemoryKind::other);
    pg::RelationStore store(index);
    const tree::Space space = *load_space(index, store, context);
    const tree::Facts facts = tree::collect_facts(store, space, memory);
    subject.meta = space.meta;
    subject.rows = static_cast<double>(facts.rows + facts.plain_rows + facts.pending);
  }
  MemoryContextDelete(context);
  if (subject.meta.dims == 0)
    ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                    errmsg("index \"%s\" has no dimensions yet", RelationGetRelationName(index)),
                    errhint("longbow_sizing(rows, dims, type) reckons without an index.")));
  subject.element = static_cast<Element>(subject.meta.element_type);
  subject.dims = static_cast<int>(subject.meta.dims);
  subject.index_bytes = static_cast<double>(RelationGetNumberOfBlocks(index)) * BLCKSZ;
  const Oid heap = IndexGetRelation(RelationGetRelid(index), false);
  subject.table_bytes = static_cast<double>(DatumGetInt64(DirectFunctionCall1(pg_table_size, ObjectIdGetDatum(heap))));
  return subject;
}

}  // namespace

}  // namespace longbow::am

LB_FUNCTION(longbow_sizing_rows) {
  longbow::am::report(
      fcinfo, longbow::am::subject_of(PG_GETARG_INT64(0), PG_GETARG_INT32(1), text_to_cstring(PG_GETARG_TEXT_PP(2))));
  return static_cast<Datum>(0);
}

LB_FUNCTION(longbow_sizing_index) {
  const Relation index = longbow::am::open_index(PG_GETARG_OID(0), AccessShareLock, false);
  if (index->rd_rel->relpersistence == RELPERSISTENCE_UNLOGGED && RecoveryInProgress())
    ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("cannot read an unlogged index during recovery")));
  const longbow::am::SizingSubject subject = longbow::am::subject_of(index);
  longbow::am::report(fcinfo, subject);
  relation_close(index, AccessShareLock);
  return static_cast<Datum>(0);
}

LB_FUNCTION(longbow_numa_stats) {
  TupleDesc desc;
  if (get_call_result_type(fcinfo, nullptr, &desc) != TYPEFUNC_COMPOSITE) elog(ERROR, "return type must be a row type");
  const longbow::pg::NumaState state = longbow::pg::numa_state();
  Datum values[] = {Int32GetDatum(static_cast<int32>(state.nodes)), BoolGetDatum(longbow::pg::settings.numa_interleave),
                    Int64GetDatum(static_cast<int64>(state.interleaved)),
                    BoolGetDatum(longbow::pg::shared_segment().huge), CStringGetTextDatum(state.text)};
  bool nulls[lengthof(values)] = {};
  PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(desc, values, nulls)));
}
