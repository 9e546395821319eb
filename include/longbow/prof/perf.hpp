// Samples of a process's processor time taken by the kernel: perf_event_open(2) on its main thread, each with its
// registers and the top of its stack. Nothing is done to the process; the caller reads the samples from a ring that
// both map.
#pragma once

#include <cstddef>
#include <cstdint>

#include "longbow/prof/image.hpp"

namespace longbow::prof {

class Perf {
 public:
  Perf() = default;
  Perf(const Perf&) = delete;
  Perf& operator=(const Perf&) = delete;
  ~Perf();

  // Begins to sample so many times a second of processor time. 0, or why not: an errno.
  int open(int pid, int hz) noexcept;
  // Takes the next sample. What it points at holds until the next call. Returns whether there was one.
  bool next(Moment& out) noexcept;
  // Samples that the kernel had no room for.
  [[nodiscard]] std::uint64_t lost() const noexcept { return lost_; }
  // Whether time within the kernel counts: it may not for who has few rights (kernel.perf_event_paranoid).
  [[nodiscard]] bool sees_kernel() const noexcept { return kernel_; }

 private:
  static constexpr std::size_t kRingBytes = std::size_t{64} * 4096, kStackBytes = 16384;

  bool take_record(Moment& out) noexcept;
  void copy(std::uint64_t from, void* out, std::size_t bytes) const noexcept;

  int fd_ = -1;
  std::byte* ring_ = nullptr;  // one page of control, then the ring
  std::size_t page_ = 0;
  std::uint64_t tail_ = 0, lost_ = 0;
  bool kernel_ = false;
  alignas(8) std::byte record_[kStackBytes + 512];
};

}  // namespace longbow::prof
