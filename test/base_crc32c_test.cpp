// CRC-32C against the vectors of RFC 3720 B.4, by instruction and by tables.
#include <gtest/gtest.h>

#include <vector>

#include "longbow/base/crc32c.hpp"
#include "longbow/base/random.hpp"

namespace longbow::base {
namespace {

TEST(Crc32c, KnowsTheVectorsOfTheRfc) {
  std::vector<unsigned char> bytes(32, 0);
  EXPECT_EQ(crc32c(0, bytes.data(), 32), 0x8A9136AAU);
  EXPECT_EQ(testing::crc32c_by_table(0, bytes.data(), 32), 0x8A9136AAU);
  bytes.assign(32, 0xFF);
  EXPECT_EQ(crc32c(0, bytes.data(), 32), 0x62A8AB43U);
  for (int i = 0; i < 32; ++i) bytes[std::size_t(i)] = static_cast<unsigned char>(i);
  EXPECT_EQ(crc32c(0, bytes.data(), 32), 0x46DD794EU);
  EXPECT_EQ(crc32c(0, "123456789", 9), 0xE3069283U);
  EXPECT_EQ(testing::crc32c_by_table(0, "123456789", 9), 0xE3069283U);
  EXPECT_EQ(crc32c(0, "", 0), 0U);
}

TEST(Crc32c, GoesOnAndAgreesWithTables) {
  SplitMix64 random(3);
  std::vector<unsigned char> bytes(300);
  for (auto& b : bytes) b = static_cast<unsigned char>(random.next());
  for (std::size_t from = 0; from < 9; ++from)
    for (std::size_t length = 0; length < 260; length += 7) {
      const std::uint32_t whole = crc32c(0, &bytes[from], length);
      EXPECT_EQ(whole, testing::crc32c_by_table(0, &bytes[from], length));
      const std::size_t cut = length / 3;
      EXPECT_EQ(whole, crc32c(crc32c(0, &bytes[from], cut), &bytes[from + cut], length - cut));
    }
}

}  // namespace
}  // namespace longbow::base
