// This process's handle of the side WAL, and its part in transactions.
#include "pg/side_wal.hpp"

#include <algorithm>
#include <cerrno>
#include <new>

#include "longbow/wal/record.hpp"
#include "longbow/wal/ring.hpp"
#include "longbow/wal/segment.hpp"
#include "pg/activity.hpp"
#include "pg/settings.hpp"
#include "pg/shared.hpp"

extern "C" {
#include <sys/stat.h>

#include "access/xact.h"
#include "access/xlog.h"
#include "common/file_perm.h"
#include "portability/instr_time.h"
#include "storage/ipc.h"
}

namespace longbow::pg {

namespace {

// How long a flush waits for room in the log's buffer before it goes without a record, and a commit for the disk before it
// counts as asynchronous.
constexpr std::uint32_t kRoomWait_us = 10 * 1000;
constexpr std::uint32_t kDurableWait_us = 1000 * 1000;
// A record's vectors: large enough that the header is nothing, a small part of the buffer.
constexpr std::size_t kRecordBytes = 512 << 10;

alignas(wal::Log) char handle_memory[sizeof(wal::Log)];
wal::Log* handle;
// Whether compressing pays is learnt for each index: the few that this process writes to.
struct Learnt {
  std::uint64_t incarnation;
  wal::CompressState state;
};
constexpr std::size_t kLearnt = 16;
Learnt learnt[kLearnt];

wal::CompressState* compress_state(std::uint64_t incarnation) {
  Learnt& l = learnt[incarnation % kLearnt];
  if (l.incarnation != incarnation) l = {incarnation, {}};
  return &l.state;
}
// The last record of this transaction that its commit must wait for; 0 = none.
std::uint64_t owed;
// Whether its write was begun before PostgreSQL's own.
bool overlapped;

// A write that is begun before PostgreSQL syncs its WAL is mostly done when that is. But on devices without FUA a kernel
// thread completes it, which may wait milliseconds for a processor of a busy machine (see wal/flush.cpp): there waiting with
// the write until it is needed was an order of magnitude faster. So overlapping pauses for some commits, longer each time,
// when a commit still had to wait for longer than two whole writes.
constexpr std::uint32_t kFirstPause = 16, kMostPause = 8192;

bool may_overlap() {
  std::atomic<std::uint32_t>& pause = server_shared()->overlap_pause;
  std::uint32_t left = pause.load();
  while (left > 0)
    if (pause.compare_exchange_weak(left, left - 1)) return false;
  return true;
}

void judge_overlap(std::uint64_t waited_us) {
  ServerShared* server = server_shared();
  if (waited_us > 2 * std::uint64_t{handle->shared().write_us.load()}) {
    const std::uint32_t pause = std::clamp(server->overlap_backoff.load() * 2, kFirstPause, kMostPause);
    server->overlap_backoff = pause;
    server->overlap_pause = pause;
  } else if (server->overlap_backoff.load() > 0) {
    server->overlap_backoff = server->overlap_backoff.load() / 2;
  }
}

wal::BackendKind wanted_backend() {
  if (!settings.storage_wal) return wal::BackendKind::none;
  return settings.storage_use_iouring ? wal::BackendKind::io_uring : wal::BackendKind::standard;
}

void close_handle(int, Datum) {
  if (handle != nullptr) handle->close();
}

bool waits_for_disk() { return synchronous_commit > SYNCHRONOUS_COMMIT_OFF && !settings.storage_async_fsync; }

// Says once a server start that the backend asked for is not the one in use.
void report_fallback(const wal::BackendState& state) {
  if (state.requested == state.effective) return;
  bool said = false;
  if (!server_shared()->fallback_said.compare_exchange_strong(said, true)) return;
  ereport(WARNING, (errmsg("longbow uses the side WAL backend \"%s\" instead of \"%s\"", wal::backend_name(state.effective),
                           wal::backend_name(state.requested)),
                    errdetail("%s", state.reason)));
}

}  // namespace

bool make_side_wal_directory() {
  for (const char* folder : {"longbow", kSideWalDirectory}) {
    if (mkdir(folder, static_cast<mode_t>(pg_dir_create_mode)) == 0 || errno == EEXIST) continue;
    ereport(LOG, (errcode_for_file_access(), errmsg("could not create directory \"%s\": %m", folder)));
    return false;
  }
  return true;
}

Size side_wal_bytes() { return wal::LogShared::bytes(kSideWalRing) + 64; }

void init_side_wal(void* memory) {
  auto* aligned = reinterpret_cast<void*>(TYPEALIGN(64, reinterpret_cast<std::uintptr_t>(memory)));
  make_side_wal_directory();
  const std::uint64_t system = GetSystemIdentifier();
  const wal::SegmentStore segments(kSideWalDirectory, system);
  const long long highest = segments.highest();
  wal::LogShared* log = wal::LogShared::init(aligned, kSideWalRing, system, static_cast<std::uint64_t>(std::max(0LL, highest)) + 1);
  if (highest >= 0) return;
  log->failed = log->last_errno = static_cast<std::uint32_t>(-highest);
  errno = static_cast<int>(-highest);
  ereport(LOG, (errcode_for_file_access(),
                errmsg("could not read directory \"%s\": %m", kSideWalDirectory),
                errdetail("Longbow goes on without its side WAL.")));
}

wal::Log* side_wal() {
  if (!have_shared_memory()) return nullptr;
  if (handle == nullptr) {
    auto* shared = reinterpret_cast<wal::LogShared*>(TYPEALIGN(64, reinterpret_cast<std::uintptr_t>(shared_parts.log)));
    before_shmem_exit(close_handle, static_cast<Datum>(0));
    handle = new (handle_memory) wal::Log(shared, kSideWalDirectory);
  }
  if (handle->backend().requested != wanted_backend()) report_fallback(handle->set_backend(wanted_backend()));
  return handle;
}

std::size_t side_wal_rows(std::size_t dims) {
  const std::size_t rows = std::max<std::size_t>(1, kRecordBytes / (dims * sizeof(float)));
  return wal::RecordWriter::bound(rows, dims) <= kSideWalRing / 4 ? rows : 0;
}

std::uint64_t log_batch(Relation index, std::uint64_t incarnation, std::span<const wal::RowId> rows, const float* vectors,
                        std::uint32_t dims) {
  wal::Log* log = side_wal();
  if (log == nullptr || log->backend().effective == wal::BackendKind::none) return 0;
  const LbLocator file = lb_locator(index);
  const wal::Batch batch{{lb_tablespace(file), lb_database(file), lb_relation(file)}, incarnation, 0, rows, vectors, dims};
  const Size bound = wal::RecordWriter::bound(rows.size(), dims);
  const Size scratch = wal::RecordWriter::scratch_bytes(rows.size(), dims);
  auto* buffer = static_cast<std::byte*>(palloc(MAXALIGN(bound) + scratch));
  const std::size_t length = wal::RecordWriter::encode(batch, settings.wal_compression ? compress_state(incarnation) : nullptr,
                                                       buffer + MAXALIGN(bound), buffer);
  begin_wait(Wait::log_room);
  const std::uint64_t position = log->append(buffer, length, kRoomWait_us);
  end_wait();
  pfree(buffer);
  if (position == 0) return 0;
  if (waits_for_disk() && RelationNeedsWAL(index))
    owed = position;
  else
    wake_launcher();
  if (log->half_full()) log->flush_async();
  return position;
}

void report_log_failure() {
  const std::uint32_t generation = handle->shared().generation.load();
  if (server_shared()->failure_said.exchange(generation) == generation) return;
  errno = static_cast<int>(handle->shared().last_errno.load());
  ereport(LOG, (errcode_for_file_access(), errmsg("could not write the side WAL of longbow: %m"),
                errdetail("Longbow goes on without it; no row is lost.")));
}

void side_wal_before_commit() {
  if (owed == 0 || handle == nullptr) return;
  // What the statement asked for when it ran may have changed since.
  if (!waits_for_disk()) {
    owed = 0;
    wake_launcher();
    return;
  }
  overlapped = may_overlap();
  if (overlapped) handle->submit(owed);
}

void side_wal_after_commit() noexcept {
  if (owed == 0 || handle == nullptr) return;
  instr_time start, end;
  INSTR_TIME_SET_CURRENT(start);
  begin_wait(Wait::log_sync);
  handle->wait(owed, kDurableWait_us);
  end_wait();
  INSTR_TIME_SET_CURRENT(end);
  INSTR_TIME_SUBTRACT(end, start);
  if (overlapped) judge_overlap(static_cast<std::uint64_t>(INSTR_TIME_GET_DOUBLE(end) * 1e6));
  overlapped = false;
  owed = 0;
}

void side_wal_at_end() noexcept {
  if (handle != nullptr) handle->drain();
  overlapped = false;
  owed = 0;
}

}  // namespace longbow::pg
