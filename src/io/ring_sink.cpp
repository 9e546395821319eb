// Chunks to segment files through liburing.
#include "longbow/io/ring_sink.hpp"

#include <fcntl.h>
#include <liburing.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>

#include "longbow/base/error.hpp"

namespace longbow::io {

namespace {

// Space is allocated in steps that double between these: each waits for the writes under way.
constexpr std::uint64_t kLeastStep = 1 << 20;
constexpr std::uint64_t kMostStep = 256 << 20;

// Whether the kernel knows WRITE: it came with the probe (5.6).
bool knows_write(io_uring& ring) noexcept {
  constexpr unsigned kOps = 256;
  alignas(io_uring_probe) std::byte memory[sizeof(io_uring_probe) + kOps * sizeof(io_uring_probe_op)];
  std::memset(memory, 0, sizeof memory);
  auto* const probe = reinterpret_cast<io_uring_probe*>(memory);
  if (::io_uring_register_probe(&ring, probe, kOps) < 0) return false;
  return ::io_uring_opcode_supported(probe, IORING_OP_WRITE) != 0;
}

bool passing(int error) noexcept { return error == EINTR || error == EAGAIN || error == EBUSY; }

int allocate(int file, std::uint64_t from, std::uint64_t end) noexcept {
  int result;
  do result = ::fallocate(file, 0, static_cast<off_t>(from), static_cast<off_t>(end - from));
  while (result != 0 && errno == EINTR);
  if (result == 0) return 0;
  // A file system that cannot allocate ahead gets a hole.
  if (errno == EOPNOTSUPP || errno == ENOSYS) return ::ftruncate(file, static_cast<off_t>(end)) == 0 ? 0 : errno;
  return errno;
}

}  // namespace

struct RingSink::Ring {
  io_uring uring;
};

RingSink::RingSink(SegmentFiles& files, Shape shape, std::pmr::memory_resource& memory)
    : files_(files), shape_(shape), memory_(memory), pieces_(&memory), free_(&memory), done_(&memory) {}

RingSink::~RingSink() { stop(); }

int RingSink::open() {
  pieces_.resize(shape_.depth);
  free_.reserve(shape_.depth);
  done_.reserve(shape_.depth);
  for (std::uint32_t i = shape_.depth; i-- > 0;) free_.push_back(i);
  auto* ring = new (memory_.allocate(sizeof(Ring), alignof(Ring))) Ring;
  int result = ::io_uring_queue_init(shape_.depth, &ring->uring, 0);
  if (result == 0) {
    ring_ = ring;
    had_ring_ = knows_write(ring->uring);
    result = had_ring_ ? open_segment(0) : -EOPNOTSUPP;
    if (result != 0) stop();
  } else {
    memory_.deallocate(ring, sizeof(Ring), alignof(Ring));
  }
  return result;
}

int RingSink::open_segment(std::uint32_t segment) {
  int file = files_.open(segment, direct_);
  if (file == -EINVAL && direct_) {
    direct_ = false;
    file = files_.open(segment, false);
  }
  if (file < 0) return file;
  file_ = file;
  segment_ = segment;
  allocated_ = 0;
  return 0;
}

// Cuts the open segment to its size, makes it durable and closes it.
void RingSink::close_segment(std::uint64_t bytes) {
  drain();
  if (allocated_ != bytes && ::ftruncate(file_, static_cast<off_t>(bytes)) != 0) files_.fail("truncate", segment_, errno);
  const int synced = files_.sync(file_);
  if (synced != 0) files_.fail("fsync", segment_, -synced);
  files_.close(file_);
  file_ = -1;
}

void RingSink::make_room(std::uint64_t end) {
  if (end <= allocated_) return;
  const std::uint64_t most = std::uint64_t{shape_.segment_pages} * kPageBytes;
  const std::uint64_t ahead = std::min(most, allocated_ + std::clamp(allocated_, kLeastStep, kMostStep));
  int error = allocate(file_, allocated_, std::max(end, ahead));
  if (error == 0) {
    allocated_ = std::max(end, ahead);
    return;
  }
  // What is asked for ahead may be more than there is, and still enough.
  error = allocate(file_, allocated_, end);
  if (error != 0) files_.fail("extend", segment_, error);
  allocated_ = end;
}

void RingSink::begin(Chunk& chunk) {
  std::uint32_t done = 0;
  // Counted in advance: the first part may be done before the second is begun.
  const std::uint32_t last = chunk.first + chunk.used - 1;
  chunk.pending = last / shape_.segment_pages - chunk.first / shape_.segment_pages + 1;
  while (done < chunk.used) {
    const std::uint32_t page = chunk.first + done;
    const std::uint32_t segment = page / shape_.segment_pages, in_segment = page % shape_.segment_pages;
    const std::uint32_t count = std::min(chunk.used - done, shape_.segment_pages - in_segment);
    if (segment != segment_) {
      close_segment(std::uint64_t{shape_.segment_pages} * kPageBytes);
      const int opened = open_segment(segment);
      if (opened != 0) files_.fail("open", segment, -opened);
    }
    make_room(std::uint64_t{in_segment + count} * kPageBytes);
    write(chunk, chunk.pages + std::size_t{done} * kPageBytes, std::uint64_t{in_segment} * kPageBytes,
          count * static_cast<std::uint32_t>(kPageBytes));
    done += count;
  }
}

void RingSink::write(Chunk& chunk, const std::uint8_t* from, std::uint64_t at, std::uint32_t bytes) {
  while (free_.empty()) reap(true);
  const std::uint32_t slot = free_.back();
  pieces_[slot] = {&chunk, from, at, bytes};
  submit(slot);
  free_.pop_back();
  ++under_way_;
}

// Submits a piece, anew if part of it has been written.
void RingSink::submit(std::uint32_t slot) {
  const Piece& piece = pieces_[slot];
  io_uring_sqe* entry = ::io_uring_get_sqe(&ring_->uring);
  if (entry == nullptr) throw base::Error(base::Errc::internal, "the io_uring of an index build is full");
  if (piece.chunk->registered >= 0)
    ::io_uring_prep_write_fixed(entry, file_, piece.from, piece.bytes, piece.at, piece.chunk->registered);
  else
    ::io_uring_prep_write(entry, file_, piece.from, piece.bytes, piece.at);
  ::io_uring_sqe_set_data64(entry, slot);
  int result;
  do result = ::io_uring_submit(&ring_->uring);
  while (result == 0 || (result < 0 && passing(-result)));
  if (result < 0) files_.fail("write", segment_, -result);
}

// Takes the result of one write; false if none is done (or, waiting, none is under way).
bool RingSink::reap(bool wait) {
  if (under_way_ == 0) return false;
  io_uring_cqe* entry = nullptr;
  int result;
  do result = wait ? ::io_uring_wait_cqe(&ring_->uring, &entry) : ::io_uring_peek_cqe(&ring_->uring, &entry);
  while (result == -EINTR);
  if (result == -EAGAIN) return false;
  if (result < 0) throw base::Error(base::Errc::internal, "io_uring gives no results: %s", std::strerror(-result));
  const auto slot = static_cast<std::uint32_t>(::io_uring_cqe_get_data64(entry));
  const int written = entry->res;
  ::io_uring_cqe_seen(&ring_->uring, entry);
  complete(slot, written);
  return true;
}

void RingSink::complete(std::uint32_t slot, int result) {
  Piece& piece = pieces_[slot];
  if (result == -EINVAL && direct_) {
    // The file system took O_DIRECT but not our alignment.
    direct_ = false;
    ::fcntl(file_, F_SETFL, ::fcntl(file_, F_GETFL) & ~O_DIRECT);
    result = -EAGAIN;
  }
  --under_way_;
  const bool again = result < 0 && passing(-result);
  if (error_ == 0 && (again || (result > 0 && static_cast<std::uint32_t>(result) < piece.bytes))) {
    // Direct I/O goes on at an aligned place only.
    const std::uint32_t whole = again ? 0 : static_cast<std::uint32_t>(result) / kPageAlign * kPageAlign;
    piece.from += whole;
    piece.at += whole;
    piece.bytes -= whole;
    submit(slot);
    ++under_way_;
    return;
  }
  free_.push_back(slot);
  if (--piece.chunk->pending == 0) done_.push_back(piece.chunk);
  // A write of nothing is what some file systems answer when they are full.
  if (static_cast<std::int64_t>(result) != static_cast<std::int64_t>(piece.bytes) && error_ == 0)
    error_ = result < 0 ? -result : ENOSPC;
}

Chunk* RingSink::finished(bool wait) {
  while (done_.empty() && reap(wait)) {
  }
  if (error_ != 0) files_.fail("write", segment_, error_);
  if (done_.empty()) return nullptr;
  Chunk* chunk = done_.back();
  done_.pop_back();
  return chunk;
}

void RingSink::drain() {
  while (reap(true)) {
  }
  if (error_ != 0) files_.fail("write", segment_, error_);
}

// The kernel need not look up these pages at every write; it refuses beyond RLIMIT_MEMLOCK, and then does.
void RingSink::keep(std::span<Chunk* const> chunks) {
  std::pmr::vector<iovec> memory(&memory_);
  for (const Chunk* chunk : chunks) memory.push_back({chunk->pages, chunk->used * kPageBytes});
  if (::io_uring_register_buffers(&ring_->uring, memory.data(), static_cast<unsigned>(memory.size())) != 0) return;
  for (std::size_t i = 0; i < chunks.size(); ++i) chunks[i]->registered = static_cast<int>(i);
  registered_ = true;
}

void RingSink::finish(std::uint32_t pages) {
  drain();
  if (pages > 0) close_segment((std::uint64_t{pages} - std::uint64_t{segment_} * shape_.segment_pages) * kPageBytes);
  stop();
}

void RingSink::stop() noexcept {
  if (ring_ != nullptr) {
    // The kernel reads the chunks until their writes are done. Errors no longer matter, and nothing is submitted again.
    if (error_ == 0) error_ = ECANCELED;
    while (under_way_ > 0) {
      io_uring_cqe* entry = nullptr;
      const int result = ::io_uring_wait_cqe(&ring_->uring, &entry);
      if (result == -EINTR) continue;
      if (result < 0) break;
      ::io_uring_cqe_seen(&ring_->uring, entry);
      --under_way_;
    }
    ::io_uring_queue_exit(&ring_->uring);
    memory_.deallocate(ring_, sizeof(Ring), alignof(Ring));
    ring_ = nullptr;
  }
  if (file_ >= 0) files_.close(file_);
  file_ = -1;
}

}  // namespace longbow::io
