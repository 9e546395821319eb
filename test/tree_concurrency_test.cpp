// Searches beside writers: whatever happens between two pages or two rows, every row that was there at the start and was
// not removed is met exactly once, and no bound lies above the row's distance.
#include "tree_testing.hpp"

namespace longbow::testing {
namespace {

// A search whose rows at the start must all come.
class Watched {
 public:
  Watched(TestIndex& index, const Vector& query, const tree::SearchOptions& options)
      : index_(index), query_(query), space_(index.space), expected_(index.rows) {
    // A search has its own copy of the space; centre and rotation stay where they are.
    buffer_.assign(tree::space_floats(space_.dims()), 0.0F);
    space_ = tree::make_space(index.store, tree::read_meta(index.store), buffer_.data());
    search_.emplace(index.store, space_, index.memory);
    search_->start(query_.data(), options);
  }
  // Takes a row; false at the end.
  bool step() {
    tree::Hit hit;
    if (!search_->next(hit)) return false;
    const std::uint32_t number = number_of(hit.row);
    EXPECT_TRUE(met_.insert(number).second) << "row " << number << " came twice";
    const auto it = index_.rows.find(number);
    if (it != index_.rows.end()) {
      EXPECT_LE(hit.bound, distance(index_.shape(), query_, it->second));
    }
    return true;
  }
  // At the end: all that was there at the start and still is.
  void expect_complete(const char* when) {
    std::size_t missed = 0;
    for (const auto& [number, v] : expected_) missed += met_.contains(number) || !index_.rows.contains(number) ? 0 : 1;
    EXPECT_EQ(missed, 0U) << when;
  }

 private:
  TestIndex& index_;
  Vector query_;
  tree::Space space_;
  std::vector<float> buffer_;
  std::map<std::uint32_t, Vector> expected_;
  std::set<std::uint32_t> met_;
  std::optional<tree::Search> search_;
};

struct Case {
  const char* name;
  Shape shape;
  std::size_t rows;
};
const Case kCases[] = {
    {"flat", {Metric::l2, 8, 0, 16}, 400},
    {"deep", {Metric::l2, 8, 0, 16, 8}, 700},
    {"scan pages", {Metric::ip, 120, 4, 16, 16}, 500},
    {"inner blocks over pages", {Metric::cosine, 600, 0, 16, 16}, 500},
    {"rows over pages", {Metric::l2, 2100, 0, 16}, 120},
    {"bits", {Metric::cosine, 75, 0, 16, 8, true}, 700},
    {"bits over pages", {Metric::l2, 5000, 0, 16, 0, true}, 120},
};

// Writers act between the rows that a search hands out.
TEST(TreeConcurrency, WritersBetweenRows) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    Data data(c.shape.dims, 31);
    if (c.shape.bits_set) data.as_bits();
    TestIndex index(c.shape);
    index.create();
    index.insert(data, c.rows, 20);
    for (int round = 0; round < 3; ++round) {
      index.load();
      tree::SearchOptions options;
      options.probes = round == 0 ? 0 : 1;
      options.memory_limit = round == 2 ? 20000 : 4 << 20;
      Watched search(index, data.next(), options);
      std::size_t steps = 0, work = 0;
      while (search.step()) {
        if (++steps % 9 == 0 && work++ < 15) index.insert(data, 8, 8);
        if (steps % 60 == 0) index.sweep({});
        if (steps % 100 == 50) {
          // A region's rows: their leaves are emptied and leave the tree.
          std::set<std::uint32_t> dead;
          const float edge = static_cast<float>(index.store.commits % 7) * 0.3F;
          for (const auto& [number, v] : index.rows)
            if (v[0] > edge && v[1] > edge) dead.insert(number);
          index.sweep(dead);
          index.sweep({});
        }
      }
      search.expect_complete("rows");
    }
    index.expect_whole();
  }
}

// Writers act before each page that a search reads: while it is inside a node too.
TEST(TreeConcurrency, WritersBetweenPages) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    Data data(c.shape.dims, 32);
    if (c.shape.bits_set) data.as_bits();
    TestIndex index(c.shape);
    index.create();
    index.insert(data, c.rows, 20);
    for (std::size_t every = 1; every < 40; every = every * 2 + 1) {
      index.load();
      Watched search(index, data.next(), {});
      std::size_t pages = 0, work = 0;
      index.store.on_quiet = [&] {
        if (++pages % every != 0 || work >= 12) return;
        ++work;
        index.insert(data, c.shape.dims > 1000 ? 4 : 16, 16);
        if (work % 3 == 0) index.sweep({});
      };
      while (search.step()) {
      }
      index.store.on_quiet = nullptr;
      search.expect_complete("pages");
    }
    index.expect_whole();
  }
}

// One split at each page of a search in turn, where inner nodes are read page by page.
TEST(TreeConcurrency, OneSplitAtEachPage) {
  const Shape shape{Metric::l2, 600, 0, 16};
  Data data(600, 33);
  TestIndex index(shape);
  index.create();
  index.insert(data, 1500, 100);
  index.load();
  const auto pages = index.store.snapshot();
  const auto rows = index.rows;
  const Vector query = data.next();
  // Rows that make one leaf split, now one leaf and now another.
  std::vector<Vector> crowd;
  for (const auto& [number, v] : rows)
    if (number % 300 == 7) crowd.push_back(v);
  for (std::uint64_t at = 1; at < 200; at += at < 60 ? 1 : 17) {
    index.store.restore(pages);
    index.rows = rows;
    index.load();
    Watched search(index, query, {});
    std::uint64_t page = 0;
    index.store.on_quiet = [&] {
      if (++page != at) return;
      index.load();
      const std::uint64_t before = index.space.meta.split_counter;
      for (int i = 0; i < 40; ++i) {
        index.insert({crowd[at % crowd.size()]});
        index.load();
        if (index.space.meta.split_counter != before) break;
      }
    };
    while (search.step()) {
    }
    index.store.on_quiet = nullptr;
    search.expect_complete("split");
    if (HasFailure()) break;
  }
  index.store.restore(pages);
  index.rows = rows;
}

// Inserts beside inserts: another session's rows come before each page that a statement latches first.
TEST(TreeConcurrency, InsertersBesideInserters) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.name);
    Data data(c.shape.dims, 34);
    if (c.shape.bits_set) data.as_bits();
    TestIndex index(c.shape);
    index.create();
    index.insert(data, c.rows / 2, 20);
    TestIndex& other = index;
    std::size_t budget = c.shape.dims > 1000 ? 60 : 400;
    std::size_t pages = 0;
    index.store.on_quiet = [&] {
      if (++pages % 5 != 0 || budget == 0) return;
      // The other one does not wait for the structure lock while this one has it.
      const tree::Meta meta = tree::read_meta(index.store);
      if (index.store.structure_locked() && index.rows.size() > std::size_t{meta.leaves} * 24) return;
      --budget;
      const Vector v = data.next();
      Vector prepared(other.space.dims());
      const tree::PreparedRow how = other.space.prepare_row(v.data(), prepared.data());
      const std::uint32_t number = 1000000 + static_cast<std::uint32_t>(budget);
      const tree::NewRow row[1] = {{id_of(number), prepared.data(), how.norm, how.raw_norm}};
      CountDone done;
      tree::insert_rows(index.store, other.space, row, done, index.memory);
      EXPECT_EQ(done.finished.size(), 1U);
      index.rows[number] = v;
    };
    for (int i = 0; i < 20 && budget > 0; ++i) {
      std::vector<Vector> batch;
      for (std::size_t r = 0; r < c.rows / 20; ++r) batch.push_back(data.next());
      index.load();
      index.insert(batch);
    }
    index.store.on_quiet = nullptr;
    index.expect_whole();
    index.expect_search_finds_all(data.next());
  }
}

}  // namespace
}  // namespace longbow::testing
