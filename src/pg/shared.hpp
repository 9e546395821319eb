// Shared memory: asked for and laid out while the postmaster preloads the library; absent otherwise.
#pragma once

#include <atomic>

#include "pg/boundary.hpp"
#include "pg/build_stats.hpp"
#include "pg/memory_stats.hpp"

extern "C" {
#include "storage/lwlock.h"
}

namespace longbow::pg {

struct DeltaShared;
struct IndexTable;
struct ActivitySlot;

// Small things that all processes of a server share.
struct ServerShared {
  std::atomic<bool> fallback_said;       // that another backend of the side WAL is in use than was asked for
  std::atomic<struct Latch*> launcher;   // the launcher's latch while it runs
  std::atomic<bool> launcher_sleeps;     // long, since there was nothing to do
  std::atomic<std::uint32_t> overlap_pause;    // commits that do not overlap their write with PostgreSQL's, still to come
  std::atomic<std::uint32_t> overlap_backoff;  // how many the next disappointment brings
  std::atomic<std::uint64_t> workers_well;  // a bit a place of the launcher's: its worker has come to its end
  std::atomic<bool> no_worker_slot;      // the last worker could not be started
  std::atomic<std::uint32_t> failure_said;  // generation of the side WAL whose failure was reported
  std::atomic<std::int64_t> since;  // TimestampTz from which on the server's counters count: its start or a reset
  BuildStats builds;
  MemoryTotals memory[kMemoryKinds];
};

// What lies in shared memory; null without shared_preload_libraries = 'longbow'.
struct SharedParts {
  DeltaShared* delta;
  void* log;         // wal::LogShared, from the next multiple of 64 on
  ServerShared* server;
  IndexTable* indexes;
  ActivitySlot* activity;  // one a backend, MaxBackends of them
  // Of the delta: its table's, and one of each an index.
  LWLockPadded *table_lock, *append_locks, *chunk_locks;
};
extern SharedParts shared_parts;

// What views say where there is none.
inline constexpr char kNoPreload[] = "shared_preload_libraries does not name longbow";

inline bool have_shared_memory() { return shared_parts.delta != nullptr; }
inline ServerShared* server_shared() { return shared_parts.server; }
// Ends the launcher's long sleep, if it is in one.
void wake_launcher() noexcept;

// Called by _PG_init while the postmaster preloads libraries.
void request_shared_memory();

inline constexpr int kMostDeltaIndexes = 256;

// Names of the lightweight locks' tranches, as pg_stat_activity.wait_event shows them.
inline constexpr char kTableTranche[] = "LongbowDeltaTable", kAppendTranche[] = "LongbowDeltaAppend",
                      kChunksTranche[] = "LongbowDeltaChunks";

// A lightweight lock for a scope, also when an exception ends it.
class SharedLock {
 public:
  SharedLock(LWLock* lock, LWLockMode mode) : lock_(lock) {
    call([&] { LWLockAcquire(lock_, mode); });
  }
  SharedLock(const SharedLock&) = delete;
  SharedLock& operator=(const SharedLock&) = delete;
  ~SharedLock() { LWLockRelease(lock_); }

 private:
  LWLock* lock_;
};

}  // namespace longbow::pg
