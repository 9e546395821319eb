// Leading: finding what can be written, writing it, and telling the others.
//
// One write is in flight at a time. Two would overlap in the block where the first ends, and the device may order them
// either way: what the second made durable could be overwritten by the first one's older copy of the block.
// A takeover runs that risk on purpose; what it loses is read from the heap.
//
// Under io_uring a write goes through the ring only where that gains something: in submit(), whose caller has other
// work, and only the write: who waits for it flushes. Syncing it there, too (O_DSYNC), is a kernel worker's work, and the
// device flushes once at a time, so that PostgreSQL's own sync came later: of the bare table's rate single rows had 0.60
// instead of 0.66. Who must wait anyway writes by itself, durably (RWF_DSYNC), to the same O_DIRECT descriptor: that hop
// through the scheduler made a group on a busy machine of two CPUs 10 times slower (16 writers: 2,500-9,500 records a
// second through the ring, 58,000-88,000 without; write linked with fsync 5,000-34,000).
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "longbow/wal/log.hpp"
#include "wal/clock.hpp"
#include "wal/uring.hpp"

namespace longbow::wal {
namespace {

constexpr std::uint64_t kPidBits = 22, kPidMask = (1U << kPidBits) - 1;  // PID_MAX_LIMIT is 2^22
constexpr std::uint64_t kParked = 1U << kPidBits;
constexpr std::uint64_t kTimeShift = kPidBits + 1, kTimeMask = (std::uint64_t{1} << 41) - 1;
constexpr std::uint64_t kTakeoverUs = 3000;         // of a write that was submitted and left
constexpr std::uint64_t kActiveTakeoverUs = 50000;  // of a leader that sits in its own system call
constexpr std::uint64_t kOwnFlightUs = 400;
constexpr std::uint64_t kGapSleepUs = 50;
constexpr std::uint64_t kGapLimitUs = 1'000'000;
constexpr int kDirect = O_DIRECT;
constexpr int kTakenOver = 1;  // no errno

std::uint64_t make_word(bool parked) noexcept {
  const auto pid = static_cast<std::uint64_t>(::getpid()) & kPidMask;
  return (now_us() & kTimeMask) << kTimeShift | (parked ? kParked : 0) | pid;
}
std::uint64_t age_us(std::uint64_t word) noexcept { return (now_us() - (word >> kTimeShift)) & kTimeMask; }
pid_t pid_of(std::uint64_t word) noexcept { return static_cast<pid_t>(word & kPidMask); }

}  // namespace

bool Log::may_lead(std::uint64_t word) const noexcept {
  if (word == 0) return true;
  if (pid_of(word) == ::getpid()) return !in_flight_;  // left by an earlier process of our number
  const std::uint64_t age = age_us(word), usual = shared_->write_us.load(std::memory_order_relaxed);
  if (age < kTakeoverUs) return false;
  if (word & kParked) return age >= std::max(kTakeoverUs, 2 * usual);
  if (age >= std::max(kActiveTakeoverUs, 8 * usual)) return true;
  return ::kill(pid_of(word), 0) != 0 && errno == ESRCH;
}

bool Log::take_lead(std::uint64_t& word, bool parked) noexcept {
  const std::uint64_t mine = make_word(parked), before = word;
  if (!shared_->leader.compare_exchange_strong(word, mine)) return false;
  if (before != 0) shared_->counters.takeovers.add();
  word = mine;
  return true;
}

void Log::set_parked(bool parked) noexcept {
  std::uint64_t word = flight_word_;
  if (((word & kParked) != 0) == parked) return;
  const std::uint64_t wanted = make_word(parked);
  if (shared_->leader.compare_exchange_strong(word, wanted)) flight_word_ = wanted;
}

void Log::give_up_lead(std::uint64_t word) noexcept {
  shared_->leader.compare_exchange_strong(word, 0);  // fails if it was taken over
}

// Asked once the bytes are pinned: if so, nobody has freed them. Who was taken over while it made a segment must not
// write, since by now the ring may hold later records in their place.
bool Log::still_mine(const Extent& extent, std::uint64_t word) const noexcept {
  return shared_->leader.load() == word && shared_->durable.load() <= extent.begin;
}

void Log::close_file() noexcept {
  if (file_ >= 0) store_.files().close(file_);
  file_ = -1;
}

int Log::file_for(std::uint64_t segment) noexcept {
  const bool uring = state_.effective == BackendKind::io_uring;
  const int flags = uring && direct_works_ ? kDirect : 0;
  if (file_ >= 0 && file_segment_ == segment && file_flags_ == flags) return file_;
  close_file();
  int file = store_.open_for_write(segment, flags);
  if (file == -EBADMSG) {
    // Something else lies under the name of a segment that was never ours: make it anew.
    const int removed = store_.remove(segment);
    file = removed == 0 ? -ENOENT : removed;
  }
  if (file == -ENOENT) {
    shared_->counters.segments_made.add();
    const int made = store_.create(segment);
    file = made == 0 || made == -EEXIST ? store_.open_for_write(segment, flags) : made;
  }
  file_flags_ = flags;
  if (file == -EINVAL && refuses_direct()) return file_for(segment);
  if (file < 0) return file;
  file_ = file;
  file_segment_ = segment;
  return file;
}

// After EINVAL: whether O_DIRECT may be the reason. Then it is not used again.
bool Log::refuses_direct() noexcept {
  if ((file_flags_ & kDirect) == 0) return false;
  direct_works_ = false;
  state_.reason = kNoDirect;
  return true;
}

// The ring's bytes of an extent without its first `done`.
std::span<iovec> Log::pieces_of(const Extent& extent, std::size_t done, Pieces& memory) const noexcept {
  std::size_t count = 0;
  for (std::uint64_t at = extent.from + done; at < extent.to; ++count) {
    std::size_t room;
    const std::byte* const bytes = shared_->at(at, room);
    const auto piece = static_cast<std::size_t>(std::min<std::uint64_t>(room, extent.to - at));
    memory[count] = {const_cast<std::byte*>(bytes), piece};
    at += piece;
  }
  return {memory.data(), count};
}

int Log::write_extent(int file, const Extent& extent, std::size_t done, Sync sync) noexcept {
  Pieces memory;
  const std::span<iovec> pieces = pieces_of(extent, done, memory);
  std::uint64_t at = offset_in_segment(extent.from + done);
  shared_->counters.write_ops.add(sync == Sync::with_write ? 1 : pieces.size());
  if (sync == Sync::with_write) return write_durably(store_.files(), file, pieces, at);
  for (const iovec& piece : pieces) {
    if (const int error = write_fully(store_.files(), file, piece.iov_base, piece.iov_len, at); error != 0) return error;
    at += piece.iov_len;
  }
  return 0;
}

int Log::flush(int file) noexcept {
  shared_->counters.fsyncs.add();
  int error;
  do error = store_.files().fdatasync(file);
  while (error == -EINTR);
  return error;
}

void Log::settle(const Extent& extent, std::uint32_t generation, std::uint64_t started, int error) noexcept {
  if (shared_->generation.load() != generation) return;  // the log failed meanwhile: the result means nothing
  if (error != 0) {
    fail(-error);
    return;
  }
  LogCounters& counters = shared_->counters;
  counters.bytes_written.add(extent.to - extent.from);
  if (shared_->durable.load(std::memory_order_relaxed) < extent.next) {
    counters.groups.add();
    counters.group_records.add(extent.records);
  }
  const auto took = static_cast<std::int64_t>(std::min<std::uint64_t>((now_ns() - started) / 1000, 1U << 30));
  const auto usual = static_cast<std::int64_t>(shared_->write_us.load(std::memory_order_relaxed));
  shared_->write_us.store(static_cast<std::uint32_t>(usual + (took - usual) / 8), std::memory_order_relaxed);
  shared_->advance_durable(extent.next);
}

// Writes what can be written; pending if it did, with what came of it in `error`. Else the lead is given up.
Log::Step Log::write_out(std::uint64_t word, Sync sync, Extent& extent, int& error) noexcept {
  const bool direct = state_.effective == BackendKind::io_uring;
  if (shared_->failed.load() != 0 || !shared_->next_extent(direct, extent)) {
    give_up_lead(word);
    return Step::nothing;
  }
  int file = file_for(segment_of(extent.from));
  const int slot = shared_->pin(extent.from);
  if (!still_mine(extent, word)) {
    shared_->unpin(slot, extent.from);
    give_up_lead(word);
    return Step::moved;
  }
  const std::uint64_t before = direct ? extent.from : std::clamp(shared_->written.load(), extent.from, extent.to);
  error = file < 0 ? file : write_extent(file, extent, before - extent.from, sync);
  if (error == -EINVAL && refuses_direct()) {
    file = file_for(segment_of(extent.from));
    error = file < 0 ? file : write_extent(file, extent, 0, sync);
  }
  shared_->unpin(slot, extent.from);
  return Step::pending;
}

Log::Step Log::write_now(std::uint64_t word) noexcept {
  const std::uint32_t generation = shared_->generation.load();
  const std::uint64_t started = now_ns();
  const Sync sync = state_.effective == BackendKind::io_uring ? Sync::with_write : Sync::later;
  Extent extent;
  int error;
  // Those whom the last write woke append now, and go into this one: groups nearly twice as large, 40 % more records a
  // second and 40 % less CPU time each with 16 writers. A lone writer is not made to wait.
  if (shared_->sleepers.load() > 1) ::sched_yield();
  if (const Step step = write_out(word, sync, extent, error); step != Step::pending) return step;
  if (error == 0 && sync == Sync::later) error = flush(file_);
  settle(extent, generation, started, error);
  give_up_lead(word);
  wake_all();
  return Step::moved;
}

// The disk takes the bytes while PostgreSQL syncs its own WAL; wait() is left with the flush. Where others wait, they are
// better off with the group that their leader writes.
void Log::start_lone_write() noexcept {
  std::uint64_t word = shared_->leader.load();
  if (word != 0 || shared_->sleepers.load() != 0 || !take_lead(word, false)) return;
  const std::uint32_t generation = shared_->generation.load();
  Extent extent;
  int error;
  if (write_out(word, Sync::later, extent, error) != Step::pending) return;
  if (error == 0) {
    store_.files().start_writes(file_, offset_in_segment(extent.from), static_cast<off_t>(extent.to - extent.from));
    shared_->written.store(extent.to);
  } else if (shared_->generation.load() == generation) {
    fail(-error);
  }
  give_up_lead(word);
  wake_all();
}

Log::Step Log::begin_flight(std::uint64_t word) noexcept {
  flight_generation_ = shared_->generation.load();
  flight_started_ = now_ns();
  if (shared_->failed.load() != 0 || !shared_->next_extent(true, flight_)) {
    give_up_lead(word);
    return Step::nothing;
  }
  const int file = file_for(segment_of(flight_.from));
  if (file < 0) {
    settle(flight_, flight_generation_, flight_started_, file);
    give_up_lead(word);
    return Step::moved;
  }
  flight_pin_ = shared_->pin(flight_.from);
  if (flight_pin_ < 0 || !still_mine(flight_, word)) {
    shared_->unpin(flight_pin_, flight_.from);
    give_up_lead(word);
    return Step::nothing;
  }
  const std::span<iovec> pieces = pieces_of(flight_, 0, flight_pieces_);
  shared_->counters.write_ops.add();
  flight_word_ = word;
  if (uring().submit_write(file, pieces, offset_in_segment(flight_.from)) == 0) {
    in_flight_ = true;
    return Step::pending;
  }
  // No room in the kernel for a request: the same write without the ring.
  const int error = write_extent(file, flight_, 0, Sync::with_write);
  shared_->unpin(flight_pin_, flight_.from);
  settle(flight_, flight_generation_, flight_started_, error);
  give_up_lead(word);
  wake_all();
  return Step::moved;
}

// What is left of a write that io_uring ended short, or refused for a reason that passes, is written without it.
int Log::finish_short(int result) noexcept {
  const auto wanted = static_cast<std::size_t>(flight_.to - flight_.from);
  if (result >= 0 && static_cast<std::size_t>(result) == wanted) return 0;
  if (result == -EINVAL && refuses_direct()) result = 0;
  if (result < 0 && result != -EINTR && result != -EAGAIN && result != -ECANCELED) return result;
  if (!still_mine(flight_, flight_word_)) return kTakenOver;  // who took over writes it whole
  // Under O_DIRECT the rest must begin with a block.
  const std::size_t done = result < 0 ? 0 : static_cast<std::size_t>(result) & ~(kBlock - 1);
  const int file = file_for(segment_of(flight_.from));
  return file < 0 ? file : write_extent(file, flight_, done, Sync::later);
}

Log::Step Log::end_flight(std::uint64_t timeout_us) noexcept {
  if (!in_flight_) return Step::nothing;
  int result;
  if (timeout_us > 0) set_parked(false);
  if (!uring().reap(timeout_us, result)) {
    set_parked(true);
    return Step::pending;
  }
  in_flight_ = false;
  int error = finish_short(store_.files().ring_result(result));
  if (error == 0) {
    // The descriptor may serve another segment by now.
    const int file = file_for(segment_of(flight_.from));
    error = file < 0 ? file : flush(file);
  }
  shared_->unpin(flight_pin_, flight_.from);
  if (error != kTakenOver) settle(flight_, flight_generation_, flight_started_, error);
  give_up_lead(flight_word_);
  wake_all();
  return Step::moved;
}

Log::Step Log::write_group(std::uint64_t word, std::uint64_t timeout_us) noexcept {
  if (state_.effective != BackendKind::io_uring || !through_ring_) return write_now(word);
  const Step step = begin_flight(word);
  return step == Step::pending ? end_flight(timeout_us) : step;
}

void Log::note_gap() noexcept {
  if (!shared_->gap()) return;
  const std::uint64_t at = shared_->durable.load(), now = now_us();
  if (shared_->gap_position.load() != at) {
    shared_->gap_seen_at.store(now);
    shared_->gap_position.store(at);
  } else if (now - shared_->gap_seen_at.load() > kGapLimitUs) {
    // Who reserved it died: try_recover() goes on behind it.
    fail(ETIMEDOUT);
  }
}

// One step of who waits: leads if nobody does, else sleeps until something changes. True if something was written.
bool Log::help(std::uint32_t seen, std::uint64_t left_us) noexcept {
  if (in_flight_) {
    // The worker that syncs it may wait for a processor: after a while this process writes the same by itself.
    const std::uint64_t patience = std::max<std::uint64_t>(kOwnFlightUs, 2 * shared_->write_us.load());
    if (end_flight(through_ring_ ? left_us : std::min(left_us, patience)) == Step::moved) return true;
    if (through_ring_ || left_us <= patience) return false;
  }
  std::uint64_t word = shared_->leader.load();
  if (in_flight_ && word == flight_word_) return take_lead(word, false) && write_now(word) == Step::moved;
  if (!may_lead(word)) {
    sleep(seen, std::min(left_us, kTakeoverUs));
    return false;
  }
  if (!take_lead(word, false)) return false;
  const Step step = write_group(word, left_us);
  if (step != Step::nothing) return step == Step::moved;
  // Whoever reserved the front has been preempted, mostly: give it the processor.
  ::sched_yield();
  note_gap();
  sleep(seen, std::min(left_us, kGapSleepUs));
  return false;
}

void Log::submit(std::uint64_t position) noexcept {
  if (state_.effective == BackendKind::none || position == 0 || shared_->failed.load() != 0) return;
  if (shared_->durable.load(std::memory_order_acquire) > position) return;
  if (state_.effective == BackendKind::standard) {
    start_lone_write();
    return;
  }
  if (in_flight_ && end_flight(0) == Step::pending) return;
  std::uint64_t word = shared_->leader.load();
  if (word != 0 && !may_lead(word)) return;
  if (take_lead(word, true)) begin_flight(word);
}

bool Log::flush_async() noexcept {
  constexpr std::uint64_t kPatienceUs = 1'000'000;
  if (in_flight_ && end_flight(0) == Step::pending) return true;
  if (shared_->failed.load() != 0) return false;
  if (shared_->backlog() == 0) return true;
  std::uint64_t word = shared_->leader.load();
  if (!may_lead(word) || !take_lead(word, false)) return true;
  if (write_group(word, kPatienceUs) == Step::nothing) note_gap();
  return shared_->failed.load() == 0 && shared_->backlog() == 0;
}

}  // namespace longbow::wal
