// Segment files of the side WAL: `<directory>/%016llX`, 16 MiB each, zero-filled with written extents, so that a later
// write into them changes no metadata. The first 4,096 bytes are a header. A position is segment number x 16 MiB +
// offset; records lie at offsets >= 4,096 and never cross the end.
//
// A segment appears under its name only when it is whole: it is made under another name, synced, then linked. One that
// is recycled gets its new header first: under its old name it is no longer believed. Old records in it are void, since
// their positions differ. Functions return 0 or -errno unless they say otherwise.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "longbow/wal/file_ops.hpp"

namespace longbow::wal {

inline constexpr std::uint64_t kSegmentBytes = 16U << 20;
inline constexpr std::uint64_t kSegmentHeaderBytes = 4096;
inline constexpr std::uint32_t kSegmentMagic = 0x5357424C;  // "LBWS"
inline constexpr std::uint32_t kSegmentVersion = 1;

constexpr std::uint64_t segment_of(std::uint64_t position) noexcept { return position / kSegmentBytes; }
constexpr std::uint64_t offset_in_segment(std::uint64_t position) noexcept { return position % kSegmentBytes; }
// The position of a segment's first record.
constexpr std::uint64_t segment_start(std::uint64_t segment) noexcept {
  return segment * kSegmentBytes + kSegmentHeaderBytes;
}
// The position behind a segment's last byte.
constexpr std::uint64_t segment_end(std::uint64_t position) noexcept {
  return (segment_of(position) + 1) * kSegmentBytes;
}

struct SegmentHeader {
  std::uint32_t magic;
  std::uint32_t crc;  // over all that follows
  std::uint64_t system_identifier;
  std::uint64_t segment;
  std::uint32_t version;
  std::uint32_t segment_bytes;
};
static_assert(sizeof(SegmentHeader) == 32);

class SegmentStore {
 public:
  static constexpr std::size_t kMaxPath = 1024;
  static constexpr std::size_t kNameBytes = 40;  // room for "/%016llX" and temporary names

  // `directory` must exist; a path of kMaxPath bytes or more makes every call fail with ENAMETOOLONG.
  SegmentStore(const char* directory, std::uint64_t system_identifier, FileOps& files = system_files()) noexcept;

  [[nodiscard]] int create(std::uint64_t segment) const noexcept;  // -EEXIST: another process was first
  [[nodiscard]] int recycle(std::uint64_t old_segment, std::uint64_t segment) const noexcept;  // -EEXIST likewise
  [[nodiscard]] int remove(std::uint64_t segment) const noexcept;
  // Opens a segment after checking its header. Returns the descriptor or -errno; -EBADMSG if the header is wrong.
  // `extra_flags`: O_DIRECT, ... for writing; O_CLOEXEC is always set.
  [[nodiscard]] int open_for_write(std::uint64_t segment, int extra_flags) const noexcept;
  [[nodiscard]] int open_for_read(std::uint64_t segment) const noexcept;
  // Writes the numbers of the segments there are, in order, as many as fit; returns how many there are or -errno.
  // Allocates (opendir): not for commit callbacks. Also removes what an interrupted create() left if `tidy`.
  [[nodiscard]] long list(std::span<std::uint64_t> numbers, bool tidy = false) const noexcept;
  // The highest number in use; 0 if there is none, or -errno. A log that starts goes on in the segment after it.
  [[nodiscard]] long long highest() const noexcept;

  [[nodiscard]] FileOps& files() const noexcept { return *files_; }
  [[nodiscard]] std::uint64_t system_identifier() const noexcept { return system_identifier_; }
  void path(std::uint64_t segment, char (&out)[kMaxPath + kNameBytes]) const noexcept;

 private:
  [[nodiscard]] int write_header(int file, std::uint64_t segment) const noexcept;
  [[nodiscard]] int check_header(int file, std::uint64_t segment) const noexcept;
  [[nodiscard]] int sync_directory() const noexcept;
  [[nodiscard]] int fill(int file, std::uint64_t segment) const noexcept;

  FileOps* files_;
  std::uint64_t system_identifier_;
  bool usable_;
  char directory_[kMaxPath];
};

// Writes all bytes; short writes and EINTR go on. Returns 0 or -errno.
[[nodiscard]] int write_fully(FileOps& files, int file, const void* data, std::size_t bytes, std::uint64_t at) noexcept;
// The same for pieces that follow one another in the file, durably; uses them up.
[[nodiscard]] int write_durably(FileOps& files, int file, std::span<iovec> pieces, std::uint64_t at) noexcept;
// Reads until all bytes are there or the file ends. Returns the bytes read or -errno.
[[nodiscard]] ssize_t read_fully(FileOps& files, int file, void* data, std::size_t bytes, std::uint64_t at) noexcept;

}  // namespace longbow::wal
