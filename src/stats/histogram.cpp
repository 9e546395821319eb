// Buckets of the latency histogram: 0 to 3 hold their own value, then each power of two is divided by four.
#include "longbow/stats/histogram.hpp"

#include <algorithm>
#include <bit>

namespace longbow::stats {

std::size_t Histogram::bucket_of(std::uint64_t nanoseconds) noexcept {
  if (nanoseconds < 4) return static_cast<std::size_t>(nanoseconds);
  const auto power = static_cast<unsigned>(std::bit_width(nanoseconds)) - 1;
  const std::size_t bucket = std::size_t{power - 1} * 4 + (nanoseconds >> (power - 2) & 3);
  return std::min(bucket, kBuckets - 1);
}

std::uint64_t Histogram::lower_bound(std::size_t bucket) noexcept {
  if (bucket < 4) return bucket;
  return (4 + bucket % 4) << (bucket / 4 - 1);
}

void Histogram::reset() noexcept {
  for (Counter& bucket : buckets_) bucket.reset();
  sum_.reset();
}

std::uint64_t Histogram::count_below(unsigned power) const noexcept {
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < bucket_of(std::uint64_t{1} << power); ++i) below += buckets_[i].value();
  return below;
}

std::uint64_t Histogram::count() const noexcept {
  std::uint64_t all = 0;
  for (const Counter& bucket : buckets_) all += bucket.value();
  return all;
}

std::uint64_t Histogram::quantile(double q) const noexcept {
  const std::uint64_t all = count();
  if (all == 0) return 0;
  const double wanted = std::clamp(q, 0.0, 1.0) * static_cast<double>(all);
  double seen = 0;
  std::size_t last = 0;
  for (std::size_t i = 0; i < kBuckets; ++i) {
    const auto here = static_cast<double>(buckets_[i].value());
    if (here == 0) continue;
    last = i;
    if (seen + here >= wanted) {
      // Values are taken as spread evenly over their bucket.
      const auto low = static_cast<double>(lower_bound(i)), high = static_cast<double>(lower_bound(i + 1));
      return static_cast<std::uint64_t>(low + (high - low) * (wanted - seen) / here);
    }
    seen += here;
  }
  return lower_bound(last + 1);  // another process recorded meanwhile
}

}  // namespace longbow::stats
