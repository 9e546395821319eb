// Finds the rows that are nearer to another centroid, and moves them.
#include "reassign.hpp"

#include <algorithm>
#include <tuple>

#include "append.hpp"
#include "descend.hpp"
#include "longbow/quant/assign.hpp"
#include "recode.hpp"
#include "route.hpp"
#include "split.hpp"

namespace longbow::tree {

namespace {

// Neighbours that are looked at: their rows are read and decoded, which is the cost of a re-assignment.
constexpr std::size_t kNeighbours = 16, kLeastNeighbours = 4;
constexpr std::size_t kNeighbourBytes = 8 << 20;  // of decoded rows
constexpr int kIterations = 2;
// A row moves only if it gains so much of its squared distance: a move costs a record with three page images to compare,
// and only to or from a new leaf. GloVe grown from 1,000 to 340,479 rows finds 94.2 % in 100 leaves so, 92.6 % without
// re-assignment, 95.5 % if all rows go wherever they gain 1 %, which makes merges 1.8 times as slow; a fresh build finds 94.8.
constexpr float kGain = 0.97F;

std::size_t neighbour_count(const Space& space) noexcept {
  const std::size_t leaf_bytes = space.meta.leaf_size * space.dims() * sizeof(float);
  return std::clamp(kNeighbourBytes / leaf_bytes, kLeastNeighbours, kNeighbours);
}

// A leaf with so many rows is brought no more: filled to where it is split, one of many equal rows would be split again by the
// next row that comes, and again, until an insert has gathered all of its kind.
std::size_t most_rows(const Space& space) noexcept { return split_size(space) * 3 / 4; }

// Takes rows out of the page that they leave, within the record that adds them to their new leaf.
class SourcePage final : public RecordRider {
 public:
  SourcePage(const PageRef& page, bool in_head) : page_(page), in_head_(in_head) {}
  void expect(std::span<const std::size_t> ids, std::span<const std::size_t> lanes) noexcept {
    ids_ = ids;
    lanes_ = lanes;
  }
  void ride(Change& change, std::size_t count) override {
    std::uint8_t* image = change.edit(page_);
    for (std::size_t i = 0; i < count; ++i) {
      auto& f = *reinterpret_cast<RowIds*>(image + ids_[i]);
      f.row_block[lanes_[i]] = 0;
      f.row_offset[lanes_[i]] = 0;
    }
    if (!in_head_) return;
    node_head(image).free += static_cast<std::uint32_t>(count);
    ++node_head(image).changes;
  }
  void committed() noexcept override {}

 private:
  const PageRef& page_;
  bool in_head_;
  std::span<const std::size_t> ids_, lanes_;
};

class Reassigner {
 public:
  Reassigner(PageStore& store, const Space& space, std::pmr::memory_resource& memory)
      : store_(store),
        space_(space),
        memory_(memory),
        nodes_(&memory),
        leaves_(&memory),
        means_(&memory),
        spreads_(&memory),
        count_(&memory),
        belongs_(&memory),
        nearest_(&memory),
        moves_(&memory),
        recoder_(space, memory),
        picked_(&memory),
        ids_(&memory),
        lanes_(&memory) {}

  void run(const Replacement& split, const float* centroid) {
    Descent descent(store_, space_, memory_);
    for (const Child& c : split.to) {
      nodes_.push_back({c.node, {}});
      if (!descent.parent_of(c.node, 0, nodes_.back().parent)) return;
    }
    descent.leaves_near(centroid, neighbour_count(space_) + 2, nodes_);
    read_leaves();
    settle();
    // A row whose codes span pages cannot be told from the next one in its slot while it is read: such rows stay.
    if (space_.leaf.packed ? space_.leaf.block_pages == 1 : space_.leaf.refine_span == 1) find_moves();
    if (!moves_.empty()) {
      update_meta(store_, [](Meta& m) { m.moves = (m.moves + 1) | 1U; });
      for (std::size_t from = 0; from < moves_.size();) {
        std::size_t to = from + 1;
        while (to < moves_.size() && same_pages(moves_[from], moves_[to])) ++to;
        move({moves_.data() + from, to - from});
        from = to;
      }
      update_meta(store_, [](Meta& m) { ++m.moves; });
    }
    reroute_leaves();
  }

 private:
  struct Move {
    std::uint32_t to, from, row;  // leaves and a row of the latter, by their places in leaves_
    BlockPlace place;
  };

  // The two new leaves come first; what is not a leaf any more is left out.
  void read_leaves() {
    leaves_.reserve(nodes_.size());
    std::size_t kept = 0;
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      const Descent::Placed at = nodes_[i];
      if (i >= 2 && (at.node.node_id == nodes_[0].node.node_id || at.node.node_id == nodes_[1].node.node_id)) continue;
      store_.tick();
      const PageRef head(store_, at.node.head, Latch::share);
      if (!is_head_of(space_, head.data(), at.node.node_id, at.node.head) || (node_head(head.data()).flags & kMoved) != 0) {
        if (i < 2) throw_corrupted(at.node.head, "a leaf vanished after its split");
        continue;
      }
      read_leaf_rows(store_, space_, head, leaves_.emplace_back(memory_));
      nodes_[kept++] = at;
    }
    nodes_.resize(kept);
  }

  // Lloyd's iterations over the rows at hand: means_ become the leaves' means, belongs_ each row's leaf.
  void settle() {
    const std::size_t n = space_.dims();
    means_.resize(leaves_.size() * n);
    for (std::size_t l = 0; l < leaves_.size(); ++l) belongs_.insert(belongs_.end(), leaves_[l].rows.size(), static_cast<std::uint32_t>(l));
    base::Alone alone(memory_);
    for (int i = 0;; ++i) {
      find_means();
      if (i == kIterations) break;
      const quant::Assigner assigner(means_.data(), leaves_.size(), n, alone);
      std::size_t at = 0;
      for (LeafRows& leaf : leaves_) {
        store_.tick();
        nearest_.resize(leaf.rows.size());
        assigner.assign(leaf.vectors.data(), leaf.rows.size(), nearest_.data());
        for (std::size_t r = 0; r < leaf.rows.size(); ++r, ++at) {
          const float* row = leaf.vectors.data() + r * n;
          const std::uint32_t was = belongs_[at];
          const std::uint32_t now = nearest_[r];
          const bool may = now < 2 || was < 2;
          if (may && now != was && squared(row, now) < squared(row, was) * kGain) belongs_[at] = now;
        }
      }
    }
    find_spreads();
  }

  [[nodiscard]] float squared(const float* row, std::size_t leaf) const noexcept {
    return simd::kernels().l2_squared(row, means_.data() + leaf * space_.dims(), space_.dims());
  }

  // A leaf without rows keeps its centroid.
  void find_means() {
    const std::size_t n = space_.dims();
    count_.assign(leaves_.size(), 0);
    std::fill(means_.begin(), means_.end(), 0.0F);
    for_each_row([&](const float* row, std::uint32_t to) {
      simd::kernels().add_to(row, means_.data() + to * n, n);
      ++count_[to];
    });
    for (std::size_t l = 0; l < leaves_.size(); ++l) {
      if (count_[l] == 0)
        std::copy_n(leaves_[l].centroid.data(), n, means_.data() + l * n);
      else
        simd::kernels().scale(means_.data() + l * n, 1.0F / static_cast<float>(count_[l]), n);
    }
  }
  void find_spreads() {
    spreads_.assign(leaves_.size(), 0);
    for_each_row([&](const float* row, std::uint32_t to) { spreads_[to] += squared(row, to) / static_cast<float>(count_[to]); });
  }
  template <class F>
  void for_each_row(F&& f) const {
    std::size_t at = 0;
    for (const LeafRows& leaf : leaves_)
      for (std::size_t r = 0; r < leaf.rows.size(); ++r) f(leaf.vectors.data() + r * space_.dims(), belongs_[at++]);
  }

  void find_moves() {
    std::size_t at = 0;
    for (std::size_t l = 0; l < leaves_.size(); ++l)
      for (std::size_t r = 0; r < leaves_[l].rows.size(); ++r, ++at)
        if (belongs_[at] != l)
          moves_.push_back({belongs_[at], static_cast<std::uint32_t>(l), static_cast<std::uint32_t>(r),
                            place_of_block(space_.leaf, leaves_[l].slots[r] / 16)});
    std::sort(moves_.begin(), moves_.end(), [](const Move& a, const Move& b) {
      return std::tuple(a.to, a.from, a.row) < std::tuple(b.to, b.from, b.row);
    });
  }

  // Tells the parents where their children's rows are now.
  void reroute_leaves() {
    std::pmr::vector<Child> children(&memory_);
    std::pmr::vector<bool> done(nodes_.size(), false, &memory_);
    for (std::size_t l = 0; l < nodes_.size(); ++l) {
      if (done[l]) continue;
      children.clear();
      for (std::size_t o = l; o < nodes_.size(); ++o) {
        if (nodes_[o].parent.node_id != nodes_[l].parent.node_id) continue;
        done[o] = true;
        children.push_back({nodes_[o].node, means_.data() + o * space_.dims(), spreads_[o]});
      }
      reroute(store_, space_, nodes_[l].parent, children, memory_);
    }
  }
  static bool same_pages(const Move& a, const Move& b) noexcept {
    return a.to == b.to && a.from == b.from && a.place.in_head == b.place.in_head && a.place.page == b.place.page;
  }

  // Moves rows of one page of one leaf to another leaf, as far as that has room.
  void move(std::span<const Move> rows) {
    const std::span<const EncodedRow> encoded = encode(rows);
    const NodeRef to = nodes_[rows[0].to].node;
    const NodeRef from = nodes_[rows[0].from].node;
    const BlockPlace& place = rows[0].place;
    const BlockId source = place.in_head ? from.head
                                         : leaves_[rows[0].from].head.directory[space_.leaf.scan_entry(place.page)];
    std::size_t at = 0;
    while (at < rows.size()) {
      store_.tick();
      const PageRef head(store_, to.head, Latch::exclusive);
      if (!is_head_of(space_, head.data(), to.node_id, to.head)) break;
      const NodeHead& h = node_head(head.data());
      const std::size_t used = h.rows - std::min(h.rows, h.free);
      if (used >= most_rows(space_)) break;
      const std::size_t fit = std::min(rows.size() - at, most_rows(space_) - used);
      const PageRef page(store_, source, Latch::exclusive);
      if (!belongs(page.data(), place.in_head ? PageKind::head : PageKind::scan, from.node_id))
        throw_corrupted(source, "a page of the leaf is not its own");
      SourcePage rider(page, place.in_head);
      rider.expect(std::span(ids_).subspan(at), std::span(lanes_).subspan(at));
      const std::size_t count = append_run(store_, space_, head, encoded.subspan(at, fit), &rider);
      if (count == 0) break;
      at += count;
    }
    if (!place.in_head && at > 0) count_free(from, at);
  }

  // The rows as their new leaf codes them, and where they lie in the page that they leave.
  std::span<const EncodedRow> encode(std::span<const Move> rows) {
    const LeafRows& leaf = leaves_[rows[0].from];
    picked_.clear();
    ids_.clear();
    lanes_.clear();
    for (const Move& m : rows) {
      picked_.push_back(m.row);
      ids_.push_back(m.place.ids);
      lanes_.push_back(leaf.slots[m.row] % 16);
    }
    return recoder_.encode(leaf, picked_, leaves_[rows[0].to].centroid.data());
  }

  // A count only: lost in a crash it is found again by the leaf's split.
  void count_free(NodeRef leaf, std::size_t count) {
    const PageRef head(store_, leaf.head, Latch::exclusive);
    if (!is_head_of(space_, head.data(), leaf.node_id, leaf.head)) return;
    Change change(store_);
    NodeHead& h = node_head(change.edit(head));
    h.free = std::min(h.rows, h.free + static_cast<std::uint32_t>(count));
    ++h.changes;
    change.commit();
  }

  PageStore& store_;
  const Space& space_;
  std::pmr::memory_resource& memory_;
  std::pmr::vector<Descent::Placed> nodes_;
  std::pmr::vector<LeafRows> leaves_;
  std::pmr::vector<float> means_, spreads_;       // of each leaf
  std::pmr::vector<std::uint32_t> count_;         // rows of each leaf
  std::pmr::vector<std::uint32_t> belongs_, nearest_;  // the leaf of each row, all leaves' rows in their order
  std::pmr::vector<Move> moves_;
  Recoder recoder_;
  std::pmr::vector<std::uint32_t> picked_;
  std::pmr::vector<std::size_t> ids_, lanes_;
};

}  // namespace

void reassign_around(PageStore& store, const Space& space, const Replacement& split, const float* centroid,
                     std::pmr::memory_resource& memory) {
  Reassigner(store, space, memory).run(split, centroid);
}

}  // namespace longbow::tree
