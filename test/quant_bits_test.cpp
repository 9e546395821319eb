// Bit strings as cells and floats, in blocks, their distances, and centroids of a byte a share.
#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "longbow/quant/bits.hpp"
#include "longbow/quant/code.hpp"
#include "longbow/simd/kernels.hpp"

namespace longbow::quant {
namespace {

std::vector<std::uint8_t> random_cells(std::size_t bits, std::mt19937& random) {
  std::vector<std::uint8_t> cells(bit_cells(bits) * kCellBytes, 0);
  for (std::size_t i = 0; i < bits; ++i)
    if (random() % 3 == 0) cells[i / 8] = static_cast<std::uint8_t>(cells[i / 8] | 0x80U >> i % 8);
  return cells;
}

TEST(Bits, SpreadAndGatherAreInverse) {
  std::mt19937 random(1);
  for (std::size_t bits = 1; bits < 300; ++bits) {
    const std::vector<std::uint8_t> cells = random_cells(bits, random);
    std::vector<float> x(bits);
    spread_bits(cells.data(), bits, 0.25F, x.data());
    std::size_t set = 0;
    for (std::size_t i = 0; i < bits; ++i) {
      const bool on = (cells[i / 8] & 0x80U >> i % 8) != 0;
      ASSERT_EQ(x[i], on ? 0.25F : 0.0F) << i << " of " << bits;
      set += on ? 1 : 0;
    }
    EXPECT_EQ(count_bits(cells.data(), bits), set);
    std::vector<std::uint8_t> back(cells.size(), 0xFF);
    gather_bits(x.data(), bits, back.data());
    ASSERT_EQ(back, cells) << bits;
  }
}

TEST(Bits, BlocksHoldEachRowsCells) {
  std::mt19937 random(2);
  constexpr std::size_t kBits = 333, kGroups = bit_cells(kBits);
  std::vector<std::uint8_t> block(kGroups * simd::kGroupBytes, 0), query = random_cells(kBits, random);
  std::vector<std::vector<std::uint8_t>> rows;
  for (unsigned row = 0; row < 16; ++row) {
    rows.push_back(random_cells(kBits, random));
    // In two parts, as of a block that spans pages.
    put_cells(block.data(), row, rows.back().data(), 0, 4);
    put_cells(block.data() + 4 * simd::kGroupBytes, row, rows.back().data(), 4, kGroups - 4);
  }
  std::int32_t both[16] = {};
  simd::kernels().block_both(block.data(), kGroups, query.data(), both);
  for (unsigned row = 0; row < 16; ++row) {
    std::vector<std::uint8_t> back(kGroups * kCellBytes);
    get_cells(block.data(), row, 0, kGroups, back.data());
    EXPECT_EQ(back, rows[row]);
    const auto set = static_cast<std::uint32_t>(count_bits(back.data(), kBits));
    const auto of_query = static_cast<std::uint32_t>(count_bits(query.data(), kBits));
    const auto shared = static_cast<std::uint32_t>(both[row]);
    EXPECT_EQ(hamming_of(set, of_query, shared), static_cast<double>(simd::kernels().hamming(back.data(), query.data(), back.size())));
    const simd::BitSums sums = simd::kernels().jaccard(back.data(), query.data(), back.size());
    EXPECT_EQ(jaccard_of(set, of_query, shared), 1 - static_cast<double>(sums.both) / static_cast<double>(sums.either));
  }
}

TEST(Bits, JaccardWithoutAnyBitIsOne) {
  EXPECT_EQ(jaccard_of(0, 0, 0), 1);
  EXPECT_EQ(jaccard_of(5, 0, 0), 1);
  EXPECT_EQ(jaccard_of(5, 5, 5), 0);
}

TEST(Bits, SharesComeBackWithinHalfALevel) {
  std::mt19937 random(3);
  for (const std::size_t bits : {1U, 7U, 64U, 1001U}) {
    for (const float most : {1.0F, 0.2F, 0.0F}) {
      std::vector<float> centroid(bits), back(bits);
      for (float& c : centroid) c = most * static_cast<float>(random() % 1000) / 999.0F;
      std::vector<std::uint8_t> packed(share_bytes(bits));
      pack_shares(centroid.data(), bits, packed.data());
      unpack_shares(packed.data(), bits, back.data());
      for (std::size_t i = 0; i < bits; ++i) EXPECT_NEAR(back[i], centroid[i], most / 510 + 1e-6F);
    }
  }
}

}  // namespace
}  // namespace longbow::quant
