// Expected pages against what a build writes, and over all shapes.
#include "longbow/tree/sizing.hpp"
#include "tree_testing.hpp"

namespace longbow::testing {
namespace {

tree::Meta meta_of(std::uint32_t dims, std::uint32_t bits = 0, std::uint32_t leaf_size = 0) {
  return tree::new_meta({Metric::l2, dims, bits, leaf_size, 1});
}

TEST(TreeSizing, OneLeafIsExact) {
  for (const std::uint32_t dims : {1U, 64U, 100U, 784U, 2000U, 5000U, 16000U}) {
    SCOPED_TRACE(dims);
    const std::uint32_t leaf_size = tree::default_leaf_size(dims);
    Data data(dims, dims, 3);
    TestIndex index({Metric::l2, dims, 0, leaf_size});
    const std::uint32_t rows = dims > 1000 ? 10 : leaf_size / 2;
    index.build(data, rows, 1);
    EXPECT_EQ(index.store.blocks(), tree::expected_pages(meta_of(dims, 0, leaf_size), rows).total());
  }
}

TEST(TreeSizing, BuildsComeNearIt) {
  for (const std::uint32_t dims : {8U, 100U, 200U, 400U, 784U, 2000U}) {
    SCOPED_TRACE(dims);
    const std::uint32_t leaf_size = tree::default_leaf_size(dims), rows = leaf_size * 20;
    Data data(dims, dims, 200);
    TestIndex index({Metric::l2, dims, 0, leaf_size});
    index.build(data, rows, 20);
    const double expected = tree::expected_pages(meta_of(dims, 0, leaf_size), rows).total();
    EXPECT_NEAR(static_cast<double>(index.store.blocks()) / expected, 1.0, 0.15);
  }
}

TEST(TreeSizing, SeveralLevelsAreCounted) {
  Data data(8, 1, 100);
  TestIndex index({Metric::l2, 8, 0, 16, 8});
  index.build(data, 3000, 180);
  ASSERT_GT(index.space.meta.height, 2U);
  const tree::ExpectedPages pages = tree::expected_pages(index.space.meta, 3000);
  const tree::Facts facts = tree::collect_facts(index.store, index.space, index.memory);
  EXPECT_NEAR(pages.inner / facts.inner, 1.0, 0.3);
  EXPECT_NEAR(static_cast<double>(index.store.blocks()) / pages.total(), 1.0, 0.1);
}

TEST(TreeSizing, EveryShapeHasASizeThatGrowsWithItsRows) {
  for (const std::uint32_t dims :
       {1U, 2U, 31U, 63U, 64U, 191U, 192U, 383U, 384U, 1024U, 1025U, 1601U, 4096U, 8192U, 16000U})
    for (const std::uint32_t bits : {0U, 1U, 2U, 4U})
      for (const std::uint32_t leaf_size : {0U, tree::kMinLeafSize, tree::kMaxLeafSize}) {
        SCOPED_TRACE(std::to_string(dims) + " " + std::to_string(bits) + " " + std::to_string(leaf_size));
        const tree::Meta meta = meta_of(dims, bits, leaf_size);
        double before = 0;
        for (double rows = 1; rows <= 1e12; rows *= 10) {
          const tree::ExpectedPages pages = tree::expected_pages(meta, rows);
          EXPECT_GE(pages.total(), before);
          before = pages.total();
          // Never less than the codes themselves.
          EXPECT_GT(pages.refine * tree::kPageBytes, rows * dims);
          EXPECT_GE(pages.leaves * meta.leaf_size * 2, rows);
        }
      }
  EXPECT_GT(tree::expected_pages(meta_of(100), 0).total(), 1);
}

}  // namespace
}  // namespace longbow::testing
