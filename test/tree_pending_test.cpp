// The pending list, searches over it, and merges that die at each record.
#include "longbow/tree/merge.hpp"
#include "longbow/tree/pending.hpp"
#include "tree_testing.hpp"

namespace longbow::testing {
namespace {

// An index with rows on their way: vectors by row number, codes of some of them in memory.
class PendingIndex final : public tree::VectorSource, public tree::PendingSource, public tree::PendingWatch {
 public:
  explicit PendingIndex(const Shape& shape) : index(shape), seed_(shape.dims) { index.create(); }

  TestIndex index;
  std::map<std::uint32_t, Vector> all;   // every row that should be found
  std::set<std::uint32_t> unreadable, stale;
  std::size_t bare_every = 0;            // one row in so many has no codes in memory; 0 = none

  void append(Data& data, std::size_t count, std::size_t batch) {
    while (count > 0) {
      index.load();
      std::vector<tree::NewPending> rows;
      for (; rows.size() < batch && count > 0; --count) {
        vectors_[next_] = data.next();
        rows.push_back({id_of(next_), next_ * 7U, next_});
        ++next_;
      }
      batch_ = &rows;
      tree::append_pending(index.store, rows, *this);
    }
  }
  void appended(std::size_t first, std::size_t count, std::uint64_t ordinal) noexcept override {
    for (std::size_t i = first; i < first + count; ++i, ++ordinal) {
      const std::uint32_t number = number_of((*batch_)[i].row);
      EXPECT_EQ(ordinal, ordinals_.size() + 1);
      ordinals_.push_back(number);
      all[number] = vectors_[number];
    }
  }
  tree::Fetched fetch(const tree::PendingEntry& entry, float* raw) override {
    const std::uint32_t number = number_of({entry.block, entry.offset});
    EXPECT_EQ(entry.crc, number * 7U);
    EXPECT_EQ(entry.position, number);
    if (stale.contains(number)) return tree::Fetched::stale;
    if (unreadable.contains(number)) return tree::Fetched::unknown;
    std::copy(vectors_.at(number).begin(), vectors_.at(number).end(), raw);
    return tree::Fetched::found;
  }
  // Codes of the rows that are in the list now.
  void visit(tree::PendingVisitor& visitor) override {
    struct Reader final : tree::PendingReader {
      std::vector<std::uint32_t> numbers;
      bool entries(std::uint64_t, std::span<const tree::PendingEntry> entries) override {
        for (const tree::PendingEntry& e : entries)
          if ((e.flags & tree::kPendingDead) == 0) numbers.push_back(number_of({e.block, e.offset}));
        return true;
      }
    } reader;
    tree::read_pending(index.store, 0, reader);
    const tree::DeltaLayout layout = tree::delta_layout(index.space);
    const std::size_t most = reader.numbers.size() / tree::kDeltaRows + 1;
    std::vector<std::uint8_t> codes(most * layout.block_bytes), refine(most * tree::kDeltaRows * layout.refine_bytes + 1);
    std::size_t blocks = 0;
    const auto parts = [&](std::size_t b) { return layout.further({codes.data(), refine.data()}, b); };
    tree::DeltaEncoder encoder(index.space, index.memory);
    Vector prepared(index.space.dims());
    std::size_t lane = tree::kDeltaRows;
    for (const std::uint32_t number : reader.numbers) {
      if (lane == tree::kDeltaRows) ++blocks, lane = 0;
      const tree::PreparedRow how = index.space.prepare_row(vectors_.at(number).data(), prepared.data());
      encoder.clear();
      encoder.add(id_of(number), prepared.data(), how.norm, how.raw_norm);
      const tree::DeltaBlock block = parts(blocks - 1);
      tree::put_delta_row(layout, block, lane, encoder[0]);
      if (bare_every > 0 && number % bare_every == 0) {
        visitor.bare(id_of(number));
        if (number % 2 == 0) tree::drop_delta_row(layout, block, lane);
        if (number % 2 == 1) tree::mark_delta_stale(layout, block, lane);
      }
      ++lane;
    }
    // The first block alone, the last one as far as it is filled, those between in one run.
    const auto there = [&](std::size_t b) { return tree::delta_rows_there(layout.ids_of(parts(b))); };
    if (blocks > 1) visitor.block(parts(0), there(0));
    if (blocks > 2) visitor.run(parts(1), blocks - 2);
    if (blocks > 0) visitor.block(parts(blocks - 1), there(blocks - 1));
    visitor.finish();
  }

  tree::MergeResult merge(std::size_t most) {
    index.load();
    const tree::MergeLock lock(index.store, true);
    return tree::merge_pending(index.store, index.space, *this, most, index.memory);
  }
  // Every row is found once by a whole search, bounds are sound, and the walk meets each in list or tree.
  void expect_all(const char* when = "") {
    struct Visitor final : tree::RowVisitor {
      std::set<std::uint32_t> tree, list;
      void row(RowId row, const float*, float, std::uint16_t) override {
        EXPECT_TRUE(tree.insert(number_of(row)).second) << "row " << number_of(row) << " is twice in the tree";
      }
      void pending(const tree::PendingEntry& e) override { EXPECT_TRUE(list.insert(number_of({e.block, e.offset})).second); }
    } visitor;
    index.load();
    tree::visit_rows(index.store, index.space, visitor, index.memory);
    std::set<std::uint32_t> met = visitor.tree;
    met.insert(visitor.list.begin(), visitor.list.end());
    std::set<std::uint32_t> expected;
    for (const auto& [number, v] : all) expected.insert(number);
    EXPECT_EQ(met, expected) << when;
    index.expect_structure(when);
    index.rows = all;
    Data queries(index.space.dims(), ++seed_);
    if (index.space.has_bits()) queries.as_bits();
    tree::SearchOptions options;
    options.pending = this;
    index.expect_search_finds_all(queries.next(), options);
  }
  // After a crash the memory's knowledge of the list goes by what is on the pages.
  void reread() {
    struct Reader final : tree::PendingReader {
      PendingIndex* index;
      bool entries(std::uint64_t first, std::span<const tree::PendingEntry> entries) override {
        index->ordinals_.resize(first - 1);
        for (const tree::PendingEntry& e : entries) index->ordinals_.push_back(number_of({e.block, e.offset}));
        return true;
      }
    } reader;
    reader.index = this;
    tree::read_pending(index.store, 0, reader);
  }
  [[nodiscard]] std::uint32_t next() const noexcept { return next_; }

 private:
  std::map<std::uint32_t, Vector> vectors_;
  std::vector<std::uint32_t> ordinals_;
  const std::vector<tree::NewPending>* batch_ = nullptr;
  std::uint32_t next_ = 1;
  unsigned seed_;
};

TEST(TreePending, BitsAreFoundInTheListAndInTheTree) {
  for (const Metric metric : {Metric::l2, Metric::cosine}) {
    SCOPED_TRACE(static_cast<int>(metric));
    Data data(75, 31);
    data.as_bits();
    PendingIndex index({metric, 75, 0, 16, 0, true});
    index.append(data, 700, 70);
    index.expect_all("all pending");
    index.bare_every = 5;
    index.expect_all("some without codes");
    while (index.merge(150).rows > 0) index.expect_all("between rounds");
    EXPECT_EQ(tree::collect_facts(index.index.store, index.index.space, index.index.memory).rows, 700U);
  }
}

TEST(TreePending, RowsAreFoundInTheListAndInTheTree) {
  for (const Metric metric : kMetrics) {
    SCOPED_TRACE(static_cast<int>(metric));
    Data data(12, 31);
    PendingIndex index({metric, 12, 0, 16});
    index.append(data, 900, 70);
    index.expect_all("all pending");
    index.bare_every = 5;
    index.expect_all("some without codes");
    const tree::MergeResult first = index.merge(400);
    EXPECT_EQ(first.rows, 400U);
    EXPECT_EQ(first.from, 401U);
    index.expect_all("half merged");
    index.append(data, 300, 1);
    while (index.merge(350).rows > 0) index.expect_all("merged on");
    EXPECT_EQ(tree::collect_facts(index.index.store, index.index.space, index.index.memory).pending, 0U);
    index.append(data, 10, 10);
    index.expect_all("appended after all were merged");
  }
}

TEST(TreePending, RecallIsThatOfTheCodes) {
  Data data(32, 32);
  PendingIndex index({Metric::l2, 32, 0, 32});
  index.append(data, 1500, 100);
  index.merge(1000);
  index.index.load();
  index.index.rows = index.all;
  std::vector<Vector> queries;
  for (int i = 0; i < 40; ++i) queries.push_back(data.next());
  tree::SearchOptions options;
  options.pending = &index;
  options.probes = 1000;
  EXPECT_GE(index.index.recall(queries, 10, options), 0.99);
}

TEST(TreePending, PagesAreReusedAndSweptRowsStayAway) {
  Data data(8, 33);
  PendingIndex index({Metric::l2, 8, 0, 16});
  for (int round = 0; round < 6; ++round) {
    index.append(data, tree::kPendingCapacity * 3, 500);
    while (index.merge(2000).rows > 0) {
    }
  }
  std::size_t pending = 0;
  for (tree::BlockId b = 1; b < index.index.store.blocks(); ++b)
    pending += index.index.store.kind(b) == tree::PageKind::pending || index.index.store.kind(b) == tree::PageKind::plan;
  EXPECT_EQ(pending, 1U) << "only the tail stays";
  index.append(data, 700, 100);
  struct Dead final : tree::DeadRows {
    std::uint32_t from;
    bool is_dead(RowId row) override { return number_of(row) >= from && number_of(row) % 3 == 0; }
  } dead;
  dead.from = index.next() - 700;
  struct Watch final : tree::PendingSweepWatch {
    std::size_t marked_rows = 0;
    void marked(std::uint64_t) noexcept override { ++marked_rows; }
  } watch;
  const std::uint64_t epoch = tree::read_meta(index.index.store).vacuum_epoch;
  const tree::PendingSweep swept = tree::sweep_pending(index.index.store, dead, watch);
  EXPECT_EQ(swept.removed, watch.marked_rows);
  EXPECT_EQ(swept.removed + swept.rows, 700U);
  EXPECT_GT(tree::read_meta(index.index.store).vacuum_epoch, epoch);
  std::erase_if(index.all, [&](const auto& row) { return row.first >= dead.from && row.first % 3 == 0; });
  index.expect_all("marked");
  index.merge(5000);
  index.expect_all("merged without the dead");
}

TEST(TreePending, RowsThatCannotBeRead) {
  Data data(8, 34);
  PendingIndex index({Metric::l2, 8, 0, 16});
  index.append(data, 60, 20);
  index.unreadable = {3, 30, 59};
  index.stale = {4, 31};
  const tree::MergeResult result = index.merge(100);
  EXPECT_EQ(result.rows, 55U);
  EXPECT_EQ(result.unknown, 3U);
  EXPECT_EQ(result.stale, 2U);
  for (const std::uint32_t number : index.stale) index.all.erase(number);
  index.expect_all();
}

void die_everywhere(const Shape& shape, std::size_t before, std::size_t pending) {
  Data data(shape.dims, 35);
  PendingIndex index(shape);
  index.append(data, before, 40);
  while (index.merge(1000).rows > 0) {
  }
  index.append(data, pending, 40);
  index.unreadable = {static_cast<std::uint32_t>(before + 5), static_cast<std::uint32_t>(before + 11)};
  const auto pages = index.index.store.snapshot();
  std::uint64_t records = 0, resumed = 0;
  for (std::uint64_t k = 1;; ++k) {
    SCOPED_TRACE("record " + std::to_string(k));
    index.index.store.restore(pages);
    index.index.store.crash_at = k;
    bool died = false;
    try {
      index.merge(pending);
    } catch (const Crash&) {
      died = true;
    }
    index.index.store.restart();
    index.expect_all("after the crash");
    if (!died) break;
    records = k;
    const tree::MergeResult again = index.merge(pending);
    resumed += again.resumed ? 1 : 0;
    index.expect_all("carried on");
    index.index.load();
    index.index.sweep({});
    index.index.rows = index.all;
    std::size_t lists = 0;
    for (tree::BlockId b = 1; b < index.index.store.blocks(); ++b) {
      const tree::PageKind kind = index.index.store.kind(b);
      lists += kind == tree::PageKind::pending || kind == tree::PageKind::plan ? 1 : 0;
    }
    EXPECT_EQ(lists, 1U) << "a page of list or plan was left to nobody";
    if (::testing::Test::HasFailure()) return;
  }
  EXPECT_GE(records, 10U);
  EXPECT_GE(resumed, 5U);
}

TEST(TreePending, AMergeThatDies) { die_everywhere({Metric::l2, 12, 0, 16}, 200, 60); }
TEST(TreePending, AMergeThatDiesOverPages) { die_everywhere({Metric::cosine, 6, 0, 16}, 300, tree::kPendingCapacity + 60); }
TEST(TreePending, AMergeOfWideRowsThatDies) { die_everywhere({Metric::ip, 8100, 1, 16}, 20, 14); }

// The processor that carries a plan on may round otherwise than the one that made it.
TEST(TreePending, AMergeIsCarriedOnWithOtherKernels) {
  Data data(24, 40);
  PendingIndex index({Metric::l2, 24, 0, 16});
  index.append(data, 300, 50);
  index.merge(300);
  index.append(data, 200, 50);
  const auto pages = index.index.store.snapshot();
  std::size_t resumed = 0;
  for (std::uint64_t k = 3;; k += 6) {
    SCOPED_TRACE("record " + std::to_string(k));
    index.index.store.restore(pages);
    index.index.store.crash_at = k;
    try {
      index.merge(200);
      break;
    } catch (const Crash&) {
    }
    index.index.store.restart();
    simd::set_tier_limit(simd::Tier::scalar);
    resumed += index.merge(200).resumed ? 1 : 0;
    index.expect_all();
    simd::set_tier_limit(simd::Tier::avx512);
  }
  EXPECT_GE(resumed, 3U);
}

TEST(TreePending, AppendsThatDie) {
  Data data(8, 36);
  for (std::uint64_t k = 1; k < 8; ++k) {
    PendingIndex index({Metric::l2, 8, 0, 16});
    index.index.store.crash_at = k;
    try {
      index.append(data, tree::kPendingCapacity * 2 + 10, 300);
    } catch (const Crash&) {
    }
    index.index.store.restart();
    index.reread();
    index.expect_all();
    index.append(data, 40, 7);
    index.expect_all();
  }
}

// A merge takes rows out of the list while a search runs over it.
TEST(TreePending, SearchesWhileMergesRun) {
  Data data(12, 37);
  PendingIndex index({Metric::l2, 12, 0, 16});
  index.append(data, 300, 50);
  index.merge(300);
  index.append(data, 500, 50);
  index.index.load();
  tree::SearchOptions options;
  options.pending = &index;
  tree::Search search(index.index.store, index.index.space, index.index.memory);
  const Vector query = data.next();
  search.start(query.data(), options);
  std::set<std::uint32_t> met;
  tree::Hit hit;
  std::size_t given = 0;
  while (search.next(hit)) {
    EXPECT_TRUE(met.insert(number_of(hit.row)).second);
    if (++given % 40 == 0) index.merge(60);
  }
  EXPECT_EQ(met.size(), index.all.size());
}

TEST(TreePending, DamagedPages) {
  Data data(8, 38);
  PendingIndex index({Metric::l2, 8, 0, 16});
  index.append(data, 1000, 100);
  const auto pages = index.index.store.snapshot();
  std::mt19937 random(39);
  index.index.store.corrupt = true;
  std::size_t errors = 0;
  for (int round = 0; round < 300; ++round) {
    index.index.store.restore(pages);
    for (tree::BlockId b = 1; b < index.index.store.blocks(); ++b) {
      if (index.index.store.kind(b) != tree::PageKind::pending || random() % 3 != 0) continue;
      for (int i = 0; i < 8; ++i) {
        const std::size_t at = random() % 2 == 0 ? tree::kTrailerOffset + random() % sizeof(tree::Trailer)
                                                 : tree::kPageHeaderBytes + random() % (tree::kTrailerOffset - 24);
        index.index.store.raw(b)[at] = static_cast<std::uint8_t>(random());
      }
    }
    struct Reader final : tree::PendingReader {
      std::size_t count = 0;
      bool entries(std::uint64_t, std::span<const tree::PendingEntry> entries) override {
        count += entries.size();
        return true;
      }
    } reader;
    struct None final : tree::DeadRows {
      bool is_dead(RowId) override { return false; }
    } none;
    struct Watch final : tree::PendingSweepWatch {
      void marked(std::uint64_t) noexcept override {}
    } watch;
    try {
      tree::read_pending(index.index.store, 0, reader);
      tree::sweep_pending(index.index.store, none, watch);
      (void)tree::next_pending_ordinal(index.index.store);
    } catch (const base::Error& e) {
      EXPECT_EQ(e.code(), base::Errc::index_corrupted);
      ++errors;
    }
    EXPECT_LE(reader.count, 5000U);
  }
  EXPECT_GT(errors, 50U);
}

}  // namespace
}  // namespace longbow::testing
