// Reads through one window: a record that lies in it whole costs no system call.
#include "longbow/wal/reader.hpp"

#include <algorithm>
#include <cerrno>

namespace longbow::wal {

Reader::Reader(const char* directory, std::uint64_t system_identifier, std::span<std::byte> buffer,
               FileOps& files) noexcept
    : store_(directory, system_identifier, files), buffer_(buffer) {
  for (Descriptor& descriptor : descriptors_) descriptor = {0, -1};
}

void Reader::set_buffer(std::span<std::byte> buffer) noexcept {
  buffer_ = buffer;
  window_bytes_ = 0;
}

void Reader::reset() noexcept {
  for (Descriptor& descriptor : descriptors_) {
    if (descriptor.file >= 0) store_.files().close(descriptor.file);
    descriptor = {0, -1};
  }
  window_bytes_ = 0;
}

ReadStatus Reader::open(std::uint64_t segment, int& file) noexcept {
  for (const Descriptor& descriptor : descriptors_)
    if (descriptor.file >= 0 && descriptor.segment == segment) {
      file = descriptor.file;
      return ReadStatus::ok;
    }
  const int opened = store_.open_for_read(segment);
  if (opened == -ENOENT || opened == -EBADMSG) return ReadStatus::no_segment;
  if (opened < 0) {
    error_ = -opened;
    return ReadStatus::io_error;
  }
  Descriptor& victim = descriptors_[turn_++ % kDescriptors];
  if (victim.file >= 0) store_.files().close(victim.file);
  victim = {segment, opened};
  file = opened;
  return ReadStatus::ok;
}

ReadStatus Reader::fill(std::uint64_t position) noexcept {
  window_bytes_ = 0;
  int file;
  const ReadStatus status = open(segment_of(position), file);
  if (status != ReadStatus::ok) return status;
  const std::uint64_t rest = segment_end(position) - position;
  const ssize_t got =
      read_fully(store_.files(), file, buffer_.data(),
                 static_cast<std::size_t>(std::min<std::uint64_t>(rest, buffer_.size())), offset_in_segment(position));
  if (got < 0) {
    error_ = static_cast<int>(-got);
    return ReadStatus::io_error;
  }
  window_ = position;
  window_bytes_ = static_cast<std::size_t>(got);
  return ReadStatus::ok;
}

Verdict Reader::look(std::uint64_t position, std::uint64_t incarnation, Record& out) noexcept {
  if (position < window_ || position - window_ >= window_bytes_) {
    out.header.length = sizeof(RecordHeader);
    return Verdict::truncated;
  }
  const auto skip = static_cast<std::size_t>(position - window_);
  return decode({buffer_.data() + skip, window_bytes_ - skip}, position, incarnation, out);
}

ReadStatus Reader::read(std::uint64_t position, std::uint64_t incarnation, Record& out) noexcept {
  if (position % kRecordAlign != 0 || offset_in_segment(position) < kSegmentHeaderBytes || position < kSegmentBytes ||
      segment_end(position) - position < sizeof(RecordHeader))
    return ReadStatus::wrong;
  Verdict verdict = look(position, incarnation, out);
  if (verdict != Verdict::ok) {
    // The window may be older than the record, or end within it.
    const ReadStatus status = fill(position);
    if (status != ReadStatus::ok) return status;
    verdict = look(position, incarnation, out);
  }
  switch (verdict) {
    case Verdict::ok:
      return out.header.length <= segment_end(position) - position ? ReadStatus::ok : ReadStatus::wrong;
    case Verdict::absent:
      return ReadStatus::absent;
    case Verdict::wrong:
      return ReadStatus::wrong;
    case Verdict::truncated:
      break;
  }
  // Cut off by the buffer's size, or by the file's end.
  if (window_bytes_ < buffer_.size() || out.header.length > segment_end(position) - position) return ReadStatus::wrong;
  needed_ = out.header.length;
  return ReadStatus::too_small;
}

ReadStatus Reader::next(std::uint64_t& position, Record& out) noexcept {
  const std::uint64_t end = segment_end(position);
  while (position < end && end - position >= sizeof(RecordHeader)) {
    const ReadStatus status = read(position, kAnyIncarnation, out);
    if (status != ReadStatus::ok) return status;
    position += out.header.length;
    if (out.header.flags & kRecordPad) return ReadStatus::end;
    if (!out.filler()) return ReadStatus::ok;
  }
  return ReadStatus::end;
}

}  // namespace longbow::wal
