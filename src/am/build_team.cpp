// Parallel context, dynamic shared memory, and the workers' entry.
#include "am/build_team.hpp"

#include <sys/statvfs.h>

#include <new>

#include "am/build_member.hpp"
#include "pg/activity.hpp"
#include "pg/context_resource.hpp"
#include "pg/mapped_file.hpp"

extern "C" {
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "executor/instrument.h"
#include "pgstat.h"
#include "storage/dsm_impl.h"
#include "tcop/tcopprot.h"
#include "utils/snapmgr.h"
}

namespace longbow::am {

namespace {

// Keys of the shared memory's table of contents.
constexpr uint64 kKeyShared = 1, kKeyScan = 2, kKeySort = 3, kKeyRegion = 4, kKeyQuery = 5, kKeyWalUsage = 6,
                 kKeyBufferUsage = 7;
// What a parallel context needs beside ours: queues, settings, snapshots.
constexpr Size kContextBytes = 1 << 20;

// Whether dynamic shared memory has room: where it is a file system that is too small, PostgreSQL would raise an error.
bool shared_memory_has(Size bytes) {
  if (dynamic_shared_memory_type != DSM_IMPL_POSIX) return true;
  struct statvfs room;
  if (statvfs("/dev/shm", &room) != 0) return true;
  return static_cast<Size>(room.f_bavail) * room.f_frsize >= bytes + bytes / 8;
}

Size region_in_context(const BuildShared& shared) { return shared.region_in_file ? 0 : shared.region_bytes + 64; }

char* aligned(void* p) { return reinterpret_cast<char*>(TYPEALIGN(64, reinterpret_cast<uintptr_t>(p))); }

void init_counters(BuildShared* shared) {
  pg_atomic_init_u64(&shared->sampled, 0);
  pg_atomic_init_u64(&shared->seen, 0);
  pg_atomic_init_u64(&shared->visited, 0);
  pg_atomic_init_u64(&shared->heap_tuples, 0);
  pg_atomic_init_u64(&shared->index_tuples, 0);
  pg_atomic_init_u32(&shared->broken_hot_chain, 0);
  pg::init_crew(&shared->crew);
}

}  // namespace

BuildTeam::BuildTeam(Relation heap, const BuildShared& shared, int workers, MemoryContext context,
                     std::pmr::memory_resource& memory)
    : memory_(memory) {
  // Half of maintenance_work_mem is the region's; what needs more lies in a file.
  BuildShared plan = shared;
  plan.region_in_file = shared.region_bytes > static_cast<Size>(maintenance_work_mem) * 1024 / 2;
  const bool parallel = workers > 0 && pg::call([&] { return start(heap, plan, workers, context); });
  if (!parallel) work_alone(plan, context);
}

bool BuildTeam::start(Relation heap, const BuildShared& shared, int workers, MemoryContext context) {
  BuildShared plan = shared;
  if (!plan.region_in_file && !shared_memory_has(region_in_context(plan) + kContextBytes)) plan.region_in_file = true;
  if (!shared_memory_has(region_in_context(plan) + kContextBytes)) {
    ereport(NOTICE, (errmsg("index is built without parallel workers"),
                     errdetail("There is no room for their shared memory in /dev/shm.")));
    return false;
  }
  EnterParallelMode();
  context_ = CreateParallelContext("longbow", "longbow_build_worker", workers);
  snapshot_ = shared.concurrent ? RegisterSnapshot(GetTransactionSnapshot()) : SnapshotAny;
  const Size scan_bytes = table_parallelscan_estimate(heap, snapshot_);
  const Size sort_bytes = tuplesort_estimate_shared(workers + 1);
  const Size query_bytes = debug_query_string != nullptr ? strlen(debug_query_string) + 1 : 1;
  shm_toc_estimator* e = &context_->estimator;
  shm_toc_estimate_chunk(e, sizeof(BuildShared));
  shm_toc_estimate_chunk(e, scan_bytes);
  shm_toc_estimate_chunk(e, sort_bytes);
  shm_toc_estimate_chunk(e, region_in_context(plan));
  shm_toc_estimate_chunk(e, query_bytes);
  shm_toc_estimate_chunk(e, mul_size(sizeof(WalUsage), workers));
  shm_toc_estimate_chunk(e, mul_size(sizeof(BufferUsage), workers));
  shm_toc_estimate_keys(e, 7);
  InitializeParallelDSM(context_);
  if (context_->seg == nullptr) {
    ereport(NOTICE, (errmsg("index is built without parallel workers"),
                     errdetail("There is no dynamic shared memory segment left.")));
    finish();
    return false;
  }
  shared_ = static_cast<BuildShared*>(shm_toc_allocate(context_->toc, sizeof(BuildShared)));
  *shared_ = plan;
  shared_->sort_memory = maintenance_work_mem / 2 / (workers + 1);
  init_counters(shared_);
  SharedFileSetInit(&shared_->files, context_->seg);
  shm_toc_insert(context_->toc, kKeyShared, shared_);
  scan_ = static_cast<ParallelTableScanDesc>(shm_toc_allocate(context_->toc, scan_bytes));
  table_parallelscan_initialize(heap, scan_, snapshot_);
  shm_toc_insert(context_->toc, kKeyScan, scan_);
  sort_ = static_cast<Sharedsort*>(shm_toc_allocate(context_->toc, sort_bytes));
  tuplesort_initialize_shared(sort_, workers + 1, context_->seg);
  shm_toc_insert(context_->toc, kKeySort, sort_);
  if (plan.region_in_file) {
    region_ = pg::map_shared_file(&shared_->files, plan.region_bytes, true, context);
  } else {
    void* region = shm_toc_allocate(context_->toc, region_in_context(plan));
    shm_toc_insert(context_->toc, kKeyRegion, region);
    region_ = aligned(region);
  }
  auto* query = static_cast<char*>(shm_toc_allocate(context_->toc, query_bytes));
  memcpy(query, debug_query_string != nullptr ? debug_query_string : "", query_bytes);
  shm_toc_insert(context_->toc, kKeyQuery, query);
  shm_toc_insert(context_->toc, kKeyWalUsage, shm_toc_allocate(context_->toc, mul_size(sizeof(WalUsage), workers)));
  shm_toc_insert(context_->toc, kKeyBufferUsage, shm_toc_allocate(context_->toc, mul_size(sizeof(BufferUsage), workers)));
  LaunchParallelWorkers(context_);
  if (context_->nworkers_launched == 0) {
    // Nobody came: the shared memory is given back for the whole of maintenance_work_mem.
    finish();
    return false;
  }
  WaitForParallelWorkersToAttach(context_);
  const auto members = static_cast<unsigned>(context_->nworkers_launched + 1);
  pg::publish_crew(&shared_->crew, members);
  crew_ = new (crew_memory_) pg::RegionCrew(&shared_->crew, 0, members, region_, plan.region_bytes);
  ereport(DEBUG1, (errmsg_internal("longbow build: %d of %d parallel workers, training in %s", context_->nworkers_launched,
                                   workers, plan.region_in_file ? "a file" : "shared memory")));
  return true;
}

void BuildTeam::work_alone(const BuildShared& shared, MemoryContext context) {
  own_ = shared;
  shared_ = &own_;
  shared_->sort_memory = maintenance_work_mem / 2;
  init_counters(shared_);
  pg::call([&] {
    ereport(DEBUG1, (errmsg_internal("longbow build: no parallel workers, training in %s",
                                     shared.region_in_file ? "a file" : "memory")));
  });
  if (shared.region_in_file) {
    region_ = pg::call([&] { return pg::map_temporary_file(shared.region_bytes, context); });
    crew_ = new (crew_memory_) pg::RegionCrew(&shared_->crew, 0, 1, region_, shared.region_bytes);
    return;
  }
  static_assert(sizeof(base::Alone) <= sizeof(pg::RegionCrew));
  crew_ = new (crew_memory_) base::Alone(memory_);
}

// Ends parallel mode, once the workers have ended. Also where none came.
void BuildTeam::finish() {
  if (context_ == nullptr) return;
  WaitForParallelWorkersToFinish(context_);
  auto* wal = static_cast<WalUsage*>(shm_toc_lookup(context_->toc, kKeyWalUsage, true));
  auto* buffers = static_cast<BufferUsage*>(shm_toc_lookup(context_->toc, kKeyBufferUsage, true));
  for (int i = 0; wal != nullptr && buffers != nullptr && i < context_->nworkers_launched; ++i)
    InstrAccumParallelQuery(&buffers[i], &wal[i]);
  if (snapshot_ != nullptr && IsMVCCSnapshot(snapshot_)) UnregisterSnapshot(snapshot_);
  // Counted before their memory goes.
  if (shared_ != nullptr && shared_ != &own_) {
    own_ = *shared_;
    shared_ = &own_;
  }
  DestroyParallelContext(context_);
  ExitParallelMode();
  context_ = nullptr;
  sort_ = nullptr;
  scan_ = nullptr;
}

namespace {

void work(dsm_segment* segment, shm_toc* toc, Relation heap, Relation index, BuildShared* shared) {
  const pg::Doing before = pg::begin_activity(pg::Phase::build, RelationGetRelid(index));
  const MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "longbow build", ALLOCSET_DEFAULT_SIZES);
  auto* scan = static_cast<ParallelTableScanDesc>(shm_toc_lookup(toc, kKeyScan, false));
  auto* sort = static_cast<Sharedsort*>(shm_toc_lookup(toc, kKeySort, false));
  tuplesort_attach_shared(sort, segment);
  const unsigned members = pg::attend_crew(&shared->crew);
  char* region = nullptr;
  if (shared->region_in_file) {
    SharedFileSetAttach(&shared->files, segment);
    region = pg::map_shared_file(&shared->files, shared->region_bytes, false, context);
  } else {
    region = aligned(shm_toc_lookup(toc, kKeyRegion, false));
  }
  IndexInfo* info = BuildIndexInfo(index);
  info->ii_Concurrent = shared->concurrent;
  pg::enter([&] {
    pg::ContextResource memory(context, pg::MemoryKind::build);
    pg::RegionCrew crew(&shared->crew, static_cast<unsigned>(ParallelWorkerNumber) + 1, members, region,
                        shared->region_bytes);
    BuildMember member(heap, index, info, *shared, crew, context, memory);
    if (member.train() == 0) return;
    member.assign(scan, sort);
    crew.barrier();  // the leader writes the tree
    pg::RelationStore store(index, pg::RelationStore::Mode::bulk);
    member.space().meta = tree::read_meta(store);
    member.calibrate(store, member.space());
  });
  MemoryContextDelete(context);
  pg::end_activity(before);
}

}  // namespace

// A parallel worker's part.
static void run_worker(dsm_segment* segment, shm_toc* toc) {
  auto* shared = static_cast<BuildShared*>(shm_toc_lookup(toc, kKeyShared, false));
  debug_query_string = static_cast<char*>(shm_toc_lookup(toc, kKeyQuery, false));
  pgstat_report_activity(STATE_RUNNING, debug_query_string);
  // The leader's own locks: a lock group does not wait for itself.
  const LOCKMODE heap_lock = shared->concurrent ? ShareUpdateExclusiveLock : ShareLock;
  const LOCKMODE index_lock = shared->concurrent ? RowExclusiveLock : AccessExclusiveLock;
  const Relation heap = table_open(shared->heap, heap_lock);
  const Relation index = index_open(shared->index, index_lock);
  InstrStartParallelQuery();
  work(segment, toc, heap, index, shared);
  auto* wal = static_cast<WalUsage*>(shm_toc_lookup(toc, kKeyWalUsage, false));
  auto* buffers = static_cast<BufferUsage*>(shm_toc_lookup(toc, kKeyBufferUsage, false));
  InstrEndParallelQuery(&buffers[ParallelWorkerNumber], &wal[ParallelWorkerNumber]);
  index_close(index, index_lock);
  table_close(heap, heap_lock);
}

}  // namespace longbow::am

// Found by its name.
extern "C" __attribute__((visibility("default"))) void longbow_build_worker(dsm_segment* segment, shm_toc* toc);
extern "C" void longbow_build_worker(dsm_segment* segment, shm_toc* toc) { longbow::am::run_worker(segment, toc); }
