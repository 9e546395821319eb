// Appending, waiting and choosing the backend.
//
// A wait is one loop: durable? - lead if nobody does - else sleep on the futex. The futex word changes whenever
// `durable`, `leader` or `failed` do, and is read before they are looked at, so no change is slept through.
#include "longbow/wal/log.hpp"

#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <new>

#include "wal/clock.hpp"
#include "wal/uring.hpp"

namespace longbow::wal {
namespace {

// The one text for each errno that makes io_uring unusable.
const char* why_no_uring(int error) noexcept {
  switch (error) {
    case -ENOSYS:
      return "this kernel has no io_uring";
    case -EPERM:
    case -EACCES:
      return "io_uring is forbidden here (kernel.io_uring_disabled, seccomp or a container's policy)";
    case -ENOMEM:
      return "no memory for an io_uring (RLIMIT_MEMLOCK)";
    case -EMFILE:
    case -ENFILE:
      return "no file descriptor left for an io_uring";
    case -EOPNOTSUPP:
      return "this kernel's io_uring cannot write";
    default:
      return "io_uring_setup failed";
  }
}

std::uint64_t microseconds_left(std::uint64_t until) noexcept {
  const std::uint64_t now = now_us();
  return now < until ? until - now : 0;
}

}  // namespace

const char* backend_name(BackendKind kind) noexcept {
  switch (kind) {
    case BackendKind::none:
      return "none";
    case BackendKind::standard:
      return "standard";
    case BackendKind::io_uring:
      return "io_uring";
  }
  return "";
}

Log::Log(LogShared* shared, const char* directory, FileOps& files) noexcept
    : shared_(shared),
      store_(directory, shared->system_identifier(), files),
      state_{BackendKind::none, BackendKind::none, ""} {
  static_assert(sizeof(Uring) <= kUringBytes && alignof(Uring) <= 16);
  new (uring_memory_) Uring();
}

Uring& Log::uring() noexcept { return *std::launder(reinterpret_cast<Uring*>(uring_memory_)); }

const BackendState& Log::set_backend(BackendKind kind) noexcept {
  if (kind == state_.requested && (kind == state_.effective || kind == BackendKind::io_uring)) return state_;
  drain();
  close_file();
  state_ = {kind, kind, ""};
  if (kind != BackendKind::io_uring) {
    uring().close();
    return state_;
  }
  const int error = uring().open();
  if (error < 0) {
    state_.effective = BackendKind::standard;
    state_.reason = why_no_uring(error);
  } else if (!direct_works_) {
    state_.reason = kNoDirect;
  }
  return state_;
}

std::uint64_t Log::reserve_or_help(std::size_t length, std::uint32_t wait_us) noexcept {
  const std::uint64_t until = now_us() + wait_us;
  for (;;) {
    const std::uint32_t seen = shared_->wake.load();
    if (shared_->failed.load(std::memory_order_acquire) != 0) return 0;
    const std::uint64_t position = shared_->reserve(length);
    if (position != 0) return position;
    const std::uint64_t left = microseconds_left(until);
    if (left == 0) return 0;
    help(seen, left);
  }
}

std::uint64_t Log::reserve(std::size_t length, std::uint32_t wait_us) noexcept {
  if (state_.effective == BackendKind::none || length < sizeof(RecordHeader) || length > shared_->max_record() ||
      length % kRecordAlign != 0 || shared_->failed.load(std::memory_order_acquire) != 0) {
    shared_->counters.skipped.add();
    return 0;
  }
  std::uint64_t position = shared_->reserve(length);
  if (position != 0) return position;
  position = reserve_or_help(length, wait_us);
  if (position == 0) shared_->counters.no_space.add();
  return position;
}

void Log::publish(std::uint64_t position, std::byte* record, std::size_t length) noexcept {
  const auto* const header = reinterpret_cast<const RecordHeader*>(record);
  shared_->counters.records.add();
  shared_->counters.bytes_logged.add(length);
  shared_->counters.bytes_raw.add(length + header->raw_bytes - header->stored_bytes);
  shared_->publish(position, record, length);
}

std::uint64_t Log::append(std::byte* record, std::size_t length, std::uint32_t wait_us) noexcept {
  const std::uint64_t position = reserve(length, wait_us);
  if (position != 0) publish(position, record, length);
  return position;
}

WaitResult Log::wait(std::uint64_t position, std::uint32_t timeout_us) noexcept {
  if (position == 0) return WaitResult::failed;
  const std::uint64_t started = now_ns(), until = started / 1000 + timeout_us;
  for (;;) {
    const std::uint32_t seen = shared_->wake.load();
    if (shared_->lost(position)) return WaitResult::failed;
    if (shared_->durable.load(std::memory_order_acquire) > position) {
      shared_->counters.waits.record(now_ns() - started);
      return WaitResult::durable;
    }
    if (shared_->failed.load(std::memory_order_acquire) != 0) return WaitResult::failed;
    const std::uint64_t left = microseconds_left(until);
    if (left == 0) return WaitResult::timeout;
    help(seen, left);
  }
}

void Log::drain() noexcept {
  constexpr std::uint64_t kDrainUs = 10'000'000;
  if (in_flight_ && end_flight(kDrainUs) == Step::pending) {
    // A device that answers nothing for ten seconds: closing the ring cancels the write or waits for it.
    uring().close();
    end_flight(0);
    if (state_.effective == BackendKind::io_uring) uring().open();
  }
}

void Log::close() noexcept {
  drain();
  close_file();
  uring().close();
  state_ = {BackendKind::none, BackendKind::none, ""};
}

void Log::sleep(std::uint32_t seen, std::uint64_t us) noexcept {
  const timespec time{static_cast<time_t>(us / 1'000'000), static_cast<long>(us % 1'000'000 * 1000)};
  shared_->sleepers.fetch_add(1);
  ::syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&shared_->wake), FUTEX_WAIT, seen, &time, nullptr, 0);
  shared_->sleepers.fetch_sub(1);
}

void Log::wake_all() noexcept {
  shared_->wake.fetch_add(1);
  // Who began to sleep after this load sees the raised word and does not.
  if (shared_->sleepers.load() != 0)
    ::syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&shared_->wake), FUTEX_WAKE, INT_MAX, nullptr, nullptr, 0);
}

void Log::fail(int error) noexcept {
  shared_->counters.errors.add();
  shared_->last_errno.store(static_cast<std::uint32_t>(error));
  std::uint32_t works = 0;
  if (shared_->failed.compare_exchange_strong(works, static_cast<std::uint32_t>(error)))
    shared_->generation.fetch_add(1);
  wake_all();
}

}  // namespace longbow::wal
