// Finds the children's slots in one pass, then rewrites them page by page.
#include "route.hpp"

#include <algorithm>

namespace longbow::tree {

namespace {

struct Found {
  BlockPlace place;
  std::size_t slot, child;
  [[nodiscard]] bool on_page_of(const Found& other) const noexcept {
    return place.in_head == other.place.in_head && (place.in_head || place.page == other.place.page);
  }
};

}  // namespace

void reroute(PageStore& store, const Space& space, NodeRef parent, std::span<const Child> children,
             std::pmr::memory_resource& memory) {
  const Geometry& g = space.inner;
  if (g.block_pages > 1) return;
  HeadCopy copy(memory);
  std::pmr::vector<float> centroid(g.dims, &memory), residual(g.dims, &memory);
  std::pmr::vector<Found> found(&memory);
  {
    PageRef head(store, parent.head, Latch::share);
    if (!is_head_of(space, head.data(), parent.node_id, parent.head)) throw_corrupted(parent.head, "an inner node was expected");
    copy_head(space, head, copy);
    std::size_t none = 0;
    find_slot<InnerFactors>(store, g, head, [&](const InnerFactors& f, std::size_t i, std::size_t slot) {
      if (is_free(f, i)) return false;
      for (std::size_t c = 0; c < children.size(); ++c)
        if (f.child_id[i] == children[c].node.node_id) found.push_back({place_of_block(g, slot / 16), slot, c});
      return found.size() == children.size();
    }, none);
    if (g.centroid_span > 0) head.reset();
    if (!read_centroid(store, space, copy, head.held() ? head.data() : nullptr, centroid.data()))
      throw_corrupted(parent.head, "a centroid page is not its node's own");
  }
  std::pmr::vector<std::uint8_t> codes(g.dims, &memory);
  for (std::size_t from = 0, to = 0; from < found.size(); from = to) {
    while (to < found.size() && found[to].on_page_of(found[from])) ++to;
    store.tick();
    const BlockPlace& place = found[from].place;
    const PageRef page(store, place.in_head ? parent.head : copy.directory[g.scan_entry(place.page)], Latch::exclusive);
    if (!belongs(page.data(), place.in_head ? PageKind::head : PageKind::scan, parent.node_id))
      throw_corrupted(page.block(), "a page of the inner node is not its own");
    Change change(store);
    std::uint8_t* image = change.edit(page);
    for (std::size_t i = from; i < to; ++i) {
      const Found& f = found[i];
      const std::size_t at = f.slot % 16;
      const quant::ScanFactors scan =
          encode_child(space, centroid.data(), children[f.child].centroid, residual.data(), codes.data());
      quant::put_row(image + f.place.codes, static_cast<unsigned>(at), g.bits, codes.data(), g.dims, 0, g.groups);
      auto& factors = *reinterpret_cast<InnerFactors*>(image + f.place.factors);
      factors.add[at] = scan.add;
      factors.scale[at] = scan.scale;
      factors.spread[at] = children[f.child].spread;
    }
    change.commit();
  }
}

}  // namespace longbow::tree
