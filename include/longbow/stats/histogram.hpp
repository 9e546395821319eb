// A histogram of latencies in nanoseconds, in shared memory: four buckets a power of two, relaxed atomics.
// All zeros is an empty one. A quantile is wrong by at most an eighth of its value.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "longbow/stats/counter.hpp"

namespace longbow::stats {

class Histogram {
 public:
  static constexpr std::size_t kBuckets = 160;  // up to 2^40 ns, 18 minutes; longer ones fall into the last

  void record(std::uint64_t nanoseconds) noexcept {
    buckets_[bucket_of(nanoseconds)].add();
    sum_.add(nanoseconds);
  }
  // Starts anew, as Counter::reset() does.
  void reset() noexcept;
  // How many values were below 2^power nanoseconds; exact, since bucket edges are there. 2 <= power <= 40.
  [[nodiscard]] std::uint64_t count_below(unsigned power) const noexcept;
  // How many values were recorded, and their sum in nanoseconds.
  [[nodiscard]] std::uint64_t count() const noexcept;
  [[nodiscard]] std::uint64_t sum() const noexcept { return sum_.value(); }
  // How many values fell into bucket 0 <= i < kBuckets: those from lower_bound(i), below lower_bound(i + 1).
  [[nodiscard]] std::uint64_t bucket(std::size_t i) const noexcept { return buckets_[i].value(); }
  // The value in nanoseconds below which the share 0 <= q <= 1 of all values lies; 0 if there is none.
  [[nodiscard]] std::uint64_t quantile(double q) const noexcept;

  static std::size_t bucket_of(std::uint64_t nanoseconds) noexcept;
  static std::uint64_t lower_bound(std::size_t bucket) noexcept;

 private:
  Counter buckets_[kBuckets];
  Counter sum_;
};

}  // namespace longbow::stats
