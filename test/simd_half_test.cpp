// The kernels on halves of every tier: against sums in double at every length 1..1100, at the edge of readable memory,
// with subnormals, infinities, NaN and overflow; the conversions against base/half.hpp for every half.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "simd_testing.hpp"

namespace longbow::simd::testing {
namespace {

constexpr std::size_t kLongest = 1100;
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr Half kNan{0x7e00}, kInf{0x7c00}, kLargest{0x7bff}, kLeast{0x0001}, kOne{0x3c00}, kTwo{0x4000};

struct Expected {
  double value = 0, absolute = 0;
  void add(double term) { value += term, absolute += std::fabs(term); }
};

class SimdHalf : public ::testing::TestWithParam<NamedTable> {
 protected:
  SimdHalf() {
    Numbers numbers(11);
    for (std::size_t i = 0; i < kLongest; ++i) {
      a_.last(kLongest)[i] = base::to_half(numbers.real(-1, 1));
      b_.last(kLongest)[i] = base::to_half(numbers.real(-2, 2));
    }
  }
  const Kernels& k = *GetParam().kernels;
  Guarded<Half> a_{kLongest}, b_{kLongest}, halves_{kLongest};
  Guarded<float> floats_{kLongest};
};

// Compares the four distances of n elements with sums in double.
void expect_distances(const Kernels& k, const Half* a, const Half* b, std::size_t n) {
  Expected l2, ip, l1, aa, bb;
  for (std::size_t i = 0; i < n; ++i) {
    const double x = base::to_float(a[i]), y = base::to_float(b[i]);
    l2.add((x - y) * (x - y)), ip.add(x * y), l1.add(std::fabs(x - y)), aa.add(x * x), bb.add(y * y);
  }
  const auto near = [n](float got, const Expected& want) {
    EXPECT_NEAR(got, want.value, error_bound(n, want.absolute)) << "n = " << n;
  };
  near(k.l2_squared_f16(a, b, n), l2);
  near(k.inner_product_f16(a, b, n), ip);
  near(k.l1_f16(a, b, n), l1);
  const CosineSums sums = k.cosine_f16(a, b, n);
  near(sums.dot, ip);
  near(sums.a_squared, aa);
  near(sums.b_squared, bb);
}

TEST_P(SimdHalf, DistancesAtEveryLength) {
  for (std::size_t n = 0; n <= kLongest; ++n) expect_distances(k, a_.last(n), b_.last(n), n);
}

TEST_P(SimdHalf, Subnormals) {
  std::vector<Half> a(300), b(300);
  Numbers numbers(2);
  for (std::size_t i = 0; i < a.size(); ++i) {
    a[i] = {static_cast<std::uint16_t>(numbers.integer(0, 0x3ff) | numbers.integer(0, 1) << 15)};
    b[i] = {static_cast<std::uint16_t>(numbers.integer(0, 0x7ff))};
  }
  for (std::size_t n = 1; n <= a.size(); n += 7) expect_distances(k, a.data(), b.data(), n);
  EXPECT_EQ(k.inner_product_f16(&kLeast, &kLeast, 1), 0x1p-48f);
  EXPECT_EQ(k.l1_f16(&kLeast, &kOne, 1), 1 - 0x1p-24f);
}

TEST_P(SimdHalf, NanInfinityAndTheLargest) {
  for (std::size_t n = 1; n < 140; n += n < 40 ? 1 : 13) {
    std::vector<Half> a(n, kOne), b(n, kTwo);
    for (std::size_t at = 0; at < n; at += n < 40 ? 1 : 13) {
      a[at] = kNan;
      EXPECT_TRUE(std::isnan(k.l2_squared_f16(a.data(), b.data(), n)));
      EXPECT_TRUE(std::isnan(k.inner_product_f16(a.data(), b.data(), n)));
      EXPECT_TRUE(std::isnan(k.l1_f16(b.data(), a.data(), n)));
      EXPECT_TRUE(std::isnan(k.cosine_f16(b.data(), a.data(), n).dot));
      a[at] = kInf;
      EXPECT_EQ(k.l2_squared_f16(a.data(), b.data(), n), kInfinity);
      EXPECT_EQ(k.inner_product_f16(a.data(), b.data(), n), kInfinity);
      EXPECT_EQ(k.l1_f16(a.data(), b.data(), n), kInfinity);
      EXPECT_EQ(k.cosine_f16(a.data(), b.data(), n).a_squared, kInfinity);
      a[at] = kLargest;
      EXPECT_EQ(k.l1_f16(a.data(), b.data(), n), 65502 + static_cast<float>(n - 1));
      EXPECT_EQ(k.inner_product_f16(a.data(), b.data(), n), 131008 + 2 * static_cast<float>(n - 1));
      a[at] = kOne;
    }
  }
  // 16,000 squares of the largest difference stay within float32.
  const std::vector<Half> a(16000, kLargest), b(16000, {0xfbff});
  EXPECT_NEAR(k.l2_squared_f16(a.data(), b.data(), a.size()), 16000 * std::pow(131008.0, 2), 1e9);
}

TEST_P(SimdHalf, ConversionOfEveryHalf) {
  std::vector<Half> all(0x10000), back(0x10000);
  std::vector<float> values(0x10000);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = {static_cast<std::uint16_t>(i)};
  k.from_f16(all.data(), values.data(), all.size());
  k.to_f16(values.data(), back.data(), all.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (base::is_nan(all[i])) {
      EXPECT_TRUE(std::isnan(values[i]) && base::is_nan(back[i])) << i;
    } else {
      EXPECT_EQ(std::bit_cast<std::uint32_t>(values[i]), std::bit_cast<std::uint32_t>(base::to_float(all[i]))) << i;
      EXPECT_EQ(back[i].bits, all[i].bits);
    }
  }
}

TEST_P(SimdHalf, RoundingAgreesWithScalar) {
  std::vector<float> values;
  for (unsigned bits = 0; bits <= 0x7bff; ++bits) {
    const float low = base::to_float({static_cast<std::uint16_t>(bits)}),
                step = bits < 0x400 ? 0x1p-24f : low * 0x1p-10f;
    for (const float part : {0.25f, 0.4999f, 0.5f, 0.5001f, 0.75f})
      values.push_back(low + part * step), values.push_back(-values.back());
  }
  for (const float edge : {65519.99f, 65520.0f, 1e30f, kInfinity, 0x1p-25f, 1e-40f, 0.0f}) values.push_back(edge);
  std::vector<Half> halves(values.size());
  k.to_f16(values.data(), halves.data(), values.size());
  for (std::size_t i = 0; i < values.size(); ++i) EXPECT_EQ(halves[i].bits, base::to_half(values[i]).bits) << values[i];
}

TEST_P(SimdHalf, ConversionAtEveryLengthWritesNoFurther) {
  for (std::size_t n = 0; n < kLongest; ++n) {
    Half* halves = halves_.last(n);
    float* floats = floats_.last(n);
    halves[-1] = kLargest, floats[-1] = 42;
    k.from_f16(a_.last(n), floats, n);
    k.to_f16(floats, halves, n);
    for (std::size_t i = 0; i < n; ++i) {
      ASSERT_EQ(floats[i], base::to_float(a_.last(n)[i]));
      ASSERT_EQ(halves[i].bits, a_.last(n)[i].bits);
    }
    ASSERT_TRUE(halves[-1].bits == kLargest.bits && floats[-1] == 42) << n;
  }
}

INSTANTIATE_TEST_SUITE_P(Tiers, SimdHalf, ::testing::ValuesIn(tables()), table_label);

}  // namespace
}  // namespace longbow::simd::testing
