// Shared memory: asked for and laid out while the postmaster preloads the library; absent otherwise.
#pragma once

#include "pg/boundary.hpp"

extern "C" {
#include "storage/lwlock.h"
}

namespace longbow::pg {

struct DeltaShared;

// What lies in shared memory; null without shared_preload_libraries = 'longbow'.
struct SharedParts {
  DeltaShared* delta;
  void* log;         // wal::LogShared
  LWLockPadded* locks;
};
extern SharedParts shared_parts;

inline bool have_shared_memory() { return shared_parts.delta != nullptr; }

// Called by _PG_init while the postmaster preloads libraries.
void request_shared_memory();

// Locks of the named tranche "longbow".
inline constexpr int kMostDeltaIndexes = 256;
inline constexpr int kSharedLocks = 1 + 2 * kMostDeltaIndexes;

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
