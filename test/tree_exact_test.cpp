// A search whose rows are measured by somebody else: order by what he says, rows that he does not see, odd answers.
#include <cmath>
#include <limits>

#include "tree_testing.hpp"

namespace longbow::testing {
namespace {

// Measures rows against a truth that has nothing to do with the codes, as for codes of hashed vectors.
class Truth final : public tree::RowDistances {
 public:
  void measure(std::span<tree::MeasuredRow> rows) override {
    for (tree::MeasuredRow& r : rows) {
      const std::uint32_t number = number_of(r.row);
      asked.insert(number);
      r.visible = number % 5 != 3;
      r.known = number % 50 != 1;
      r.distance = number % 50 == 2 ? std::numeric_limits<double>::quiet_NaN() : distance_of(number);
    }
    std::reverse(rows.begin(), rows.end());
  }
  static double distance_of(std::uint32_t number) { return std::fmod(number * 0.618034, 1.0); }
  std::set<std::uint32_t> asked;
};

std::vector<tree::Hit> search(TestIndex& index, const Vector& query, tree::SearchOptions options, Truth& truth) {
  options.exact = &truth;
  index.load();
  tree::Search search(index.store, index.space, index.memory);
  search.start(query.data(), options);
  std::vector<tree::Hit> hits;
  tree::Hit hit;
  while (search.next(hit)) hits.push_back(hit);
  return hits;
}

TEST(TreeExact, EveryVisibleRowComesOnceWithItsDistance) {
  Data data(32, 7, 20, 3);
  TestIndex index({Metric::l2, 32, 0, 32});
  index.build(data, 2000, 60);
  for (const std::size_t memory : {std::size_t{4} << 20, std::size_t{4} << 10}) {
    tree::SearchOptions options;
    options.memory_limit = memory;
    Truth truth;
    std::set<std::uint32_t> met;
    for (const tree::Hit& hit : search(index, data.next(), options, truth)) {
      const std::uint32_t number = number_of(hit.row);
      EXPECT_TRUE(met.insert(number).second);
      if (number % 50 == 1 || number % 50 == 2)
        EXPECT_EQ(hit.bound, -std::numeric_limits<double>::infinity());
      else
        EXPECT_EQ(hit.bound, Truth::distance_of(number));
    }
    EXPECT_EQ(truth.asked.size(), 2000U);
    EXPECT_EQ(met.size(), 1600U);
    for (const std::uint32_t number : met) EXPECT_NE(number % 5, 3U);
  }
}

TEST(TreeExact, TheWholeIndexAtOnceIsInOrderByWhatWasMeasured) {
  Data data(16, 3);
  TestIndex index({Metric::ip, 16, 0, 32});
  index.build(data, 100, 4);
  tree::SearchOptions options;
  options.probes = 1000;
  options.strict_order = true;
  Truth truth;
  const std::vector<tree::Hit> hits = search(index, data.next(), options, truth);
  EXPECT_GT(hits.size(), 10U);
  for (std::size_t i = 1; i < hits.size(); ++i) EXPECT_LE(hits[i - 1].bound, hits[i].bound);
}

TEST(TreeExact, ALimitOfRowsEndsTheSearch) {
  Data data(16, 4);
  TestIndex index({Metric::cosine, 16, 0, 32});
  index.build(data, 2000, 60);
  tree::SearchOptions options;
  options.max_rows = 300;
  Truth truth;
  const std::vector<tree::Hit> hits = search(index, data.next(), options, truth);
  EXPECT_GT(hits.size(), 50U);
  EXPECT_LT(truth.asked.size(), 1000U);
}

}  // namespace
}  // namespace longbow::testing
