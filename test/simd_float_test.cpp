// The float kernels of every tier: against sums in double at every length 1..1100, at the edge of readable memory, and
// with infinities, NaN and overflow.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "simd_testing.hpp"

namespace longbow::simd::testing {
namespace {

constexpr std::size_t kLongest = 1100;
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

struct Expected {
  double value = 0, absolute = 0;
  void add(double term, double size) { value += term, absolute += size; }
  void add(double term) { add(term, std::fabs(term)); }
};

void expect_near(float actual, const Expected& expected, std::size_t n) {
  EXPECT_NEAR(actual, expected.value, error_bound(n, expected.absolute)) << "n = " << n;
}

class SimdFloat : public ::testing::TestWithParam<NamedTable> {
 protected:
  SimdFloat() {
    Numbers numbers(7);
    numbers.fill(a_.last(kLongest), kLongest);
    numbers.fill(b_.last(kLongest), kLongest, -2, 2);
    numbers.fill(u_.last(kLongest), kLongest, 0, 255);
  }
  const Kernels& k = *GetParam().kernels;
  Guarded<float> a_{kLongest}, b_{kLongest}, out_{kLongest};
  Guarded<std::uint8_t> u_{kLongest}, codes_{kLongest};
};

TEST_P(SimdFloat, DistancesAtEveryLength) {
  for (std::size_t n = 0; n <= kLongest; ++n) {
    const float *a = a_.last(n), *b = b_.last(n);
    Expected l2, ip, l1, aa, bb;
    for (std::size_t i = 0; i < n; ++i) {
      const double x = a[i], y = b[i];
      l2.add((x - y) * (x - y)), ip.add(x * y), l1.add(std::fabs(x - y)), aa.add(x * x), bb.add(y * y);
    }
    expect_near(k.l2_squared(a, b, n), l2, n);
    expect_near(k.inner_product(a, b, n), ip, n);
    expect_near(k.l1(a, b, n), l1, n);
    const CosineSums sums = k.cosine(a, b, n);
    expect_near(sums.dot, ip, n);
    expect_near(sums.a_squared, aa, n);
    expect_near(sums.b_squared, bb, n);
  }
}

TEST_P(SimdFloat, UnalignedPointers) {
  std::vector<float> a(600), b(600);
  Numbers numbers(3);
  numbers.fill(a.data(), 600), numbers.fill(b.data(), 600);
  for (std::size_t left = 0; left < 17; ++left)
    for (std::size_t right = 0; right < 17; right += 5) {
      Expected l2;
      for (std::size_t i = 0; i < 515; ++i) l2.add(std::pow(double(a[left + i]) - b[right + i], 2));
      expect_near(k.l2_squared(&a[left], &b[right], 515), l2, 515);
    }
}

TEST_P(SimdFloat, NanAndOverflow) {
  for (const std::size_t n : {1u, 3u, 4u, 7u, 16u, 33u, 64u, 100u, 129u, 784u}) {
    std::vector<float> a(n, 1), b(n, 2);
    for (std::size_t at = 0; at < n; at += n < 40 ? 1 : 13) {
      a[at] = kNan;
      EXPECT_TRUE(std::isnan(k.l2_squared(a.data(), b.data(), n)));
      EXPECT_TRUE(std::isnan(k.inner_product(a.data(), b.data(), n)));
      EXPECT_TRUE(std::isnan(k.l1(b.data(), a.data(), n)));
      EXPECT_TRUE(std::isnan(k.cosine(b.data(), a.data(), n).dot));
      a[at] = kInfinity;
      EXPECT_EQ(k.l2_squared(a.data(), b.data(), n), kInfinity);
      EXPECT_EQ(k.inner_product(a.data(), b.data(), n), kInfinity);
      EXPECT_EQ(k.l1(a.data(), b.data(), n), kInfinity);
      a[at] = -3e38f;
      EXPECT_EQ(k.l2_squared(a.data(), b.data(), n), kInfinity);
      EXPECT_EQ(k.inner_product(a.data(), b.data(), n), -kInfinity);
      EXPECT_EQ(k.cosine(a.data(), b.data(), n).a_squared, kInfinity);
      a[at] = 1;
    }
  }
}

TEST_P(SimdFloat, RefineAtEveryLength) {
  const float scale = 0.013f;
  for (std::size_t n = 0; n <= kLongest; ++n) {
    const std::uint8_t* u = u_.last(n);
    const float* t = b_.last(n);
    Expected l2, ip, l1;
    for (std::size_t i = 0; i < n; ++i) {
      const double v = u[i] - 127.5, d = t[i] - scale * v, size = std::fabs(t[i]) + std::fabs(scale * v);
      l2.add(d * d, size * size), ip.add(t[i] * v), l1.add(std::fabs(d), size);
    }
    expect_near(k.refine_l2(u, t, scale, n), l2, n);
    expect_near(k.refine_ip(u, t, n), ip, n);
    expect_near(k.refine_l1(u, t, scale, n), l1, n);
  }
}

TEST_P(SimdFloat, RefineWithInfiniteScaleIsInfinite) {
  for (std::size_t n = 1; n < 80; ++n) EXPECT_EQ(k.refine_l2(u_.last(n), b_.last(n), kInfinity, n), kInfinity) << n;
}

TEST_P(SimdFloat, MaxAbs) {
  for (std::size_t n = 0; n <= kLongest; ++n) {
    const float* r = b_.last(n);
    float expected = 0;
    for (std::size_t i = 0; i < n; ++i) expected = std::max(expected, std::fabs(r[i]));
    EXPECT_EQ(k.max_abs(r, n), expected) << n;
  }
  std::vector<float> r(100, -1.0f);
  for (std::size_t at = 0; at < r.size(); ++at) {
    r[at] = -kInfinity;
    EXPECT_EQ(k.max_abs(r.data(), r.size()), kInfinity);
    r[at] = kNan;
    EXPECT_EQ(k.max_abs(r.data(), r.size()), 1);
    r[at] = -1;
  }
}

TEST_P(SimdFloat, GridAtEveryLength) {
  for (const float half : {0.5f, 1.5f, 7.5f, 127.5f})
    for (std::size_t n = 0; n <= kLongest; n += n < 200 ? 1 : 37) {
      const float *r = b_.last(n), inverse = half / 1.7f;
      std::uint8_t* codes = codes_.last(n);
      k.grid_codes(r, n, inverse, half, codes);
      Expected dot, squared;
      for (std::size_t i = 0; i < n; ++i) {
        const float v = std::clamp(std::floor(r[i] * inverse) + 0.5f, -half, half);
        dot.add(double(v) * r[i]), squared.add(double(v) * v);
        ASSERT_EQ(codes[i], static_cast<int>(v + half)) << "n = " << n << ", i = " << i;
      }
      const GridSums sums = k.grid_sums(r, n, inverse, half);
      expect_near(sums.dot, dot, n);
      expect_near(sums.squared, squared, n);
    }
}

TEST_P(SimdFloat, GridEdgesAndNonNumbers) {
  const float values[] = {0,    -0.0f, 1,         -1,         0.99999994f, -1e-30f, 7,   8,   -8, -9,
                          1e9f, -1e9f, kInfinity, -kInfinity, kNan,        3e38f,   6.5, 7.5, -7};
  const std::uint8_t expected[] = {8, 8, 9, 7, 8, 7, 15, 15, 0, 0, 15, 0, 15, 0, 0, 15, 14, 15, 1};
  constexpr std::size_t kCount = sizeof expected;
  std::uint8_t codes[kCount];
  k.grid_codes(values, kCount, 1, 7.5f, codes);
  for (std::size_t i = 0; i < kCount; ++i) EXPECT_EQ(codes[i], expected[i]) << values[i];
  for (std::size_t i = 0; i < kCount; ++i) {
    k.grid_codes(values + i, 1, 1, 7.5f, codes);
    EXPECT_EQ(codes[0], expected[i]) << values[i];
  }
}

TEST_P(SimdFloat, VectorOperationsAtEveryLength) {
  std::vector<float> copy(kLongest), other(kLongest);
  for (std::size_t n = 0; n <= kLongest; n += n < 200 ? 1 : 37) {
    const float *a = a_.last(n), *b = b_.last(n);
    float* out = out_.last(n);
    out_.last(kLongest)[0] = 42;
    const auto expect_each = [&](auto expected) {
      for (std::size_t i = 0; i < n; ++i) ASSERT_EQ(out[i], expected(i)) << "n = " << n << ", i = " << i;
    };
    k.subtract(a, b, out, n);
    expect_each([&](std::size_t i) { return a[i] - b[i]; });
    k.multiply(a, b, out, n);
    expect_each([&](std::size_t i) { return a[i] * b[i]; });
    std::copy(a, a + n, out);
    k.subtract(out, b, out, n);
    expect_each([&](std::size_t i) { return a[i] - b[i]; });
    std::copy(a, a + n, out);
    k.add_to(b, out, n);
    expect_each([&](std::size_t i) { return a[i] + b[i]; });
    std::copy(a, a + n, out);
    k.scale(out, 0.37f, n);
    expect_each([&](std::size_t i) { return a[i] * 0.37f; });
    std::copy(a, a + n, out);
    std::copy(b, b + n, copy.begin());
    k.butterfly(out, copy.data(), 0.7f, n);
    expect_each([&](std::size_t i) { return 0.7f * (a[i] + b[i]); });
    for (std::size_t i = 0; i < n; ++i) ASSERT_EQ(copy[i], 0.7f * (a[i] - b[i]));
    if (n < kLongest) {
      ASSERT_EQ(out_.last(kLongest)[0], 42) << "wrote before the array";
    }
  }
}

TEST_P(SimdFloat, VectorOperationsWriteNoFurther) {
  for (std::size_t n = 0; n < 70; ++n) {
    std::vector<float> a(n + 20, 3), b(n + 20, 5);
    std::vector<std::uint8_t> codes(n + 20, 99);
    k.butterfly(a.data(), b.data(), 2, n);
    k.scale(a.data(), 2, n);
    k.add_to(b.data(), a.data(), n);
    k.grid_codes(b.data(), n, 1, 7.5f, codes.data());
    for (std::size_t i = n; i < n + 20; ++i) {
      ASSERT_EQ(a[i], 3);
      ASSERT_EQ(b[i], 5);
      ASSERT_EQ(codes[i], 99);
    }
  }
}

TEST_P(SimdFloat, HadamardIsTheSignedSumAndItsOwnInverse) {
  for (std::size_t n = 1; n <= 512; n *= 2) {
    Guarded<float> guarded(n);
    float* a = guarded.last(n);
    Numbers numbers(static_cast<unsigned>(n));
    numbers.fill(a, n);
    const std::vector<float> before(a, a + n);
    k.hadamard(a, n);
    for (std::size_t i = 0; i < n; ++i) {
      Expected expected;
      for (std::size_t j = 0; j < n; ++j) expected.add(__builtin_parityll(i & j) ? -before[j] : before[j]);
      expect_near(a[i], expected, n);
    }
    k.hadamard(a, n);
    for (std::size_t i = 0; i < n; ++i) EXPECT_NEAR(a[i] / n, before[i], 2e-6);
  }
}

TEST_P(SimdFloat, HadamardAgreesWithScalarBitForBit) {
  for (std::size_t n = 1; n <= 16384; n *= 2) {
    std::vector<float> a(n);
    Numbers(static_cast<unsigned>(n)).fill(a.data(), n);
    std::vector<float> reference = a;
    k.hadamard(a.data(), n);
    kScalarKernels.hadamard(reference.data(), n);
    EXPECT_EQ(std::memcmp(a.data(), reference.data(), n * sizeof(float)), 0) << n;
  }
}

INSTANTIATE_TEST_SUITE_P(Tiers, SimdFloat, ::testing::ValuesIn(tables()), table_label);

TEST(SimdDispatch, LimitLowersAndRaisesTheTier) {
  const Tier detected = detected_tier();
  for (int limit = 0; limit < kTierCount; ++limit) {
    set_tier_limit(static_cast<Tier>(limit));
    const Tier expected = std::min(static_cast<Tier>(limit), detected);
    EXPECT_EQ(active_tier(), expected);
    EXPECT_EQ(&kernels(), &kernels_of(expected));
    const KernelChoice* rows;
    const std::size_t count = kernel_choices(&rows);
    ASSERT_GT(count, 20u);
    EXPECT_STREQ(rows[0].kernel, "l2_squared");
    EXPECT_STREQ(rows[0].implementation, tier_name(expected));
  }
  set_tier_limit(Tier::avx512);
  EXPECT_EQ(active_tier(), detected);
}

TEST(SimdDispatch, FeaturesFitTheBuffer) {
  char all[256], few[9];
  detected_features(all, sizeof all);
  detected_features(few, sizeof few);
  EXPECT_LT(std::strlen(few), sizeof few);
  EXPECT_EQ(std::strncmp(all, few, std::strlen(few)), 0);
}

}  // namespace
}  // namespace longbow::simd::testing
