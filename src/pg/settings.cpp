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
}

void define_log() {
  DefineCustomIntVariable("longbow.wal_batch_size", "The number of rows that a statement collects before they go into the index.",
                          "Small batches (10 to 50) bound latency, large ones (1000) raise throughput.",
                          &settings.wal_batch_size, boot_int("LONGBOW_WAL_BATCH_SIZE", 100, 1, 10000), 1, 10000,
                          PGC_USERSET, 0, nullptr, nullptr, nullptr);
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
  MarkGUCPrefixReserved("longbow");
}

}  // namespace longbow::pg
