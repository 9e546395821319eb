// Reads records of the side WAL from their segments: one by position, or a segment in order.
//
// It sees files only: a position counts as readable once Log::durable_position() has passed it; what is still in the
// ring gives Log::read_ring(). Anything may lie in the files; nothing in them makes a call fail but by its status.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "longbow/wal/record.hpp"
#include "longbow/wal/segment.hpp"

namespace longbow::wal {

enum class ReadStatus : std::uint8_t {
  ok,
  absent,      // zeros there: never written
  wrong,       // something else there: recycled, damaged, of another incarnation
  no_segment,  // the file is missing, of another system, or its header is damaged
  too_small,   // the record is longer than the buffer: needed() says how long
  io_error,    // error() says which
  end,         // next(): nothing more in this segment
};

class Reader {
 public:
  static constexpr std::size_t kMinBuffer = 4096;

  // `buffer` (8-byte aligned, kMinBuffer bytes or more, 256 kB is good) keeps what was read last: records read in order
  // cost one pread a buffer. It must outlive the reader.
  Reader(const char* directory, std::uint64_t system_identifier, std::span<std::byte> buffer,
         FileOps& files = system_files()) noexcept;
  ~Reader() { reset(); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  // Reads the record at a position. `out` points into the buffer until the next call.
  [[nodiscard]] ReadStatus read(std::uint64_t position, std::uint64_t incarnation, Record& out) noexcept;
  // Reads the record at `position` (begin with segment_start(n)) and moves position behind it; voids are passed over.
  // `end` at the segment's end; any other status but ok and too_small means that no record can be found behind it
  // either.
  [[nodiscard]] ReadStatus next(std::uint64_t& position, Record& out) noexcept;
  // Gives it a larger buffer, which begins empty.
  void set_buffer(std::span<std::byte> buffer) noexcept;
  // Closes the descriptors and forgets what was read.
  void reset() noexcept;

  [[nodiscard]] std::size_t needed() const noexcept { return needed_; }
  [[nodiscard]] int error() const noexcept { return error_; }

 private:
  static constexpr int kDescriptors = 4;
  struct Descriptor {
    std::uint64_t segment;
    int file;
  };
  ReadStatus open(std::uint64_t segment, int& file) noexcept;
  ReadStatus fill(std::uint64_t position) noexcept;
  Verdict look(std::uint64_t position, std::uint64_t incarnation, Record& out) noexcept;

  SegmentStore store_;
  std::span<std::byte> buffer_;
  std::uint64_t window_ = 0;      // position of the buffer's first byte
  std::size_t window_bytes_ = 0;  // 0: nothing in it
  std::size_t needed_ = 0;
  int error_ = 0;
  unsigned turn_ = 0;
  Descriptor descriptors_[kDescriptors];
};

}  // namespace longbow::wal
