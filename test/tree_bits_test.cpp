// Indexes on bit strings: leaves hold the rows' bits, searches hand out exact distances, and nothing is refined.
#include "tree_testing.hpp"

namespace longbow::testing {
namespace {

constexpr Metric kBitMetrics[] = {Metric::l2, Metric::cosine};  // Hamming, Jaccard

Shape bit_shape(Metric metric, std::uint32_t bits, std::uint32_t leaf_size = 16, std::uint32_t fanout = 0) {
  return {metric, bits, 0, leaf_size, fanout, true};
}

// A whole search: bounds are the operator's distances themselves, to the last bit.
void expect_exact(TestIndex& index, const Vector& query, tree::SearchOptions options = {}) {
  index.load();
  tree::Search search(index.store, index.space, index.memory);
  search.start(query.data(), options);
  tree::Hit hit;
  std::size_t met = 0, wrong = 0;
  while (search.next(hit)) {
    ++met;
    wrong += hit.bound == distance(index.shape(), query, index.rows.at(number_of(hit.row))) ? 0 : 1;
  }
  EXPECT_EQ(wrong, 0U);
  EXPECT_EQ(met, index.rows.size());
  EXPECT_EQ(search.counters().rows_refined, 0U);
}

TEST(TreeBits, BuiltLeavesHoldTheRowsThemselves) {
  for (const Metric metric : kBitMetrics)
    for (const std::uint32_t bits : {10U, 75U, 512U}) {
      SCOPED_TRACE(bits);
      Data data(bits, 5);
      data.as_bits(bits == 512 ? 1.5F : 0.0F);
      TestIndex index(bit_shape(metric, bits, 32));
      index.build(data, 1500, 50);
      index.expect_whole();
      const tree::Facts facts = tree::collect_facts(index.store, index.space, index.memory);
      EXPECT_EQ(facts.rows, 1500U);
      for (int i = 0; i < 3; ++i) expect_exact(index, data.next());
      tree::SearchOptions all;
      all.probes = 100000;
      std::vector<Vector> queries;
      for (int i = 0; i < 20; ++i) queries.push_back(data.next());
      for (const std::size_t k : {1U, 10U, 100U}) EXPECT_EQ(index.recall(queries, k, all), 1.0) << k;
    }
}

TEST(TreeBits, NearLeavesComeFirst) {
  for (const Metric metric : kBitMetrics) {
    Data data(128, 6, 60);
    data.as_bits(0.5F);
    TestIndex index(bit_shape(metric, 128, 32));
    index.build(data, 4000, 120);
    std::vector<Vector> queries;
    for (int i = 0; i < 50; ++i) queries.push_back(data.next());
    tree::SearchOptions few;
    few.probes = 12;
    EXPECT_GE(index.recall(queries, 10, few), 0.9);
  }
}

TEST(TreeBits, GrowsFromNothingThroughManySplits) {
  for (const Metric metric : kBitMetrics) {
    Data data(75, 7);
    data.as_bits();
    TestIndex index(bit_shape(metric, 75, 16, 8));
    index.create(metric != Metric::l2);
    index.insert(data, 200);
    index.insert(data, 1800, 50);
    EXPECT_GE(index.space.meta.leaves, 60U);
    EXPECT_GE(index.space.meta.height, 3U);
    index.expect_whole();
    expect_exact(index, data.next());
    EXPECT_EQ(index.store.held(), 0U);
  }
}

TEST(TreeBits, SlotsOfRemovedRowsAreUsedAgain) {
  Data data(40, 8);
  data.as_bits();
  TestIndex index(bit_shape(Metric::l2, 40));
  index.build(data, 600, 30);
  std::set<std::uint32_t> dead;
  for (const auto& [number, v] : index.rows)
    if (number % 3 == 0) dead.insert(number);
  EXPECT_EQ(index.sweep(dead).removed, dead.size());
  index.expect_whole("after the sweep");
  index.insert(data, 300, 30);
  index.expect_whole("after inserts");
  expect_exact(index, data.next());
}

TEST(TreeBits, LongRowsSpanPages) {
  // A block of one page, of several, centroids on pages of their own, and the longest row there is.
  for (const std::uint32_t bits : {3900U, 8000U, 14000U, 64000U}) {
    SCOPED_TRACE(bits);
    Data data(bits, 9, 5);
    data.as_bits();
    TestIndex index(bit_shape(bits == 8000 ? Metric::cosine : Metric::l2, bits));
    index.create();
    index.insert(data, bits > 60000 ? 40 : 90, 7);
    EXPECT_GE(index.space.meta.leaves, 2U);
    index.expect_whole();
    expect_exact(index, data.next());
  }
}

TEST(TreeBits, RowsAndQueriesWithoutABit) {
  for (const Metric metric : kBitMetrics) {
    Data data(33, 10);
    data.as_bits();
    TestIndex index(bit_shape(metric, 33));
    index.build(data, 200, 10);
    const Vector none(quant::bit_cells(33), 0.0F);
    index.load();
    for (int i = 0; i < 60; ++i) index.insert({none});
    index.expect_whole();
    expect_exact(index, data.next());
    expect_exact(index, none);
    tree::Search search(index.store, index.space, index.memory);
    search.start(nullptr, {});
    tree::Hit hit;
    std::size_t met = 0;
    for (; search.next(hit); ++met) EXPECT_TRUE(hit.null);
    EXPECT_EQ(met, index.rows.size());
  }
}

TEST(TreeBits, CalibrationCountsExactly) {
  for (const Metric metric : kBitMetrics) {
    Data data(100, 11, 40);
    data.as_bits();
    TestIndex index(bit_shape(metric, 100, 32));
    index.build(data, 3000, 90);
    SilentWatch watch;
    base::Alone alone(index.memory);
    const tree::Calibration c = tree::calibrate(index.store, index.space, 200, alone, watch, index.memory);
    EXPECT_GE(c.queries, 190U);
    EXPECT_EQ(c.rows, 3000U);
    const tree::CalibrationPoint last = c.curve[1][c.points[1] - 1];
    EXPECT_GE(last.recall, 0.99F);
    EXPECT_LT(c.curve[1][0].recall, last.recall);
    tree::update_meta(index.store, [&](tree::Meta& m) { m.calibration = c; });
    std::vector<Vector> queries;
    for (int i = 0; i < 100; ++i) queries.push_back(data.next());
    EXPECT_GE(index.recall(queries, 10, {}), 0.85);
  }
}

TEST(TreeBits, AnIndexOfTheEarlierFormatIsToBeRebuilt) {
  TestIndex index(bit_shape(Metric::l2, 20));
  index.create();
  tree::update_meta(index.store, [](tree::Meta& m) { m.element_type = tree::ElementCode::float_bit; });
  try {
    tree::read_meta(index.store);
    FAIL() << "was read";
  } catch (const base::Error& e) {
    EXPECT_EQ(e.code(), base::Errc::outdated);
  }
}

}  // namespace
}  // namespace longbow::testing
