// The table of index counters: finding, taking and giving back places.
#include "pg/index_stats.hpp"

#include <cstring>

#include "pg/shared.hpp"

extern "C" {
#include "catalog/pg_class.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
}

namespace longbow::pg {

namespace {

constexpr std::uint64_t kFree = 0, kTaking = 1, kGivenBack = 2;
constexpr std::int64_t kTidyEvery_us = 60 * 1000 * 1000;

IndexTable* table() { return shared_parts.indexes; }

std::uint64_t key_of(Oid database, Oid index) noexcept { return std::uint64_t{database} << 32 | index; }

std::size_t home_of(std::uint64_t key) noexcept {
  return static_cast<std::size_t>((key * 0x9E3779B97F4A7C15ULL) >> 40) % kMostStatIndexes;
}

IndexEntry& place(IndexTable* table, std::uint64_t key, std::size_t step) noexcept {
  return table->entry[(home_of(key) + step) % kMostStatIndexes];
}

IndexEntry* find(std::uint64_t key) noexcept {
  for (std::size_t i = 0; i < kMostStatIndexes; i++) {
    IndexEntry& e = place(table(), key, i);
    const std::uint64_t there = e.key.load(std::memory_order_acquire);
    if (there == key) return &e;
    if (there == kFree) return nullptr;
  }
  return nullptr;
}

void clear(IndexEntry& e) noexcept {
  for (stats::Counter& c : e.counter) c.reset();
  e.incarnation = 0;
  e.leaves = 0;
}

void give_back(IndexEntry& e, std::uint64_t key) noexcept {
  if (e.key.compare_exchange_strong(key, kTaking)) {
    clear(e);
    e.key.store(kGivenBack, std::memory_order_release);
    table()->full_said = false;
  }
}

}  // namespace

// Two processes that take a place for the same index at once may end with two places, if another is given back between them:
// readers add them up.
IndexEntry* take_index_place(IndexTable* table, std::uint64_t key) noexcept {
  for (std::size_t i = 0; i < kMostStatIndexes; i++) {
    IndexEntry& e = place(table, key, i);
    std::uint64_t there = e.key.load(std::memory_order_acquire);
    if (there == key) return &e;
    if (there != kFree && there != kGivenBack) continue;
    if (!e.key.compare_exchange_strong(there, kTaking)) {
      i--;  // somebody was faster: look again what is here
      continue;
    }
    clear(e);
    e.schema[0] = e.name[0] = '\0';
    e.key.store(key, std::memory_order_release);
    return &e;
  }
  return nullptr;
}

IndexEntry* index_entry(Relation index) {
  if (table() == nullptr || RelationUsesLocalBuffers(index)) return nullptr;
  const std::uint64_t key = key_of(MyDatabaseId, RelationGetRelid(index));
  IndexEntry* e = find(key);
  if (e == nullptr) e = take_index_place(table(), key);
  if (e != nullptr) return e;
  const std::int64_t now = GetCurrentTimestamp();
  std::int64_t last = table()->tidied.load();
  if (now - last > kTidyEvery_us && table()->tidied.compare_exchange_strong(last, now)) {
    forget_gone_index_stats();
    e = take_index_place(table(), key);
  }
  if (e == nullptr && !table()->full_said.exchange(true))
    ereport(LOG, (errmsg("longbow counts scans of no more than %zu indexes", kMostStatIndexes),
                  errdetail("Counters of others are NULL in longbow_stat_index.")));
  return e;
}

void add_index_sums(IndexEntry* entry, const IndexSums& sums) noexcept {
  if (entry == nullptr) return;
  for (std::size_t i = 0; i < kIndexCounters; i++)
    if (sums.of[i] != 0) entry->counter[i].add(sums.of[i]);
}

void note_index(IndexEntry* entry, Relation index, std::uint64_t incarnation, std::uint32_t leaves) {
  if (entry == nullptr) return;
  if (entry->incarnation.load(std::memory_order_relaxed) != incarnation) entry->incarnation = incarnation;
  if (entry->leaves.load(std::memory_order_relaxed) != leaves) entry->leaves = leaves;
  const char* name = RelationGetRelationName(index);
  // A schema that is renamed keeps its old name here until the index is renamed too.
  if (std::strncmp(entry->name, name, NAMEDATALEN) == 0) return;
  const char* schema = get_namespace_name(RelationGetNamespace(index));
  std::uint32_t version = entry->name_version.load();
  if (version % 2 != 0 || !entry->name_version.compare_exchange_strong(version, version + 1)) return;  // another writes it
  strlcpy(entry->schema, schema != nullptr ? schema : "", NAMEDATALEN);
  strlcpy(entry->name, name, NAMEDATALEN);
  entry->name_version.store(version + 2, std::memory_order_release);
}

bool index_names(const IndexEntry& entry, char (&schema)[NAMEDATALEN], char (&name)[NAMEDATALEN]) noexcept {
  for (int attempt = 0; attempt < 100; attempt++) {
    const std::uint32_t before = entry.name_version.load(std::memory_order_acquire);
    if (before % 2 != 0) continue;
    std::memcpy(schema, entry.schema, NAMEDATALEN);
    std::memcpy(name, entry.name, NAMEDATALEN);
    std::atomic_thread_fence(std::memory_order_acquire);
    if (entry.name_version.load(std::memory_order_relaxed) == before) return name[0] != '\0';
  }
  return false;
}

bool find_index_sums(Oid index, IndexSums& sums) noexcept {
  if (table() == nullptr) return false;
  const std::uint64_t key = key_of(MyDatabaseId, index);
  bool any = false;
  for (const IndexEntry& e : table()->entry) {
    if (e.key.load(std::memory_order_acquire) != key) continue;
    for (std::size_t i = 0; i < kIndexCounters; i++) sums.of[i] += e.counter[i].value();
    any = true;
  }
  return any;
}

void forget_gone_index_stats() {
  if (table() == nullptr) return;
  for (IndexEntry& e : table()->entry) {
    const std::uint64_t key = e.key.load(std::memory_order_acquire);
    if (!is_index_key(key)) continue;
    const Oid database = entry_database(key);
    const bool there = database == MyDatabaseId ? SearchSysCacheExists1(RELOID, ObjectIdGetDatum(entry_index(key)))
                                                : SearchSysCacheExists1(DATABASEOID, ObjectIdGetDatum(database));
    if (!there) give_back(e, key);
  }
}

void reset_index_stats() noexcept {
  if (table() == nullptr) return;
  for (IndexEntry& e : table()->entry)
    for (stats::Counter& c : e.counter) c.reset();
  table()->since = GetCurrentTimestamp();
}

}  // namespace longbow::pg
