// Counters and the latency histogram, alone and from several processes.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>
#include <new>

#include "longbow/stats/histogram.hpp"

namespace longbow::stats {
namespace {

TEST(Histogram, BucketsAreInOrderAndHoldTheirBounds) {
  for (std::size_t i = 0; i + 1 < Histogram::kBuckets; ++i) {
    const std::uint64_t low = Histogram::lower_bound(i), next = Histogram::lower_bound(i + 1);
    EXPECT_LT(low, next);
    EXPECT_EQ(Histogram::bucket_of(low), i);
    EXPECT_EQ(Histogram::bucket_of(next - 1), i);
  }
  EXPECT_EQ(Histogram::bucket_of(~std::uint64_t{0}), Histogram::kBuckets - 1);
}

TEST(Histogram, QuantilesAreNear) {
  const auto histogram = std::make_unique<Histogram>();
  EXPECT_EQ(histogram->quantile(0.5), 0U);
  for (std::uint64_t i = 1; i <= 10000; ++i) histogram->record(i * 100);
  EXPECT_EQ(histogram->count(), 10000U);
  EXPECT_EQ(histogram->sum(), 5000500000U);
  for (const double q : {0.01, 0.5, 0.9, 0.99})
    EXPECT_NEAR(static_cast<double>(histogram->quantile(q)), q * 1e6, q * 1e6 / 8);
  EXPECT_GE(histogram->quantile(1.0), 917504U);
}

TEST(Histogram, CountsBelowPowersOfTwoAndStartsAnew) {
  const auto histogram = std::make_unique<Histogram>();
  for (const std::uint64_t v : {0, 3, 4, 1023, 1024, 1025, 1 << 20}) histogram->record(v);
  EXPECT_EQ(histogram->count_below(2), 2U);
  EXPECT_EQ(histogram->count_below(10), 4U);
  EXPECT_EQ(histogram->count_below(11), 6U);
  EXPECT_EQ(histogram->count_below(20), 6U);
  EXPECT_EQ(histogram->count_below(21), 7U);
  EXPECT_EQ(histogram->count_below(40), histogram->count());
  histogram->record(~std::uint64_t{0});  // the last bucket, which has no upper bound
  EXPECT_EQ(histogram->count_below(39), 7U);
  histogram->reset();
  EXPECT_EQ(histogram->count(), 0U);
  EXPECT_EQ(histogram->sum(), 0U);
  EXPECT_EQ(histogram->quantile(0.5), 0U);
}

TEST(Histogram, IsSharedByProcesses) {
  void* const memory =
      ::mmap(nullptr, sizeof(Histogram) + sizeof(Counter), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  auto* const histogram = new (memory) Histogram();
  auto* const most = new (static_cast<char*>(memory) + sizeof(Histogram)) Counter();
  for (int child = 1; child <= 4; ++child)
    if (::fork() == 0) {
      for (std::uint64_t i = 0; i < 5000; ++i) {
        histogram->record(i);
        most->raise_to(i * static_cast<std::uint64_t>(child));
      }
      ::_exit(0);
    }
  for (int child = 1; child <= 4; ++child) ::wait(nullptr);
  EXPECT_EQ(histogram->count(), 20000U);
  EXPECT_EQ(most->value(), 4U * 4999U);
  ::munmap(memory, sizeof(Histogram) + sizeof(Counter));
}

}  // namespace
}  // namespace longbow::stats
