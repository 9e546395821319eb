// Bad bytes on any kind of page: searches, inserts, sweeps, walks and the calibration end in an Error or in a result, and
// in bounded time and memory; sanitizers watch the rest.
#include "tree_testing.hpp"

namespace longbow::testing {
namespace {

using tree::PageKind;

// Sets and overwrites bytes in a way that damage does: a flipped bit, a run of noise, zeros, a page's start or its end.
void spoil(std::mt19937& random, std::uint8_t* page) {
  const auto noise = [&](std::size_t from, std::size_t to) {
    for (std::size_t i = from; i < to; ++i) page[i] = static_cast<std::uint8_t>(random());
  };
  const std::size_t first = tree::kPageHeaderBytes;
  const auto somewhere = [&](std::size_t from) { return from + random() % (tree::kPageBytes - from); };
  switch (random() % 9) {
    case 0: page[somewhere(first)] ^= static_cast<std::uint8_t>(1U << random() % 8); break;
    case 1: noise(first, tree::kTrailerOffset); break;
    case 2: noise(first, tree::kPageBytes); break;
    case 3: noise(tree::kTrailerOffset, tree::kPageBytes); break;
    case 4: {  // a word of the head, the directory or the meta page; often a small number
      const std::size_t at = first + random() % 120 * 4;
      const std::uint32_t word = random() % 2 == 0 ? random() : random() % 200;
      std::memcpy(page + at, &word, sizeof word);
      break;
    }
    case 5: {
      const std::size_t at = somewhere(first);
      noise(at, std::min(tree::kPageBytes, at + 1 + random() % 200));
      break;
    }
    case 6: std::memset(page + first, 0, tree::kPageBytes - first); break;
    case 7: std::memset(page + first, 0xFF, tree::kTrailerOffset - first); break;
    default: {  // a word of the trailer
      const std::uint32_t word = random() % 2 == 0 ? random() : random() % 64;
      std::memcpy(page + tree::kTrailerOffset + random() % 6 * 4, &word, sizeof word);
    }
  }
}

class Fuzz {
 public:
  Fuzz(const Shape& shape, unsigned seed) : data_(shape.dims, seed), random_(seed), index_(shape) {
    if (shape.bits_set) data_.as_bits();
    index_.create();
    index_.insert(data_, shape.dims > 1000 ? 70 : 500, 20);
    for (const std::uint16_t flags : {tree::kPlainNull, tree::kPlainNan, tree::kPlainUnknown}) index_.insert_plain(flags);
    index_.store.corrupt = true;
    pages_ = index_.store.snapshot();
    rows_ = index_.rows;
  }

  void round() {
    index_.store.restore(pages_);
    index_.rows = rows_;
    // A kind of page first, so that rare ones get their share.
    std::map<PageKind, std::vector<tree::BlockId>> kinds;
    for (tree::BlockId b = 0; b < index_.store.blocks(); ++b) kinds[index_.store.kind(b)].push_back(b);
    for (int times = 1 + random_() % 3; times > 0; --times) {
      const auto kind = std::next(kinds.begin(), static_cast<std::ptrdiff_t>(random_() % kinds.size()));
      spoil(random_, index_.store.raw(kind->second[random_() % kind->second.size()]));
    }
    const Vector query = data_.next();
    guarded("search", [&] { search(query.data(), 0); });
    guarded("narrow search", [&] { search(query.data(), 1); });
    guarded("NULL query", [&] { search(nullptr, 0); });
    guarded("insert", [&] { insert(); });
    guarded("plain insert", [&] {
      index_.insert_plain(tree::kPlainUnknown);
    });
    guarded("sweep", [&] {
      struct Some final : tree::DeadRows {
        bool is_dead(RowId row) override { return row.offset % 3 == 0; }
      } some;
      index_.load();
      tree::sweep(index_.store, index_.space, &some, index_.memory);
    });
    guarded("facts", [&] {
      index_.load();
      tree::collect_facts(index_.store, index_.space, index_.memory);
    });
    guarded("walk", [&] {
      struct Nothing final : tree::RowVisitor {
        void row(RowId, const float*, float, std::uint16_t) override {}
      } nothing;
      index_.load();
      tree::visit_rows(index_.store, index_.space, nothing, index_.memory);
    });
    guarded("calibrate", [&] {
      SilentWatch watch;
      base::Alone alone(index_.memory);
      index_.load();
      if (index_.space.dims() > 0) tree::calibrate(index_.store, index_.space, 10, alone, watch, index_.memory);
    });
    guarded("search after all", [&] { search(query.data(), 3); });
  }
  std::size_t errors = 0, results = 0;

 private:
  template <class F>
  void guarded(const char* what, F&& f) {
    SCOPED_TRACE(what);
    index_.store.ticks = 0;
    index_.store.tick_limit = 200000;
    try {
      f();
      ++results;
    } catch (const base::Error& e) {
      ++errors;
      EXPECT_NE(e.code(), base::Errc::internal) << e.what();
    } catch (const TickLimit&) {
      ADD_FAILURE() << "it did not end";
    } catch (const MemoryLimit&) {
      ADD_FAILURE() << "it asked for too much memory";
    }
    index_.store.tick_limit = 0;
    EXPECT_EQ(index_.store.held(), 0U);
    EXPECT_FALSE(index_.store.structure_locked());
  }
  void search(const float* query, std::uint32_t probes) {
    index_.load();
    if (index_.space.raw_cells() != data_.next().size() && query != nullptr) return;  // the operator refuses it
    tree::Search search(index_.store, index_.space, index_.memory);
    tree::SearchOptions options;
    options.probes = probes;
    search.start(query, options);
    tree::Hit hit;
    std::size_t rows = 0;
    while (search.next(hit)) ASSERT_LT(++rows, 2000000U);
  }
  void insert() {
    index_.load();
    if (index_.space.raw_cells() != data_.next().size()) return;
    // Crowded, so that leaves split.
    const Vector crowd = data_.next();
    const std::size_t n = index_.space.dims();
    Vector prepared(n);
    const tree::PreparedRow how = index_.space.prepare_row(crowd.data(), prepared.data());
    if (how.kind != tree::RowClass::indexed) return;
    CountDone done;
    std::vector<tree::NewRow> batch;
    for (std::uint32_t i = 0; i < (n > 1000 ? 20U : 45U); ++i)
      batch.push_back({id_of(500000 + i), prepared.data(), how.norm, how.raw_norm});
    tree::insert_rows(index_.store, index_.space, batch, done, index_.memory);
    EXPECT_EQ(done.finished.size(), batch.size());
  }

  Data data_;
  std::mt19937 random_;
  TestIndex index_;
  std::vector<std::vector<std::uint8_t>> pages_;
  std::map<std::uint32_t, Vector> rows_;
};

TEST(TreeCorruption, NothingWorseThanAnError) {
  const Shape shapes[] = {{Metric::l2, 8, 0, 16},
                          {Metric::l1, 24, 0, 16},
                          {Metric::cosine, 8, 0, 16, 8},
                          {Metric::ip, 600, 4, 16},
                          {Metric::l2, 2100, 0, 16},
                          {Metric::l2, 75, 0, 16, 8, true},
                          {Metric::cosine, 5000, 0, 16, 0, true}};
  for (const Shape& shape : shapes) {
    SCOPED_TRACE(shape.dims);
    Fuzz fuzz(shape, 41 + shape.dims);
    const int rounds = shape.dims > 500 ? 40 : 120;
    for (int i = 0; i < rounds && !HasFailure(); ++i) {
      SCOPED_TRACE("round " + std::to_string(i));
      fuzz.round();
    }
    EXPECT_GT(fuzz.errors, 0U);
    EXPECT_GT(fuzz.results, 0U);
  }
}

}  // namespace
}  // namespace longbow::testing
