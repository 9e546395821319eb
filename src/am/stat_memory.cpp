// longbow_memory_stats(): what the view longbow_stat_memory shows, one row a kind of work and size class.
#include "pg/compat.hpp"
#include "pg/memory_stats.hpp"

extern "C" {
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"
}

LB_FUNCTION(longbow_memory_stats) {
  longbow::pg::flush_memory_stats();
  InitMaterializedSRF(fcinfo, 0);
  auto* result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
  for (std::size_t k = 0; k < longbow::pg::kMemoryKinds; k++)
    for (std::size_t c = 0; c < longbow::mem::kSizeClasses; c++) {
      const auto kind = static_cast<longbow::pg::MemoryKind>(k);
      const auto size = static_cast<longbow::mem::SizeClass>(c);
      const longbow::mem::Tally t = longbow::pg::memory_stats(kind, size);
      const auto number = [](std::uint64_t n) { return Int64GetDatum(static_cast<int64>(n)); };
      Datum values[] = {CStringGetTextDatum(longbow::pg::memory_kind_name(kind)),
                        CStringGetTextDatum(longbow::mem::size_class_name(size)),
                        number(t.allocations),
                        number(t.bytes),
                        number(t.live),
                        number(t.peak),
                        number(t.resets)};
      bool nulls[lengthof(values)] = {};
      tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
    }
  return static_cast<Datum>(0);
}
