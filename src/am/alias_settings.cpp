// pgvector's settings, read for indexes of the aliases hnsw and ivfflat.
#include <algorithm>
#include <cmath>

#include "am/access_method.hpp"
#include "am/index.hpp"

extern "C" {
#include "utils/guc.h"
}

namespace longbow::am {

namespace {

// Bounds of pgvector 0.8.
constexpr int kMostEfSearch = 1000;
constexpr int kMostProbes = 32768;

[[noreturn]] void report_value(const char* name, const char* value, const char* detail) {
  ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("invalid value for parameter \"%s\": \"%s\"", name, value),
                  errdetail_internal("%s", detail)));
}

// A setting's number; 0 where nobody has set it and pgvector's library, which has defaults, is not loaded.
int read_number(const char* name, int most) {
  const char* value = GetConfigOption(name, true, false);
  if (value == nullptr || value[0] == '\0') return 0;
  int number;
  if (!parse_int(value, &number, 0, nullptr) || number < 1 || number > most)
    report_value(name, value, psprintf("It must be a whole number from 1 to %d.", most));
  return number;
}

// Whether a setting says strict_order.
bool read_strict(const char* name) {
  const char* value = GetConfigOption(name, true, false);
  if (value == nullptr || value[0] == '\0' || pg_strcasecmp(value, "off") == 0 || pg_strcasecmp(value, "relaxed_order") == 0)
    return false;
  if (pg_strcasecmp(value, "strict_order") != 0)
    report_value(name, value, "Valid values are \"off\", \"relaxed_order\" and \"strict_order\".");
  return true;
}

}  // namespace

void read_alias_settings(Relation index, const tree::Meta& meta, tree::SearchOptions& options) {
  switch (alias_of(index)) {
    case Alias::none: return;
    case Alias::hnsw:
      if (const int rows = read_number("hnsw.ef_search", kMostEfSearch); rows > 0)
        options.least_probes = tree::planned_probes(meta, options.target_recall, rows);
      options.strict_order |= read_strict("hnsw.iterative_scan");
      return;
    case Alias::ivfflat:
      if (const int probes = read_number("ivfflat.probes", kMostProbes); probes > 0)
        options.least_probes = static_cast<std::uint32_t>(
            std::ceil(std::min(1.0, static_cast<double>(probes) / ivfflat_lists(index)) * meta.leaves));
      return;
  }
}

}  // namespace longbow::am
