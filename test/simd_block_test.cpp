// The block scan of every tier: integer sums bit for bit against plain sums over codes packed here by the layout in
// kernels.hpp, at the edge of readable memory and at the extremes where int16 would saturate.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "simd_testing.hpp"

namespace longbow::simd::testing {
namespace {

constexpr std::size_t kMostGroups = 600;
constexpr unsigned kWidths[] = {1, 2, 4, 8};

// Writes code c of a row's dimension x into a block of codes.
void put_code(std::uint8_t* codes, unsigned bits, std::size_t row, std::size_t x, unsigned c) {
  const std::size_t group_dims = 32 / bits;
  std::uint8_t& byte = codes[x / group_dims * kGroupBytes + row * 4 + x % 4];
  byte = static_cast<std::uint8_t>(byte | c << (x % group_dims) / 4 * bits);
}

class SimdBlock : public ::testing::TestWithParam<NamedTable> {
 protected:
  const Kernels& k = *GetParam().kernels;
  Guarded<std::uint8_t> codes_{kMostGroups * kGroupBytes};
  Guarded<std::int8_t> query_{kMostGroups * 32};
  Guarded<std::int32_t> acc_{kBlockRows};

  // Compares with the scalar tier for the last `groups` groups of what codes_ and query_ hold.
  void expect_scalar(unsigned bits, std::size_t groups) {
    const std::uint8_t* codes = codes_.last(groups * kGroupBytes);
    const std::int8_t* query = query_.last(groups * 32 / bits);
    std::int32_t* acc = acc_.last(kBlockRows);
    std::int32_t expected[kBlockRows];
    for (std::size_t row = 0; row < kBlockRows; ++row) expected[row] = acc[row] = static_cast<int>(row) * 1001 - 7000;
    k.block_dot[width_index(bits)](codes, groups, query, acc);
    kScalarKernels.block_dot[width_index(bits)](codes, groups, query, expected);
    for (std::size_t row = 0; row < kBlockRows; ++row)
      ASSERT_EQ(acc[row], expected[row]) << bits << " bits, " << groups << " groups, row " << row;
  }
};

TEST_P(SimdBlock, DotFollowsTheLayout) {
  Numbers numbers(1);
  for (const unsigned bits : kWidths)
    for (const std::size_t groups : {1u, 2u, 7u, 25u}) {
      const std::size_t dims = groups * 32 / bits;
      std::vector<std::uint8_t> codes(groups * kGroupBytes);
      std::vector<std::int8_t> query(dims);
      numbers.fill(query.data(), dims, -127, 127);
      std::int32_t expected[kBlockRows] = {}, acc[kBlockRows] = {};
      for (std::size_t row = 0; row < kBlockRows; ++row)
        for (std::size_t x = 0; x < dims; ++x) {
          const int c = numbers.integer(0, (1 << bits) - 1);
          put_code(codes.data(), bits, row, x, static_cast<unsigned>(c));
          expected[row] += c * query[x];
        }
      k.block_dot[width_index(bits)](codes.data(), groups, query.data(), acc);
      for (std::size_t row = 0; row < kBlockRows; ++row) EXPECT_EQ(acc[row], expected[row]) << bits << " bits";
    }
}

TEST_P(SimdBlock, DotAgreesWithScalarAtEveryLength) {
  Numbers numbers(2);
  numbers.fill(codes_.last(kMostGroups * kGroupBytes), kMostGroups * kGroupBytes, 0, 255);
  numbers.fill(query_.last(kMostGroups * 32), kMostGroups * 32, -127, 127);
  for (const unsigned bits : kWidths)
    for (std::size_t groups = 0; groups <= kMostGroups; groups += groups < 150 ? 1 : 9) expect_scalar(bits, groups);
}

TEST_P(SimdBlock, DotAtTheExtremes) {
  for (const int code : {0, 1, 127, 128, 255})
    for (const int sign : {-1, 0, 1}) {
      std::fill_n(codes_.last(kMostGroups * kGroupBytes), kMostGroups * kGroupBytes, static_cast<std::uint8_t>(code));
      std::int8_t* query = query_.last(kMostGroups * 32);
      for (std::size_t i = 0; i < kMostGroups * 32; ++i)
        query[i] = static_cast<std::int8_t>(sign != 0 ? sign * 127 : i % 4 < 2 ? 127 : -127);
      for (const unsigned bits : kWidths)
        for (const std::size_t groups : {1u, 3u, 4u, 5u, 10u, 11u, 16u, 17u, 128u, 599u, 600u})
          expect_scalar(bits, groups);
    }
}

TEST_P(SimdBlock, DotFromUnalignedCodesAndQuery) {
  std::vector<std::uint8_t> codes(30 * kGroupBytes + 64);
  std::vector<std::int8_t> query(30 * 32 + 64);
  Numbers numbers(5);
  numbers.fill(codes.data(), codes.size(), 0, 255);
  numbers.fill(query.data(), query.size(), -127, 127);
  for (std::size_t shift = 0; shift < 64; shift += 3)
    for (int width = 0; width < 4; ++width) {
      std::int32_t acc[kBlockRows] = {}, expected[kBlockRows] = {};
      k.block_dot[width](&codes[shift], 30, &query[shift], acc);
      kScalarKernels.block_dot[width](&codes[shift], 30, &query[shift], expected);
      EXPECT_TRUE(std::equal(acc, acc + kBlockRows, expected)) << "shift " << shift << ", width " << width;
    }
}

TEST_P(SimdBlock, AbsoluteSumsAtEveryDims) {
  constexpr std::size_t kDims = 300;
  Numbers numbers(9);
  Guarded<float> t_guard(kDims), scale_guard(kBlockRows), acc_guard(kBlockRows);
  numbers.fill(codes_.last(kMostGroups * kGroupBytes), kMostGroups * kGroupBytes, 0, 255);
  numbers.fill(t_guard.last(kDims), kDims, -3, 3);
  float *scale = scale_guard.last(kBlockRows), *acc = acc_guard.last(kBlockRows);
  for (const unsigned bits : kWidths) {
    const unsigned mask = (1u << bits) - 1;
    const double half = mask / 2.0;
    numbers.fill(scale, kBlockRows, 0, static_cast<float>(2 / half));
    for (std::size_t dims = 0; dims <= kDims; dims += dims < 140 ? 1 : 5) {
      const std::size_t group_dims = 32 / bits, groups = (dims + group_dims - 1) / group_dims;
      const std::uint8_t* codes = codes_.last(groups * kGroupBytes);
      const float* t = t_guard.last(dims);
      for (std::size_t row = 0; row < kBlockRows; ++row) acc[row] = static_cast<float>(row);
      k.block_l1[width_index(bits)](codes, dims, t, scale, acc);
      for (std::size_t row = 0; row < kBlockRows; ++row) {
        double expected = static_cast<double>(row), size = expected;
        for (std::size_t x = 0; x < dims; ++x) {
          const unsigned byte = codes[x / group_dims * kGroupBytes + row * 4 + x % 4];
          const double v = static_cast<double>(scale[row]) * ((byte >> x % group_dims / 4 * bits & mask) - half);
          expected += std::fabs(t[x] - v);
          size += std::fabs(t[x]) + std::fabs(v);
        }
        ASSERT_NEAR(acc[row], expected, error_bound(dims, size)) << bits << " bits, " << dims << " dims, row " << row;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Tiers, SimdBlock, ::testing::ValuesIn(tables()), table_label);

}  // namespace
}  // namespace longbow::simd::testing
