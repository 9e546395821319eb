// The rotation: isometry within its bound, inverse, spreading of single coordinates, and a fixed sign stream.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "longbow/quant/rotation.hpp"

namespace longbow::quant {
namespace {

std::vector<std::size_t> dimensions() {
  std::vector<std::size_t> dims;
  for (std::size_t n = 1; n <= 300; n++) dims.push_back(n);
  for (const std::size_t n : {784, 1000, 1023, 1024, 1025, 1536, 16000}) dims.push_back(n);
  return dims;
}

std::vector<float> signs_of(std::uint64_t seed, std::size_t dims) {
  std::vector<float> signs(rotation_floats(dims));
  make_rotation(seed, dims, signs.data());
  return signs;
}

double norm(const std::vector<float>& x) {
  double sum = 0;
  for (const float v : x) sum += static_cast<double>(v) * v;
  return std::sqrt(sum);
}

double distance(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); i++) sum += std::pow(static_cast<double>(a[i]) - b[i], 2);
  return std::sqrt(sum);
}

std::vector<float> normal_vector(std::mt19937& random, std::size_t dims) {
  std::normal_distribution<float> normal;
  std::vector<float> x(dims);
  for (float& v : x) v = normal(random);
  return x;
}

TEST(Rotation, KeepsNormsAndDistances) {
  std::mt19937 random(1);
  for (const std::size_t n : dimensions()) {
    const std::vector<float> signs = signs_of(n, n);
    const std::vector<float> x = normal_vector(random, n), y = normal_vector(random, n);
    std::vector<float> rx = x, ry = y;
    rotate(signs.data(), rx.data(), n);
    rotate(signs.data(), ry.data(), n);
    EXPECT_NEAR(norm(rx), norm(x), kRotationError * norm(x)) << n;
    EXPECT_NEAR(distance(rx, ry), distance(x, y), kRotationError * (norm(x) + norm(y))) << n;
  }
}

TEST(Rotation, ComesBack) {
  std::mt19937 random(2);
  for (const std::size_t n : dimensions()) {
    const std::vector<float> signs = signs_of(n + 7, n);
    const std::vector<float> x = normal_vector(random, n);
    std::vector<float> y = x;
    rotate(signs.data(), y.data(), n);
    if (n > 8) {
      EXPECT_GT(distance(x, y), 0.2 * norm(x)) << n;
    }
    rotate_back(signs.data(), y.data(), n);
    EXPECT_LE(distance(x, y), 2 * kRotationError * norm(x)) << n;
  }
}

TEST(Rotation, SpreadsACoordinate) {
  for (const std::size_t n : dimensions()) {
    if (n < 64) continue;
    const std::vector<float> signs = signs_of(42, n);
    for (const std::size_t coordinate : {std::size_t{0}, n / 3, n / 2, n - 1}) {
      std::vector<float> x(n, 0.0F);
      x[coordinate] = 1;
      rotate(signs.data(), x.data(), n);
      float max = 0;
      for (const float v : x) max = std::max(max, std::fabs(v));
      // With 2^k - 1 dimensions the last coordinate is mixed late: a quarter of it stays in one place.
      const float stays = (n & (n + 1)) == 0 ? 0.26F : 0.0F;
      EXPECT_LT(max, std::max(stays, 6 / std::sqrt(static_cast<float>(n)))) << n << " coordinate " << coordinate;
    }
  }
}

// Two clusters that differ in one coordinate keep no trace of it: rotated components of many vectors are uncorrelated.
TEST(Rotation, Decorrelates) {
  constexpr std::size_t kDims = 100;
  constexpr int kSeeds = 400;
  double product = 0, squares = 0;
  for (int seed = 0; seed < kSeeds; seed++) {
    const std::vector<float> signs = signs_of(static_cast<std::uint64_t>(seed), kDims);
    std::vector<float> a(kDims, 0.0F), b(kDims, 0.0F);
    a[3] = 1;
    b[4] = 1;
    rotate(signs.data(), a.data(), kDims);
    rotate(signs.data(), b.data(), kDims);
    product += static_cast<double>(a[10]) * b[10];
    squares += static_cast<double>(a[10]) * a[10];
  }
  EXPECT_NEAR(squares / kSeeds, 1.0 / kDims, 0.25 / kDims);
  EXPECT_NEAR(product / kSeeds, 0.0, 0.2 / kDims);
}

// The signs are part of an index's format: they must never change.
TEST(Rotation, SignsArePinned) {
  const std::vector<float> signs = signs_of(1, 40);
  std::uint64_t bits[3] = {};
  for (std::size_t i = 0; i < signs.size(); i++) {
    ASSERT_EQ(std::fabs(signs[i]), 1.0F);
    if (signs[i] < 0) bits[i / 64] |= std::uint64_t{1} << (i % 64);
  }
  EXPECT_EQ(bits[0], 0x910A2DEC89025CC1U);  // splitmix64's published first outputs for seed 1
  EXPECT_EQ(bits[1], 0xBEEB8DA1658EEC67U);
  EXPECT_EQ(bits[2], 0xF893A2EEFB32555EU & 0xFFFFFFFFU);
  EXPECT_NE(signs_of(2, 40), signs);
  EXPECT_EQ(signs_of(1, 40), signs);
}

}  // namespace
}  // namespace longbow::quant
