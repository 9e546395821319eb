// Decodes a leaf.
#include "leaf_rows.hpp"

namespace longbow::tree {

namespace {

// Copies the blocks of a leaf of bits and their factors.
void read_blocks(PageStore& store, const Geometry& g, const PageRef& head, LeafRows& out) {
  const std::size_t count = g.blocks(out.head.head.rows), block_bytes = g.groups * simd::kGroupBytes;
  out.blocks.resize(count * block_bytes);
  out.factors.resize(count);
  for (std::size_t b = 0; b < count; ++b) {
    const BlockPlace place = place_of_block(g, b);
    for (std::size_t p = 0; p < g.block_pages; ++p) {
      PageRef page;
      if (!place.in_head) {
        page = PageRef(store, out.head.directory[g.scan_entry(place.page + p)], Latch::share);
        if (!belongs(page.data(), PageKind::scan, out.head.head.node_id))
          throw_corrupted(head.block(), "a scan page is not its node's own");
      }
      const std::uint8_t* bytes = place.in_head ? head.data() : page.data();
      const std::size_t from = p * g.page_groups;
      std::memcpy(out.blocks.data() + b * block_bytes + from * simd::kGroupBytes, bytes + (p == 0 ? place.codes : kBodyOffset),
                  std::min(g.page_groups, g.groups - from) * simd::kGroupBytes);
      if (p == 0) std::memcpy(&out.factors[b], bytes + place.factors, sizeof(BitFactors));
    }
  }
}

void decode_bits(const Space& space, BlockId head, LeafRows& out) {
  const Geometry& g = space.leaf;
  std::pmr::vector<std::uint8_t> cells(space.scan_bytes(), out.rows.get_allocator().resource());
  for (std::size_t slot = 0; slot < out.head.head.rows; ++slot) {
    const BitFactors& f = out.factors[slot / 16];
    const std::size_t lane = slot % 16;
    if (is_free(f.ids, lane)) continue;
    out.rows.push_back({f.ids.row_block[lane], f.ids.row_offset[lane]});
    out.slots.push_back(static_cast<std::uint32_t>(slot));
    quant::get_cells(out.blocks.data() + slot / 16 * g.groups * simd::kGroupBytes, static_cast<unsigned>(lane), 0, g.groups, cells.data());
    // Distances follow from the count.
    if (quant::count_bits(cells.data(), g.dims) != f.set[lane]) throw_corrupted(head, "a row has another number of bits than it says");
    out.vectors.resize(out.vectors.size() + g.dims);
    const float value = space.metric() == base::Metric::cosine ? quant::unit_value(f.set[lane]) : 1.0F;
    quant::spread_bits(cells.data(), g.dims, value, out.vectors.data() + out.vectors.size() - g.dims);
  }
  out.errors.assign(out.rows.size(), 0.0F);
}

}  // namespace

void read_leaf_rows(PageStore& store, const Space& space, const PageRef& head, LeafRows& out) {
  const Geometry& g = space.leaf;
  const std::size_t n = g.dims;
  copy_head(space, head, out.head);
  out.centroid.resize(n);
  if (!read_centroid(store, space, out.head, head.data(), out.centroid.data()))
    throw_corrupted(head.block(), "a centroid page is not its node's own");
  out.rows.clear();
  out.slots.clear();
  if (g.packed) {
    out.vectors.clear();
    read_blocks(store, g, head, out);
    decode_bits(space, head.block(), out);
    return;
  }
  std::size_t none = 0;
  const auto collect = [&out](const RowIds& f, std::size_t i, std::size_t slot) {
    if (is_free(f, i)) return false;
    out.rows.push_back({f.row_block[i], f.row_offset[i]});
    out.slots.push_back(static_cast<std::uint32_t>(slot));
    return false;
  };
  find_slot<RowIds>(store, g, head, collect, none);
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
