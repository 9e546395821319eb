// An index in memory with the rows it should hold, for the tests of the tree.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "longbow/quant/assign.hpp"
#include "longbow/quant/bits.hpp"
#include "longbow/simd/kernels.hpp"
#include "longbow/tree/build.hpp"
#include "longbow/tree/insert.hpp"
#include "longbow/tree/maintain.hpp"
#include "longbow/tree/search.hpp"
#include "memory_store.hpp"

namespace longbow::testing {

using base::Metric;
using tree::RowId;

inline constexpr Metric kMetrics[] = {Metric::l2, Metric::ip, Metric::cosine, Metric::l1};

// Rows are numbered from 1; a row's id spreads the number over blocks and offsets as a heap does.
constexpr RowId id_of(std::uint32_t number) { return {number / 100, static_cast<std::uint16_t>(number % 100 + 1)}; }
constexpr std::uint32_t number_of(RowId row) { return row.block * 100 + row.offset - 1U; }

using Vector = std::vector<float>;

struct SilentWatch final : quant::Watch {
  void tick(std::size_t, std::size_t) override {}
  void pause() override {}
};
struct CountDone final : tree::InsertWatch {
  std::set<std::size_t> finished;
  void done(std::size_t index) noexcept override { EXPECT_TRUE(finished.insert(index).second); }
};

// Clustered vectors, away from the origin where `shift` is set; or bit strings, as cells.
class Data {
 public:
  Data(std::size_t dims, unsigned seed, std::size_t clusters = 20, float shift = 0)
      : dims_(dims), shift_(shift), random_(seed) {
    std::normal_distribution<float> normal;
    for (std::size_t c = 0; c < clusters; ++c) {
      centres_.emplace_back(dims);
      for (float& v : centres_.back()) v = normal(random_);
    }
  }
  Data& as_bits(float bar = 0) {
    bits_ = true;
    bar_ = bar;
    return *this;
  }
  Vector next() {
    if (!bits_) return next_floats();
    Vector v = next_floats(), cells(quant::bit_cells(dims_));
    for (float& x : v) x -= bar_;
    quant::gather_bits(v.data(), dims_, reinterpret_cast<std::uint8_t*>(cells.data()));
    return cells;
  }
  std::mt19937& random() { return random_; }

 private:
  Vector next_floats() {
    std::normal_distribution<float> normal(0, 0.5F);
    Vector v = centres_[random_() % centres_.size()];
    for (float& x : v) x += normal(random_) + shift_;
    return v;
  }

  std::size_t dims_;
  float shift_, bar_ = 0;
  bool bits_ = false;
  std::mt19937 random_;
  std::vector<Vector> centres_;
};

// What the SQL operator computes.
inline double distance(Metric metric, const Vector& a, const Vector& b) {
  const auto& k = simd::kernels();
  switch (metric) {
    case Metric::l2: return std::sqrt(static_cast<double>(k.l2_squared(a.data(), b.data(), a.size())));
    case Metric::ip: return -static_cast<double>(k.inner_product(a.data(), b.data(), a.size()));
    case Metric::l1: return k.l1(a.data(), b.data(), a.size());
    case Metric::cosine: break;
  }
  const simd::CosineSums s = k.cosine(a.data(), b.data(), a.size());
  const double cosine = s.dot / std::sqrt(static_cast<double>(s.a_squared) * static_cast<double>(s.b_squared));
  return 1.0 - (cosine > 1 ? 1 : cosine < -1 ? -1 : cosine);
}

struct Shape {
  Metric metric = Metric::l2;
  std::uint32_t dims = 8;
  std::uint32_t bits = 0;
  std::uint32_t leaf_size = 16;
  std::uint32_t fanout = 0;  // children an inner node is built for; 0 = by the dimensions
  bool bits_set = false;     // rows are bit strings: L2 is Hamming's distance, cosine Jaccard's
};

inline double distance(const Shape& shape, const Vector& a, const Vector& b) {
  if (!shape.bits_set) return distance(shape.metric, a, b);
  const auto* x = reinterpret_cast<const std::uint8_t*>(a.data());
  const auto* y = reinterpret_cast<const std::uint8_t*>(b.data());
  const auto& k = simd::kernels();
  const std::size_t bytes = a.size() * sizeof(float);
  if (shape.metric == Metric::l2) return static_cast<double>(k.hamming(x, y, bytes));
  const simd::BitSums sums = k.jaccard(x, y, bytes);
  return sums.both == 0 ? 1 : 1 - static_cast<double>(sums.both) / static_cast<double>(sums.either);
}

class TestIndex {
 public:
  explicit TestIndex(const Shape& shape) : shape_(shape) {}

  CountingResource memory;  // outlives the store's pages
  MemoryStore store;
  std::map<std::uint32_t, Vector> rows;                  // what the tree should hold
  std::map<std::uint32_t, std::uint16_t> plain;          // and the plain chain

  // An index made empty, as for a table without rows.
  void create(bool dims_known = true) {
    tree::write_empty(store, tree::new_meta(new_index(dims_known ? shape_.dims : 0)));
    load();
    if (space.meta.root == tree::kNoBlock) tree::fix_dimensions(store, shape_.dims, memory);
    // As yet there is no inner node that is laid out by it.
    if (shape_.fanout > 0) tree::update_meta(store, [&](tree::Meta& m) { m.fanout = shape_.fanout; });
    load();
  }
  // An index built over `count` rows in `clusters` clusters.
  void build(Data& data, std::uint32_t count, std::size_t clusters, bool centred = true) {
    if (shape_.bits_set) centred = false;
    std::vector<Vector> vectors;
    for (std::uint32_t i = 0; i < count; ++i) vectors.push_back(data.next());
    tree::Meta meta = tree::new_meta(new_index(shape_.dims));
    if (shape_.fanout > 0) meta.fanout = shape_.fanout;
    const std::size_t n = shape_.dims;
    Vector centre(n, 0.0F);
    if (centred)
      for (const Vector& v : vectors)
        for (std::size_t d = 0; d < n; ++d) {
          float x = v[d];
          if (shape_.metric == Metric::cosine)
            x /= std::sqrt(simd::kernels().inner_product(v.data(), v.data(), n));
          centre[d] += x / static_cast<float>(count);
        }
    buffer_.assign(tree::space_floats(n), 0.0F);
    space = tree::make_space(meta, centre.data(), buffer_.data());
    std::vector<tree::PreparedRow> how;
    Vector prepared(count * n);
    for (std::uint32_t i = 0; i < count; ++i) {
      how.push_back(space.prepare_row(vectors[i].data(), prepared.data() + i * n));
      ASSERT_EQ(how.back().kind, tree::RowClass::indexed);
    }
    Vector centroids(clusters * n);
    SilentWatch watch;
    base::Alone alone(memory);
    clusters = quant::train({prepared.data(), count, n}, {clusters, 8, 3, 1}, alone, memory, watch, centroids.data());
    const quant::Assigner assigner(centroids.data(), clusters, n, alone);
    std::vector<std::uint32_t> nearest(count);
    assigner.assign(prepared.data(), count, nearest.data());
    tree::write_empty(store, meta);
    space.meta.centre = centred ? tree::write_centre(store, centre.data(), n) : tree::kNoBlock;
    tree::TreeBuilder builder(store, space, memory);
    tree::RowEncoder encoder(space, memory);
    const std::size_t bytes = tree::PackedRow::bytes(space);
    for (std::size_t c = 0; c < clusters; ++c) {
      std::vector<std::uint8_t> packed;
      std::size_t members = 0;
      for (std::uint32_t i = 0; i < count; ++i) {
        if (nearest[i] != c) continue;
        encoder.encode(prepared.data() + i * n, centroids.data() + c * n, how[i].norm, how[i].raw_norm, 0);
        packed.resize(packed.size() + bytes);
        tree::PackedRow::pack(space, id_of(next_row_), encoder, packed.data() + packed.size() - bytes);
        rows[next_row_++] = vectors[i];
        ++members;
      }
      if (members > 0) builder.add_cluster(centroids.data() + c * n, packed.data(), members);
    }
    builder.finish(watch);
    const tree::Meta built = space.meta;
    tree::update_meta(store, [&](tree::Meta& m) { m = built; });
    load();
  }
  // Reads the space anew, as each statement does.
  void load() {
    const tree::Meta meta = tree::read_meta(store);
    buffer_.assign(tree::space_floats(meta.dims), 0.0F);
    space = tree::make_space(store, meta, buffer_.data());
  }

  // Inserts vectors as one statement; rows whose record was finished count as there, whatever is thrown.
  void insert(const std::vector<Vector>& vectors) {
    struct Counted final : tree::InsertWatch {
      TestIndex* index;
      const std::vector<Vector>* vectors;
      std::uint32_t first;
      void done(std::size_t i) noexcept override {
        EXPECT_TRUE(index->rows.emplace(first + static_cast<std::uint32_t>(i), (*vectors)[i]).second);
      }
    } watch;
    watch.index = this;
    watch.vectors = &vectors;
    watch.first = next_row_;
    next_row_ += static_cast<std::uint32_t>(vectors.size());
    const std::size_t n = shape_.dims;
    Vector prepared(vectors.size() * n);
    std::vector<tree::NewRow> batch;
    for (std::size_t i = 0; i < vectors.size(); ++i) {
      const tree::PreparedRow how = space.prepare_row(vectors[i].data(), prepared.data() + i * n);
      ASSERT_EQ(how.kind, tree::RowClass::indexed);
      batch.push_back({id_of(watch.first + static_cast<std::uint32_t>(i)), prepared.data() + i * n, how.norm,
                       how.raw_norm});
    }
    tree::insert_rows(store, space, batch, watch, memory);
  }
  void insert(Data& data, std::size_t count, std::size_t batch = 1) {
    while (count > 0) {
      std::vector<Vector> vectors;
      for (; vectors.size() < batch && count > 0; --count) vectors.push_back(data.next());
      load();
      insert(vectors);
    }
  }
  void insert_plain(std::uint16_t flags) {
    tree::insert_plain(store, id_of(next_row_), flags);
    plain[next_row_++] = flags;
  }
  // Removes rows by number from index and memory.
  tree::SweepResult sweep(const std::set<std::uint32_t>& dead) {
    struct Dead final : tree::DeadRows {
      const std::set<std::uint32_t>* dead;
      bool is_dead(RowId row) override { return dead->contains(number_of(row)); }
    } callback;
    callback.dead = &dead;
    load();
    const std::uint64_t latched = store.ticks_under_latch;
    const tree::SweepResult result = tree::sweep(store, space, dead.empty() ? nullptr : &callback, memory);
    EXPECT_EQ(store.ticks_under_latch, latched) << "VACUUM may sleep in tick()";
    for (const std::uint32_t row : dead) rows.erase(row), plain.erase(row);
    return result;
  }

  // Every row exactly once, each as near to its code as the code says; nothing else.
  void expect_whole(const char* when = "") {
    struct Visitor final : tree::RowVisitor {
      TestIndex* index;
      std::set<std::uint32_t> met;
      std::size_t twice = 0, strange = 0, far = 0;
      void row(RowId row, const float* decoded, float error, std::uint16_t flags) override {
        const std::uint32_t number = number_of(row);
        twice += met.insert(number).second ? 0 : 1;
        if (decoded == nullptr) {
          const auto it = index->plain.find(number);
          strange += it == index->plain.end() || it->second != flags ? 1 : 0;
          return;
        }
        const auto it = index->rows.find(number);
        if (it == index->rows.end()) {
          ++strange;
          return;
        }
        const std::size_t n = index->space.dims();
        Vector prepared(n);
        const tree::PreparedRow how = index->space.prepare_row(it->second.data(), prepared.data());
        double sum = 0;
        for (std::size_t d = 0; d < n; ++d) {
          const double off = std::abs(static_cast<double>(prepared[d]) - decoded[d]);
          sum += index->space.metric() == Metric::l1 ? off : off * off;
        }
        if (index->space.metric() != Metric::l1) sum = std::sqrt(sum);
        far += sum <= static_cast<double>(error) + 1e-5 * how.norm + 1e-6 ? 0 : 1;
      }
    } visitor;
    visitor.index = this;
    load();
    tree::visit_rows(store, space, visitor, memory);
    EXPECT_EQ(visitor.twice, 0U) << when;
    EXPECT_EQ(visitor.strange, 0U) << when;
    EXPECT_EQ(visitor.far, 0U) << when;
    EXPECT_EQ(visitor.met.size(), rows.size() + plain.size()) << when;
    expect_structure(when);
  }
  // Between a sweep that died and the next: rows that are not dead are all there, once.
  void expect_no_live_row_missing(const std::set<std::uint32_t>& dead) {
    struct Visitor final : tree::RowVisitor {
      std::set<std::uint32_t> met;
      void row(RowId row, const float*, float, std::uint16_t) override { EXPECT_TRUE(met.insert(number_of(row)).second); }
    } visitor;
    load();
    tree::visit_rows(store, space, visitor, memory);
    for (const auto& [number, v] : rows) EXPECT_TRUE(dead.contains(number) || visitor.met.contains(number));
  }
  // Figures agree with the meta page, every node's pages are its own, and no page has two owners.
  void expect_structure(const char* when = "") {
    std::pmr::vector<tree::NodeRef> leaves(&memory), inner(&memory);
    tree::list_leaves(store, space, leaves, &inner, memory);
    const tree::Meta meta = tree::read_meta(store);
    EXPECT_EQ(meta.leaves, leaves.size()) << when;
    std::set<tree::BlockId> owned;
    for (const auto* nodes : {&leaves, &inner})
      for (const tree::NodeRef& node : *nodes) {
        const std::uint8_t* page = store.raw(node.head);
        const tree::NodeHead& h = tree::node_head(page);
        EXPECT_EQ(h.node_id, node.node_id) << when;
        EXPECT_EQ(h.flags, 0) << when;
        EXPECT_LT(h.node_id, meta.next_node_id) << when;
        EXPECT_LE(h.birth, meta.split_counter) << when;
        EXPECT_TRUE(owned.insert(node.head).second) << when;
        const tree::Geometry& g = space.geometry(h.level);
        EXPECT_LE(h.rows, g.max_rows) << when;
        const auto* directory = reinterpret_cast<const tree::BlockId*>(page + tree::kDirectoryOffset);
        const auto own = [&](std::size_t entry, tree::PageKind kind, std::size_t ordinal) {
          ASSERT_LT(directory[entry], store.blocks()) << when;
          const tree::Trailer& t = tree::trailer(store.raw(directory[entry]));
          EXPECT_TRUE(t.kind == kind && t.node_id == node.node_id && t.head == node.head && t.ordinal == ordinal)
              << when;
          EXPECT_TRUE(owned.insert(directory[entry]).second) << when;
        };
        for (std::size_t p = 0; p < h.centroid_pages; ++p) own(p, tree::PageKind::centroid, p);
        for (std::size_t p = 0; p < h.scan_pages; ++p) own(g.scan_entry(p), tree::PageKind::scan, p);
        for (std::size_t p = 0; p < h.refine_pages; ++p) own(g.refine_entry(p), tree::PageKind::refine, p);
      }
    owned_ = owned.size();
  }
  // Pages of reachable nodes, as expect_structure() last counted them.
  [[nodiscard]] std::size_t owned() const noexcept { return owned_; }

  // Searches to the end: every row and plain row exactly once, bounds below the true distances. Returns the order.
  std::vector<std::uint32_t> expect_search_finds_all(const Vector& query, tree::SearchOptions options = {}) {
    load();
    std::vector<std::uint32_t> order;
    std::set<std::uint32_t> met;
    tree::Search search(store, space, memory);
    search.start(query.data(), options);
    tree::Hit hit;
    std::size_t unsound = 0, strange = 0;
    while (search.next(hit)) {
      const std::uint32_t number = number_of(hit.row);
      EXPECT_TRUE(met.insert(number).second) << "row " << number << " came twice";
      order.push_back(number);
      if (const auto it = rows.find(number); it != rows.end())
        unsound += !hit.null && hit.bound <= distance(shape_, query, it->second) ? 0 : 1;
      else
        strange += plain.contains(number) ? 0 : 1;
    }
    EXPECT_EQ(unsound, 0U);
    EXPECT_EQ(strange, 0U);
    EXPECT_EQ(met.size(), rows.size() + plain.size());
    return order;
  }
  // Recall of the k nearest as an executor with LIMIT k finds them: rows taken until no bound is below the k-th distance.
  double recall(const std::vector<Vector>& queries, std::size_t k, const tree::SearchOptions& options) {
    load();
    std::size_t hits = 0, wanted = 0;
    for (const Vector& q : queries) {
      std::vector<double> exact;
      for (const auto& [number, v] : rows) exact.push_back(distance(shape_, q, v));
      const std::size_t take = std::min(k, exact.size());
      std::nth_element(exact.begin(), exact.begin() + static_cast<std::ptrdiff_t>(take) - 1, exact.end());
      const double bar = exact[take - 1];
      tree::Search search(store, space, memory);
      search.start(q.data(), options);
      std::vector<double> best;
      std::size_t given = 0;
      tree::Hit hit;
      while (search.next(hit)) {
        if (best.size() >= take && hit.bound > best[take - 1] && given++ == 0) break;
        best.push_back(distance(shape_, q, rows.at(number_of(hit.row))));
        std::sort(best.begin(), best.end());
      }
      for (std::size_t i = 0; i < take && i < best.size(); ++i) hits += best[i] <= bar ? 1 : 0;
      wanted += take;
    }
    return static_cast<double>(hits) / static_cast<double>(wanted);
  }

  tree::Space space{};
  [[nodiscard]] const Shape& shape() const noexcept { return shape_; }
  std::uint32_t next_row() const noexcept { return next_row_; }

 private:
  [[nodiscard]] tree::NewIndex new_index(std::uint32_t dims) const {
    return {shape_.metric, dims, shape_.bits, shape_.leaf_size, 0x1234567 + shape_.dims,
            shape_.bits_set ? tree::ElementCode::bit : tree::ElementCode::vector};
  }

  Shape shape_;
  std::vector<float> buffer_;
  std::uint32_t next_row_ = 1;
  std::size_t owned_ = 0;
};

}  // namespace longbow::testing
