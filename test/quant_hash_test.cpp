// Hashing of sparse vectors: what it keeps, what it may not change, and zero.
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <random>
#include <vector>

#include "longbow/quant/feature_hash.hpp"

namespace longbow::quant {
namespace {

using Hashed = std::array<float, kHashedDims>;

Hashed hashed(const std::vector<std::int32_t>& indices, const std::vector<float>& values) {
  Hashed out{};
  out.fill(7.0F);  // what was there before does not matter
  hash_features(indices.data(), values.data(), indices.size(), out.data());
  return out;
}

double product(const Hashed& a, const Hashed& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  return sum;
}

TEST(FeatureHash, OneFeatureKeepsItsNorm) {
  for (std::int32_t index : {0, 1, 17, 1000000, 999999999}) {
    const Hashed x = hashed({index}, {3.0F});
    EXPECT_EQ(product(x, x), 9.0) << index;
    std::size_t places = 0;
    for (const float v : x) places += v != 0.0F;
    EXPECT_EQ(places, kHashSpread);
  }
}

// Another place for an index would be another format: these numbers never change.
TEST(FeatureHash, PlacesAreFixed) {
  const Hashed x = hashed({0, 5, 123456789}, {1.0F, 2.0F, 4.0F});
  std::uint64_t print = 0;
  for (std::size_t i = 0; i < x.size(); ++i)
    print = print * 1099511628211U + static_cast<std::uint64_t>(static_cast<std::int64_t>(x[i] * 2.0F) + 100) * (i + 1);
  EXPECT_EQ(print, 13635357183084043768U);
}

TEST(FeatureHash, InnerProductsStayOnAverage) {
  std::mt19937 random(5);
  constexpr int kPairs = 2000, kCount = 40, kShared = 20;
  double sum = 0, squares = 0;
  for (int pair = 0; pair < kPairs; ++pair) {
    std::vector<std::int32_t> a, b;
    for (int i = 0; i < kCount; ++i) {
      const auto index = static_cast<std::int32_t>(random() >> 2);
      a.push_back(index);
      b.push_back(i < kShared ? index : static_cast<std::int32_t>(random() >> 2));
    }
    const std::vector<float> ones(kCount, 1.0F);
    const double error = (product(hashed(a, ones), hashed(b, ones)) - kShared) / kCount;
    sum += error;
    squares += error * error;
  }
  const double deviation = std::sqrt(squares / kPairs);
  EXPECT_LT(std::fabs(sum / kPairs), 5 * deviation / std::sqrt(static_cast<double>(kPairs)));
  EXPECT_LT(deviation, 1.5 / std::sqrt(static_cast<double>(kHashedDims)));
}

TEST(FeatureHash, OnlyZeroIsZero) {
  const Hashed zero = hashed({}, {});
  EXPECT_EQ(product(zero, zero), 0.0);
  // Values that no float sum of squares sees still leave their trace.
  const Hashed tiny = hashed({3}, {1e-45F});
  bool any = false;
  for (const float v : tiny) any = any || v != 0.0F;
  EXPECT_TRUE(any);
}

}  // namespace
}  // namespace longbow::quant
