// Decodes a leaf.
#include "leaf_rows.hpp"

namespace longbow::tree {

void read_leaf_rows(PageStore& store, const Space& space, const PageRef& head, LeafRows& out) {
  const Geometry& g = space.leaf;
  const std::size_t n = g.dims;
  copy_head(space, head, out.head);
  out.centroid.resize(n);
  if (!read_centroid(store, space, out.head, head.data(), out.centroid.data()))
    throw_corrupted(head.block(), "a centroid page is not its node's own");
  out.rows.clear();
  out.slots.clear();
  std::size_t none = 0;
  const auto collect = [&out](const LeafFactors& f, std::size_t i, std::size_t slot) {
    if (is_free(f, i)) return false;
    out.rows.push_back({f.row_block[i], f.row_offset[i]});
    out.slots.push_back(static_cast<std::uint32_t>(slot));
    return false;
  };
  find_slot<LeafFactors>(store, g, head, collect, none);
  out.vectors.resize(out.rows.size() * n);
  out.errors.resize(out.rows.size());
  std::pmr::vector<std::uint8_t> codes(n, out.rows.get_allocator().resource());
  for (std::size_t i = 0; i < out.rows.size(); ++i) {
    const std::size_t slot = out.slots[i];
    RefineHeader header;
    if (!read_refine(store, g, out.head.directory[g.refine_entry(place_of_refine(g, slot).page)],
                     out.head.head.node_id, slot, header, codes.data()))
      throw_corrupted(head.block(), "a refine page is not its leaf's own");
    quant::decode_refine(codes.data(), header.factors.step, out.centroid.data(), n, out.vectors.data() + i * n);
    out.errors[i] = header.factors.error;
  }
}

}  // namespace longbow::tree
