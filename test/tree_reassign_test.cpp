// Re-assignment after splits: an index that grew finds nearly what a fresh one finds, and scans meet rows that move.
#include "tree_testing.hpp"

namespace longbow::testing {
namespace {

// The share of the 10 nearest rows that a search of so many leaves finds first.
double recall(TestIndex& index, Data& data, std::uint32_t probes, int queries) {
  std::size_t found = 0;
  for (int q = 0; q < queries; ++q) {
    const Vector query = data.next();
    std::vector<std::pair<double, std::uint32_t>> all;
    for (const auto& [number, v] : index.rows) all.emplace_back(distance(index.shape().metric, query, v), number);
    std::partial_sort(all.begin(), all.begin() + 10, all.end());
    std::set<std::uint32_t> near;
    for (int i = 0; i < 10; ++i) near.insert(all[i].second);
    index.load();
    tree::SearchOptions options;
    options.probes = probes;
    tree::Search search(index.store, index.space, index.memory);
    search.start(query.data(), options);
    tree::Hit hit;
    for (int i = 0; i < 20 && search.next(hit); ++i) found += near.contains(number_of(hit.row)) ? 1 : 0;
  }
  return static_cast<double>(found) / (10.0 * queries);
}

TEST(TreeReassign, AGrownIndexFindsWhatAFreshOneFinds) {
  const Shape shape{Metric::l2, 24, 0, 32};
  TestIndex fresh(shape), grown(shape);
  Data same(24, 17, 40), again(24, 17, 40);
  fresh.build(same, 6000, 190);
  grown.create();
  grown.insert(again, 6000, 50);
  grown.expect_whole();
  EXPECT_GT(tree::read_meta(grown.store).moves, 0U);
  Data queries(24, 17, 40), others(24, 17, 40);
  const double built = recall(fresh, queries, 12, 100);
  const double moved = recall(grown, others, 12, 100);
  EXPECT_GT(built, 0.8);
  EXPECT_GT(moved, built - 0.02);
}

// Many equal rows gather in the leaf that is theirs alone, but never so many that it must be split at once again.
TEST(TreeReassign, EqualRowsGatherAndEnd) {
  Data data(12, 3);
  std::vector<Vector> kinds;
  for (int i = 0; i < 30; ++i) kinds.push_back(data.next());
  TestIndex index({Metric::l2, 12, 0, 16});
  index.create();
  for (int round = 0; round < 60; ++round) {
    std::vector<Vector> batch;
    for (int i = 0; i < 150; ++i) batch.push_back(kinds[(round * 7 + i) % 30]);
    index.load();
    index.insert(batch);
  }
  index.expect_whole();
  // A split for every eight rows would be one after another.
  EXPECT_LT(tree::read_meta(index.store).split_counter, 9000U / 8);
}

// A crash in the middle of moves, or moves while it is read, makes a whole scan walk the tree again; no row comes twice.
TEST(TreeReassign, AScanLooksAgainWhereRowsMove) {
  Data data(8, 5);
  TestIndex index({Metric::l2, 8, 0, 16});
  index.create();
  index.insert(data, 600, 20);
  const auto leaves_read = [&] {
    index.load();
    tree::Search search(index.store, index.space, index.memory);
    search.start(data.next().data(), {});
    std::set<std::uint32_t> met;
    tree::Hit hit;
    while (search.next(hit)) EXPECT_TRUE(met.insert(number_of(hit.row)).second);
    EXPECT_EQ(met.size(), index.rows.size());
    return search.counters().leaves;
  };
  ASSERT_EQ(tree::read_meta(index.store).moves % 2, 0U);
  const std::uint64_t once = leaves_read();
  tree::update_meta(index.store, [](tree::Meta& m) { ++m.moves; });
  EXPECT_GT(leaves_read(), once + once / 2);
  // The next moves set the count right.
  index.insert(data, 400, 20);
  EXPECT_EQ(tree::read_meta(index.store).moves % 2, 0U);
  index.expect_whole();
  // VACUUM does, where none come.
  tree::update_meta(index.store, [](tree::Meta& m) { ++m.moves; });
  index.sweep({});
  EXPECT_EQ(tree::read_meta(index.store).moves % 2, 0U);
}

}  // namespace
}  // namespace longbow::testing
