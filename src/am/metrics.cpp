// longbow_metrics(): counters, gauges and histograms in Prometheus' exposition format. docs/monitoring.md lists them.
//
// Everything but the names of databases comes from shared memory: one scrape says it for the whole server, whatever database it
// asks. Without shared memory there is what this session knows.
#include "am/metrics.hpp"

#include "am/exposition.hpp"
#include "longbow/simd/kernels.hpp"
#include "pg/activity.hpp"
#include "pg/build_stats.hpp"
#include "pg/delta.hpp"
#include "pg/index_stats.hpp"
#include "pg/memory_stats.hpp"
#include "pg/side_wal.hpp"

extern "C" {
#include "commands/dbcommands.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
}

namespace longbow::am {

namespace {

double unix_seconds(std::int64_t t) {
  return static_cast<double>(t) / 1e6 + static_cast<double>((POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY);
}

void write_general(Exposition& e) {
  e.gauge("longbow_shared_memory", pg::have_shared_memory() ? 1 : 0, "1 if shared_preload_libraries names longbow; otherwise only this session is counted.");
  if (pg::have_shared_memory()) {
    e.gauge("longbow_counters_start_time_seconds", unix_seconds(pg::server_shared()->since.load()),
            "When the server's counters began, in seconds since 1970: its start or longbow_stat_reset().");
    e.gauge("longbow_index_counters_start_time_seconds", unix_seconds(pg::shared_parts.indexes->since.load()),
            "When the counters of indexes began: they outlive a clean restart.");
  }
  e.family("longbow_simd_info", "gauge", "The instruction set in force and the best one that the CPU has.");
  e.label("tier", simd::tier_name(simd::active_tier()));
  e.label("detected_tier", simd::tier_name(simd::detected_tier()));
  e.sample(1.0);
  pg::BuildStats& builds = pg::build_stats();
  e.counter("longbow_builds_total", builds.builds.value(), "Index builds that wrote rows.");
  e.counter("longbow_build_bytes_total", builds.bytes.value(), "Bytes that index builds wrote past shared buffers.");
}

void write_storage(Exposition& e, wal::Log& log) {
  wal::LogShared& shared = log.shared();
  const wal::LogCounters& c = shared.counters;
  const bool failed = shared.failed.load() != 0;
  e.family("longbow_storage_backend_info", "gauge", "The side WAL's backend: the one asked for and the one in use.");
  e.label("requested", wal::backend_name(log.backend().requested));
  e.label("effective", failed ? "none" : wal::backend_name(log.backend().effective));
  e.sample(1.0);
  e.counter("longbow_storage_records_total", c.records.value(), "Records logged in the side WAL.");
  e.counter("longbow_storage_write_ops_total", c.write_ops.value(), "Write calls of the side WAL.");
  e.counter("longbow_storage_fsyncs_total", c.fsyncs.value(), "fdatasync calls of the side WAL; what io_uring writes for who waits already is durable without.");
  e.counter("longbow_storage_raw_bytes_total", c.bytes_raw.value(), "Bytes that records would take without compression.");
  e.counter("longbow_storage_logged_bytes_total", c.bytes_logged.value(), "Bytes that records take.");
  e.counter("longbow_storage_written_bytes_total", c.bytes_written.value(), "Bytes that went to disk, blocks written again included.");
  e.counter("longbow_storage_groups_total", c.groups.value(), "Writes that made records durable.");
  e.counter("longbow_storage_group_records_total", c.group_records.value(), "Records that those writes made durable.");
  e.counter("longbow_storage_no_space_total", c.no_space.value(), "Records given up because the buffer stayed full.");
  e.counter("longbow_storage_skipped_total", c.skipped.value(), "Records not logged: after an error, or with backend none.");
  e.counter("longbow_storage_errors_total", c.errors.value(), "Errors that stopped the side WAL for a while.");
  e.counter("longbow_storage_takeovers_total", c.takeovers.value(), "Writes that another session finished.");
  e.gauge("longbow_storage_failed", failed ? 1 : 0, "1 while the side WAL is stopped by an error.");
  e.gauge("longbow_storage_lag_bytes", static_cast<double>(shared.backlog()), "Bytes logged that are not on disk yet.");
  e.histogram("longbow_storage_write_latency_seconds", c.waits, "Time that commits waited for the side WAL to be on disk.");
}

void write_gc(Exposition& e) {
  const pg::GcCounters& c = *pg::gc_counters();
  const pg::DeltaShared& delta = *pg::shared_parts.delta;
  std::uint64_t pending = 0;
  for (const pg::DeltaIndex& d : delta.index)
    if (d.used) pending += d.pending();
  const auto chunks = static_cast<double>(delta.chunks), free = static_cast<double>(delta.free_count);
  e.gauge("longbow_gc_pending_rows", static_cast<double>(pending), "Rows waiting to go into their trees.");
  e.gauge("longbow_gc_delta_bytes", chunks * pg::kDeltaChunkBytes, "Shared memory for codes of pending rows.");
  e.gauge("longbow_gc_delta_used_bytes", (chunks - free) * pg::kDeltaChunkBytes, "What of it is in use.");
  e.counter("longbow_gc_rounds_total", c.rounds.value(), "Rounds of merging.");
  e.counter("longbow_gc_rows_merged_total", c.rows.value(), "Pending rows that went into trees.");
  e.counter("longbow_gc_rows_stale_total", c.stale.value(), "Pending entries passed over because their rows were gone.");
  e.counter("longbow_gc_rows_unknown_total", c.unknown.value(), "Pending rows whose vectors could not be read.");
  e.histogram("longbow_gc_round_seconds", c.round, "Length of rounds of merging.");
  e.counter("longbow_gc_pauses_total", c.pauses.value(), "Flushes that put their rows into the tree because memory was full.");
  e.family("longbow_gc_pause_seconds_total", "counter", "Time of those flushes.");
  e.sample(static_cast<double>(c.pause.sum()) / 1e9);
  e.histogram("longbow_gc_pause_seconds", c.pause, "Length of those flushes.");
  e.gauge("longbow_gc_worker_slot_missing", pg::server_shared()->no_worker_slot.load() ? 1 : 0,
          "1 if the last worker could not be started: raise max_worker_processes.");
}

// One family of longbow_stat_memory: `of` takes its figure out of a tally.
void write_tallies(Exposition& e, const char* name, const char* type, const char* help, std::uint64_t (*of)(const mem::Tally&)) {
  e.family(name, type, help);
  for (std::size_t k = 0; k < pg::kMemoryKinds; k++)
    for (std::size_t c = 0; c < mem::kSizeClasses; c++) {
      const auto kind = static_cast<pg::MemoryKind>(k);
      const auto size = static_cast<mem::SizeClass>(c);
      e.label("kind", pg::memory_kind_name(kind));
      e.label("size_class", mem::size_class_name(size));
      e.sample(of(pg::memory_stats(kind, size)));
    }
}

void write_memory(Exposition& e) {
  pg::flush_memory_stats();
  write_tallies(e, "longbow_memory_allocs_total", "counter", "Allocations of C++ code.", [](const mem::Tally& t) { return t.allocations; });
  write_tallies(e, "longbow_memory_alloc_bytes_total", "counter", "Bytes that C++ code asked for.", [](const mem::Tally& t) { return t.bytes; });
  write_tallies(e, "longbow_memory_resets_total", "counter", "Times that an arena gave back all of a size class at once.",
                [](const mem::Tally& t) { return t.resets; });
  write_tallies(e, "longbow_memory_live_bytes", "gauge", "Bytes not given back yet.", [](const mem::Tally& t) { return t.live; });
  write_tallies(e, "longbow_memory_peak_bytes", "gauge", "The most live bytes that one process had at a time.",
                [](const mem::Tally& t) { return t.peak; });
}

// An index as the table of counters has it at one moment.
struct IndexSample {
  std::uint64_t key;
  pg::IndexSums sums;
  std::uint64_t incarnation;
  std::uint32_t leaves;
  char database[NAMEDATALEN], schema[NAMEDATALEN], name[NAMEDATALEN];
};

// All indexes in the table, each once. In the current memory context.
IndexSample* collect_indexes(std::size_t* count) {
  auto* samples = static_cast<IndexSample*>(palloc0(pg::kMostStatIndexes * sizeof(IndexSample)));
  std::size_t n = 0;
  for (const pg::IndexEntry& entry : pg::shared_parts.indexes->entry) {
    const std::uint64_t key = entry.key.load(std::memory_order_acquire);
    if (!pg::is_index_key(key)) continue;
    IndexSample* s = samples;
    while (s < samples + n && s->key != key) s++;
    for (std::size_t i = 0; i < pg::kIndexCounters; i++) s->sums.of[i] += entry.counter[i].value();
    if (s < samples + n) continue;
    n++;
    s->key = key;
    s->incarnation = entry.incarnation.load();
    s->leaves = entry.leaves.load();
    (void)pg::index_names(entry, s->schema, s->name);
    const char* database = get_database_name(pg::entry_database(key));
    strlcpy(s->database, database != nullptr ? database : "", NAMEDATALEN);
  }
  *count = n;
  return samples;
}

void label_index(Exposition& e, const IndexSample& s) {
  char oid[16];
  snprintf(oid, sizeof oid, "%u", pg::entry_index(s.key));
  e.label("database", s.database);
  e.label("schema", s.schema);
  e.label("index", s.name);
  e.label("oid", oid);  // two of one name: the other was dropped, and is not forgotten yet
}

double pending_of(const IndexSample& s) {
  for (const pg::DeltaIndex& d : pg::shared_parts.delta->index) {
    // A database made from a template has copies of its indexes.
    const bool same = d.incarnation == s.incarnation && lb_database(d.file) == pg::entry_database(s.key);
    if (d.used && s.incarnation != 0 && same) return static_cast<double>(d.pending());
  }
  return 0;
}

void write_indexes(Exposition& e) {
  constexpr struct {
    const char *name, *help;
  } kCounters[pg::kIndexCounters] = {
      {"longbow_index_scans_total", "Searches."},
      {"longbow_index_leaves_probed_total", "Leaves that searches visited."},
      {"longbow_index_rows_scanned_total", "Rows whose scan codes searches compared."},
      {"longbow_index_rows_refined_total", "Rows whose 8-bit codes searches compared."},
      {"longbow_index_rows_rechecked_total", "Rows whose exact distance was computed from the table."},
      {"longbow_index_pending_scanned_total", "Pending rows that searches compared or handed out unseen."},
      {"longbow_index_stopped_early_total", "Searches that longbow.max_scan_tuples ended."},
      {"longbow_index_rows_inserted_total", "Rows that inserts brought."},
      {"longbow_index_rows_merged_total", "Rows that merges took into the tree."},
  };
  pg::forget_gone_index_stats();
  std::size_t count = 0;
  const IndexSample* samples = collect_indexes(&count);
  if (count == 0) return;
  for (std::size_t i = 0; i < pg::kIndexCounters; i++) {
    e.family(kCounters[i].name, "counter", kCounters[i].help);
    for (const IndexSample* s = samples; s < samples + count; s++) {
      label_index(e, *s);
      e.sample(s->sums.of[i]);
    }
  }
  e.family("longbow_index_leaves", "gauge", "Leaves of the tree when it was last searched or inserted into; 0 since a start without either.");
  for (const IndexSample* s = samples; s < samples + count; s++) label_index(e, *s), e.sample(static_cast<double>(s->leaves));
  e.family("longbow_index_pending_rows", "gauge", "Rows waiting to go into the tree; 0 since a start without a search or insert.");
  for (const IndexSample* s = samples; s < samples + count; s++) label_index(e, *s), e.sample(pending_of(*s));
}

void write_activity(Exposition& e) {
  std::uint64_t doing[pg::kPhases] = {}, waiting[pg::kWaits] = {};
  for (int i = 0; i < MaxBackends; i++) {
    pg::Activity a;
    if (!pg::read_activity(i, a)) continue;
    doing[static_cast<int>(a.phase)]++;
    waiting[static_cast<int>(a.wait)]++;
  }
  e.family("longbow_activity_processes", "gauge", "Processes that are in longbow now, by what they do.");
  for (int i = 1; i < pg::kPhases; i++) e.label("phase", pg::phase_name(static_cast<pg::Phase>(i))), e.sample(doing[i]);
  e.family("longbow_activity_waiting_processes", "gauge", "Processes that wait in longbow now, by what for.");
  for (int i = 1; i < pg::kWaits; i++) e.label("waits_for", pg::wait_name(static_cast<pg::Wait>(i))), e.sample(waiting[i]);
}

}  // namespace

void write_metrics(StringInfo out) {
  Exposition e(out);
  write_general(e);
  write_memory(e);
  if (!pg::have_shared_memory()) return;
  write_storage(e, *pg::side_wal());
  write_gc(e);
  write_indexes(e);
  write_activity(e);
}

}  // namespace longbow::am

LB_FUNCTION(longbow_metrics) {
  StringInfoData text;
  initStringInfo(&text);
  longbow::am::write_metrics(&text);
  PG_RETURN_TEXT_P(cstring_to_text_with_len(text.data, text.len));
}
