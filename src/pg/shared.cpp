// Requests, creates and attaches the shared memory of a preloaded library.
#include "pg/shared.hpp"

#include <new>

#include "pg/activity.hpp"
#include "pg/delta.hpp"
#include "pg/index_stats.hpp"
#include "pg/numa.hpp"
#include "pg/sampler.hpp"
#include "pg/settings.hpp"
#include "pg/side_wal.hpp"

extern "C" {
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/shmem.h"
#include "utils/timestamp.h"
}

namespace longbow::pg {

SharedParts shared_parts;

namespace {

shmem_request_hook_type next_request;
shmem_startup_hook_type next_startup;

Size delta_memory() { return static_cast<Size>(settings.delta_memory) * 1024 * 1024; }

void on_request() {
  if (next_request != nullptr) next_request();
  RequestAddinShmemSpace(delta_shared_bytes(delta_memory()));
  RequestAddinShmemSpace(MAXALIGN(sizeof(ServerShared)) + side_wal_bytes());
  RequestAddinShmemSpace(MAXALIGN(sizeof(IndexTable)) + activity_bytes());
  RequestAddinShmemSpace(sampler_bytes());
  RequestNamedLWLockTranche(kTableTranche, 1);
  RequestNamedLWLockTranche(kAppendTranche, kMostDeltaIndexes);
  RequestNamedLWLockTranche(kChunksTranche, kMostDeltaIndexes);
}

void on_startup() {
  if (next_startup != nullptr) next_startup();
  LWLockAcquire(AddinShmemInitLock, LW_EXCLUSIVE);
  bool found = false;
  auto* delta = static_cast<DeltaShared*>(ShmemInitStruct("longbow delta", delta_shared_bytes(delta_memory()), &found));
  if (!found) init_delta(delta, delta_memory());
  shared_parts.server = static_cast<ServerShared*>(ShmemInitStruct("longbow server", sizeof(ServerShared), &found));
  if (!found) {
    new (shared_parts.server) ServerShared{};
    shared_parts.server->since = GetCurrentTimestamp();
  }
  shared_parts.log = ShmemInitStruct("longbow side WAL", side_wal_bytes(), &found);
  if (!found) init_side_wal(shared_parts.log);
  shared_parts.indexes = static_cast<IndexTable*>(ShmemInitStruct("longbow indexes", sizeof(IndexTable), &found));
  // After the side WAL, which makes the folder of its file.
  if (!found) init_index_stats(shared_parts.indexes);
  shared_parts.activity = static_cast<ActivitySlot*>(ShmemInitStruct("longbow activity", activity_bytes(), &found));
  if (!found) init_activity(shared_parts.activity);
  void* sampler = ShmemInitStruct("longbow sampler", sampler_bytes(), &found);
  attach_sampler(sampler, !found);
  shared_parts.table_lock = GetNamedLWLockTranche(kTableTranche);
  shared_parts.append_locks = GetNamedLWLockTranche(kAppendTranche);
  shared_parts.chunk_locks = GetNamedLWLockTranche(kChunksTranche);
  shared_parts.delta = delta;
  LWLockRelease(AddinShmemInitLock);
  if (!IsUnderPostmaster) save_index_stats_at_exit();
  interleave_shared_memory();
}

}  // namespace

void wake_launcher() noexcept {
  ServerShared* server = server_shared();
  if (server == nullptr || !server->launcher_sleeps.load()) return;
  Latch* latch = server->launcher.load();
  if (latch != nullptr) SetLatch(latch);
}

void request_shared_memory() {
  next_request = shmem_request_hook;
  shmem_request_hook = on_request;
  next_startup = shmem_startup_hook;
  shmem_startup_hook = on_startup;
}

}  // namespace longbow::pg
