// The sweep: exactly the dead rows go, slots and pages come back, and nothing that lives is taken.
#include "tree_testing.hpp"

namespace longbow::testing {
namespace {

std::set<std::uint32_t> every(const TestIndex& index, std::uint32_t nth) {
  std::set<std::uint32_t> some;
  for (const auto& [number, v] : index.rows)
    if (number % nth == 0) some.insert(number);
  return some;
}

TEST(TreeSweep, RemovesExactlyTheDead) {
  for (const std::uint32_t dims : {5U, 100U, 300U}) {
    Data data(dims, 1);
    TestIndex index({Metric::l2, dims, 0, 16});
    index.build(data, 500, 20);
    index.insert(data, 500, 30);
    for (const std::uint32_t nth : {7U, 2U, 3U}) {
      const std::set<std::uint32_t> dead = every(index, nth);
      const tree::SweepResult result = index.sweep(dead);
      EXPECT_EQ(result.removed, dead.size());
      EXPECT_EQ(result.rows, index.rows.size());
      index.expect_whole();
      index.expect_search_finds_all(data.next());
    }
    EXPECT_EQ(index.sweep(every(index, 1)).rows, 0U);
    index.expect_whole();
    index.insert(data, 300, 30);
    index.expect_whole();
    index.expect_search_finds_all(data.next());
  }
}

// Whoever waits for the structure lock has it in between, and splits leaves that the pass has yet to come to, or has done with.
TEST(TreeSweep, SplitsBetweenItsPages) {
  for (const std::uint32_t dims : {5U, 100U, 300U}) {
    Data data(dims, 21);
    TestIndex index({Metric::l2, dims, 0, 16, 8});
    index.build(data, 900, 30);
    for (int round = 0; round < 3; ++round) {
      const std::set<std::uint32_t> dead = every(index, 3);
      const std::uint32_t before = index.space.meta.next_node_id;
      int turns = 0;
      index.store.structure_waiter = [&] {
        if (++turns > 12) return;
        // Around one row: its leaf is split, and rows beside it would be re-assigned.
        auto row = index.rows.begin();
        std::advance(row, static_cast<long>((index.rows.size() * 7919 + static_cast<std::size_t>(turns) * 104729) % index.rows.size()));
        std::vector<Vector> crowd;
        for (int i = 0; i < 80; ++i) {
          crowd.push_back(data.next());
          for (std::size_t d = 0; d < dims; ++d) crowd.back()[d] = 0.6F * row->second[d] + 0.4F * crowd.back()[d];
        }
        index.load();
        index.insert(crowd);
      };
      const tree::SweepResult result = index.sweep(dead);
      index.store.structure_waiter = nullptr;
      EXPECT_GT(turns, 5);
      EXPECT_GE(result.removed, dead.size());
      index.load();
      EXPECT_GT(index.space.meta.next_node_id, before);
      index.expect_whole();
      index.expect_search_finds_all(data.next());
    }
    index.sweep({});
    index.expect_structure();
  }
}

TEST(TreeSweep, FreeSlotsAreUsedBeforeNewPages) {
  Data data(32, 2);
  TestIndex index({Metric::l2, 32, 0, 32});
  index.build(data, 2000, 60);
  std::vector<Vector> removed;
  const std::set<std::uint32_t> dead = every(index, 2);
  for (const std::uint32_t number : dead) removed.push_back(index.rows[number]);
  index.sweep(dead);
  const tree::BlockId before = index.store.blocks();
  // The same vectors again go to the leaves that lost them.
  for (const Vector& v : removed) {
    index.load();
    index.insert({v});
  }
  EXPECT_LE(index.store.blocks(), before + 10);
  index.expect_whole();
}

TEST(TreeSweep, PagesOfMovedNodesComeBack) {
  Data data(16, 3);
  TestIndex index({Metric::l2, 16, 0, 16, 8});
  index.create();
  index.insert(data, 3000, 20);
  index.sweep({});
  index.expect_structure();
  // Moved heads are out of use but may be remembered until the horizon passes; all other pages belong to someone.
  std::size_t free = 0;
  for (tree::BlockId b = 1; b < index.store.blocks(); ++b) free += index.store.kind(b) == tree::PageKind::free ? 1 : 0;
  EXPECT_EQ(index.owned() + free + 1, index.store.blocks());
  EXPECT_GT(free, 0U);
  const tree::SweepResult again = index.sweep({});
  EXPECT_EQ(again.retired, 0U);
  EXPECT_EQ(again.free_pages, free);
  const tree::BlockId before = index.store.blocks();
  for (std::size_t i = 0; index.store.blocks() == before && i < 3000; ++i) index.insert(data, 1);
  std::size_t left = 0;
  for (tree::BlockId b = 1; b < before; ++b) left += index.store.kind(b) == tree::PageKind::free ? 1 : 0;
  EXPECT_LE(left, 20U);  // what the last split gave back
  index.expect_whole();
}

TEST(TreeSweep, StampedPagesWaitForTheHorizon) {
  Data data(16, 4);
  TestIndex index({Metric::l2, 16, 0, 16});
  index.create();
  index.insert(data, 1000, 20);
  index.store.horizon = 0;
  const tree::SweepResult first = index.sweep({});
  EXPECT_GT(first.retired, 0U);
  const tree::SweepResult second = index.sweep({});
  EXPECT_EQ(second.retired, 0U);
  index.store.horizon = ~std::uint64_t{0};
  EXPECT_GT(index.sweep({}).free_pages, second.free_pages);
}

// VACUUM may have read the meta page of an empty index just before another session wrote the first row.
TEST(TreeSweep, AStaleViewOfAnEmptyIndexTakesNothing) {
  Data data(16, 5);
  TestIndex index({Metric::l2, 16, 0, 16});
  tree::write_empty(index.store, tree::new_meta({Metric::l2, 0, 0, 16, 1}));
  index.load();
  const tree::Space stale = index.space;
  tree::fix_dimensions(index.store, 16, index.memory);
  index.insert(data, 200, 10);
  struct None final : tree::DeadRows {
    bool is_dead(RowId) override { return false; }
  } none;
  tree::sweep(index.store, stale, &none, index.memory);
  index.expect_whole();
  index.expect_search_finds_all(data.next());
}

// The rows of a region of space: their leaves are emptied and leave the tree.
std::set<std::uint32_t> half_space(const TestIndex& index) {
  std::set<std::uint32_t> some;
  for (const auto& [number, v] : index.rows)
    if (v[0] > 0) some.insert(number);
  return some;
}

TEST(TreeSweep, EmptiedLeavesLeaveTheTree) {
  for (const std::uint32_t dims : {4U, 600U}) {
    Data data(dims, 7, 40);
    TestIndex index({Metric::l2, dims, 0, 16, 8});
    index.create();
    index.insert(data, 1200, 50);
    for (int round = 0; round < 3; ++round) {
      index.load();
      const std::uint32_t before = index.space.meta.leaves;
      index.sweep(half_space(index));
      index.expect_whole();
      index.sweep({});  // what stayed empty goes
      index.expect_whole();
      if (round == 0) {
        EXPECT_LT(index.space.meta.leaves, before);
      }
      index.expect_search_finds_all(data.next());
      index.insert(data, 600, 50);
      index.expect_whole();
    }
    std::set<std::uint32_t> all;
    for (const auto& [number, v] : index.rows) all.insert(number);
    index.sweep(all);
    index.expect_whole();
    index.sweep({});
    index.expect_whole();
    index.insert(data, 100, 10);
    index.expect_whole();
    index.expect_search_finds_all(data.next());
  }
}

// Heads stay where the same rows may come back; all other pages of leaves are free for anything at once.
TEST(TreeSweep, EmptiedLeavesGiveTheirPagesBack) {
  for (const std::uint32_t dims : {100U, 1800U}) {
    Data data(dims, 9);
    TestIndex index({Metric::l2, dims, 0, 16});
    index.build(data, 400, 20);
    index.insert(data, 200, 20);
    const auto pages_of = [&](tree::PageKind kind) {
      std::size_t count = 0;
      for (tree::BlockId b = 1; b < index.store.blocks(); ++b) count += index.store.kind(b) == kind ? 1 : 0;
      return count;
    };
    const std::size_t heads = pages_of(tree::PageKind::head);
    ASSERT_GT(pages_of(tree::PageKind::refine), 20U);
    const std::set<std::uint32_t> some = every(index, 7);
    std::set<std::uint32_t> all;
    std::vector<Vector> rows;
    for (const auto& [number, v] : index.rows) {
      all.insert(number);
      rows.push_back(v);
    }
    index.sweep(some);
    index.expect_whole();
    const tree::BlockId before = index.store.blocks();
    index.sweep(all);
    index.expect_whole();
    EXPECT_EQ(pages_of(tree::PageKind::refine), 0U);
    EXPECT_LE(pages_of(tree::PageKind::head), heads);
    index.insert(rows);
    index.expect_whole();
    index.expect_search_finds_all(data.next());
    EXPECT_LE(index.store.blocks(), before + before / 20);
  }
}

// Appenders go on while the sweep runs: rows come at every page that it reads, leaves fill and split when it is done.
TEST(TreeSweep, AppendersAtEveryPage) {
  for (const std::uint32_t dims : {24U, 1100U}) {
    Data data(dims, 6);
    TestIndex index({Metric::l2, dims, dims > 1000 ? 4U : 0U, 16});
    index.create();
    index.insert(data, dims > 1000 ? 100 : 600, 20);
    for (int round = 0; round < 3; ++round) {
      const std::set<std::uint32_t> dead = every(index, 3);
      std::size_t budget = dims > 1000 ? 20 : 60;
      TestIndex* const at = &index;
      Vector buffer;  // the appender's own view
      index.store.on_quiet = [&, at] {
        // Under the sweep's structure lock an appender that would have to wait for it does not come.
        if (budget == 0) return;
        const tree::Meta meta = tree::read_meta(at->store);
        if (at->rows.size() > std::size_t{meta.leaves} * 40) return;
        --budget;
        at->insert({data.next()});
      };
      index.store.structure_busy = true;
      const tree::SweepResult result = index.sweep(dead);
      index.store.on_quiet = nullptr;
      index.store.structure_busy = false;
      EXPECT_EQ(result.removed, dead.size());
      index.expect_whole();
      index.expect_search_finds_all(data.next());
      index.insert(data, 50, 10);
    }
    index.expect_whole();
  }
}

}  // namespace
}  // namespace longbow::testing
