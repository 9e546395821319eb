// The side WAL as a process sees it: append a record, make it durable, wait for it.
//
// One handle a process, never inherited by fork. All functions are noexcept and allocate nothing (io_uring maps its
// queues); none blocks longer than it is told, except that the leader of `standard` sits in its own fdatasync and who
// meets a missing segment makes one. An error stops the log for all (`failed`): appends then return 0 at once, which
// callers treat like backend `none`, until try_recover() goes on in a new segment. Nothing here can lose a row: what
// the log lacks is read from the heap.
//
// Order of a commit: append() ... submit(p), PostgreSQL's own sync, wait(p, 1 s). drain() before the process's memory
// goes or at abort.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "longbow/wal/ring.hpp"
#include "longbow/wal/segment.hpp"

namespace longbow::wal {

enum class BackendKind : std::uint8_t { none, standard, io_uring };
[[nodiscard]] const char* backend_name(BackendKind kind) noexcept;

enum class WaitResult : std::uint8_t { durable, timeout, failed };

struct BackendState {
  BackendKind requested;
  BackendKind effective;
  const char* reason;  // why they differ, or what works less well than it could; "" if all is well. Lives with the log.
};

inline constexpr char kNoDirect[] = "this file system has no O_DIRECT: writes go through the page cache, synchronously";

class Uring;  // src/wal/uring.hpp

class Log {
 public:
  // `directory` exists (SegmentStore). The handle starts with backend none.
  Log(LogShared* shared, const char* directory, FileOps& files = system_files()) noexcept;
  ~Log() { close(); }
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // Chooses the backend, at any time; io_uring is tried at once and falls back to standard. Returns what is in effect.
  const BackendState& set_backend(BackendKind kind) noexcept;
  [[nodiscard]] const BackendState& backend() const noexcept { return state_; }

  // Logs a record made by RecordWriter::encode: 8-byte aligned, changed by sealing. Waits up to wait_us for room,
  // helping to write. Returns its position, or 0 if it was not logged.
  std::uint64_t append(std::byte* record, std::size_t length, std::uint32_t wait_us) noexcept;
  // The same in two steps, for who must know the position first. Between them nothing of any process becomes durable:
  // publish() or abandon() must follow soon, also on the error path. A place left open for a second stops the log.
  std::uint64_t reserve(std::size_t length, std::uint32_t wait_us) noexcept;
  void publish(std::uint64_t position, std::byte* record, std::size_t length) noexcept;
  void abandon(std::uint64_t position, std::size_t length) noexcept { shared_->abandon(position, length); }

  // Begins to make all up to and including the record at `position` durable, without waiting for it, if nobody writes.
  // `standard` does so only while nobody waits: it hands the bytes to the disk and leaves the flush to wait().
  void submit(std::uint64_t position) noexcept;
  // Waits until the record at `position` is durable, writing it if nobody else does.
  WaitResult wait(std::uint64_t position, std::uint32_t timeout_us) noexcept;
  // Writes and syncs what lies in the buffer, unless another process is at it. For a background process at each
  // longbow.wal_flush_interval, and for who finds half_full(). True if nothing is left to write or somebody writes.
  bool flush_async() noexcept;
  [[nodiscard]] bool half_full() const noexcept { return shared_->backlog() * 2 > shared_->ring_bytes(); }
  // Reaps what this process has in flight, waiting for it.
  void drain() noexcept;
  // Drains, then closes descriptors and ring; the handle can be used again.
  void close() noexcept;

  // Makes the segment after the one in use, if it is missing. For a background process. 0, or -errno (not a failure of
  // the log: who needs the segment tries again).
  int prepare_next() noexcept;
  // Removes or renames segments below keep_from_segment, then the oldest ones until at most max_bytes are left; the
  // segment in use and those after it stay. Returns the lowest number left, or -errno. Allocates (opendir).
  long long recycle(std::uint64_t keep_from_segment, std::uint64_t max_bytes) noexcept;
  // Goes on in a fresh segment after a failure. True if the log works (again).
  bool try_recover() noexcept;

  // Everything before this position can be read from files.
  [[nodiscard]] std::uint64_t durable_position() const noexcept { return shared_->durable.load(); }
  [[nodiscard]] std::uint64_t reserved_position() const noexcept { return shared_->reserved.load(); }
  // Copies a record that may still be in the ring; 0 if it is not, or does not fit. decode() must judge it.
  std::size_t read_ring(std::uint64_t position, std::span<std::byte> out) const noexcept {
    return shared_->copy_out(position, out);
  }
  // Makes who waits write through the ring too, which is slower (flush.cpp): for benchmarks and tests.
  void set_through_ring(bool on) noexcept { through_ring_ = on; }
  [[nodiscard]] LogShared& shared() noexcept { return *shared_; }
  [[nodiscard]] const SegmentStore& segments() const noexcept { return store_; }

 private:
  static constexpr std::size_t kUringBytes = 448;
  enum class Step : std::uint8_t { moved, nothing, pending };
  enum class Sync : bool { later, with_write };
  using Pieces = std::array<iovec, 2>;  // an extent wraps round the ring once at most

  // log.cpp
  [[nodiscard]] Uring& uring() noexcept;
  std::uint64_t reserve_or_help(std::size_t length, std::uint32_t wait_us) noexcept;
  void sleep(std::uint32_t seen, std::uint64_t us) noexcept;
  void wake_all() noexcept;
  void fail(int error) noexcept;
  // flush.cpp
  [[nodiscard]] bool may_lead(std::uint64_t word) const noexcept;
  bool take_lead(std::uint64_t& word, bool parked) noexcept;
  bool still_mine(const Extent& extent, std::uint64_t word) const noexcept;
  void set_parked(bool parked) noexcept;
  void give_up_lead(std::uint64_t word) noexcept;
  Step write_group(std::uint64_t word, std::uint64_t timeout_us) noexcept;
  Step write_out(std::uint64_t word, Sync sync, Extent& extent, int& error) noexcept;
  Step write_now(std::uint64_t word) noexcept;
  void start_lone_write() noexcept;
  Step begin_flight(std::uint64_t word) noexcept;
  Step end_flight(std::uint64_t timeout_us) noexcept;
  std::span<iovec> pieces_of(const Extent& extent, std::size_t done, Pieces& memory) const noexcept;
  int write_extent(int file, const Extent& extent, std::size_t done, Sync sync) noexcept;
  int flush(int file) noexcept;
  int finish_short(int result) noexcept;
  bool refuses_direct() noexcept;
  void settle(const Extent& extent, std::uint32_t generation, std::uint64_t started, int error) noexcept;
  void note_gap() noexcept;
  bool help(std::uint32_t seen, std::uint64_t left_us) noexcept;
  int file_for(std::uint64_t segment) noexcept;
  void close_file() noexcept;

  LogShared* shared_;
  SegmentStore store_;
  BackendState state_;
  bool direct_works_ = true;
  bool through_ring_ = false;
  int file_ = -1;
  int file_flags_ = 0;
  std::uint64_t file_segment_ = 0;
  std::uint64_t prepared_ = 0;
  // The write in flight, if any.
  bool in_flight_ = false;
  std::uint32_t flight_generation_ = 0;
  int flight_pin_ = -1;
  std::uint64_t flight_word_ = 0;
  std::uint64_t flight_started_ = 0;
  Extent flight_ = {};
  Pieces flight_pieces_ = {};
  alignas(16) std::byte uring_memory_[kUringBytes];
};

}  // namespace longbow::wal
