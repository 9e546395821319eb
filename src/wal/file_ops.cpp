// The system calls themselves.
#include "longbow/wal/file_ops.hpp"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace longbow::wal {
namespace {

// Turns the -1 of a call into -errno.
template <class T>
T checked(T result) noexcept {
  return result < 0 ? static_cast<T>(-errno) : result;
}

struct SystemFiles final : FileOps {};
constinit SystemFiles system_ops;

}  // namespace

FileOps& system_files() noexcept { return system_ops; }

int FileOps::open(const char* path, int flags, unsigned mode) noexcept {
  int file;
  do file = checked(::open(path, flags, mode));
  while (file == -EINTR);
  return file;
}
// Linux has released the descriptor even if close() is interrupted.
int FileOps::close(int file) noexcept { return checked(::close(file)); }
ssize_t FileOps::pwrite(int file, const void* data, std::size_t bytes, off_t at) noexcept {
  return checked(::pwrite(file, data, bytes, at));
}
ssize_t FileOps::pwritev_durable(int file, const iovec* pieces, int count, off_t at) noexcept {
  return checked(::pwritev2(file, pieces, count, at, RWF_DSYNC));
}
ssize_t FileOps::pread(int file, void* data, std::size_t bytes, off_t at) noexcept {
  return checked(::pread(file, data, bytes, at));
}
int FileOps::fdatasync(int file) noexcept { return checked(::fdatasync(file)); }
int FileOps::start_writes(int file, off_t from, off_t bytes) noexcept {
  return checked(::sync_file_range(file, from, bytes, SYNC_FILE_RANGE_WRITE));
}
int FileOps::fsync(int file) noexcept { return checked(::fsync(file)); }
int FileOps::link(const char* from, const char* to) noexcept { return checked(::link(from, to)); }
int FileOps::rename_new(const char* from, const char* to) noexcept {
  const int result = checked(::renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE));
  if (result != -EINVAL && result != -ENOSYS) return result;
  const int linked = link(from, to);
  return linked != 0 ? linked : unlink(from);
}
int FileOps::unlink(const char* path) noexcept { return checked(::unlink(path)); }

}  // namespace longbow::wal
