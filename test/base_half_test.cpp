// The conversions of half precision: all 65,536 halves, and floats around every rounding boundary.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "longbow/base/half.hpp"

namespace longbow::base {
namespace {

// The value of a half by its definition.
double defined_value(unsigned bits) {
  const int exponent = static_cast<int>(bits >> 10 & 31), fraction = static_cast<int>(bits & 1023);
  const double size = exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
  return bits & 0x8000 ? -size : size;
}

constexpr Half half(unsigned bits) { return {static_cast<std::uint16_t>(bits)}; }

TEST(Half, EveryHalfIsExactlyAFloatAndComesBack) {
  for (unsigned bits = 0; bits < 0x10000; ++bits) {
    const float value = to_float(half(bits));
    if ((bits & 0x7fff) > 0x7c00) {
      EXPECT_TRUE(std::isnan(value) && is_nan(half(bits)) && is_nan(to_half(value))) << bits;
    } else if ((bits & 0x7fff) == 0x7c00) {
      EXPECT_TRUE(std::isinf(value) && is_infinite(half(bits))) << bits;
      EXPECT_EQ(to_half(value).bits, bits);
    } else {
      EXPECT_EQ(value, defined_value(bits)) << bits;
      EXPECT_EQ(std::signbit(value), bits >> 15 != 0) << bits;
      EXPECT_EQ(to_half(value).bits, bits);
    }
  }
}

TEST(Half, MidwayGoesToTheEvenFractionAndTheRestToTheNearest) {
  for (unsigned bits = 0; bits < 0x7bff; ++bits) {
    const float low = to_float(half(bits)), high = to_float(half(bits + 1));
    const float middle = low + (high - low) / 2;  // exact: a float has 13 more bits
    EXPECT_EQ(to_half(middle).bits, bits & 1 ? bits + 1 : bits) << bits;
    EXPECT_EQ(to_half(std::nextafter(middle, low)).bits, bits);
    EXPECT_EQ(to_half(std::nextafter(middle, high)).bits, bits + 1);
    EXPECT_EQ(to_half(-std::nextafter(middle, high)).bits, bits + 0x8001);
  }
}

TEST(Half, EdgesOfTheRange) {
  EXPECT_EQ(to_half(65519.996f).bits, 0x7bff);
  EXPECT_EQ(to_half(kHalfOverflow).bits, 0x7c00);
  EXPECT_EQ(to_half(-kHalfOverflow).bits, 0xfc00);
  EXPECT_EQ(to_half(std::numeric_limits<float>::max()).bits, 0x7c00);
  EXPECT_EQ(to_half(kHalfUnderflow).bits, 0);
  EXPECT_EQ(to_half(std::nextafter(kHalfUnderflow, 1.0f)).bits, 1);
  EXPECT_EQ(to_half(-1e-40f).bits, 0x8000);
  EXPECT_TRUE(is_nan(to_half(std::numeric_limits<float>::quiet_NaN())));
  static_assert(to_half(1.0f).bits == 0x3c00 && to_float(half(0xc000)) == -2.0f);
}

TEST(Half, RandomFloatsGoToTheNearerNeighbour) {
  std::minstd_rand engine(5);
  for (int round = 0; round < 200000; ++round) {
    const float value = std::bit_cast<float>(static_cast<std::uint32_t>(engine() * 2 + (engine() & 1)));
    if (!(std::fabs(value) < 65504)) continue;
    const Half nearest = to_half(value);
    const double error = std::fabs(to_float(nearest) - double(value));
    for (const unsigned other : {nearest.bits + 1u, nearest.bits - 1u})
      if (other < 0x10000 && (other & 0x7fff) < 0x7c00) {
        EXPECT_LE(error, std::fabs(to_float(half(other)) - double(value)));
      }
  }
}

}  // namespace
}  // namespace longbow::base
