// Splitting a leaf.
#include "split.hpp"

#include "append.hpp"
#include "link.hpp"
#include "longbow/mem/flat_set.hpp"
#include "longbow/quant/kmeans.hpp"
#include "reassign.hpp"
#include "recode.hpp"

namespace longbow::tree {

namespace {

// The rows of one side.
std::pmr::vector<std::uint32_t> rows_of(const std::pmr::vector<std::uint8_t>& side, std::uint8_t which) {
  std::pmr::vector<std::uint32_t> rows(side.get_allocator());
  for (std::uint32_t i = 0; i < side.size(); ++i)
    if (side[i] == which) rows.push_back(i);
  return rows;
}

// Appends to a new leaf that only this session knows.
void append_private(PageStore& store, const Space& space, NodeRef leaf, std::span<const EncodedRow> rows) {
  while (!rows.empty()) {
    const PageRef head(store, leaf.head, Latch::exclusive);
    const std::size_t count = append_run(store, space, head, rows);
    if (count == 0) throw base::Error(base::Errc::internal, "a leaf just split has no room");
    rows = rows.subspan(count);
  }
}

// Carries rows that came while the new leaves were written into the nearer of them.
void carry_over(PageStore& store, const Space& space, const PageRef& old_head, const LeafRows& before,
                const Replacement& what, std::pmr::memory_resource& memory) {
  if (node_head(old_head.data()).changes == before.head.head.changes) return;
  LeafRows now(memory);
  read_leaf_rows(store, space, old_head, now);
  mem::FlatSet known(memory);
  const auto key = [](RowId r) { return std::uint64_t{r.block} << 16 | r.offset; };
  for (const RowId r : before.rows) known.insert(key(r));
  const std::size_t n = space.dims();
  std::pmr::vector<std::uint8_t> side(now.rows.size(), 2, &memory);
  for (std::size_t i = 0; i < now.rows.size(); ++i) {
    if (known.contains(key(now.rows[i]))) continue;
    const float* v = now.vectors.data() + i * n;
    const auto& k = simd::kernels();
    side[i] = k.l2_squared(v, what.to[1].centroid, n) < k.l2_squared(v, what.to[0].centroid, n) ? 1 : 0;
  }
  Recoder recoder(space, memory);
  for (std::uint8_t s = 0; s < 2; ++s)
    append_private(store, space, what.to[s].node, recoder.encode(now, rows_of(side, s), what.to[s].centroid));
}

// Corrects a leaf's count of free slots, so that a leaf that is full only by its count takes appends again.
void recount_free(PageStore& store, const Space& space, NodeRef leaf) {
  const PageRef head(store, leaf.head, Latch::exclusive);
  if (!is_head_of(space, head.data(), leaf.node_id, leaf.head)) return;
  std::uint32_t free = 0;
  std::size_t none = 0;
  const auto count = [&free](const RowIds& f, std::size_t i, std::size_t) {
    free += is_free(f, i) ? 1 : 0;
    return false;
  };
  find_slot<RowIds>(store, space.leaf, head, count, none);
  const NodeHead& h = node_head(head.data());
  if (free == h.free) return;
  Change change(store);
  node_head(change.edit(head)).free = free;
  change.commit();
}

}  // namespace

bool split_leaf(PageStore& store, const Space& space, NodeRef leaf, std::pmr::memory_resource& memory) {
  const std::size_t n = space.dims();
  LeafRows rows(memory);
  {
    const PageRef head(store, leaf.head, Latch::share);
    if (!is_head_of(space, head.data(), leaf.node_id, leaf.head)) return false;
    const NodeHead& h = node_head(head.data());
    if ((h.flags & kMoved) != 0 || h.level != 0) return false;
    read_leaf_rows(store, space, head, rows);
  }
  if (rows.rows.size() < split_size(space)) {
    recount_free(store, space, leaf);
    return false;
  }
  make_room_above(store, space, leaf, 0, memory);
  const SplitTicket ticket = take_ticket(store, 2);
  std::pmr::vector<std::uint8_t> side(rows.rows.size(), &memory);
  std::pmr::vector<float> centroids(2 * n, &memory);
  quant::bisect({rows.vectors.data(), rows.rows.size(), n}, ticket.birth, memory, side.data(), centroids.data());
  Replacement what{leaf, 0, ticket.birth, {}};
  {
    PageRef heads[2] = {PageRef::allocate(store), PageRef::allocate(store)};
    Recoder recoder(space, memory);
    for (std::uint8_t s = 0; s < 2; ++s) {
      const float* centroid = centroids.data() + s * n;
      const std::uint32_t id = ticket.first_id + s;
      const NodeRef sibling{heads[1 - s].block(), ticket.first_id + 1 - s};
      const std::span<const EncodedRow> part = recoder.encode(rows, rows_of(side, s), centroid);
      write_leaf(store, space, heads[s], {id, 0, centroid, {ticket.birth, sibling}}, part, memory);
      what.to[s] = {{heads[s].block(), id}, centroid, spread_of(space, part, centroid)};
    }
  }
  {
    const PageRef old_head(store, leaf.head, Latch::exclusive);
    if (!is_head_of(space, old_head.data(), leaf.node_id, leaf.head))
      throw_corrupted(leaf.head, "a leaf vanished during its split");
    carry_over(store, space, old_head, rows, what, memory);
    copy_head(space, old_head, rows.head);
    link_replacement(store, space, old_head, what, memory);
  }
  free_body(store, space, rows.head);
  // VACUUM's pass, which lets splits in between, must meet every row.
  if (const MovesLock moves(store, false); moves) reassign_around(store, space, what, rows.centroid.data(), memory);
  return true;
}

}  // namespace longbow::tree
