// hamming, jaccard and the block's count of every tier: against a count of single bits at every length 0..1100 bytes, at the edge of
// readable memory, and for all ones and all zeros.
#include <gtest/gtest.h>

#include <cstring>

#include "simd_testing.hpp"

namespace longbow::simd::testing {
namespace {

constexpr std::size_t kLongest = 1100;

class SimdBits : public ::testing::TestWithParam<NamedTable> {
 protected:
  const Kernels& k = *GetParam().kernels;
};

std::uint64_t bits_of(unsigned byte) {
  std::uint64_t sum = 0;
  for (; byte != 0; byte >>= 1) sum += byte & 1;
  return sum;
}

TEST_P(SimdBits, EveryLength) {
  Guarded<std::uint8_t> left(kLongest), right(kLongest);
  Numbers numbers(23);
  numbers.fill(left.last(kLongest), kLongest, 0, 255);
  numbers.fill(right.last(kLongest), kLongest, 0, 255);
  for (std::size_t n = 0; n <= kLongest; ++n) {
    const std::uint8_t *a = left.last(n), *b = right.last(n);
    std::uint64_t differ = 0, both = 0, either = 0;
    for (std::size_t i = 0; i < n; ++i)
      differ += bits_of(a[i] ^ b[i]), both += bits_of(a[i] & b[i]), either += bits_of(a[i] | b[i]);
    ASSERT_EQ(k.hamming(a, b, n), differ) << n;
    const BitSums sums = k.jaccard(a, b, n);
    ASSERT_EQ(sums.both, both) << n;
    ASSERT_EQ(sums.either, either) << n;
  }
}

TEST_P(SimdBits, OnesAndZeros) {
  const std::size_t n = 100000;  // more than a sum of bytes in 8 bits, or in 16, could hold
  const std::vector<std::uint8_t> ones(n, 0xff), zeros(n, 0);
  EXPECT_EQ(k.hamming(ones.data(), zeros.data(), n), 8 * n);
  EXPECT_EQ(k.hamming(ones.data(), ones.data(), n), 0u);
  EXPECT_EQ(k.jaccard(ones.data(), ones.data(), n).both, 8 * n);
  EXPECT_EQ(k.jaccard(ones.data(), zeros.data(), n).both, 0u);
  EXPECT_EQ(k.jaccard(ones.data(), zeros.data(), n).either, 8 * n);
}

TEST_P(SimdBits, UnalignedPointers) {
  std::vector<std::uint8_t> a(900), b(900);
  Numbers numbers(4);
  numbers.fill(a.data(), a.size(), 0, 255), numbers.fill(b.data(), b.size(), 0, 255);
  for (const std::size_t n : {321, 777})
    for (std::size_t left = 0; left < 70; left += 3)
      for (std::size_t right = 0; right < 70; right += 7) {
        EXPECT_EQ(k.hamming(&a[left], &b[right], n), kScalarKernels.hamming(&a[left], &b[right], n));
        const BitSums sums = k.jaccard(&a[left], &b[right], n), wanted = kScalarKernels.jaccard(&a[left], &b[right], n);
        EXPECT_EQ(sums.both, wanted.both);
        EXPECT_EQ(sums.either, wanted.either);
      }
}

TEST_P(SimdBits, BlocksAtEveryLength) {
  constexpr std::size_t kMostGroups = 140;
  Guarded<std::uint8_t> codes(kMostGroups * kGroupBytes), query(kMostGroups * 4);
  Guarded<std::int32_t> sums(kBlockRows);
  Numbers numbers(7);
  numbers.fill(codes.last(kMostGroups * kGroupBytes), kMostGroups * kGroupBytes, 0, 255);
  numbers.fill(query.last(kMostGroups * 4), kMostGroups * 4, 0, 255);
  const auto expect = [&](std::size_t groups) {
    const std::uint8_t *c = codes.last(groups * kGroupBytes), *q = query.last(groups * 4);
    std::int32_t* acc = sums.last(kBlockRows);
    for (std::size_t row = 0; row < kBlockRows; ++row) acc[row] = static_cast<int>(row) * 1001 - 7000;
    k.block_both(c, groups, q, acc);
    for (std::size_t row = 0; row < kBlockRows; ++row) {
      std::int32_t both = static_cast<int>(row) * 1001 - 7000;
      for (std::size_t g = 0; g < groups; ++g)
        for (std::size_t i = 0; i < 4; ++i)
          both += static_cast<std::int32_t>(bits_of(c[g * kGroupBytes + row * 4 + i] & q[g * 4 + i] & 0xFFU));
      ASSERT_EQ(acc[row], both) << groups << " groups, row " << row;
    }
  };
  for (std::size_t groups = 0; groups <= kMostGroups; ++groups) expect(groups);
  // All bits set: bytes that count too many groups at once would overflow.
  std::memset(codes.last(kMostGroups * kGroupBytes), 0xFF, kMostGroups * kGroupBytes);
  std::memset(query.last(kMostGroups * 4), 0xFF, kMostGroups * 4);
  for (std::size_t groups = 0; groups <= kMostGroups; ++groups) expect(groups);
}

INSTANTIATE_TEST_SUITE_P(Tiers, SimdBits, ::testing::ValuesIn(tables()), table_label);

}  // namespace
}  // namespace longbow::simd::testing
