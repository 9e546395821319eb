// longbow_storage_stats() and longbow_gc_stats(): what the views longbow_stat_storage and longbow_stat_gc show; one row
// each, of NULLs where there is no shared memory.
#include "am/index.hpp"
#include "pg/build_stats.hpp"
#include "pg/delta.hpp"
#include "pg/settings.hpp"
#include "pg/side_wal.hpp"

extern "C" {
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
}

namespace {

using longbow::stats::Histogram;

// Fills the columns of one row from left to right.
class RowWriter {
 public:
  // The function must have been declared with so many columns.
  RowWriter(FunctionCallInfo fcinfo, int columns) {
    if (get_call_result_type(fcinfo, nullptr, &desc_) != TYPEFUNC_COMPOSITE) elog(ERROR, "return type must be a row type");
    if (desc_->natts != columns)
      ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH), errmsg("longbow's SQL functions are not those of its library"),
                      errdetail("A function has %d columns, the library has %d.", desc_->natts, columns),
                      errhint("Run ALTER EXTENSION longbow UPDATE, or create the extension anew.")));
    for (bool& null : nulls_) null = true;
  }
  void text(const char* value) {
    if (value != nullptr && *value != '\0') set(CStringGetTextDatum(value));
    column_++;
  }
  void boolean(bool value) { set(BoolGetDatum(value)), column_++; }
  void number(std::uint64_t value) { set(Int64GetDatum(static_cast<int64>(value))), column_++; }
  void real(double value) { set(Float8GetDatum(value)), column_++; }
  void time(TimestampTz value) { set(TimestampTzGetDatum(value)), column_++; }
  void quantile(const Histogram& h, double q, double unit_ns) {
    if (h.count() > 0) set(Float8GetDatum(static_cast<double>(h.quantile(q)) / unit_ns));
    column_++;
  }
  void ratio(std::uint64_t over, std::uint64_t under) {
    if (under > 0) set(Float8GetDatum(static_cast<double>(over) / static_cast<double>(under)));
    column_++;
  }
  void skip_to(int column) { column_ = column; }
  Datum row() { return HeapTupleGetDatum(heap_form_tuple(desc_, values_, nulls_)); }

 private:
  void set(Datum value) {
    values_[column_] = value;
    nulls_[column_] = false;
  }
  TupleDesc desc_;
  int column_ = 0;
  Datum values_[32];
  bool nulls_[32];
};

constexpr double kMicrosecond = 1e3, kMillisecond = 1e6;
constexpr int kLogColumns = 21, kBuildColumns = 5, kGcColumns = 16;

void write_log(RowWriter& row, longbow::wal::Log& log) {
  const longbow::wal::BackendState& backend = log.backend();
  longbow::wal::LogShared& shared = log.shared();
  const longbow::wal::LogCounters& c = shared.counters;
  const int failed = static_cast<int>(shared.failed.load());
  row.text(longbow::wal::backend_name(backend.requested));
  row.text(failed != 0 ? "none" : longbow::wal::backend_name(backend.effective));
  row.text(failed != 0 ? strerror(failed) : backend.reason);
  row.number(c.records.value());
  row.number(c.write_ops.value());
  row.number(c.fsyncs.value());
  row.number(c.bytes_raw.value());
  row.number(c.bytes_logged.value());
  row.number(c.bytes_written.value());
  row.ratio(c.bytes_raw.value(), c.bytes_logged.value());
  row.ratio(c.group_records.value(), c.groups.value());
  row.quantile(c.waits, 0.5, kMicrosecond);
  row.quantile(c.waits, 0.99, kMicrosecond);
  row.number(log.reserved_position());
  row.number(log.durable_position());
  row.number(shared.backlog());
  row.number(c.no_space.value());
  row.number(c.skipped.value());
  row.number(c.errors.value());
  const int last = static_cast<int>(shared.last_errno.load());
  row.text(last != 0 ? strerror(last) : nullptr);
  row.number(c.takeovers.value());
}

void write_builds(RowWriter& row) {
  longbow::pg::BuildStats& builds = longbow::pg::build_stats();
  char reason[160];
  row.text(longbow::pg::last_build_backend());
  row.text(longbow::pg::last_build_reason(reason, sizeof reason));
  row.number(builds.builds.value());
  row.number(builds.bytes.value());
  if (longbow::pg::have_shared_memory()) row.time(longbow::pg::server_shared()->since.load());
}

void write_gc(RowWriter& row) {
  longbow::pg::GcCounters& c = *longbow::pg::gc_counters();
  const longbow::pg::DeltaShared& delta = *longbow::pg::shared_parts.delta;
  std::uint64_t indexes = 0, pending = 0;
  for (const longbow::pg::DeltaIndex& e : delta.index) {
    if (!e.used) continue;
    indexes++;
    pending += e.pending();
  }
  const auto chunks = static_cast<std::uint64_t>(delta.chunks), free = static_cast<std::uint64_t>(delta.free_count);
  row.number(indexes);
  row.number(pending);
  row.number(chunks * longbow::pg::kDeltaChunkBytes);
  row.number((chunks - free) * longbow::pg::kDeltaChunkBytes);
  row.number(c.rounds.value());
  row.number(c.rows.value());
  row.number(c.stale.value());
  row.number(c.unknown.value());
  row.quantile(c.round, 0.5, kMillisecond);
  row.quantile(c.round, 0.99, kMillisecond);
  row.number(c.pauses.value());
  row.real(static_cast<double>(c.pause.sum()) / 1e9);
  row.quantile(c.pause, 0.5, kMillisecond);
  row.quantile(c.pause, 0.99, kMillisecond);
  row.boolean(longbow::pg::server_shared()->no_worker_slot.load());
  row.time(longbow::pg::server_shared()->since.load());
}

}  // namespace

LB_FUNCTION(longbow_storage_stats) {
  RowWriter row(fcinfo, kLogColumns + kBuildColumns);
  longbow::wal::Log* log = longbow::pg::side_wal();
  if (log != nullptr) {
    write_log(row, *log);
  } else {
    row.text(!longbow::pg::settings.storage_wal           ? "none"
             : longbow::pg::settings.storage_use_iouring ? "io_uring"
                                                          : "standard");
    row.text("none");
    row.text(longbow::pg::kNoPreload);
  }
  row.skip_to(kLogColumns);
  write_builds(row);
  PG_RETURN_DATUM(row.row());
}

LB_FUNCTION(longbow_gc_stats) {
  RowWriter row(fcinfo, kGcColumns + 1);
  if (longbow::pg::gc_counters() != nullptr) write_gc(row);
  row.skip_to(kGcColumns);
  if (longbow::pg::gc_counters() == nullptr) row.text(longbow::pg::kNoPreload);
  PG_RETURN_DATUM(row.row());
}
