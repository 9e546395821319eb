// Appends to one leaf, record by record.
//
// A record holds the head, one scan page (unless the block is in the head) and one refine page; either may be new. The
// slot counts only once the head's count or its row id says so, so that what is written before can be torn by a crash.
#include "append.hpp"

namespace longbow::tree {

namespace {

struct Target {
  std::size_t slot;
  bool reused;
};

// A free slot among those in use, or the next one. Looks through the leaf's pages only if the sweep left some.
Target choose(PageStore& store, const Geometry& g, const PageRef& head, bool& no_free) {
  const NodeHead& h = node_head(head.data());
  std::size_t slot = h.rows;
  no_free = false;
  if (h.free > 0) {
    const auto free = [](const RowIds& f, std::size_t i, std::size_t) { return is_free(f, i); };
    if (find_slot<RowIds>(store, g, head, free, slot)) return {slot, true};
    no_free = true;
  }
  return {slot, false};
}

// The page of a directory entry: latched if it exists, else new and to be created by the change.
struct Part {
  PageRef page;
  bool fresh = false;
};
Part open_part(PageStore& store, const PageRef& head, PageKind kind, std::size_t entry, bool exists) {
  if (!exists) return {PageRef::allocate(store), true};
  const auto* directory = reinterpret_cast<const BlockId*>(head.data() + kDirectoryOffset);
  Part part{PageRef(store, directory[entry], Latch::exclusive), false};
  if (!belongs(part.page.data(), kind, node_head(head.data()).node_id))
    throw_corrupted(head.block(), "a page of the leaf is not its own");
  return part;
}

std::uint8_t* edit_part(Change& change, const Part& part, PageKind kind, std::uint32_t id, BlockId head,
                        std::size_t ordinal) {
  if (!part.fresh) return change.edit(part.page);
  std::uint8_t* image = change.create(part.page);
  set_trailer(image, kind, id, head, ordinal);
  return image;
}

void count_slots(NodeHead& h, const Target& target, std::size_t count, bool no_free) {
  if (target.reused)
    --h.free;
  else
    h.rows += static_cast<std::uint32_t>(count);
  if (no_free) h.free = 0;
  ++h.changes;
}

void commit(Change& change, RecordRider* rider, std::size_t count) {
  if (rider != nullptr) rider->ride(change, count);
  change.commit();
  if (rider != nullptr) rider->committed();
}

std::size_t append_narrow(PageStore& store, const Space& space, const PageRef& head, std::span<const EncodedRow> rows,
                          const Target& target, bool no_free, RecordRider* rider) {
  const Geometry& g = space.leaf;
  const NodeHead& before = node_head(head.data());
  const BlockPlace place = place_of_block(g, target.slot / 16);
  const RefinePlace refine = place_of_refine(g, target.slot);
  std::size_t count = 1;
  if (!target.reused) {
    const auto same_pages = [&](std::size_t slot) {
      const BlockPlace p = place_of_block(g, slot / 16);
      return p.in_head == place.in_head && p.page == place.page && place_of_refine(g, slot).page == refine.page;
    };
    while (count < rows.size() && target.slot + count < g.max_rows && same_pages(target.slot + count)) ++count;
  }
  Part scan;
  if (!place.in_head)
    scan = open_part(store, head, PageKind::scan, g.scan_entry(place.page), place.page < before.scan_pages);
  Part codes;
  if (!g.packed)
    codes = open_part(store, head, PageKind::refine, g.refine_entry(refine.page), refine.page < before.refine_pages);
  Change change(store);
  std::uint8_t* head_image = change.edit(head);
  NodeHead& h = node_head(head_image);
  auto* directory = reinterpret_cast<BlockId*>(head_image + kDirectoryOffset);
  std::uint8_t* scan_image = head_image;
  if (!place.in_head) scan_image = edit_part(change, scan, PageKind::scan, h.node_id, head.block(), place.page);
  std::uint8_t* refine_image = nullptr;
  if (!g.packed) refine_image = edit_part(change, codes, PageKind::refine, h.node_id, head.block(), refine.page);
  if (scan.fresh) {
    directory[g.scan_entry(place.page)] = scan.page.block();
    h.scan_pages = static_cast<std::uint16_t>(place.page + 1);
  }
  if (codes.fresh) {
    directory[g.refine_entry(refine.page)] = codes.page.block();
    h.refine_pages = static_cast<std::uint16_t>(refine.page + 1);
  }
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t slot = target.slot + i;
    const BlockPlace at = place_of_block(g, slot / 16);
    put_scan(g, scan_image + at.codes, static_cast<unsigned>(slot % 16), rows[i].scan_codes, rows[i].cells, 0, g.groups);
    put_leaf_factors(g, scan_image + at.factors, slot % 16, rows[i].row, rows[i].scan);
    if (!g.packed) put_refine(g, refine_image, slot, 0, {rows[i].refine, rows[i].row}, rows[i].refine_codes);
  }
  count_slots(h, target, count, no_free);
  commit(change, rider, count);
  return count;
}

std::size_t append_wide(PageStore& store, const Space& space, const PageRef& head, const EncodedRow& row,
                        const Target& target, bool no_free, RecordRider* rider) {
  const Geometry& g = space.leaf;
  const NodeHead before = node_head(head.data());
  const BlockPlace place = place_of_block(g, target.slot / 16);
  const auto lane = static_cast<unsigned>(target.slot % 16);
  // Refine pages from the last to the first, each chained to the next.
  BlockId chain = kNoBlock;
  BlockId refine_blocks[kMostRefineSpan];
  const std::size_t refine_first = place_of_refine(g, target.slot).page;
  for (std::size_t i = g.refine_span; i-- > 0;) {
    const std::size_t page = refine_first + i;
    const Part part = open_part(store, head, PageKind::refine, g.refine_entry(page), page < before.refine_pages);
    Change change(store);
    std::uint8_t* image = edit_part(change, part, PageKind::refine, before.node_id, head.block(), page);
    put_refine(g, image, target.slot, i, {row.refine, row.row}, row.refine_codes);
    if (g.refine_span > 1) trailer(image).next = chain;
    change.commit();
    chain = refine_blocks[i] = part.page.block();
  }
  // The block's further pages; its first one carries the factors and comes with the head.
  BlockId scan_blocks[kMostBlockPages];
  for (std::size_t i = 1; i < g.block_pages; ++i) {
    const std::size_t page = place.page + i;
    const Part part = open_part(store, head, PageKind::scan, g.scan_entry(page), page < before.scan_pages);
    Change change(store);
    std::uint8_t* image = edit_part(change, part, PageKind::scan, before.node_id, head.block(), page);
    const std::size_t from = i * g.page_groups;
    put_scan(g, image + kBodyOffset, lane, row.scan_codes, row.cells, from, std::min(g.page_groups, g.groups - from));
    change.commit();
    scan_blocks[i] = part.page.block();
  }
  Part first;
  if (!place.in_head)
    first = open_part(store, head, PageKind::scan, g.scan_entry(place.page), place.page < before.scan_pages);
  Change change(store);
  std::uint8_t* head_image = change.edit(head);
  NodeHead& h = node_head(head_image);
  auto* directory = reinterpret_cast<BlockId*>(head_image + kDirectoryOffset);
  std::uint8_t* scan_image = head_image;
  if (!place.in_head) {
    scan_image = edit_part(change, first, PageKind::scan, h.node_id, head.block(), place.page);
    scan_blocks[0] = first.page.block();
    for (std::size_t i = 0; i < g.block_pages; ++i) directory[g.scan_entry(place.page + i)] = scan_blocks[i];
    h.scan_pages = static_cast<std::uint16_t>(std::max<std::size_t>(h.scan_pages, place.page + g.block_pages));
  }
  for (std::size_t i = 0; i < g.refine_span; ++i) directory[g.refine_entry(refine_first + i)] = refine_blocks[i];
  h.refine_pages = static_cast<std::uint16_t>(std::max<std::size_t>(h.refine_pages, refine_first + g.refine_span));
  put_scan(g, scan_image + place.codes, lane, row.scan_codes, row.cells, 0, std::min(g.page_groups, g.groups));
  put_leaf_factors(g, scan_image + place.factors, lane, row.row, row.scan);
  count_slots(h, target, 1, no_free);
  commit(change, rider, 1);
  return 1;
}

}  // namespace

std::size_t append_run(PageStore& store, const Space& space, const PageRef& head, std::span<const EncodedRow> rows,
                       RecordRider* rider) {
  const Geometry& g = space.leaf;
  if (rows.empty()) return 0;
  bool no_free = false;
  const Target target = choose(store, g, head, no_free);
  if (target.slot >= g.max_rows) return 0;
  if (g.block_pages > 1 || g.refine_span > 1) return append_wide(store, space, head, rows[0], target, no_free, rider);
  return append_narrow(store, space, head, rows, target, no_free, rider);
}

}  // namespace longbow::tree
