// A tree built in one go: a search to the end is the whole set, bounds are sound, and recall is what the effort buys.
#include "tree_testing.hpp"

namespace longbow::testing {
namespace {

std::vector<Vector> some(Data& data, std::size_t count) {
  std::vector<Vector> all;
  for (std::size_t i = 0; i < count; ++i) all.push_back(data.next());
  return all;
}

TEST(TreeBuild, ASearchToTheEndMeetsEveryRowOnceUnderEveryMetric) {
  for (const Metric metric : kMetrics)
    for (const std::uint32_t dims : {1U, 7U, 33U, 100U, 200U, 500U}) {
      SCOPED_TRACE(std::to_string(static_cast<int>(metric)) + " " + std::to_string(dims));
      Data data(dims, dims, 20, 3);
      TestIndex index({metric, dims, 0, 32});
      index.build(data, 900, 30);
      index.insert_plain(tree::kPlainNull);
      index.insert_plain(tree::kPlainNan);
      index.insert_plain(tree::kPlainUnknown);
      index.expect_whole();
      for (int q = 0; q < 3; ++q) index.expect_search_finds_all(data.next());
      index.expect_search_finds_all(index.rows.begin()->second);
    }
}

TEST(TreeBuild, EveryCodeWidthIsSound) {
  for (const std::uint32_t bits : {1U, 2U, 4U})
    for (const Metric metric : kMetrics) {
      Data data(48, bits);
      TestIndex index({metric, 48, bits, 16});
      index.build(data, 600, 30);
      index.expect_search_finds_all(data.next());
    }
}

TEST(TreeBuild, PlainRowsComeInTheirPlaces) {
  Data data(8, 1);
  TestIndex index({Metric::cosine, 8, 0, 16});
  index.build(data, 200, 10);
  for (int i = 0; i < 3; ++i) index.insert_plain(tree::kPlainNull);
  for (int i = 0; i < 3; ++i) index.insert_plain(tree::kPlainNan);
  for (int i = 0; i < 3; ++i) index.insert_plain(tree::kPlainUnknown);
  const std::vector<std::uint32_t> order = index.expect_search_finds_all(data.next());
  ASSERT_EQ(order.size(), 209U);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(index.plain.at(order[i]), tree::kPlainUnknown);
    EXPECT_EQ(index.plain.at(order[203 + i]), tree::kPlainNan);
    EXPECT_EQ(index.plain.at(order[206 + i]), tree::kPlainNull);
  }
}

TEST(TreeBuild, NullAndImmenseQueriesReturnEverything) {
  Data data(8, 1);
  TestIndex index({Metric::l2, 8, 0, 16});
  index.build(data, 300, 10);
  for (const std::uint16_t flags : {tree::kPlainNull, tree::kPlainUnknown}) index.insert_plain(flags);
  const Vector immense(8, 1e30F);
  index.load();
  for (const float* query : {static_cast<const float*>(nullptr), immense.data()}) {
    tree::Search search(index.store, index.space, index.memory);
    search.start(query, {});
    std::set<std::uint32_t> met;
    tree::Hit hit;
    while (search.next(hit)) {
      EXPECT_TRUE(met.insert(number_of(hit.row)).second);
      if (query == nullptr) {
        EXPECT_TRUE(hit.null);
      } else if (index.rows.contains(number_of(hit.row))) {
        EXPECT_EQ(hit.bound, -std::numeric_limits<double>::infinity());
      }
    }
    EXPECT_EQ(met.size(), 302U);
  }
}

TEST(TreeBuild, EmptyIndexesFindNothing) {
  TestIndex unknown({Metric::l2, 8, 0, 16});
  tree::write_empty(unknown.store, tree::new_meta({Metric::l2, 0, 0, 0, 1}));
  unknown.load();
  const Vector query(8, 1.0F);
  tree::Hit hit;
  tree::Search first(unknown.store, unknown.space, unknown.memory);
  first.start(query.data(), {});
  EXPECT_FALSE(first.next(hit));
  TestIndex empty({Metric::l2, 8, 0, 16});
  empty.create();
  empty.expect_whole();
  empty.expect_search_finds_all(query);
}

TEST(TreeBuild, RowsThatAreAllEqualAreFound) {
  TestIndex index({Metric::l2, 16, 0, 16});
  index.create();
  for (int i = 0; i < 40; ++i) {
    index.load();
    index.insert(std::vector<Vector>(10, Vector(16, 0.25F)));
  }
  index.expect_whole();
  index.expect_search_finds_all(Vector(16, 0.25F));
}

TEST(TreeBuild, LevelsAboveTheLeavesAreMade) {
  Data data(8, 3, 100);
  TestIndex index({Metric::l2, 8, 0, 16, 8});
  index.build(data, 3000, 400);
  EXPECT_GE(index.space.meta.height, 4U);
  index.expect_whole();
  index.expect_search_finds_all(data.next());
}

// Rows like those of the build leave the centroids where the rows' means are; rows beside them do not.
TEST(TreeBuild, DriftTellsOfRowsThatCameBesideTheOthers) {
  const auto drift_with = [](float shift) {
    Data data(24, 5, 60);
    TestIndex index({Metric::l2, 24, 0, 64});
    index.build(data, 6000, 90);
    SilentWatch watch;
    base::Alone alone(index.memory);
    const auto drift = [&] {
      index.load();
      return tree::calibrate(index.store, index.space, 50, alone, watch, index.memory).drift;
    };
    const float before = drift();
    std::vector<Vector> more = some(data, 2000);
    for (Vector& v : more) v[3] += shift;
    index.insert(more);
    return std::pair(before, drift());
  };
  const auto [built, alike] = drift_with(0);
  const auto [same, shifted] = drift_with(3);
  EXPECT_GT(built, 0.0F);
  EXPECT_LT(built, 0.05F);
  EXPECT_EQ(built, same);
  EXPECT_LT(alike, 0.06F);
  EXPECT_GT(shifted, 2 * alike);
  EXPECT_LT(shifted, 1.0F);
}

TEST(TreeBuild, CalibratedProbesReachTheTarget) {
  for (const Metric metric : kMetrics) {
    Data data(32, 5, 60);
    TestIndex index({metric, 32, 0, 32});
    index.build(data, 6000, 190);
    SilentWatch watch;
    base::Alone alone(index.memory);
    const tree::Calibration c = tree::calibrate(index.store, index.space, 200, alone, watch, index.memory);
    EXPECT_GE(c.queries, 190U);
    EXPECT_EQ(c.rows, 6000U);
    for (std::size_t k = 0; k < tree::kCalibrationKs; ++k) {
      ASSERT_GE(c.points[k], 1U);
      for (std::uint32_t i = 1; i < c.points[k]; ++i) {
        EXPECT_GT(c.curve[k][i].probes, c.curve[k][i - 1].probes);
        EXPECT_GE(c.curve[k][i].recall, c.curve[k][i - 1].recall - 0.01F);
      }
      EXPECT_GE(c.curve[k][c.points[k] - 1].recall, 0.9F);
      EXPECT_LE(c.curve[k][c.points[k] - 1].recall, 1.0F);
    }
    tree::update_meta(index.store, [&](tree::Meta& m) { m.calibration = c; });
    const std::vector<Vector> queries = some(data, 60);
    EXPECT_GE(index.recall(queries, 10, {}), 0.92) << static_cast<int>(metric);
    tree::SearchOptions high;
    high.target_recall = 0.99F;
    EXPECT_GE(index.recall(queries, 10, high), 0.97) << static_cast<int>(metric);
  }
}

// A search for few leaves opens few inner nodes and misses what lies under the others; calibration must not see it either.
TEST(TreeBuild, CalibrationSeesNoFurtherThanASearchOfTheSameEffort) {
  Data data(16, 5, 400);
  TestIndex index({Metric::l2, 16, 0, 16, 8});
  index.build(data, 6000, 600);
  SilentWatch watch;
  base::Alone alone(index.memory);
  const tree::Calibration c = tree::calibrate(index.store, index.space, 250, alone, watch, index.memory);
  const std::vector<Vector> queries = some(data, 150);
  double promised = 0, found = 0;
  for (std::uint32_t i = 0; i < c.points[1]; ++i) {
    tree::SearchOptions options;
    options.probes = static_cast<std::uint32_t>(c.curve[1][i].probes);
    if (options.probes < 4 || options.probes > 9) continue;
    promised += static_cast<double>(c.curve[1][i].recall) / 3;
    found += index.recall(queries, 10, options) / 3;
  }
  EXPECT_NEAR(promised, found, 0.025);
  EXPECT_GT(found, 0.85);
}

TEST(Effort, ProbesGrowWithTargetAndRows) {
  tree::Meta meta = tree::new_meta({Metric::l2, 100, 0, 0, 1});
  meta.leaves = 1000;
  const float inf = std::numeric_limits<float>::infinity();
  for (const int calibrated : {0, 1, 2}) {
    if (calibrated > 0) {
      meta.calibration.queries = 1000;
      meta.calibration.leaves = 1000;
      for (std::size_t k = 0; k < tree::kCalibrationKs; ++k) {
        meta.calibration.points[k] = 5;
        for (std::uint32_t i = 0; i < 5; ++i)
          meta.calibration.curve[k][i] = {static_cast<float>(1U << (i + k)), 0.6F + 0.09F * static_cast<float>(i)};
      }
    }
    if (calibrated == 2) meta.leaves = 4000;  // split since
    std::uint32_t last = 0;
    for (const float target : {0.1F, 0.5F, 0.7F, 0.9F, 0.95F, 0.99F, 0.999F, 1.0F}) {
      const std::uint32_t probes = tree::planned_probes(meta, target, 10);
      EXPECT_GE(probes, last);
      EXPECT_GE(probes, 1U);
      EXPECT_LE(probes, meta.leaves);
      last = probes;
    }
    last = 0;
    for (double k = 1; k < 1e7; k *= 2) {
      const std::uint32_t probes = tree::planned_probes(meta, 0.95F, k);
      EXPECT_GE(probes, last);
      EXPECT_LE(probes, meta.leaves);
      last = probes;
    }
  }
  // Curves that only a spoilt page has still give a number of leaves.
  for (const float bad : {0.0F, -1.0F, inf, -inf, std::numeric_limits<float>::quiet_NaN(), 1e38F, 1e-38F}) {
    for (std::size_t k = 0; k < tree::kCalibrationKs; ++k)
      for (auto& point : meta.calibration.curve[k]) point = {bad, bad};
    for (std::uint32_t points = 0; points <= 5; ++points) {
      meta.calibration.points[1] = meta.calibration.points[2] = points;
      for (const double k : {1.0, 10.0, 50.0, 1e6}) {
        const std::uint32_t probes = tree::planned_probes(meta, 0.95F, k);
        EXPECT_GE(probes, 1U) << bad;
        EXPECT_LE(probes, meta.leaves) << bad;
      }
    }
  }
}

TEST(Effort, RefinedRowsCoverWhatIsReturned) {
  for (const unsigned bits : {1U, 2U, 4U}) {
    std::size_t last = 0;
    for (double k = 1; k < 1e6; k *= 1.5) {
      const std::size_t rows = tree::planned_refine(bits, k);
      EXPECT_GT(static_cast<double>(rows), k);
      EXPECT_GE(rows, last);
      last = rows;
    }
  }
  EXPECT_GT(tree::planned_refine(1, 10), tree::planned_refine(2, 10));
  EXPECT_GT(tree::planned_refine(2, 10), tree::planned_refine(4, 10));
}

}  // namespace
}  // namespace longbow::testing
