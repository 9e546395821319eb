// Counters that many processes raise in shared memory: relaxed atomics, ordered with nothing. All zeros is a fresh one.
#pragma once

#include <atomic>
#include <cstdint>

namespace longbow::stats {

class Counter {
 public:
  void add(std::uint64_t n = 1) noexcept { value_.fetch_add(n, std::memory_order_relaxed); }
  // Raises the value to n if it is lower.
  void raise_to(std::uint64_t n) noexcept {
    std::uint64_t now = value_.load(std::memory_order_relaxed);
    while (now < n && !value_.compare_exchange_weak(now, n, std::memory_order_relaxed)) {
    }
  }
  // Starts anew from zero; what others add at the same time may be lost or stay.
  void reset() noexcept { value_.store(0, std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::uint64_t> value_;
  static_assert(std::atomic<std::uint64_t>::is_always_lock_free, "shared between processes");
};

}  // namespace longbow::stats
