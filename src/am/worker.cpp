// The launcher looks after the side WAL (what nobody waits for, the next segment, recycling, recovery from errors) and
// starts a worker for a database in which an index has grown past its threshold; after a start it visits every database
// once. A worker merges round by round, fills what the delta lacks of what is left, and ends. On a standby workers fill alone, and
// come again every few seconds where the delta has rows, since others follow from the primary.
//
// Between rounds a worker holds no lock and no snapshot, and it goes as soon as anybody wants the database for itself: then
// its try for the database's lock is refused. It never waits for a relation's lock either. There it also sleeps for what the
// round has cost, by autovacuum's settings.
#include "am/worker.hpp"

#include <algorithm>

#include "am/access_method.hpp"
#include "am/merge.hpp"
#include "am/pending.hpp"
#include "longbow/base/backoff.hpp"
#include "pg/activity.hpp"
#include "pg/delta.hpp"
#include "pg/index_stats.hpp"
#include "pg/settings.hpp"
#include "pg/side_wal.hpp"

extern "C" {
#include "access/genam.h"
#include "access/heapam.h"
#include "access/htup_details.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "catalog/pg_class.h"
#include "catalog/pg_database.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

PGDLLEXPORT void longbow_launcher_main(Datum);
PGDLLEXPORT void longbow_worker_main(Datum database);
}

namespace longbow::am {

namespace {

constexpr int kMostWorkers = 64;
constexpr int kMostDatabases = 1024;
constexpr long kIdle_ms = 1000;      // between looks when nothing is going on
constexpr long kRound_ms = 200;      // a round is to end within
constexpr int kPause_ms = 1000;      // between two workers of a database: one that finds all locked ends at once
constexpr int kTidy_ms = 10 * 1000;  // between looks for indexes that are gone
constexpr int kFollow_ms = 60 * 1000;  // on a standby, where the delta has no rows of an index: some may have come
constexpr int kSegments_ms = 1000;   // between looks for segments that nobody needs
// After a worker that failed.
constexpr std::int64_t kFirstWait_us = 1000 * 1000, kMostWait_us = 60 * kFirstWait_us;

// -- when to merge

// Whether an index of the delta's table is due: it has grown past its threshold, or half the delta is in use.
bool is_due(const pg::DeltaIndex& e) {
  const auto rows = static_cast<double>(e.pending());
  const double most = merge_threshold(static_cast<double>(e.tree_rows.load()));
  if (rows <= 0 || most < 0) return false;
  return rows >= most || pg::delta_half_full();
}

// -- the launcher

struct Slot {
  BackgroundWorkerHandle* handle;  // nullptr: free
  Oid database;
  bool visits;  // the first visit after the server's start
};

// When a worker was last started for a database, and how its workers fare.
struct Started {
  Oid database;
  TimestampTz at;
  base::Backoff backoff;
};

struct Launcher {
  Slot slot[kMostWorkers];
  Oid unvisited[kMostDatabases];
  int unvisited_count;
  // Databases whose first visit has not ended; -1: not collected yet. Until then anybody may need any segment.
  int visits_left;
  Started started[kMostDatabases];  // a place a database; another's is taken over when there are very many
  TimestampTz segments_looked;
};

// Calls f(oid, whether it can be visited) for every database.
template <class F>
void for_each_database(F&& f) {
  StartTransactionCommand();
  const Relation pg_database = table_open(DatabaseRelationId, AccessShareLock);
  const TableScanDesc scan = table_beginscan_catalog(pg_database, 0, nullptr);
  HeapTuple tuple;
  while ((tuple = heap_getnext(scan, ForwardScanDirection)) != nullptr) {
    const auto* form = reinterpret_cast<Form_pg_database>(GETSTRUCT(tuple));
    f(form->oid, form->datallowconn && !form->datistemplate);
  }
  table_endscan(scan);
  table_close(pg_database, AccessShareLock);
  CommitTransactionCommand();
}

void collect_databases(Launcher* l, bool standby) {
  l->unvisited_count = 0;
  for_each_database([l](Oid database, bool open) {
    if (open && l->unvisited_count < kMostDatabases) l->unvisited[l->unvisited_count++] = database;
  });
  // A standby has no side WAL whose segments a visit could need.
  if (!standby) l->visits_left = l->unvisited_count;
}

// Forgets indexes of databases that are gone: no worker will ever come there.
void forget_dropped_databases() {
  bool there[pg::kMostDeltaIndexes] = {};
  bool any = false;
  for (const pg::DeltaIndex& e : pg::shared_parts.delta->index) any = any || e.used;
  if (!any) return;
  LbLocator file[pg::kMostDeltaIndexes];
  for (int i = 0; i < pg::kMostDeltaIndexes; i++) file[i] = pg::shared_parts.delta->index[i].file;
  for_each_database([&](Oid database, bool) {
    for (int i = 0; i < pg::kMostDeltaIndexes; i++) there[i] = there[i] || lb_database(file[i]) == database;
  });
  for (int i = 0; i < pg::kMostDeltaIndexes; i++) {
    const pg::DeltaIndex& e = pg::shared_parts.delta->index[i];
    if (e.used && !there[i] && lb_same_file(e.file, file[i])) pg::forget_delta(i);
  }
}

Started* started_of(Launcher* l, Oid database) {
  Started* s = &l->started[database % kMostDatabases];
  if (s->database != database) *s = {database, 0, {}};
  return s;
}

bool has_worker(const Launcher* l, Oid database) {
  for (const Slot& s : l->slot)
    if (s.handle != nullptr && s.database == database) return true;
  return false;
}

// Takes note of workers that have ended; after one that failed the next one waits, longer each time.
void reap(Launcher* l) {
  for (int i = 0; i < kMostWorkers; i++) {
    Slot& s = l->slot[i];
    pid_t pid;
    if (s.handle == nullptr || GetBackgroundWorkerPid(s.handle, &pid) != BGWH_STOPPED) continue;
    if (s.visits) l->visits_left--;
    const std::uint64_t mine = std::uint64_t{1} << i;
    base::Backoff& backoff = started_of(l, s.database)->backoff;
    if ((pg::server_shared()->workers_well.fetch_and(~mine) & mine) != 0)
      backoff.succeeded();
    else
      backoff.failed(GetCurrentTimestamp(), kFirstWait_us, kMostWait_us);
    pfree(s.handle);
    s.handle = nullptr;
  }
}

bool start_worker(Launcher* l, Oid database, bool visits = false) {
  const int most = Min(pg::settings.workers, kMostWorkers);
  int place = 0;
  while (place < most && l->slot[place].handle != nullptr) place++;
  Started* started = started_of(l, database);
  const TimestampTz now = GetCurrentTimestamp();
  if (place >= most || has_worker(l, database) || !started->backoff.may_try(now)) return false;
  if (!TimestampDifferenceExceeds(started->at, now, kPause_ms)) return false;
  Slot* slot = &l->slot[place];
  // A launcher that was here before may have left it.
  pg::server_shared()->workers_well &= ~(std::uint64_t{1} << place);
  BackgroundWorker worker{};
  worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
  worker.bgw_start_time = BgWorkerStart_ConsistentState;
  worker.bgw_restart_time = BGW_NEVER_RESTART;
  strlcpy(worker.bgw_library_name, "longbow", sizeof worker.bgw_library_name);
  strlcpy(worker.bgw_function_name, "longbow_worker_main", sizeof worker.bgw_function_name);
  snprintf(worker.bgw_name, BGW_MAXLEN, "longbow worker for database %u", database);
  strlcpy(worker.bgw_type, "longbow worker", BGW_MAXLEN);
  worker.bgw_main_arg = ObjectIdGetDatum(database);
  memcpy(worker.bgw_extra, &place, sizeof place);
  worker.bgw_notify_pid = MyProcPid;
  if (!RegisterDynamicBackgroundWorker(&worker, &slot->handle)) {
    slot->handle = nullptr;
    pg::server_shared()->no_worker_slot = true;
    return false;
  }
  pg::server_shared()->no_worker_slot = false;
  slot->database = database;
  slot->visits = visits;
  started->at = now;
  return true;
}

void start_due_workers(Launcher* l, bool standby) {
  while (l->unvisited_count > 0 && start_worker(l, l->unvisited[l->unvisited_count - 1], !standby)) l->unvisited_count--;
  const TimestampTz now = GetCurrentTimestamp();
  bool looked = false;  // whether all databases are there
  for (const pg::DeltaIndex& e : pg::shared_parts.delta->index) {
    if (!e.used) continue;
    // Where nothing is due a worker still looks now and then whether its indexes are there, and fills.
    const Oid database = lb_database(e.file);
    const bool tidy =
        (e.first >= 0 || standby) && TimestampDifferenceExceeds(started_of(l, database)->at, now, e.first >= 0 ? kTidy_ms : kFollow_ms);
    if (!tidy && (standby || !is_due(e))) continue;
    if (!looked) forget_dropped_databases();
    looked = true;
    if (e.used) start_worker(l, database);
  }
}

// Looks after the side WAL. Returns whether it is busy.
bool upkeep(Launcher* l) {
  wal::Log* log = pg::side_wal();
  if (log == nullptr || log->backend().effective == wal::BackendKind::none) return false;
  if (log->shared().failed.load() != 0) {
    pg::report_log_failure();
    if (access(pg::kSideWalDirectory, F_OK) != 0) pg::make_side_wal_directory();
    if (log->try_recover()) ereport(LOG, (errmsg("longbow's side WAL works again, in a new segment")));
    return false;
  }
  const bool backlog = log->shared().backlog() > 0;
  if (backlog) log->flush_async();
  log->prepare_next();
  const TimestampTz now = GetCurrentTimestamp();
  if (!TimestampDifferenceExceeds(l->segments_looked, now, kSegments_ms)) return backlog;
  l->segments_looked = now;
  std::uint64_t floor = l->visits_left != 0 ? 0 : wal::segment_of(log->durable_position());
  for (const pg::DeltaIndex& e : pg::shared_parts.delta->index) {
    const std::uint64_t needed = e.used ? e.log_floor.load() : 0;
    if (needed != 0) floor = std::min(floor, wal::segment_of(needed));
  }
  log->recycle(floor, static_cast<std::uint64_t>(pg::settings.side_wal_size) << 20);
  return backlog;
}

void sleep_or_wake(bool busy) {
  const long timeout = busy ? pg::settings.wal_flush_interval : kIdle_ms;
  pg::server_shared()->launcher_sleeps = !busy;
  pg::note_wait(pg::Wait::idle);
  (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, timeout, pg::wait_event(pg::Wait::idle));
  pg::note_wait(pg::Wait::none);
  ResetLatch(MyLatch);
  CHECK_FOR_INTERRUPTS();
  if (ConfigReloadPending) {
    ConfigReloadPending = false;
    ProcessConfigFile(PGC_SIGHUP);
  }
}

void forget_launcher(int, Datum) { pg::server_shared()->launcher = nullptr; }

void launch() {
  auto* l = static_cast<Launcher*>(MemoryContextAllocZero(TopMemoryContext, sizeof(Launcher)));
  l->visits_left = -1;
  pg::settle(pg::Phase::launcher);
  pg::server_shared()->launcher = MyLatch;
  before_shmem_exit(forget_launcher, static_cast<Datum>(0));
  bool collected = false, standby = RecoveryInProgress();
  TimestampTz looked = 0;
  while (!ShutdownRequestPending) {
    if (standby && !RecoveryInProgress()) collected = standby = false;  // promoted
    const bool busy = !standby && upkeep(l);
    if (!collected) {
      collect_databases(l, standby);
      collected = true;
    }
    // Flushing may need us every few milliseconds; workers do not.
    if (!busy || TimestampDifferenceExceeds(looked, GetCurrentTimestamp(), 100)) {
      reap(l);
      start_due_workers(l, standby);
      looked = GetCurrentTimestamp();
    }
    sleep_or_wake(busy);
  }
}

// -- a worker

struct Worker {
  Oid database;
  std::size_t round_rows;
  int cost;  // of the last round
};

// Takes the lock that keeps the database from being dropped, renamed or copied, unless somebody does that.
bool try_database(Oid database) {
  LOCKTAG tag;
  SET_LOCKTAG_OBJECT(tag, InvalidOid, DatabaseRelationId, database, 0);
  return LockAcquire(&tag, RowExclusiveLock, false, true) != LOCKACQUIRE_NOT_AVAIL;
}

// Opens an index and its table if nobody wants them for himself.
bool open_pair(Oid index_oid, Relation* heap, Relation* index) {
  const Oid heap_oid = IndexGetRelation(index_oid, true);
  if (!OidIsValid(heap_oid) || !ConditionalLockRelationOid(heap_oid, AccessShareLock)) return false;
  *heap = try_relation_open(heap_oid, NoLock);
  if (*heap == nullptr) {
    UnlockRelationOid(heap_oid, AccessShareLock);
    return false;
  }
  *index = ConditionalLockRelationOid(index_oid, RowExclusiveLock) ? try_relation_open(index_oid, NoLock) : nullptr;
  if (*index != nullptr) return true;
  relation_close(*heap, AccessShareLock);
  return false;
}

bool is_ours(Relation index) {
  return is_longbow_index(index) && index->rd_index->indisvalid && takes_pending(index);
}

// One round over an index, if it is due, in a transaction of its own. Returns whether it may be worth another one.
bool one_round(Worker* w, Oid index_oid) {
  bool more = false;
  w->cost = 0;
  StartTransactionCommand();
  PushActiveSnapshot(GetTransactionSnapshot());
  Relation heap, index;
  if (try_database(w->database) && open_pair(index_oid, &heap, &index)) {
    if (is_ours(index)) {
      pg::DeltaIndex* entry = RecoveryInProgress() ? nullptr : know_index(index);
      if (entry != nullptr && is_due(*entry)) {
        const TimestampTz start = GetCurrentTimestamp();
        const MergeRound round = merge_round(heap, index, false, w->round_rows);
        w->cost = round.cost;
        const long took = TimestampDifferenceMilliseconds(start, GetCurrentTimestamp());
        if (took > kRound_ms) w->round_rows = std::max<std::size_t>(256, w->round_rows / 2);
        if (took < kRound_ms / 3) w->round_rows *= 2;
        more = !round.busy && round.result.rows + round.result.stale + round.result.unknown > 0 && entry->next > entry->from;
      } else if (!pg::delta_half_full()) {
        fill_delta(heap, index);
      }
    }
    relation_close(index, NoLock);
    relation_close(heap, NoLock);
  }
  PopActiveSnapshot();
  CommitTransactionCommand();
  pgstat_report_stat(true);
  return more;
}

// Whether somebody wants the database for himself.
bool is_wanted(Oid database) {
  StartTransactionCommand();
  const bool wanted = !try_database(database);
  CommitTransactionCommand();
  return wanted;
}

// Indexes of this database that use us.
List* list_indexes() {
  List* result = NIL;
  StartTransactionCommand();
  List* ams = longbow_ams();
  if (ams != NIL) {
    const Relation pg_class = table_open(RelationRelationId, AccessShareLock);
    const TableScanDesc scan = table_beginscan_catalog(pg_class, 0, nullptr);
    HeapTuple tuple;
    while ((tuple = heap_getnext(scan, ForwardScanDirection)) != nullptr) {
      const auto* form = reinterpret_cast<Form_pg_class>(GETSTRUCT(tuple));
      if (form->relkind != RELKIND_INDEX || !list_member_oid(ams, form->relam) || form->relpersistence == RELPERSISTENCE_TEMP)
        continue;
      // On a standby unlogged ones have nothing to read.
      if (form->relpersistence == RELPERSISTENCE_UNLOGGED && RecoveryInProgress()) continue;
      const MemoryContext old = MemoryContextSwitchTo(TopMemoryContext);
      result = lappend_oid(result, form->oid);
      MemoryContextSwitchTo(old);
    }
    table_endscan(scan);
    table_close(pg_class, AccessShareLock);
  }
  CommitTransactionCommand();
  return result;
}

void work(Oid database) {
  Worker w{database, 4096, 0};
  pg::settle(pg::Phase::worker);
  List* indexes = list_indexes();
  ListCell* cell;
  foreach (cell, indexes) {
    for (bool more = true; more;) {
      more = one_round(&w, lfirst_oid(cell));
      CHECK_FOR_INTERRUPTS();
      if (ConfigReloadPending) {
        ConfigReloadPending = false;
        ProcessConfigFile(PGC_SIGHUP);
      }
      pay(w.cost, worker_pace, true, is_wanted, database);
    }
  }
  StartTransactionCommand();
  forget_gone();
  pg::forget_gone_index_stats();
  CommitTransactionCommand();
}

}  // namespace

void register_launcher() {
  BackgroundWorker worker{};
  worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
  worker.bgw_start_time = BgWorkerStart_ConsistentState;
  worker.bgw_restart_time = 5;
  strlcpy(worker.bgw_library_name, "longbow", sizeof worker.bgw_library_name);
  strlcpy(worker.bgw_function_name, "longbow_launcher_main", sizeof worker.bgw_function_name);
  strlcpy(worker.bgw_name, "longbow launcher", BGW_MAXLEN);
  strlcpy(worker.bgw_type, "longbow launcher", BGW_MAXLEN);
  RegisterBackgroundWorker(&worker);
}

}  // namespace longbow::am

extern "C" void longbow_launcher_main(Datum) {
  pqsignal(SIGHUP, SignalHandlerForConfigReload);
  pqsignal(SIGTERM, SignalHandlerForShutdownRequest);
  BackgroundWorkerUnblockSignals();
  BackgroundWorkerInitializeConnection(nullptr, nullptr, 0);
  longbow::am::launch();
  // Not 0: a launcher that was ended alone, not with the server, is to be started again.
  proc_exit(1);
}

extern "C" void longbow_worker_main(Datum database) {
  pqsignal(SIGHUP, SignalHandlerForConfigReload);
  pqsignal(SIGTERM, die);
  BackgroundWorkerUnblockSignals();
  BackgroundWorkerInitializeConnectionByOid(DatumGetObjectId(database), InvalidOid, 0);
  longbow::am::work(DatumGetObjectId(database));
  int place;
  memcpy(&place, MyBgworkerEntry->bgw_extra, sizeof place);
  longbow::pg::server_shared()->workers_well |= std::uint64_t{1} << place;
  proc_exit(0);
}
