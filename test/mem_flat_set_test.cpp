// FlatSet against std::set.
#include "longbow/mem/flat_set.hpp"

#include <gtest/gtest.h>

#include <random>
#include <set>

namespace longbow::mem {
namespace {

TEST(FlatSet, KnowsWhatWasInserted) {
  std::mt19937_64 random(1);
  FlatSet set(*std::pmr::new_delete_resource());
  EXPECT_FALSE(set.contains(1));
  std::set<std::uint64_t> expected;
  for (int i = 0; i < 20000; ++i) {
    // Dense, sparse and high keys: those of rows, nodes, and both together.
    const std::uint64_t key = i % 3 == 0 ? 1 + random() % 5000 : i % 3 == 1 ? random() | 1 : (1 + random() % 300) << 32;
    EXPECT_EQ(set.insert(key), expected.insert(key).second);
    EXPECT_EQ(set.size(), expected.size());
  }
  for (const std::uint64_t key : expected) EXPECT_TRUE(set.contains(key));
  for (int i = 0; i < 20000; ++i) {
    const std::uint64_t key = 1 + random() % 10000;
    EXPECT_EQ(set.contains(key), expected.contains(key));
  }
  EXPECT_LE(set.size() * 2 * sizeof(std::uint64_t), set.bytes());
}

TEST(FlatSet, IsEmptyAfterClear) {
  FlatSet set(*std::pmr::new_delete_resource());
  for (std::uint64_t key = 1; key <= 1000; ++key) set.insert(key);
  set.clear();
  EXPECT_EQ(set.size(), 0U);
  EXPECT_FALSE(set.contains(7));
  EXPECT_TRUE(set.insert(7));
  EXPECT_TRUE(set.contains(7));
}

TEST(FlatSet, KeysInSequenceStayFast) {
  // Row ids of a heap in order: a poor hash would make runs and the insertions quadratic.
  FlatSet set(*std::pmr::new_delete_resource());
  for (std::uint64_t block = 0; block < 4000; ++block)
    for (std::uint64_t offset = 1; offset <= 60; ++offset) EXPECT_TRUE(set.insert(block << 16 | offset));
  EXPECT_EQ(set.size(), 240000U);
}

}  // namespace
}  // namespace longbow::mem
