// block_score, select_upto and select_sums: every tier against the plain formula; block_scan against block_dot and block_score.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <vector>

#include "longbow/simd/kernels.hpp"

namespace longbow::simd {
namespace {

std::vector<Tier> tiers() {
  std::vector<Tier> result;
  for (int t = 0; t <= static_cast<int>(detected_tier()); ++t) result.push_back(static_cast<Tier>(t));
  return result;
}

TEST(BlockScore, FormulaAndMask) {
  std::mt19937 random(3);
  std::uniform_real_distribution<float> real(-2, 2);
  for (const Tier tier : tiers()) {
    const Kernels& k = kernels_of(tier);
    for (int round = 0; round < 200; ++round) {
      std::int32_t acc[16];
      float add[16], scale[16], estimate[16];
      for (int i = 0; i < 16; ++i) {
        acc[i] = static_cast<std::int32_t>(random() % 2000000) - 1000000;
        add[i] = real(random);
        scale[i] = real(random);
      }
      if (round % 10 == 0) add[round % 16] = std::numeric_limits<float>::quiet_NaN();
      const BlockScale by{real(random), 1e-6F, -500.5F};
      const float threshold = real(random);
      const std::uint32_t mask = k.block_score(acc, add, scale, by, threshold, estimate);
      for (int i = 0; i < 16; ++i) {
        const double exact = (double{by.base} + add[i]) + scale[i] * (double{by.step} * (double(acc[i]) + by.offset));
        if (std::isnan(exact)) {
          EXPECT_TRUE(std::isnan(estimate[i]));
        } else {
          EXPECT_NEAR(estimate[i], exact, 1e-5) << tier_name(tier);
        }
        EXPECT_EQ((mask >> i & 1) != 0, estimate[i] < threshold) << tier_name(tier);
      }
    }
  }
}

TEST(BlockScan, AsDotAndScoreOfEachBlock) {
  std::mt19937 random(5);
  std::uniform_real_distribution<float> real(-2, 2);
  for (const Tier tier : tiers()) {
    const Kernels& k = kernels_of(tier);
    for (int width = 0; width < 4; ++width)
      for (const std::size_t groups : {0u, 1u, 2u, 7u, 8u, 25u})
        for (const std::size_t blocks : {0u, 1u, 5u, 32u}) {
          // Codes and factors of a block lie one after the other, or all factors behind all codes.
          const bool apart = (groups + blocks) % 2 == 1;
          const std::size_t code_bytes = groups * kGroupBytes, stride = apart ? code_bytes : code_bytes + 128;
          std::vector<std::uint8_t> codes(blocks * (code_bytes + 128));
          for (std::uint8_t& c : codes) c = static_cast<std::uint8_t>(random());
          const std::size_t factors = apart ? blocks * code_bytes : code_bytes, step = apart ? 128 : stride;
          for (std::size_t b = 0; b < blocks; ++b)
            for (std::size_t i = 0; i < 32; ++i) {
              const float x = b == 3 && i == 7 ? std::numeric_limits<float>::quiet_NaN() : real(random);
              std::memcpy(&codes[factors + b * step + i * 4], &x, 4);
            }
          std::vector<std::int8_t> query(groups * 32);
          for (std::int8_t& q : query) q = static_cast<std::int8_t>(static_cast<int>(random() % 255) - 127);
          const auto* add = reinterpret_cast<const float*>(codes.data() + factors);
          const float nothing[16] = {};
          const bool none = blocks == 5;  // the same terms for all blocks
          const BlockRun run{codes.data(), none ? nothing : add, add + 16, stride, none ? 0 : step, step, blocks, groups,
                             query.data(), {real(random), 1e-4F, -50.5F}};
          const float threshold = real(random);
          std::vector<float> estimate(blocks * 16 + 1, 77.0F);
          std::vector<std::uint32_t> below(blocks + 1, 77);
          k.block_scan[width](run, threshold, estimate.data(), below.data());
          EXPECT_EQ(estimate.back(), 77.0F);
          EXPECT_EQ(below.back(), 77U);
          for (std::size_t b = 0; b < blocks; ++b) {
            std::int32_t acc[16] = {};
            float expected[16];
            k.block_dot[width](codes.data() + b * stride, groups, query.data(), acc);
            const float* at = add + b * step / 4;
            EXPECT_EQ(below[b], k.block_score(acc, none ? nothing : at, at + 16, run.by, threshold, expected)) << tier_name(tier);
            EXPECT_EQ(std::memcmp(&estimate[b * 16], expected, sizeof expected), 0)
                << tier_name(tier) << ", width " << width << ", groups " << groups << ", block " << b;
          }
        }
  }
}

TEST(SelectUpto, EveryLengthAndBar) {
  std::mt19937 random(4);
  for (const Tier tier : tiers()) {
    const Kernels& k = kernels_of(tier);
    for (std::size_t n = 0; n < 200; ++n) {
      std::vector<float> keys(n);
      for (float& key : keys) key = static_cast<float>(random() % 50);
      if (n > 3) keys[n / 2] = std::numeric_limits<float>::infinity();
      if (n > 5) keys[n / 3] = std::numeric_limits<float>::quiet_NaN();
      for (const float bar : {-1.0F, 0.0F, 7.0F, 49.0F, std::numeric_limits<float>::max()}) {
        std::vector<std::uint32_t> expected, found(n + 16);
        for (std::size_t i = 0; i < n; ++i)
          if (keys[i] <= bar) expected.push_back(static_cast<std::uint32_t>(i));
        found.resize(k.select_upto(keys.data(), n, bar, found.data()));
        EXPECT_EQ(found, expected) << tier_name(tier) << " n " << n << " bar " << bar;
        std::vector<float> rest(n);
        for (float& key : rest) key = static_cast<float>(random() % 50);
        expected.clear();
        for (std::size_t i = 0; i < n; ++i)
          if (keys[i] + rest[i] >= 50 + bar) expected.push_back(static_cast<std::uint32_t>(i));
        found.assign(n + 16, 0);
        found.resize(k.select_sums(keys.data(), rest.data(), n, 50 + bar, found.data()));
        EXPECT_EQ(found, expected) << tier_name(tier) << " sums, n " << n << " bar " << bar;
      }
    }
  }
}

}  // namespace
}  // namespace longbow::simd
