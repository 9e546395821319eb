// What searches and inserts did, index by index, in shared memory: sums of plain counters, without a lock.
//
// An index has a place in a table of fixed size, found by hashing {database, oid} and taken by compare-and-swap; it keeps it over
// REINDEX. A search adds its sums once, where it ends. A place is given back when nobody knows its index any more; a search
// that is open then adds to nothing, or to the index that has taken the place since. The table outlives a restart in a file (index_stats_file.cpp), as PostgreSQL's own
// statistics do, and like those is lost in a crash.
#pragma once

#include <atomic>
#include <cstdint>

#include "longbow/stats/counter.hpp"
#include "pg/compat.hpp"

namespace longbow::pg {

inline constexpr std::size_t kMostStatIndexes = 1024;
inline constexpr std::size_t kIndexCounters = 9;

// What is counted; am/metrics.cpp has the words.
enum class IndexCount : std::uint8_t {
  scans,
  leaves,     // visited
  scanned,    // rows whose scan codes were scored, pending ones among them
  refined,    // of them, rows whose refine codes were read
  rechecked,  // of them, rows whose exact distance was computed from the table
  pending,    // rows of the pending list that were scored or handed out
  stopped,    // scans that longbow.max_scan_tuples ended
  inserted,   // rows that flushes brought
  merged,     // rows that merges took from the list into the tree
};

struct IndexSums {
  std::uint64_t of[kIndexCounters] = {};
  [[nodiscard]] std::uint64_t operator[](IndexCount c) const noexcept { return of[static_cast<std::size_t>(c)]; }
  std::uint64_t& operator[](IndexCount c) noexcept { return of[static_cast<std::size_t>(c)]; }
};

struct alignas(64) IndexEntry {
  std::atomic<std::uint64_t> key;  // database and oid; 0 never used, 1 being taken, 2 given back
  stats::Counter counter[kIndexCounters];
  std::atomic<std::uint64_t> incarnation;  // of the index, as a search saw it last; 0 unknown
  std::atomic<std::uint32_t> leaves;       // likewise
  std::atomic<std::uint32_t> name_version;  // odd while the names are written
  char schema[NAMEDATALEN], name[NAMEDATALEN];
};

struct IndexTable {
  std::atomic<std::int64_t> since;  // TimestampTz from which on is counted
  std::atomic<bool> full_said;
  std::atomic<std::int64_t> tidied;
  IndexEntry entry[kMostStatIndexes];
};

inline Oid entry_database(std::uint64_t key) noexcept { return static_cast<Oid>(key >> 32); }
inline Oid entry_index(std::uint64_t key) noexcept { return static_cast<Oid>(key); }
inline bool is_index_key(std::uint64_t key) noexcept { return key > 2; }

// The index's place, taken if it has none; nullptr for a temporary index, without shared memory, or when the table is full, which
// is said once in the log. May ereport: a full table is tidied.
IndexEntry* index_entry(Relation index);
// Adds sums to a place, which may be null.
void add_index_sums(IndexEntry* entry, const IndexSums& sums) noexcept;
// Notes the index's names and its shape as of now.
void note_index(IndexEntry* entry, Relation index, std::uint64_t incarnation, std::uint32_t leaves);
// The sums of an index of this database; false without shared memory or if it has no place.
bool find_index_sums(Oid index, IndexSums& sums) noexcept;
// Names of a place as they were noted; false if there are none yet, or they change all the time.
bool index_names(const IndexEntry& entry, char (&schema)[NAMEDATALEN], char (&name)[NAMEDATALEN]) noexcept;

// Gives back the places of indexes of this database that are gone, and of databases that are. In a transaction.
void forget_gone_index_stats();
// All sums begin anew.
void reset_index_stats() noexcept;

// The place of an index, found or taken; nullptr if the table is full.
IndexEntry* take_index_place(IndexTable* table, std::uint64_t key) noexcept;

// -- in the postmaster
// Lays the table out, with what the last clean shutdown left.
void init_index_stats(IndexTable* table);
// Writes it when the postmaster ends without a failure.
void save_index_stats_at_exit();

}  // namespace longbow::pg
