// What scans did, told to whoever asks: the last one of a session (longbow_last_scan(), longbow.explain), EXPLAIN on PostgreSQL 18,
// and the sums of all in shared memory.
#pragma once

#include "longbow/tree/search.hpp"
#include "pg/index_stats.hpp"

namespace longbow::am {

// Where a scan's effort came from.
enum class Effort : std::uint8_t {
  none,          // no search has begun
  target,        // longbow.target_recall, by the index's calibration
  uncalibrated,  // longbow.target_recall, by a guess: the index has not been calibrated
  probes,        // longbow.probes
  whole,         // a query that cannot rank rows (NULL, or no ORDER BY): every row in turn
};
const char* effort_name(Effort effort) noexcept;

// All searches of one scan: each rescan is another one. A POD, filled with zeros.
struct ScanReport {
  Oid index;
  std::uint64_t searches, waves, leaves, scanned, refined, rechecked, pending, returned, stopped;
  // Of the latest search.
  Effort effort;
  double target_recall;
  std::uint64_t planned;  // leaves of its first wave
  std::uint32_t leaves_there;
};

// Adds a search that has ended.
void add_search(ScanReport& report, const tree::SearchCounters& c, std::uint64_t returned, bool ordered);
// A scan has ended: it is the session's last, and counts for its index.
void publish_scan(const ScanReport& report, pg::IndexEntry* entry);

}  // namespace longbow::am
