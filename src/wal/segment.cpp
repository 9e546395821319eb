// Making, recycling, opening and listing segment files.
#include "longbow/wal/segment.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "longbow/base/crc32c.hpp"

namespace longbow::wal {
namespace {

constexpr std::size_t kCrcFrom = 8;  // magic and crc are not covered
constexpr int kNameDigits = 16;
constexpr char kTemporary[] = "new.";
alignas(4096) std::byte zeros[64 << 10];  // never written; costs no file space and no memory but the zero page

std::uint32_t header_crc(const SegmentHeader& header) noexcept {
  return base::crc32c(0, reinterpret_cast<const std::byte*>(&header) + kCrcFrom, sizeof header - kCrcFrom);
}

// The number that a file name stands for; false for every other name.
bool number_of(const char* name, std::uint64_t& number) noexcept {
  number = 0;
  int digits = 0;
  for (; name[digits] != 0; ++digits) {
    const char c = name[digits];
    const int value = c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
    if (value < 0 || digits == kNameDigits) return false;
    number = number << 4 | static_cast<std::uint64_t>(value);
  }
  // Positions are 64 bits: a larger number cannot be one of ours.
  return digits == kNameDigits && number > 0 && number < UINT64_MAX / kSegmentBytes;
}

// Closes a descriptor and passes on the first error.
int close_after(FileOps& files, int file, int result) noexcept {
  const int closed = files.close(file);
  return result != 0 ? result : closed;
}

bool exists(FileOps& files, const char* name) noexcept {
  const int file = files.open(name, O_RDONLY | O_CLOEXEC, 0);
  if (file >= 0) files.close(file);
  return file >= 0;
}

}  // namespace

int write_fully(FileOps& files, int file, const void* data, std::size_t bytes, std::uint64_t at) noexcept {
  const auto* from = static_cast<const std::byte*>(data);
  while (bytes > 0) {
    const ssize_t written = files.pwrite(file, from, bytes, static_cast<off_t>(at));
    if (written == -EINTR) continue;
    if (written < 0) return static_cast<int>(written);
    if (written == 0) return -ENOSPC;  // as PostgreSQL takes it
    from += written;
    at += static_cast<std::uint64_t>(written);
    bytes -= static_cast<std::size_t>(written);
  }
  return 0;
}

int write_durably(FileOps& files, int file, std::span<iovec> pieces, std::uint64_t at) noexcept {
  while (!pieces.empty()) {
    const ssize_t written = files.pwritev_durable(file, pieces.data(), static_cast<int>(pieces.size()), static_cast<off_t>(at));
    if (written == -EINTR) continue;
    if (written < 0) return static_cast<int>(written);
    if (written == 0) return -ENOSPC;
    at += static_cast<std::uint64_t>(written);
    auto done = static_cast<std::size_t>(written);
    while (!pieces.empty() && done >= pieces.front().iov_len) {
      done -= pieces.front().iov_len;
      pieces = pieces.subspan(1);
    }
    if (pieces.empty()) break;
    pieces.front() = {static_cast<std::byte*>(pieces.front().iov_base) + done, pieces.front().iov_len - done};
  }
  return 0;
}

ssize_t read_fully(FileOps& files, int file, void* data, std::size_t bytes, std::uint64_t at) noexcept {
  auto* to = static_cast<std::byte*>(data);
  std::size_t done = 0;
  while (done < bytes) {
    const ssize_t got = files.pread(file, to + done, bytes - done, static_cast<off_t>(at + done));
    if (got == -EINTR) continue;
    if (got < 0) return got;
    if (got == 0) break;
    done += static_cast<std::size_t>(got);
  }
  return static_cast<ssize_t>(done);
}

SegmentStore::SegmentStore(const char* directory, std::uint64_t system_identifier, FileOps& files) noexcept
    : files_(&files), system_identifier_(system_identifier) {
  const std::size_t length = std::strlen(directory);
  usable_ = length < sizeof directory_;
  std::memcpy(directory_, directory, usable_ ? length : 0);
  directory_[usable_ ? length : 0] = 0;
}

void SegmentStore::path(std::uint64_t segment, char (&out)[kMaxPath + kNameBytes]) const noexcept {
  std::snprintf(out, sizeof out, "%s/%016llX", directory_, static_cast<unsigned long long>(segment));
}

int SegmentStore::write_header(int file, std::uint64_t segment) const noexcept {
  SegmentHeader header{
      kSegmentMagic, 0, system_identifier_, segment, kSegmentVersion, static_cast<std::uint32_t>(kSegmentBytes)};
  header.crc = header_crc(header);
  const int result = write_fully(*files_, file, &header, sizeof header, 0);
  return result != 0 ? result : files_->fsync(file);
}

int SegmentStore::check_header(int file, std::uint64_t segment) const noexcept {
  SegmentHeader header;
  const ssize_t got = read_fully(*files_, file, &header, sizeof header, 0);
  if (got < 0) return static_cast<int>(got);
  const bool good = got == sizeof header && header.magic == kSegmentMagic && header.crc == header_crc(header) &&
                    header.version == kSegmentVersion && header.segment_bytes == kSegmentBytes &&
                    header.segment == segment && header.system_identifier == system_identifier_;
  return good ? 0 : -EBADMSG;
}

int SegmentStore::sync_directory() const noexcept {
  const int file = files_->open(directory_, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  if (file < 0) return file;
  int result = files_->fsync(file);
  if (result == -EINVAL) result = 0;  // a file system that cannot sync directories
  return close_after(*files_, file, result);
}

int SegmentStore::fill(int file, std::uint64_t segment) const noexcept {
  for (std::uint64_t at = 0; at < kSegmentBytes; at += sizeof zeros) {
    const int result = write_fully(*files_, file, zeros, sizeof zeros, at);
    if (result != 0) return result;
  }
  return write_header(file, segment);
}

int SegmentStore::create(std::uint64_t segment) const noexcept {
  if (!usable_) return -ENAMETOOLONG;
  char final_path[kMaxPath + kNameBytes], temporary[kMaxPath + kNameBytes];
  path(segment, final_path);
  // Looked for first: filling 16 MiB to find out would be dear.
  if (exists(*files_, final_path)) return -EEXIST;
  std::snprintf(temporary, sizeof temporary, "%s/%s%d", directory_, kTemporary, static_cast<int>(::getpid()));
  const int file = files_->open(temporary, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (file < 0) return file;
  int result = close_after(*files_, file, fill(file, segment));
  if (result == 0) result = files_->rename_new(temporary, final_path);
  if (result == 0) return sync_directory();
  files_->unlink(temporary);
  return result;
}

int SegmentStore::recycle(std::uint64_t old_segment, std::uint64_t segment) const noexcept {
  if (!usable_) return -ENAMETOOLONG;
  char from[kMaxPath + kNameBytes], to[kMaxPath + kNameBytes];
  path(old_segment, from);
  path(segment, to);
  if (exists(*files_, to)) return -EEXIST;
  const int file = open_for_write(old_segment, 0);
  if (file < 0) return file;
  const off_t size = ::lseek(file, 0, SEEK_END);
  int result = size == static_cast<off_t>(kSegmentBytes) ? write_header(file, segment) : -EBADMSG;
  result = close_after(*files_, file, result);
  if (result == 0) result = files_->rename_new(from, to);
  return result != 0 ? result : sync_directory();
}

int SegmentStore::remove(std::uint64_t segment) const noexcept {
  if (!usable_) return -ENAMETOOLONG;
  char name[kMaxPath + kNameBytes];
  path(segment, name);
  return files_->unlink(name);
}

int SegmentStore::open_for_write(std::uint64_t segment, int extra_flags) const noexcept {
  if (!usable_) return -ENAMETOOLONG;
  char name[kMaxPath + kNameBytes];
  path(segment, name);
  const int file = files_->open(name, O_RDWR | O_CLOEXEC, 0);
  if (file < 0) return file;
  const int result = check_header(file, segment);
  if (result == 0 && extra_flags == 0) return file;
  files_->close(file);
  // Opened twice, since the header cannot be read through O_DIRECT into any memory.
  return result != 0 ? result : files_->open(name, O_RDWR | O_CLOEXEC | extra_flags, 0);
}

int SegmentStore::open_for_read(std::uint64_t segment) const noexcept {
  if (!usable_) return -ENAMETOOLONG;
  char name[kMaxPath + kNameBytes];
  path(segment, name);
  const int file = files_->open(name, O_RDONLY | O_CLOEXEC, 0);
  if (file < 0) return file;
  const int result = check_header(file, segment);
  if (result == 0) return file;
  files_->close(file);
  return result;
}

long SegmentStore::list(std::span<std::uint64_t> numbers, bool tidy) const noexcept {
  if (!usable_) return -ENAMETOOLONG;
  DIR* const directory = ::opendir(directory_);
  if (directory == nullptr) return -errno;
  long found = 0;
  errno = 0;
  for (const dirent* entry = ::readdir(directory); entry != nullptr; entry = ::readdir(directory)) {
    std::uint64_t number;
    if (number_of(entry->d_name, number)) {
      if (static_cast<std::size_t>(found) < numbers.size()) numbers[static_cast<std::size_t>(found)] = number;
      ++found;
    } else if (tidy && std::strncmp(entry->d_name, kTemporary, sizeof kTemporary - 1) == 0) {
      ::unlinkat(::dirfd(directory), entry->d_name, 0);
    }
    errno = 0;
  }
  const int error = errno;
  ::closedir(directory);
  if (error != 0) return -error;
  const auto kept = std::min(static_cast<std::size_t>(found), numbers.size());
  std::sort(numbers.begin(), numbers.begin() + static_cast<std::ptrdiff_t>(kept));
  return found;
}

long long SegmentStore::highest() const noexcept {
  if (!usable_) return -ENAMETOOLONG;
  DIR* const directory = ::opendir(directory_);
  if (directory == nullptr) return -errno;
  std::uint64_t most = 0;
  for (const dirent* entry = ::readdir(directory); entry != nullptr; entry = ::readdir(directory)) {
    std::uint64_t number;
    if (number_of(entry->d_name, number)) most = std::max(most, number);
  }
  ::closedir(directory);
  return static_cast<long long>(most);
}

}  // namespace longbow::wal
