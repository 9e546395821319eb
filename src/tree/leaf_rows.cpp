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
  const std::size_t count = out.head.head.rows;
  for (std::size_t b = 0; b < g.blocks(count); ++b) {
    const BlockPlace place = place_of_block(g, b);
    PageRef page;
    if (!place.in_head) {
      page = PageRef(store, out.head.directory[g.scan_entry(place.page)], Latch::share);
      if (!belongs(page.data(), PageKind::scan, out.head.head.node_id))
        throw_corrupted(head.block(), "a scan page is not its leaf's own");
    }
    const auto& f =
        *reinterpret_cast<const LeafFactors*>((place.in_head ? head.data() : page.data()) + place.factors);
    for (std::size_t i = 0; i < 16 && b * 16 + i < count; ++i) {
      if (is_free(f, i)) continue;
      out.rows.push_back({f.row_block[i], f.row_offset[i]});
      out.slots.push_back(static_cast<std::uint32_t>(b * 16 + i));
    }
  }
  out.vectors.resize(out.rows.size() * n);
  out.errors.resize(out.rows.size());
  std::pmr::vector<std::uint8_t> codes(n, out.rows.get_allocator().resource());
  for (std::size_t i = 0; i < out.rows.size(); ++i) {
    const std::size_t slot = out.slots[i];
    quant::RefineFactors factors;
    if (!read_refine(store, g, out.head.directory[g.refine_entry(place_of_refine(g, slot).page)],
                     out.head.head.node_id, slot, factors, codes.data()))
      throw_corrupted(head.block(), "a refine page is not its leaf's own");
    quant::decode_refine(codes.data(), factors.step, out.centroid.data(), n, out.vectors.data() + i * n);
    out.errors[i] = factors.error;
  }
}

}  // namespace longbow::tree
