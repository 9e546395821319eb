// The process dies at each record in turn: the tree stays readable, no row is lost or doubled, the sweep takes what was
// left unfinished, and later splits work.
#include "tree_testing.hpp"

namespace longbow::testing {
namespace {

struct Case {
  const char* name;
  Shape shape;
  std::size_t before;  // rows at rest
  std::size_t batch;   // rows of the statement that dies
};

void die_everywhere(const Case& c) {
  SCOPED_TRACE(c.name);
  Data data(c.shape.dims, 21);
  if (c.shape.bits_set) data.as_bits();
  TestIndex index(c.shape);
  index.create();
  index.insert(data, c.before, 20);
  std::vector<Vector> more, after;
  for (std::size_t i = 0; i < c.batch; ++i) more.push_back(data.next());
  for (std::size_t i = 0; i < c.batch; ++i) after.push_back(data.next());
  const auto pages = index.store.snapshot();
  const auto rows = index.rows;
  const Vector query = data.next();
  std::uint64_t records = 0;
  for (std::uint64_t k = 1;; ++k) {
    SCOPED_TRACE("record " + std::to_string(k));
    index.store.restore(pages);
    index.rows = rows;
    index.load();
    index.store.crash_at = k;
    bool died = false;
    try {
      index.insert(more);
    } catch (const Crash&) {
      died = true;
    }
    index.store.restart();
    // A row whose record was not reported as finished may be there nevertheless only if it was not yet reported: the
    // report follows the record at once, so here both agree.
    index.expect_whole("after the crash");
    if (!died) break;
    records = k;
    if (k % 4 == 0) index.expect_search_finds_all(query);
    index.load();
    index.insert(after);
    index.expect_whole("grown on");
    index.sweep({});
    index.expect_whole("swept");
    const tree::SweepResult again = index.sweep({});
    EXPECT_EQ(again.retired, 0U);
    std::size_t free = 0, plain = 0;
    for (tree::BlockId b = 1; b < index.store.blocks(); ++b) {
      const tree::Trailer& t = tree::trailer(index.store.raw(b));
      free += t.magic != tree::kTrailerMagic || t.kind == tree::PageKind::free ? 1 : 0;
      plain += t.magic == tree::kTrailerMagic && t.kind == tree::PageKind::plain ? 1 : 0;
    }
    EXPECT_EQ(index.owned() + free + plain + 1, index.store.blocks()) << "a page was left to nobody";
    if (::testing::Test::HasFailure()) return;
  }
  EXPECT_GE(records, 10U);
}

TEST(TreeCrash, LeafSplits) { die_everywhere({"narrow", {Metric::l2, 12, 0, 16}, 90, 60}); }
TEST(TreeCrash, FirstSplitOfTheRoot) { die_everywhere({"root", {Metric::cosine, 12, 0, 16}, 30, 40}); }
TEST(TreeCrash, InnerSplits) { die_everywhere({"inner", {Metric::l2, 12, 0, 16, 8}, 330, 60}); }
TEST(TreeCrash, InnerSplitsThatGrowTheTree) { die_everywhere({"upwards", {Metric::l1, 6, 0, 16, 8}, 260, 120}); }
TEST(TreeCrash, BlocksThatSpanPages) { die_everywhere({"spanning", {Metric::ip, 1100, 4, 16, 8}, 60, 12}); }
TEST(TreeCrash, RowsThatSpanPages) { die_everywhere({"wide", {Metric::l2, 8100, 1, 16}, 31, 3}); }

TEST(TreeCrash, Bits) { die_everywhere({"bits", {Metric::l2, 75, 0, 16, 8, true}, 260, 60}); }
TEST(TreeCrash, BitsThatSpanPages) { die_everywhere({"wide bits", {Metric::cosine, 5000, 0, 16, 0, true}, 31, 5}); }

TEST(TreeCrash, FirstRows) {
  for (std::uint64_t k = 1;; ++k) {
    TestIndex index({Metric::l2, 2100, 0, 16});
    tree::write_empty(index.store, tree::new_meta({Metric::l2, 0, 0, 16, 1}));
    index.store.crash_at = k;
    bool died = false;
    try {
      tree::fix_dimensions(index.store, 2100, index.memory);
    } catch (const Crash&) {
      died = true;
    }
    index.store.restart();
    index.load();
    index.sweep({});
    tree::fix_dimensions(index.store, 2100, index.memory);
    Data data(2100, 22);
    index.insert(data, 40, 5);
    index.sweep({});
    index.expect_whole();
    if (!died) break;
  }
}

TEST(TreeCrash, PlainRows) {
  Data data(8, 23);
  for (std::uint64_t k = 1; k < 12; ++k) {
    TestIndex index({Metric::l2, 8, 0, 16});
    index.create();
    for (std::size_t i = 0; i < (k < 6 ? 0 : tree::kPlainCapacity - 1); ++i) index.insert_plain(tree::kPlainNull);
    index.store.crash_at = k < 6 ? k : k - 5;
    try {
      for (int i = 0; i < 3; ++i) index.insert_plain(tree::kPlainUnknown);
    } catch (const Crash&) {
    }
    index.store.restart();
    index.plain[index.next_row()] = tree::kPlainUnknown;
    // The row in flight is there or not; those before it are.
    struct Visitor final : tree::RowVisitor {
      std::set<std::uint32_t> met;
      void row(RowId row, const float*, float, std::uint16_t) override { EXPECT_TRUE(met.insert(number_of(row)).second); }
    } visitor;
    index.load();
    tree::visit_rows(index.store, index.space, visitor, index.memory);
    index.plain.erase(index.next_row());
    for (const auto& [number, flags] : index.plain) EXPECT_TRUE(visitor.met.contains(number));
    for (const std::uint32_t number : visitor.met)
      if (!index.plain.contains(number)) {
        EXPECT_EQ(number, index.next_row());
        index.sweep({number});
      }
    for (int i = 0; i < 3; ++i) tree::insert_plain(index.store, id_of(5000 + i), tree::kPlainNull);
    for (std::uint32_t i = 0; i < 3; ++i) index.plain[5000 + i] = tree::kPlainNull;
    index.sweep({});
    index.expect_whole();
    index.expect_search_finds_all(data.next());
  }
}

TEST(TreeCrash, DuringASweep) {
  Data data(12, 24);
  TestIndex index({Metric::l2, 12, 0, 16});
  index.create();
  index.insert(data, 300, 20);
  const auto pages = index.store.snapshot();
  const auto rows = index.rows;
  std::set<std::uint32_t> dead;
  for (const auto& [number, v] : rows)
    if (number % 3 == 0 || v[0] > 0) dead.insert(number);  // some leaves are emptied
  for (std::uint64_t k = 1;; ++k) {
    index.store.restore(pages);
    index.rows = rows;
    index.store.crash_at = k;
    bool died = false;
    try {
      index.sweep(dead);
      index.sweep({});  // leaves that stayed empty go
    } catch (const Crash&) {
      died = true;
    }
    index.store.restart();
    if (died) index.rows = rows, index.expect_no_live_row_missing(dead);
    index.sweep(dead);  // VACUUM comes again with the same dead rows
    index.expect_whole();
    index.insert(data, 100, 20);
    index.expect_whole();
    if (!died) break;
  }
}

}  // namespace
}  // namespace longbow::testing
