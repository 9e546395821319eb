// Writes chunks to the segment files of a relation by io_uring, many at a time.
//
// A relation of more pages than a segment holds goes on in the next file. Space is allocated ahead and cut at the end,
// since writes beyond a file's end wait for one another. One segment is open at a time; it is synced before the next begins.
// Only WRITE and WRITE_FIXED are used (Linux 5.6). Where the file system has no direct I/O, writes go through the page cache.
#pragma once

#include <cstdint>
#include <memory>
#include <memory_resource>
#include <vector>

#include "longbow/io/page_writer.hpp"

namespace longbow::io {

// The files behind segment numbers.
class SegmentFiles {
 public:
  virtual ~SegmentFiles() = default;
  // Opens a segment for writing, past the page cache if `direct`; makes it if it is missing. A descriptor or -errno.
  virtual int open(std::uint32_t segment, bool direct) = 0;
  virtual void close(int file) noexcept = 0;
  // 0 or -errno.
  virtual int sync(int file) = 0;
  // Reports that a system call (extend, open, sync, write) failed on a segment; never returns.
  [[noreturn]] virtual void fail(const char* call, std::uint32_t segment, int error) = 0;
};

class RingSink final : public ChunkSink {
 public:
  struct Shape {
    std::uint32_t segment_pages;
    std::uint32_t depth;  // writes under way at most; a chunk that crosses into the next segment takes two
  };
  RingSink(SegmentFiles& files, Shape shape, std::pmr::memory_resource& memory);
  ~RingSink() override;

  // Makes the ring and opens the first segment. 0 or -errno: ENOSYS or EPERM (kernel, seccomp), EOPNOTSUPP (no WRITE), or what
  // opening the segment gave.
  int open();
  void begin(Chunk& chunk) override;
  Chunk* finished(bool wait) override;
  void keep(std::span<Chunk* const> chunks) override;
  void finish(std::uint32_t pages) override;
  void stop() noexcept override;

  // Whether writes bypass the page cache, and whether the kernel knows the chunks' memory.
  // Whether open() came as far as having a ring.
  [[nodiscard]] bool has_ring() const noexcept { return had_ring_; }
  [[nodiscard]] bool direct() const noexcept { return direct_; }
  [[nodiscard]] bool registered() const noexcept { return registered_; }

 private:
  struct Ring;
  // One write that is under way.
  struct Piece {
    Chunk* chunk;
    const std::uint8_t* from;
    std::uint64_t at;  // in the segment
    std::uint32_t bytes;
  };
  int open_segment(std::uint32_t segment);
  void close_segment(std::uint64_t bytes);
  void make_room(std::uint64_t end);
  void submit(std::uint32_t slot);
  void write(Chunk& chunk, const std::uint8_t* from, std::uint64_t at, std::uint32_t bytes);
  bool reap(bool wait);
  void complete(std::uint32_t slot, int result);
  void drain();

  SegmentFiles& files_;
  Shape shape_;
  std::pmr::memory_resource& memory_;
  Ring* ring_ = nullptr;
  std::pmr::vector<Piece> pieces_;
  std::pmr::vector<std::uint32_t> free_;  // slots of pieces_
  std::pmr::vector<Chunk*> done_;
  int file_ = -1;
  std::uint32_t segment_ = 0;
  std::uint64_t allocated_ = 0;  // bytes of the segment
  std::uint32_t under_way_ = 0;
  int error_ = 0;  // the first that a write gave
  bool direct_ = true;
  bool registered_ = false;
  bool had_ring_ = false;
};

}  // namespace longbow::io
