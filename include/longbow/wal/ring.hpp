// The log buffer in shared memory: a ring of bytes that many processes fill and one at a time writes to disk.
//
// A position maps to ring byte position % ring_bytes. Three positions order everything:
//   durable <= reserved (but for a segment's unused end), reserved - (durable rounded down to 4,096) <= ring_bytes.
// reserve() moves `reserved` by compare and swap, so positions are unique; a record lies in [durable, reserved) or is
// on disk. Its tag, written last with release, publishes it: tag = mix(position ^ key), key random, so that neither the
// bytes of an earlier lap nor a user's vectors look like it. Bytes of the block that `durable` lies in are kept, since
// an O_DIRECT write begins at a block's start.
//
// `leader` is the right to write: {time us : 41, parked : 1, pid : 22}, 0 if free. It is advice, not a lock: who takes
// it from a leader that is gone writes the same bytes to the same place; `durable` only ever grows.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "longbow/stats/counter.hpp"
#include "longbow/stats/histogram.hpp"
#include "longbow/wal/record.hpp"
#include "longbow/wal/segment.hpp"

namespace longbow::wal {

inline constexpr std::size_t kBlock = 4096;  // alignment of everything under O_DIRECT

struct LogCounters {
  stats::Counter records;
  stats::Counter bytes_raw;      // what records would take uncompressed
  stats::Counter bytes_logged;   // what they take
  stats::Counter bytes_written;  // what went to disk, blocks written again included
  stats::Counter write_ops;
  stats::Counter fsyncs;         // fdatasync calls; writes of io_uring's waiters (RWF_DSYNC) need none
  stats::Counter groups;         // writes that made records durable
  stats::Counter group_records;  // and how many records
  stats::Counter no_space;       // appends given up because the ring stayed full
  stats::Counter skipped;        // appends not logged: backend none, or the log has failed
  stats::Counter errors;
  stats::Counter takeovers;
  stats::Counter recoveries;
  stats::Counter segments_made;  // in the foreground: prepare_next() came too late
  stats::Histogram waits;        // wait() calls that ended durable

  // Starts all anew.
  void reset() noexcept {
    for (stats::Counter* c : {&records, &bytes_raw, &bytes_logged, &bytes_written, &write_ops, &fsyncs, &groups, &group_records,
                              &no_space, &skipped, &errors, &takeovers, &recoveries, &segments_made})
      c->reset();
    waits.reset();
  }
};

// What is written next: the bytes of [from, to), of which [begin, end) hold records; `next` is durable afterwards.
struct Extent {
  std::uint64_t from, to;
  std::uint64_t begin, next;
  std::uint32_t records;
};

class LogShared {
 public:
  static constexpr std::size_t kMinRing = 64U << 10;
  static constexpr std::size_t kMaxRing = kSegmentBytes;

  // Bytes of shared memory for a ring of ring_bytes, a power of two from kMinRing to kMaxRing.
  static std::size_t bytes(std::size_t ring_bytes) noexcept;
  // Makes a log in `memory` (64-byte aligned, of bytes(ring_bytes)) that begins with segment first_segment: one above
  // SegmentStore::highest(). Processes may map it at different addresses if these are equal modulo 4,096.
  static LogShared* init(void* memory, std::size_t ring_bytes, std::uint64_t system_identifier,
                         std::uint64_t first_segment) noexcept;

  // The longest record that reserve() takes.
  [[nodiscard]] std::size_t max_record() const noexcept { return ring_bytes_ / 4; }
  [[nodiscard]] std::size_t ring_bytes() const noexcept { return ring_bytes_; }
  [[nodiscard]] std::uint64_t system_identifier() const noexcept { return system_identifier_; }
  [[nodiscard]] std::uint64_t tag_of(std::uint64_t position) const noexcept;

  // Takes room for a record; 0 if the ring has none now. It must be published soon, whatever happens: nothing behind it
  // becomes durable before.
  std::uint64_t reserve(std::size_t length) noexcept;
  // Copies a record that encode() made to its place and publishes it; seals it first.
  void publish(std::uint64_t position, std::byte* record, std::size_t length) noexcept;
  // Publishes a reserved place as void.
  void abandon(std::uint64_t position, std::size_t length) noexcept;
  // Copies the record at a position if it is still in the ring, whole, and fits; returns its length or 0. Only decode()
  // says whether what was copied is the record.
  std::size_t copy_out(std::uint64_t position, std::span<std::byte> out) const noexcept;

  // Finds what can be written now: all that is published without a gap, to the segment's end at most. False if nothing.
  // Blocks are written whole if `aligned`.
  bool next_extent(bool aligned, Extent& out) const noexcept;
  // Whether a record at the front has been reserved but not published.
  [[nodiscard]] bool gap() const noexcept;
  // The ring bytes of a position, and how many follow before the ring begins again.
  [[nodiscard]] const std::byte* at(std::uint64_t position, std::size_t& room) const noexcept;
  // Bytes reserved that are not durable.
  [[nodiscard]] std::uint64_t backlog() const noexcept;
  void advance_durable(std::uint64_t to) noexcept;
  // Keeps the ring's bytes from `from` on while a write reads them, even if another process takes the lead and frees
  // them: for kPinUs at most, since its owner may have died or sit elsewhere. Returns a slot, or -1 if none is free.
  int pin(std::uint64_t from) noexcept;
  void unpin(int slot, std::uint64_t from) noexcept;
  // Whether `position` was lost when the log failed last.
  [[nodiscard]] bool lost(std::uint64_t position) const noexcept;

  alignas(64) std::atomic<std::uint64_t> reserved;
  alignas(64) std::atomic<std::uint64_t> durable;
  std::atomic<std::uint64_t> leader;
  std::atomic<std::uint64_t> written;      // the leader's: what lies below is in the page cache at least (flush.cpp)
  std::atomic<std::uint64_t> gap_seen_at;  // us; since when the front has stood at gap_position
  std::atomic<std::uint64_t> gap_position;
  std::atomic<std::uint64_t> lost_from, lost_to;
  std::atomic<std::uint32_t> generation;        // raised by each failure and recovery
  std::atomic<std::uint32_t> failed;            // 0, or the errno that stopped the log
  std::atomic<std::uint32_t> last_errno;        // of the last failure, kept after a recovery
  std::atomic<std::uint32_t> write_us;          // moving average of a durable write
  alignas(64) std::atomic<std::uint32_t> wake;  // futex: raised when durable, leader or failed change
  std::atomic<std::uint32_t> sleepers;
  alignas(64) LogCounters counters;
  static constexpr std::uint64_t kPinUs = 200'000;

 private:
  [[nodiscard]] std::byte* byte_at(std::uint64_t position) noexcept;
  [[nodiscard]] const std::byte* byte_at(std::uint64_t position) const noexcept;
  void copy_in(std::uint64_t position, const std::byte* data, std::size_t bytes) noexcept;
  // The lowest pinned position below `kept`, else `kept`; pins that are too old are dropped if `drop`.
  std::uint64_t pinned(std::uint64_t kept, bool drop) noexcept;
  void publish_filler(RecordFlag flag, std::uint64_t position, std::size_t length) noexcept;
  [[nodiscard]] bool published(std::uint64_t position) const noexcept;
  [[nodiscard]] std::uint32_t length_at(std::uint64_t position) const noexcept;

  struct Pin {
    std::atomic<std::uint64_t> from;  // 0: free
    std::atomic<std::uint64_t> since_us;
  };
  static constexpr int kPins = 8;
  alignas(64) Pin pins_[kPins];
  std::uint64_t system_identifier_;
  std::uint64_t key_;
  std::size_t ring_bytes_;
  std::size_t ring_offset_;  // from this to the ring
};

}  // namespace longbow::wal
