// Definitions of the longbow.* settings.
//
// A setting's start value may come from the environment of the postmaster, so that a whole cluster can be started
// with it; what postgresql.conf and SET say goes before.
#include "pg/settings.hpp"

#include <climits>
#include <cstdlib>
#include <cstring>

#include "longbow/simd/kernels.hpp"

extern "C" {
#include "postgres.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
}

namespace longbow::pg {

Settings settings;

namespace {

// -- longbow.simd: the highest instruction set that the kernels may use

constexpr int kSimdAuto = simd::kTierCount;  // no limit; the other values are those of simd::Tier

const config_enum_entry kSimdOptions[] = {
    {"auto", kSimdAuto, false},
    {"avx512", static_cast<int>(simd::Tier::avx512), false},
    {"avx2", static_cast<int>(simd::Tier::avx2), false},
    {"sse4.2", static_cast<int>(simd::Tier::sse42), false},
    {"scalar", static_cast<int>(simd::Tier::scalar), false},
    {nullptr, 0, false},
};

int simd_limit;

void assign_simd(int value, void*) {
  simd::set_tier_limit(value == kSimdAuto ? simd::Tier::avx512 : static_cast<simd::Tier>(value));
}

// The start value of longbow.simd: that of LONGBOW_SIMD if it names a tier, else auto.
int boot_simd() {
  const char* wanted = std::getenv("LONGBOW_SIMD");
  if (wanted == nullptr || *wanted == '\0') return kSimdAuto;
  for (const config_enum_entry* option = kSimdOptions; option->name != nullptr; option++)
    if (std::strcmp(option->name, wanted) == 0) return option->val;
  ereport(WARNING, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("environment variable LONGBOW_SIMD has an unknown value: \"%s\"", wanted),
                    errhint("Available values: auto, avx512, avx2, sse4.2, scalar.")));
  return kSimdAuto;
}

// An integer setting's start value: that of an environment variable if it is a number in range, else `otherwise`.
int boot_int(const char* variable, int otherwise, int least, int most) {
  const char* text = std::getenv(variable);
  if (text == nullptr || *text == '\0') return otherwise;
  char* end = nullptr;
  const long value = std::strtol(text, &end, 10);
  if (*end == '\0' && value >= least && value <= most) return static_cast<int>(value);
  ereport(WARNING, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("environment variable %s has an invalid value: \"%s\"", variable, text),
                    errhint("It must be a number between %d and %d.", least, most)));
  return otherwise;
}

// The same for a boolean setting.
bool boot_bool(const char* variable, bool otherwise) {
  const char* text = std::getenv(variable);
  if (text == nullptr || *text == '\0') return otherwise;
  bool value = otherwise;
  if (parse_bool(text, &value)) return value;
  ereport(WARNING, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("environment variable %s has an invalid value: \"%s\"", variable, text),
                    errhint("It must be on or off.")));
  return otherwise;
}

void define_search() {
  DefineCustomRealVariable("longbow.target_recall", "The share of the true nearest neighbours that a search is to find.",
                           "Indexes are calibrated on their own rows: searches visit as many leaves as this needs.",
                           &settings.target_recall, 0.95, 0.5, 1.0, PGC_USERSET, 0, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("longbow.probes", "The number of leaves that a search visits first.",
                          "0 lets longbow.target_recall decide.", &settings.probes, 0, 0, 1000000, PGC_USERSET, 0,
                          nullptr, nullptr, nullptr);
  DefineCustomIntVariable("longbow.max_scan_tuples", "The number of index rows after which a search stops.",
                          "0 means no limit: a search goes on until LIMIT is filled or the index is exhausted.",
                          &settings.max_scan_tuples, 0, 0, INT_MAX, PGC_USERSET, 0, nullptr, nullptr, nullptr);
  DefineCustomBoolVariable("longbow.strict_order", "Returns rows in exact order of distance only.",
                           "When on, a row that is found after a farther one was returned is dropped; when off, it comes late.",
                           &settings.strict_order, false, PGC_USERSET, 0, nullptr, nullptr, nullptr);
  DefineCustomBoolVariable("longbow.explain", "Says in a NOTICE what each scan of a longbow index did.",
                           "longbow_last_scan() returns the same of the latest one.", &settings.explain, false, PGC_USERSET, 0,
                           nullptr, nullptr, nullptr);
}

void define_log() {
  DefineCustomIntVariable("longbow.wal_batch_size", "The number of rows that a statement collects before they go into the index.",
                          "Small batches (10 to 50) bound latency, large ones (1000) raise throughput.",
                          &settings.wal_batch_size, boot_int("LONGBOW_WAL_BATCH_SIZE", 100, 1, 10000), 1, 10000,
                          PGC_USERSET, 0, nullptr, nullptr, nullptr);
}

void define_storage() {
  DefineCustomBoolVariable("longbow.storage_wal", "Keeps a side WAL of inserted vectors.",
                           "Without it vectors of pending rows are read from the table when memory lacks them.",
                           &settings.storage_wal, true, PGC_SIGHUP, 0, nullptr, nullptr, nullptr);
  DefineCustomBoolVariable("longbow.storage_use_iouring", "Writes the side WAL and new indexes by io_uring.",
                           "Where the kernel does not allow it, standard system calls are used; see longbow_stat_storage.",
                           &settings.storage_use_iouring, boot_bool("LONGBOW_STORAGE_USE_IOURING", true), PGC_SIGHUP, 0,
                           nullptr, nullptr, nullptr);
  DefineCustomBoolVariable("longbow.storage_async_fsync", "Does not wait for the side WAL at commit.",
                           "No row is lost: after a crash, vectors that the side WAL lacks are read from the table.",
                           &settings.storage_async_fsync, boot_bool("LONGBOW_STORAGE_ASYNC_FSYNC", false), PGC_USERSET, 0,
                           nullptr, nullptr, nullptr);
  DefineCustomBoolVariable("longbow.wal_compression", "Compresses records of the side WAL where that pays.", nullptr,
                           &settings.wal_compression, boot_bool("LONGBOW_WAL_COMPRESSION", true), PGC_USERSET, 0, nullptr,
                           nullptr, nullptr);
  DefineCustomIntVariable("longbow.wal_flush_interval", "The time between writes of the side WAL that no commit waits for.",
                          nullptr, &settings.wal_flush_interval, 10, 1, 10000, PGC_SIGHUP, GUC_UNIT_MS, nullptr, nullptr,
                          nullptr);
  DefineCustomIntVariable("longbow.max_wal_size", "The size that the side WAL's segments may reach.",
                          "Beyond it the oldest go; vectors in them are then read from the table.", &settings.side_wal_size,
                          1024, 64, MAX_KILOBYTES, PGC_SIGHUP, GUC_UNIT_MB, nullptr, nullptr, nullptr);
}

// A setting of the postmaster can only be defined while it preloads; elsewhere it has no effect.
GucContext at_start() { return process_shared_preload_libraries_in_progress ? PGC_POSTMASTER : PGC_SIGHUP; }

void define_merge() {
  DefineCustomIntVariable("longbow.delta_memory", "Shared memory for codes of pending rows.",
                          "Takes effect with shared_preload_libraries = 'longbow'.", &settings.delta_memory, 64, 1, MAX_KILOBYTES,
                          at_start(), GUC_UNIT_MB, nullptr, nullptr, nullptr);
  DefineCustomBoolVariable("longbow.numa_interleave", "Spreads shared memory over all NUMA nodes at server start.",
                           "Takes effect with shared_preload_libraries = 'longbow' on a machine with several nodes.",
                           &settings.numa_interleave, false, at_start(), 0, nullptr, nullptr, nullptr);
  DefineCustomIntVariable("longbow.gc_percent", "Growth of the pending rows that starts a merge.",
                          "In percent of a fiftieth of the index or 10,000 rows, whichever is more: 20 merges early and often, "
                          "-1 leaves merging to VACUUM and longbow_merge().",
                          &settings.gc_percent, boot_int("LONGBOW_GC_PERCENT", 100, -1, 10000), -1, 10000, PGC_SIGHUP, 0,
                          nullptr, nullptr, nullptr);
  DefineCustomIntVariable("longbow.workers", "The number of background workers that merge pending rows.",
                          "Takes effect with shared_preload_libraries = 'longbow'.", &settings.workers, 2, 0, 64, PGC_SIGHUP, 0,
                          nullptr, nullptr, nullptr);
}

void define_simd() {
  DefineCustomEnumVariable("longbow.simd", "The highest instruction set that distance kernels may use.",
                           "A set that the CPU lacks is lowered to the best one it has; see longbow_stat_simd.",
                           &simd_limit, boot_simd(), kSimdOptions, PGC_USERSET, 0, nullptr, assign_simd, nullptr);
}

}  // namespace

void define_settings() {
  define_simd();
  define_search();
  define_log();
  define_storage();
  define_merge();
  MarkGUCPrefixReserved("longbow");
}

}  // namespace longbow::pg
