// The ring's system calls through liburing.
#include "wal/uring.hpp"

#include <cerrno>
#include <cstddef>
#include <cstring>

namespace longbow::wal {
namespace {

constexpr unsigned kEntries = 4;
constexpr std::uint64_t kOurs = 0x4C42;  // liburing's own timeouts carry another mark

// Whether the kernel knows WRITEV; kernels that cannot be asked (before 5.6) do.
bool knows_writev(io_uring& ring) noexcept {
  constexpr unsigned kOps = 256;
  alignas(io_uring_probe) std::byte memory[sizeof(io_uring_probe) + kOps * sizeof(io_uring_probe_op)];
  std::memset(memory, 0, sizeof memory);
  auto* const probe = reinterpret_cast<io_uring_probe*>(memory);
  if (::io_uring_register_probe(&ring, probe, kOps) < 0) return true;
  return ::io_uring_opcode_supported(probe, IORING_OP_WRITEV) != 0;
}

}  // namespace

int Uring::open() noexcept {
  if (open_) return 0;
  const int result = ::io_uring_queue_init(kEntries, &ring_, 0);
  if (result < 0) return result;
  if (!knows_writev(ring_)) {
    ::io_uring_queue_exit(&ring_);
    return -EOPNOTSUPP;
  }
  open_ = true;
  return 0;
}

void Uring::close() noexcept {
  if (open_) ::io_uring_queue_exit(&ring_);
  open_ = false;
}

int Uring::submit_write(int file, std::span<const iovec> pieces, std::uint64_t at) noexcept {
  io_uring_sqe* const entry = ::io_uring_get_sqe(&ring_);
  if (entry == nullptr) return -EBUSY;
  ::io_uring_prep_writev(entry, file, pieces.data(), static_cast<unsigned>(pieces.size()), at);
  ::io_uring_sqe_set_data64(entry, kOurs);
  int result;
  do result = ::io_uring_submit(&ring_);
  while (result == -EINTR);
  if (result > 0) return 0;
  // The entry is still queued: a ring without it is the only sure way not to submit it later.
  close();
  const int reopened = open();
  return reopened < 0 ? reopened : result < 0 ? result : -EBUSY;
}

bool Uring::reap(std::uint64_t timeout_us, int& result) noexcept {
  if (!open_) {
    result = -ECANCELED;
    return true;
  }
  __kernel_timespec time{static_cast<long long>(timeout_us / 1'000'000),
                         static_cast<long long>(timeout_us % 1'000'000 * 1000)};
  for (;;) {
    io_uring_cqe* entry = nullptr;
    const int got =
        timeout_us == 0 ? ::io_uring_peek_cqe(&ring_, &entry) : ::io_uring_wait_cqe_timeout(&ring_, &entry, &time);
    // A signal begins the time anew, which only ever happens a few times.
    if (got == -EINTR) continue;
    if (got == -ETIME || got == -EAGAIN) return false;
    if (got < 0) {
      result = got;
      close();  // waits for or cancels what is in it
      return true;
    }
    const bool ours = ::io_uring_cqe_get_data64(entry) == kOurs;
    result = entry->res;
    ::io_uring_cqe_seen(&ring_, entry);
    if (ours) return true;
  }
}

}  // namespace longbow::wal
