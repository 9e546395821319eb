// Reservation, publication and the walk over what is published.
#include "longbow/wal/ring.hpp"

#include <sys/random.h>
#include <time.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>

#include "longbow/base/random.hpp"
#include "wal/clock.hpp"

namespace longbow::wal {
namespace {

constexpr std::uint64_t block_start(std::uint64_t position) noexcept { return position & ~std::uint64_t{kBlock - 1}; }
constexpr std::uint64_t block_end(std::uint64_t position) noexcept { return block_start(position + kBlock - 1); }
// Too near a segment's end for a header: such a place is skipped without a pad.
constexpr bool at_end(std::uint64_t position) noexcept {
  return segment_end(position) - position < sizeof(RecordHeader) || offset_in_segment(position) == 0;
}
constexpr std::uint64_t next_start(std::uint64_t position) noexcept {
  return offset_in_segment(position) == 0 ? position + kSegmentHeaderBytes
                                          : segment_end(position) + kSegmentHeaderBytes;
}

std::uint64_t random_key() noexcept {
  std::uint64_t key = 0;
  if (::getrandom(&key, sizeof key, GRND_NONBLOCK) != sizeof key) {
    timespec now;
    ::clock_gettime(CLOCK_REALTIME, &now);
    key = static_cast<std::uint64_t>(now.tv_nsec) * 0x9E3779B97F4A7C15U ^ static_cast<std::uint64_t>(now.tv_sec);
  }
  return key;
}

}  // namespace

std::size_t LogShared::bytes(std::size_t ring_bytes) noexcept { return sizeof(LogShared) + kBlock + ring_bytes; }

LogShared* LogShared::init(void* memory, std::size_t ring_bytes, std::uint64_t system_identifier,
                           std::uint64_t first_segment) noexcept {
  auto* const log = new (memory) LogShared();
  log->ring_bytes_ = ring_bytes;
  log->system_identifier_ = system_identifier;
  log->key_ = random_key();
  const auto address = reinterpret_cast<std::uintptr_t>(memory);
  log->ring_offset_ = block_end(address + sizeof(LogShared)) - address;
  std::memset(log->byte_at(0), 0, ring_bytes);
  const std::uint64_t start = segment_start(std::max<std::uint64_t>(first_segment, 1));
  log->durable.store(start);
  log->reserved.store(start);
  return log;
}

std::uint64_t LogShared::tag_of(std::uint64_t position) const noexcept {
  // A bijection, so two positions never share a tag.
  return base::mix64(position ^ key_);
}

std::byte* LogShared::byte_at(std::uint64_t position) noexcept {
  return reinterpret_cast<std::byte*>(this) + ring_offset_ + (position & (ring_bytes_ - 1));
}
const std::byte* LogShared::byte_at(std::uint64_t position) const noexcept {
  return reinterpret_cast<const std::byte*>(this) + ring_offset_ + (position & (ring_bytes_ - 1));
}
const std::byte* LogShared::at(std::uint64_t position, std::size_t& room) const noexcept {
  room = ring_bytes_ - (position & (ring_bytes_ - 1));
  return byte_at(position);
}

// Tags and lengths are 8- and 4-aligned and never wrap within themselves, though a header may wrap.
bool LogShared::published(std::uint64_t position) const noexcept {
  const auto* word = reinterpret_cast<const std::uint64_t*>(byte_at(position + offsetof(RecordHeader, tag)));
  return __atomic_load_n(word, __ATOMIC_ACQUIRE) == tag_of(position);
}
std::uint32_t LogShared::length_at(std::uint64_t position) const noexcept {
  std::uint32_t length;
  std::memcpy(&length, byte_at(position + offsetof(RecordHeader, length)), sizeof length);
  return length;
}

void LogShared::copy_in(std::uint64_t position, const std::byte* data, std::size_t bytes) noexcept {
  const std::size_t room = ring_bytes_ - (position & (ring_bytes_ - 1)), first = std::min(room, bytes);
  std::memcpy(byte_at(position), data, first);
  std::memcpy(byte_at(position + first), data + first, bytes - first);
}

std::uint64_t LogShared::reserve(std::size_t length) noexcept {
  std::uint64_t from = reserved.load(std::memory_order_relaxed);
  for (;;) {
    const bool crosses = at_end(from) || from + length > segment_end(from);
    const std::uint64_t start = crosses ? next_start(from) : from, end = start + length;
    const std::uint64_t kept = block_start(durable.load(std::memory_order_acquire));
    // A difference below zero, seen while the log moves to a new segment, is huge and fails as well.
    if (end - kept > ring_bytes_) return 0;
    if (end - pinned(kept, false) > ring_bytes_ && end - pinned(kept, true) > ring_bytes_) return 0;
    if (!reserved.compare_exchange_weak(from, end, std::memory_order_acq_rel, std::memory_order_relaxed)) continue;
    if (crosses && !at_end(from)) publish_filler(kRecordPad, from, segment_end(from) - from);
    return start;
  }
}

void LogShared::publish(std::uint64_t position, std::byte* record, std::size_t length) noexcept {
  const std::uint64_t tag = tag_of(position);
  RecordWriter::seal(record, position, tag);
  constexpr std::size_t kTag = offsetof(RecordHeader, tag);
  copy_in(position, record, kTag);
  copy_in(position + kTag + sizeof tag, record + kTag + sizeof tag, length - kTag - sizeof tag);
  __atomic_store_n(reinterpret_cast<std::uint64_t*>(byte_at(position + kTag)), tag, __ATOMIC_RELEASE);
}

void LogShared::publish_filler(RecordFlag flag, std::uint64_t position, std::size_t length) noexcept {
  const std::uint64_t tag = tag_of(position);
  const RecordHeader header = RecordWriter::filler(flag, position, static_cast<std::uint32_t>(length), tag);
  const auto* bytes = reinterpret_cast<const std::byte*>(&header);
  constexpr std::size_t kTag = offsetof(RecordHeader, tag);
  copy_in(position, bytes, kTag);
  copy_in(position + kTag + sizeof tag, bytes + kTag + sizeof tag, sizeof header - kTag - sizeof tag);
  __atomic_store_n(reinterpret_cast<std::uint64_t*>(byte_at(position + kTag)), tag, __ATOMIC_RELEASE);
}

void LogShared::abandon(std::uint64_t position, std::size_t length) noexcept {
  publish_filler(kRecordVoid, position, length);
}

std::size_t LogShared::copy_out(std::uint64_t position, std::span<std::byte> out) const noexcept {
  const auto in_ring = [&] {
    const std::uint64_t end = reserved.load(std::memory_order_acquire);
    return position < end && end - position <= ring_bytes_;
  };
  if (position % kRecordAlign != 0 || !in_ring() || !published(position)) return 0;
  const std::size_t length = length_at(position);
  if (length < sizeof(RecordHeader) || length > out.size() || length > ring_bytes_) return 0;
  const std::size_t room = ring_bytes_ - (position & (ring_bytes_ - 1)), first = std::min(room, length);
  std::memcpy(out.data(), byte_at(position), first);
  std::memcpy(out.data() + first, byte_at(position + first), length - first);
  std::atomic_thread_fence(std::memory_order_acquire);
  return in_ring() ? length : 0;
}

bool LogShared::next_extent(bool whole_blocks, Extent& out) const noexcept {
  const std::uint64_t limit = reserved.load(std::memory_order_acquire);
  std::uint64_t at = durable.load(std::memory_order_acquire);
  if (at >= limit || limit - block_start(at) > ring_bytes_) return false;
  if (at_end(at)) at = next_start(at);
  const std::uint64_t end = segment_end(at);
  out = {at, at, at, at, 0};
  while (at < limit && at < end && !at_end(at) && published(at)) {
    const std::uint32_t length = length_at(at);
    // Only a writer that slept through a recovery can have left such a number.
    if (length < sizeof(RecordHeader) || length > end - at || length % kRecordAlign != 0) break;
    RecordHeader header;
    std::uint16_t flags;
    std::memcpy(&flags, byte_at(at + offsetof(RecordHeader, flags)), sizeof flags);
    // Of a filler only the header is written.
    out.to = at + (flags & (kRecordPad | kRecordVoid) ? sizeof header : length);
    out.records += flags & (kRecordPad | kRecordVoid) ? 0 : 1;
    at += length;
  }
  if (at == out.begin) return false;
  out.next = at_end(at) ? next_start(at) : at;
  if (whole_blocks) {
    out.from = block_start(out.from);
    out.to = block_end(out.to);
  }
  return true;
}

bool LogShared::gap() const noexcept {
  const std::uint64_t at = durable.load(std::memory_order_acquire);
  return at < reserved.load(std::memory_order_acquire) && !published(at_end(at) ? next_start(at) : at);
}

std::uint64_t LogShared::backlog() const noexcept {
  const std::uint64_t done = durable.load(std::memory_order_relaxed), end = reserved.load(std::memory_order_relaxed);
  return end > done ? end - done : 0;
}

void LogShared::advance_durable(std::uint64_t to) noexcept {
  std::uint64_t now = durable.load(std::memory_order_relaxed);
  while (now < to && !durable.compare_exchange_weak(now, to, std::memory_order_acq_rel, std::memory_order_relaxed)) {
  }
}

int LogShared::pin(std::uint64_t from) noexcept {
  for (int slot = 0; slot < kPins; ++slot) {
    std::uint64_t free = 0;
    if (pins_[slot].from.load(std::memory_order_relaxed) != 0) continue;
    pins_[slot].since_us.store(now_us());
    if (pins_[slot].from.compare_exchange_strong(free, from)) return slot;
  }
  return -1;
}

void LogShared::unpin(int slot, std::uint64_t from) noexcept {
  if (slot >= 0) pins_[slot].from.compare_exchange_strong(from, 0);
}

std::uint64_t LogShared::pinned(std::uint64_t kept, bool drop) noexcept {
  std::uint64_t least = kept;
  for (Pin& pin : pins_) {
    std::uint64_t from = pin.from.load();
    if (from == 0 || from >= least) continue;
    if (drop && now_us() - pin.since_us.load() > kPinUs) {
      pin.from.compare_exchange_strong(from, 0);
      continue;
    }
    least = from;
  }
  return least;
}

bool LogShared::lost(std::uint64_t position) const noexcept {
  return position >= lost_from.load(std::memory_order_acquire) && position < lost_to.load(std::memory_order_acquire);
}

}  // namespace longbow::wal
