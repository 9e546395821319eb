// One plain io_uring: a single write at a time, submitted now and reaped later. Only WRITEV is used (Linux 5.1); no
// registered buffers, links or deferred work, which cost locked memory or need a process that sits in its ring.
#pragma once

#include <liburing.h>
#include <sys/uio.h>

#include <cstdint>
#include <span>

namespace longbow::wal {

class Uring {
 public:
  // Makes the ring. 0 or -errno: ENOSYS (kernel before 5.1, or seccomp), EPERM (kernel.io_uring_disabled, seccomp),
  // EOPNOTSUPP (no WRITEV).
  int open() noexcept;
  void close() noexcept;
  // 0, or -errno: nothing was submitted. The pieces stay as they are until it is reaped.
  int submit_write(int file, std::span<const iovec> pieces, std::uint64_t at) noexcept;
  // Waits for the write; gives its result, or false if it is not done in time.
  bool reap(std::uint64_t timeout_us, int& result) noexcept;

 private:
  io_uring ring_;
  bool open_ = false;
};

}  // namespace longbow::wal
