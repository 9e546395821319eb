// The system calls under the side WAL, behind an interface so that tests can make them fail.
// Each is the call of its name, except that an error is returned as -errno.
#pragma once

#include <sys/types.h>
#include <sys/uio.h>

#include <cstddef>

namespace longbow::wal {

class FileOps {
 public:
  constexpr FileOps() noexcept = default;
  virtual int open(const char* path, int flags, unsigned mode) noexcept;
  virtual int close(int file) noexcept;
  virtual ssize_t pwrite(int file, const void* data, std::size_t bytes, off_t at) noexcept;
  // pwritev2(2) with RWF_DSYNC: durable when it returns.
  virtual ssize_t pwritev_durable(int file, const iovec* pieces, int count, off_t at) noexcept;
  virtual ssize_t pread(int file, void* data, std::size_t bytes, off_t at) noexcept;
  virtual int fdatasync(int file) noexcept;
  // sync_file_range(2) that only starts the writes.
  virtual int start_writes(int file, off_t from, off_t bytes) noexcept;
  virtual int fsync(int file) noexcept;
  virtual int link(const char* from, const char* to) noexcept;
  // rename(2) that fails with EEXIST where `to` exists; link and unlink where the file system has no such flag.
  virtual int rename_new(const char* from, const char* to) noexcept;
  virtual int unlink(const char* path) noexcept;
  // What io_uring said of a write: a test may replace it.
  virtual int ring_result(int result) noexcept { return result; }

 protected:
  ~FileOps() = default;
};

// The real ones.
FileOps& system_files() noexcept;

}  // namespace longbow::wal
