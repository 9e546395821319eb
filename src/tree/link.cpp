// The last record of a split, and the room it needs in the parent.
#include "link.hpp"

#include "descend.hpp"
#include "longbow/tree/build.hpp"
#include "split.hpp"

namespace longbow::tree {

namespace {

// Finds the slot of a child by its id; id 0 finds a free one.
bool find_child(PageStore& store, const Geometry& g, const PageRef& head, std::uint32_t id, std::size_t& slot) {
  return find_slot<InnerFactors>(
      store, g, head, [id](const InnerFactors& f, std::size_t i, std::size_t) { return f.child_id[i] == id; }, slot);
}

// Adds a block of free slots to an inner node; false if it is at its limit.
bool add_block(PageStore& store, const Geometry& g, const PageRef& head) {
  const NodeHead h = node_head(head.data());
  const std::size_t rows = std::min(g.max_rows, (g.blocks(h.rows) + 1) * 16);
  if (rows <= h.rows) return false;
  const std::size_t pages = g.scan_pages(rows);
  if (pages > g.scan_capacity) return false;
  BlockId fresh[64];
  std::size_t count = 0;
  for (std::size_t p = h.scan_pages; p < pages && count < std::size(fresh); ++p) {
    const PageRef page = PageRef::allocate(store);
    Change change(store);
    set_trailer(change.create(page), PageKind::scan, h.node_id, head.block(), p);
    change.commit();
    fresh[count++] = page.block();
  }
  Change change(store);
  std::uint8_t* image = change.edit(head);
  auto* directory = reinterpret_cast<BlockId*>(image + kDirectoryOffset);
  for (std::size_t i = 0; i < count; ++i) directory[g.scan_entry(h.scan_pages + i)] = fresh[i];
  node_head(image).scan_pages = static_cast<std::uint16_t>(h.scan_pages + count);
  node_head(image).rows = static_cast<std::uint32_t>(rows);
  change.commit();
  return true;
}

PageRef open_inner(PageStore& store, const Space& space, NodeRef node) {
  PageRef head(store, node.head, Latch::exclusive);
  if (!is_head_of(space, head.data(), node.node_id, node.head) || node_head(head.data()).level == 0)
    throw_corrupted(node.head, "an inner node was expected");
  return head;
}

// Reads an inner node's children with their centroids and spreads.
void read_children(PageStore& store, const Space& space, NodeRef node, HeadCopy& head,
                   std::pmr::vector<NodeRef>& children, std::pmr::vector<float>& centroids,
                   std::pmr::vector<float>& spreads, std::pmr::memory_resource& memory) {
  PageRef page(store, node.head, Latch::share);
  if (!is_head_of(space, page.data(), node.node_id, node.head)) throw_corrupted(node.head, "an inner node was expected");
  copy_head(space, page, head);
  const bool whole = for_each_block<InnerFactors>(
      store, space.inner, head, page, nullptr, [&](std::size_t first, const InnerFactors& f) {
        for (std::size_t i = 0; i < 16 && first + i < head.head.rows; ++i) {
          if (is_free(f, i)) continue;
          children.push_back({f.child[i], f.child_id[i]});
          spreads.push_back(f.spread[i]);
        }
      });
  if (!whole) throw_corrupted(node.head, "a page of the inner node is not its own");
  centroids.resize(children.size() * space.dims());
  HeadCopy child(memory);
  for (std::size_t i = 0; i < children.size(); ++i) {
    store.tick();
    PageRef at(store, children[i].head, Latch::share);
    if (!is_head_of(space, at.data(), children[i].node_id, children[i].head))
      throw_corrupted(children[i].head, "a child is not where its parent says");
    copy_head(space, at, child);
    if (space.geometry(child.head.level).centroid_span > 0) at.reset();
    if (!read_centroid(store, space, child, at.data(), centroids.data() + i * space.dims()))
      throw_corrupted(children[i].head, "a centroid page is not its node's own");
  }
}

void split_inner(PageStore& store, const Space& space, NodeRef node, std::pmr::memory_resource& memory) {
  const std::size_t n = space.dims();
  HeadCopy head(memory);
  std::pmr::vector<NodeRef> children(&memory);
  std::pmr::vector<float> centroids(&memory), spreads(&memory);
  read_children(store, space, node, head, children, centroids, spreads, memory);
  if (children.size() < 2) throw_corrupted(node.head, "a full inner node has no children");
  const std::uint16_t level = head.head.level;
  make_room_above(store, space, node, level, memory);
  std::pmr::vector<std::uint8_t> side(children.size(), &memory);
  std::pmr::vector<float> middle(2 * n, &memory);
  const SplitTicket ticket = take_ticket(store, 2);
  quant::bisect({centroids.data(), children.size(), n}, ticket.birth, memory, side.data(), middle.data());
  const PageRef heads[2] = {PageRef::allocate(store), PageRef::allocate(store)};
  Replacement what{node, level, ticket.birth, {}};
  for (std::uint32_t s = 0; s < 2; ++s) {
    std::pmr::vector<Child> part(&memory);
    for (std::size_t i = 0; i < children.size(); ++i)
      if (side[i] == s) part.push_back({children[i], centroids.data() + i * n, spreads[i]});
    const NodeRef sibling{heads[1 - s].block(), ticket.first_id + 1 - s};
    write_inner(store, space, heads[s], {ticket.first_id + s, level, middle.data() + s * n, {ticket.birth, sibling}},
                part, memory);
    what.to[s] = {{heads[s].block(), ticket.first_id + s}, middle.data() + s * n, 0};
  }
  {
    const PageRef old_head = open_inner(store, space, node);
    link_replacement(store, space, old_head, what, memory);
  }
  free_body(store, space, head);
}

void drop_page(PageStore& store, const HeadCopy& head, std::size_t entry, PageKind kind) {
  store.tick();
  PageRef page(store, head.directory[entry], Latch::exclusive);
  if (belongs(page.data(), kind, head.head.node_id)) free_page(store, page, 0);
}

// The pages of a node's blocks and of its rows' refine codes.
void free_rows(PageStore& store, const Geometry& g, const HeadCopy& head) {
  for (std::size_t p = 0; p < head.head.scan_pages; ++p) drop_page(store, head, g.scan_entry(p), PageKind::scan);
  for (std::size_t p = 0; p < head.head.refine_pages; ++p) drop_page(store, head, g.refine_entry(p), PageKind::refine);
}

// Whether a leaf has a row.
bool has_row(PageStore& store, const Space& space, const PageRef& head) {
  std::size_t slot = 0;
  const auto row = [](const RowIds& f, std::size_t i, std::size_t) { return !is_free(f, i); };
  return find_slot<RowIds>(store, space.leaf, head, row, slot);
}

void mark_moved(Change& change, const PageRef& old_head, const Replacement& what) {
  NodeHead& h = node_head(change.edit(old_head));
  h.flags |= kMoved;
  h.forward[0] = what.to[0].node;
  h.forward[1] = what.to[1].node;
}

// The old node was the root: a new root above both.
void link_new_root(PageStore& store, const Space& space, const PageRef& old_head, const Replacement& what,
                   std::pmr::memory_resource& memory) {
  const std::size_t n = space.dims();
  std::pmr::vector<float> middle(n, &memory);
  for (std::size_t i = 0; i < n; ++i) middle[i] = 0.5F * (what.to[0].centroid[i] + what.to[1].centroid[i]);
  const std::uint32_t id = take_ticket(store, 1).first_id;
  const auto level = static_cast<std::uint16_t>(what.level + 1);
  const PageRef head = PageRef::allocate(store);
  write_inner(store, space, head, {id, level, middle.data(), {}}, what.to, memory);
  const PageRef meta_page(store, kMetaBlock, Latch::exclusive);
  Change change(store);
  mark_moved(change, old_head, what);
  Meta& meta = meta_of(change.edit(meta_page));
  meta.root = head.block();
  meta.root_id = id;
  meta.height = level + 1U;
  meta.leaves += what.level == 0 ? 1 : 0;
  meta.split_counter = what.birth;
  change.commit();
}

}  // namespace

SplitTicket take_ticket(PageStore& store, std::uint32_t ids) {
  SplitTicket ticket{};
  update_meta(store, [&](Meta& meta) {
    if (meta.next_node_id > 0xFFFFFFFFU - ids - 1)
      throw base::Error(base::Errc::limit_exceeded, "the index has used up its node ids; REINDEX it");
    ticket = {meta.next_node_id, meta.split_counter + 1};
    meta.next_node_id += ids;
  });
  return ticket;
}

void make_room_above(PageStore& store, const Space& space, NodeRef node, std::uint16_t level,
                     std::pmr::memory_resource& memory) {
  Descent descent(store, space, memory);
  NodeRef parent;
  for (int attempt = 0; attempt < 4; ++attempt) {
    if (!descent.parent_of(node, level, parent)) {
      const Meta meta = read_meta(store);
      if (meta.root == node.head && meta.root_id == node.node_id && meta.height == level + 1U) return;
      throw_corrupted(node.head, "a node has no parent");
    }
    PageRef head = open_inner(store, space, parent);
    std::size_t free = 0;
    if (find_child(store, space.inner, head, 0, free) || add_block(store, space.inner, head)) return;
    head.reset();
    split_inner(store, space, parent, memory);
  }
  throw_corrupted(parent.head, "an inner node stays full after its split");
}

void link_replacement(PageStore& store, const Space& space, const PageRef& old_head, const Replacement& what,
                      std::pmr::memory_resource& memory) {
  const Geometry& g = space.inner;
  Descent descent(store, space, memory);
  NodeRef parent;
  if (!descent.parent_of(what.old_node, what.level, parent)) {
    link_new_root(store, space, old_head, what, memory);
    return;
  }
  const PageRef head = open_inner(store, space, parent);
  // The first new child takes the old one's slot: whoever reads the pages one by one meets the old child or that one,
  // and from either the links lead to both.
  std::size_t slot[2] = {};
  if (!find_child(store, g, head, what.old_node.node_id, slot[0]) || !find_child(store, g, head, 0, slot[1]))
    throw_corrupted(parent.head, "a parent has lost its child or its room");
  HeadCopy copy(memory);
  copy_head(space, head, copy);
  std::pmr::vector<float> parent_centroid(g.dims, &memory), residual(g.dims, &memory);
  if (!read_centroid(store, space, copy, head.data(), parent_centroid.data()))
    throw_corrupted(parent.head, "a centroid page is not its node's own");
  std::pmr::vector<std::uint8_t> codes(2 * g.dims, &memory);
  quant::ScanFactors scan[2];
  const BlockPlace place[2] = {place_of_block(g, slot[0] / 16), place_of_block(g, slot[1] / 16)};
  const auto open_scan = [&](std::size_t entry) {
    PageRef page(store, copy.directory[g.scan_entry(entry)], Latch::exclusive);
    if (!belongs(page.data(), PageKind::scan, parent.node_id))
      throw_corrupted(page.block(), "a page of the inner node is not its own");
    return page;
  };
  const auto put = [&](std::uint8_t* at, std::size_t s, std::size_t from, std::size_t groups) {
    quant::put_row(at, static_cast<unsigned>(slot[s] % 16), g.bits, codes.data() + s * g.dims, g.dims, from, groups);
  };
  for (std::size_t s = 0; s < 2; ++s) {
    scan[s] = encode_child(space, parent_centroid.data(), what.to[s].centroid, residual.data(), codes.data() + s * g.dims);
    // Codes of a spanning block's further pages go first. The old child's estimate is a little off until the link, or for
    // longer if there is none: its codes are in part those of the child that is nearest to it.
    for (std::size_t p = 1; p < g.block_pages; ++p) {
      const PageRef page = open_scan(place[s].page + p);
      Change change(store);
      const std::size_t from = p * g.page_groups;
      put(change.edit(page) + kBodyOffset, s, from, std::min(g.page_groups, g.groups - from));
      change.commit();
    }
  }
  // Both slots may lie on one page, which is latched once.
  const bool same = place[0].in_head == place[1].in_head && (place[0].in_head || place[0].page == place[1].page);
  PageRef pages[2];
  for (std::size_t s = 0; s < (same ? 1 : 2); ++s)
    if (!place[s].in_head) pages[s] = open_scan(place[s].page);
  const PageRef meta_page(store, kMetaBlock, Latch::exclusive);
  Change change(store);
  for (std::size_t s = 0; s < 2; ++s) {
    std::uint8_t* image = change.edit(place[s].in_head ? head : pages[same ? 0 : s]);
    put(image + place[s].codes, s, 0, std::min(g.page_groups, g.groups));
    auto& f = *reinterpret_cast<InnerFactors*>(image + place[s].factors);
    const std::size_t at = slot[s] % 16;
    f.add[at] = scan[s].add;
    f.scale[at] = scan[s].scale;
    f.spread[at] = what.to[s].spread;
    f.child[at] = what.to[s].node.head;
    f.child_id[at] = what.to[s].node.node_id;
  }
  mark_moved(change, old_head, what);
  Meta& meta = meta_of(change.edit(meta_page));
  meta.leaves += what.level == 0 ? 1 : 0;
  meta.split_counter = what.birth;
  change.commit();
}

bool unlink_empty(PageStore& store, const Space& space, NodeRef leaf, std::pmr::memory_resource& memory) {
  const Geometry& g = space.inner;
  NodeRef parent;
  if (!Descent(store, space, memory).parent_of(leaf, 0, parent)) return false;
  HeadCopy body(memory);
  {
    // The latch keeps appends away from here to the record that takes the leaf out.
    const PageRef leaf_head(store, leaf.head, Latch::exclusive);
    if (!is_head_of(space, leaf_head.data(), leaf.node_id, leaf.head)) return false;
    if (has_row(store, space, leaf_head)) return false;
    copy_head(space, leaf_head, body);
    const PageRef head = open_inner(store, space, parent);
    std::size_t slot = 0, other = 0;
    if (!find_child(store, g, head, leaf.node_id, slot)) return false;
    const auto sibling = [slot](const InnerFactors& f, std::size_t i, std::size_t at) {
      return at != slot && !is_free(f, i);
    };
    if (!find_slot<InnerFactors>(store, g, head, sibling, other)) return false;
    const BlockPlace place = place_of_block(g, slot / 16);
    PageRef page;
    if (!place.in_head) {
      const auto* directory = reinterpret_cast<const BlockId*>(head.data() + kDirectoryOffset);
      page = PageRef(store, directory[g.scan_entry(place.page)], Latch::exclusive);
    }
    const PageRef meta_page(store, kMetaBlock, Latch::exclusive);
    Change change(store);
    auto& f = *reinterpret_cast<InnerFactors*>(change.edit(place.in_head ? head : page) + place.factors);
    f.child[slot % 16] = kNoBlock;
    f.child_id[slot % 16] = 0;
    NodeHead& h = node_head(change.edit(leaf_head));
    h.flags |= kMoved;
    h.forward[0] = h.forward[1] = {kNoBlock, 0};
    Meta& meta = meta_of(change.edit(meta_page));
    if (meta.leaves > 1) --meta.leaves;
    change.commit();
  }
  free_body(store, space, body);
  return true;
}

bool clear_empty(PageStore& store, const Space& space, NodeRef leaf, std::pmr::memory_resource& memory) {
  HeadCopy body(memory);
  {
    const PageRef head(store, leaf.head, Latch::exclusive);
    if (!is_head_of(space, head.data(), leaf.node_id, leaf.head) || (node_head(head.data()).flags & kMoved) != 0) return false;
    if (has_row(store, space, head)) return false;
    copy_head(space, head, body);
    Change change(store);
    NodeHead& h = node_head(change.edit(head));
    h.rows = h.free = 0;
    h.scan_pages = h.refine_pages = 0;
    ++h.changes;
    change.commit();
  }
  free_rows(store, space.leaf, body);
  return true;
}

void free_page(PageStore& store, PageRef& page, std::uint64_t stamp) {
  Change change(store);
  std::uint8_t* image = change.create(page);
  std::memcpy(image + kBodyOffset, &stamp, sizeof stamp);
  set_trailer(image, PageKind::free, 0, kNoBlock, 0);
  change.commit();
  const BlockId block = page.block();
  page.reset();
  if (stamp == 0) store.offer_free(block);
}

void free_body(PageStore& store, const Space& space, const HeadCopy& old_head) {
  const Geometry& g = space.geometry(old_head.head.level);
  for (std::size_t p = 0; p < g.centroid_span; ++p) drop_page(store, old_head, p, PageKind::centroid);
  free_rows(store, g, old_head);
}

}  // namespace longbow::tree
