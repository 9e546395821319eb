// The sweep: removes dead rows in file order and takes pages that nobody owns out of use.
//
// The structure lock keeps splits away, so a page's owner is either reachable for the whole pass or not at all. Appends go
// on: a page that an appender has just made is not yet in its leaf's directory, so before a page is called an orphan its head
// is latched, which waits for the append, and looked at again.
//
// Whoever waits for the structure lock gets it every few pages. Nodes made meanwhile are told by their ids, which count up:
// their pages are left alone, and dead rows that a split has copied into new leaves are removed at the end, under the lock.
// The lock on moves, taken before it and kept, stops rows from going to a leaf that the pass has done with.
#include <algorithm>

#include "longbow/mem/flat_set.hpp"
#include "longbow/tree/build.hpp"
#include "longbow/tree/maintain.hpp"
#include "link.hpp"
#include "node.hpp"
#include "split.hpp"

namespace longbow::tree {

namespace {

constexpr std::size_t kMostUnlinked = 4096;
constexpr BlockId kYieldEvery = 16;  // pages: a writer's wait, beside the price of asking

class Sweeper {
 public:
  Sweeper(PageStore& store, const Space& space, DeadRows* dead, std::pmr::memory_resource& memory)
      : store_(store), space_(space), dead_(dead), reachable_(memory), memory_(memory), empty_(&memory), emptied_(&memory), cleared_(memory) {}

  SweepResult run() {
    const MovesLock moves(store_, true);
    StructureLock lock(store_, true);
    const Meta meta = read_meta(store_);
    first_new_ = meta.next_node_id;
    // The first row may have come since the caller read the meta page: of that tree nothing is known, and none of its rows
    // can be dead.
    strange_tree_ = space_.dims() == 0 && meta.root != kNoBlock;
    if (space_.dims() > 0) {
      space_.meta = meta;
      std::pmr::vector<NodeRef> leaves(&memory_), inner(&memory_);
      list_leaves(store_, space_, leaves, &inner, memory_);
      for (const auto* nodes : {&leaves, &inner})
        for (const NodeRef& node : *nodes) reachable_.insert(key_of(node));
    }
    const BlockId end = store_.block_count();
    for (BlockId block = kMetaBlock + 1; block < end; ++block) {
      store_.tick();
      if (block % kYieldEvery == 0) give_way(lock);
      one_page(block);
    }
    flush_free();
    if (space_.dims() > 0 && space_.meta.next_node_id != first_new_) sweep_new_leaves();
    for (const NodeRef& leaf : emptied_) {
      store_.tick();
      give_way(lock);
      clear_empty(store_, space_, leaf, memory_);
    }
    // Each looks for its parent through all inner nodes: the next pass goes on where this one stops.
    if (empty_.size() > kMostUnlinked) empty_.resize(kMostUnlinked);
    for (const NodeRef& leaf : empty_) {
      store_.tick();
      give_way(lock);
      unlink_empty(store_, space_, leaf, memory_);
    }
    result_.pages = end;
    // Moves that a crash or an error has cut short: every whole scan would walk the tree several times. None is under way now.
    const bool unfinished_moves = read_meta(store_).moves % 2 != 0;
    if (plain_insert_ != kNoBlock || result_.removed > 0 || unfinished_moves)
      update_meta(store_, [&](Meta& m) {
        if (plain_insert_ != kNoBlock) m.plain_insert = plain_insert_;
        m.moves += m.moves % 2;
        ++m.vacuum_epoch;
      });
    return result_;
  }

 private:
  // Called with no latch held.
  void give_way(StructureLock& lock) {
    // Of a tree that began meanwhile no row can be dead.
    if (!lock.yield() || space_.dims() == 0) return;
    space_.meta = read_meta(store_);
  }

  // The leaves of splits that came between. Rows that go there now are alive.
  void sweep_new_leaves() {
    std::pmr::vector<NodeRef> leaves(&memory_);
    list_leaves(store_, space_, leaves, nullptr, memory_);
    HeadCopy head(memory_);
    for (const NodeRef& leaf : leaves) {
      if (leaf.node_id < first_new_) continue;
      store_.tick();
      {
        PageRef page(store_, leaf.head, Latch::share);
        if (!is_head_of(space_, page.data(), leaf.node_id, leaf.head)) throw_corrupted(leaf.head, "a leaf was expected");
        copy_head(space_, page, head);
        head_page(page);
      }
      for (std::size_t p = 0; p < head.head.scan_pages; ++p) {
        store_.tick();
        PageRef page(store_, head.directory[space_.leaf.scan_entry(p)], Latch::share);
        if (belongs(page.data(), PageKind::scan, leaf.node_id)) scan_page(page);
      }
    }
    flush_free();
  }

  static std::uint64_t key_of(NodeRef node) noexcept { return std::uint64_t{node.node_id} << 32 | node.head; }

  void one_page(BlockId block) {
    PageRef page(store_, block, Latch::share);
    const Trailer t = trailer(page.data());
    if (t.magic != kTrailerMagic) {
      const bool blank = std::all_of(page.data(), page.data() + kPageBytes, [](std::uint8_t b) { return b == 0; });
      if (!blank) throw_corrupted(block, "not a page of this index");
      // Left by a crash between extending the file and the first record.
      page.reset();
      store_.offer_free(block);
      ++result_.free_pages;
      return;
    }
    switch (t.kind) {
      case PageKind::meta:
      case PageKind::centre: return;
      case PageKind::head:
      case PageKind::scan:
      case PageKind::refine:
      case PageKind::centroid:
        if (strange_tree_ || t.node_id >= first_new_) return;
        node_page(page, t);
        return;
      case PageKind::free:
        if (!store_.stamp_passed(free_page_stamp(page.data()))) return;
        page.reset();
        store_.offer_free(block);
        ++result_.free_pages;
        return;
      case PageKind::plain: plain_page(page); return;
      case PageKind::pending:
      case PageKind::plan: list_page(page, t); return;
    }
    throw_corrupted(block, "unknown kind of page");
  }

  // Pages of the pending list and of plans that a crash left behind the list's head.
  void list_page(PageRef& page, const Trailer& t) {
    const auto behind = [&](const Meta& m) {
      const std::uint64_t ordinal = list_ordinal(page.data());
      return page.block() != m.pending_head && page.block() != m.pending_tail &&
             (t.kind == PageKind::plan ? ordinal : ordinal + kPendingCapacity) <= m.pending_from;
    };
    const BlockId block = page.block();
    page.reset();
    const Meta meta = read_meta(store_);
    page = PageRef(store_, block, Latch::exclusive);
    if (!belongs(page.data(), t.kind, 0) || !behind(meta)) return;
    free_page(store_, page, 0);
    ++result_.retired;
    ++result_.free_pages;
  }

  void node_page(PageRef& page, const Trailer& t) {
    if (t.kind != PageKind::head)
      body_page(page, t);
    else if (reachable_.contains(key_of({page.block(), t.node_id})))
      head_page(page);
    else
      retire(page, t);
  }

  // Takes a page out of use unless it has changed since it was looked at.
  void retire(PageRef& page, const Trailer& seen) {
    const BlockId block = page.block();
    page.reset();
    page = PageRef(store_, block, Latch::exclusive);
    if (!belongs(page.data(), seen.kind, seen.node_id)) return;
    // A moved head may still be followed by a scan that knows it: it waits for the horizon. Other pages are told apart by
    // their owner's id.
    const std::uint64_t stamp = seen.kind == PageKind::head ? std::max<std::uint64_t>(1, store_.free_stamp()) : 0;
    free_page(store_, page, stamp);
    ++result_.retired;
    if (stamp == 0) ++result_.free_pages;
  }

  void body_page(PageRef& page, const Trailer& t) {
    const BlockId block = page.block();
    if (!reachable_.contains(key_of({t.head, t.node_id})) || !in_directory(page, t)) {
      if (!page.held()) page = PageRef(store_, block, Latch::share);
      retire(page, t);
      return;
    }
    if (t.kind != PageKind::scan) return;
    if (!page.held()) page = PageRef(store_, block, Latch::share);
    if (belongs(page.data(), PageKind::scan, t.node_id) && level_ == 0) scan_page(page);
  }

  // A leaf's.
  void scan_page(PageRef& page) {
    const Trailer t = trailer(page.data());
    const Geometry& g = space_.leaf;
    if (g.block_pages > 1) {
      if (t.ordinal % g.block_pages != 0) return;
      sweep_factors(page, t.node_id, t.head, kBodyOffset + g.page_groups * 64, 1);
    } else {
      sweep_factors(page, t.node_id, t.head, kBodyOffset + g.page_blocks * g.groups * 64, g.page_blocks);
    }
  }

  // Whether the owner's directory names the page; releases the page to latch the head first. Learns the owner's level.
  bool in_directory(PageRef& page, const Trailer& t) {
    const BlockId block = page.block();
    page.reset();
    const PageRef head(store_, t.head, Latch::share);
    if (!is_head_of(space_, head.data(), t.node_id, t.head)) return false;
    const NodeHead& h = node_head(head.data());
    const Geometry& g = space_.geometry(h.level);
    level_ = h.level;
    const auto* directory = reinterpret_cast<const BlockId*>(head.data() + kDirectoryOffset);
    switch (t.kind) {
      case PageKind::centroid: return t.ordinal < h.centroid_pages && directory[t.ordinal] == block;
      case PageKind::scan: return t.ordinal < h.scan_pages && directory[g.scan_entry(t.ordinal)] == block;
      case PageKind::refine: return t.ordinal < h.refine_pages && directory[g.refine_entry(t.ordinal)] == block;
      default: return false;
    }
  }

  void head_page(PageRef& page) {
    const NodeHead& h = node_head(page.data());
    if (!is_head_of(space_, page.data(), h.node_id, page.block())) throw_corrupted(page.block(), "not its own head");
    const Geometry& g = space_.leaf;
    // A leaf that has stayed empty since an earlier pass is not needed where it is; one emptied now may be filled again, and
    // keeps its head alone.
    if (h.level == 0 && h.free >= h.rows && !cleared_.contains(h.node_id)) empty_.push_back({page.block(), h.node_id});
    if (h.level != 0 || g.head_blocks == 0) return;
    sweep_factors(page, h.node_id, page.block(), g.head_codes + g.head_blocks * g.groups * 64, g.head_blocks);
  }

  // Goes through the row ids of `blocks` blocks; latches exclusively only if something is dead.
  void sweep_factors(PageRef& page, std::uint32_t node_id, BlockId head, std::size_t offset, std::size_t blocks) {
    std::uint32_t live = 0;
    if (!any_dead(page.data() + offset, blocks, live)) {
      result_.rows += live;
      return;
    }
    const PageKind kind = trailer(page.data()).kind;
    const BlockId block = page.block();
    page.reset();
    page = PageRef(store_, block, Latch::exclusive);
    if (!belongs(page.data(), kind, node_id)) return;
    std::uint32_t removed = 0;
    live = 0;
    Change change(store_);
    std::uint8_t* image = change.edit(page) + offset;
    for (std::size_t b = 0; b < blocks; ++b) {
      auto& f = *reinterpret_cast<RowIds*>(image + b * space_.leaf.factor_bytes + space_.leaf.ids_offset);
      for (std::size_t i = 0; i < 16; ++i) {
        if (is_free(f, i)) continue;
        if (dead_->is_dead({f.row_block[i], f.row_offset[i]})) {
          f.row_offset[i] = 0;
          f.row_block[i] = 0;
          ++removed;
        } else {
          ++live;
        }
      }
    }
    change.commit();
    page.reset();
    result_.rows += live;
    result_.removed += removed;
    count_free({head, node_id}, removed);
  }

  bool any_dead(const std::uint8_t* factors, std::size_t blocks, std::uint32_t& live) {
    bool dead = false;
    for (std::size_t b = 0; b < blocks; ++b) {
      const auto& f = *reinterpret_cast<const RowIds*>(factors + b * space_.leaf.factor_bytes + space_.leaf.ids_offset);
      for (std::size_t i = 0; i < 16; ++i) {
        if (is_free(f, i)) continue;
        if (dead_ != nullptr && dead_->is_dead({f.row_block[i], f.row_offset[i]})) dead = true;
        ++live;
      }
    }
    return dead;
  }

  // Pages of one leaf mostly follow each other: their counts go to the head together.
  void count_free(NodeRef node, std::uint32_t removed) {
    if (node.node_id != free_of_.node_id) flush_free();
    free_of_ = node;
    free_count_ += removed;
  }
  void flush_free() {
    if (free_count_ == 0) return;
    const PageRef head(store_, free_of_.head, Latch::exclusive);
    if (is_head_of(space_, head.data(), free_of_.node_id, free_of_.head)) {
      Change change(store_);
      NodeHead& h = node_head(change.edit(head));
      h.free = std::min(h.rows, h.free + free_count_);
      if (h.free == h.rows && cleared_.insert(free_of_.node_id)) emptied_.push_back(free_of_);
      change.commit();
    }
    free_count_ = 0;
    free_of_ = {kNoBlock, 0};
  }

  void plain_page(PageRef& page) {
    const Trailer t = trailer(page.data());
    if (t.used > kPlainCapacity) throw_corrupted(page.block(), "impossible number of plain rows");
    bool dead = false;
    std::uint32_t live = 0;
    const auto look = [&](const PlainEntry& e) {
      return dead_ != nullptr && dead_->is_dead({e.block, e.offset});
    };
    for (std::size_t i = 0; i < t.used; ++i) {
      const PlainEntry& e = plain_entries(page.data())[i];
      if (e.offset == 0) continue;
      dead = dead || look(e);
      ++live;
    }
    const BlockId block = page.block();
    if (dead) {
      page.reset();
      page = PageRef(store_, block, Latch::exclusive);
      if (!belongs(page.data(), PageKind::plain, 0)) return;
      live = 0;
      Change change(store_);
      std::uint8_t* image = change.edit(page);
      for (std::size_t i = 0; i < std::min<std::size_t>(trailer(image).used, kPlainCapacity); ++i) {
        PlainEntry& e = plain_entries(image)[i];
        if (e.offset == 0) continue;
        if (look(e)) {
          e = {0, 0, 0};
          ++result_.removed;
        } else {
          ++live;
        }
      }
      change.commit();
    }
    result_.rows += live;
    // The next plain row is tried where there is room.
    if (live < kPlainCapacity && plain_insert_ == kNoBlock && dead) plain_insert_ = block;
  }

  PageStore& store_;
  Space space_;  // its meta page, if it has dimensions, as it was when the structure lock was taken last
  DeadRows* dead_;
  mem::FlatSet reachable_;
  std::pmr::memory_resource& memory_;
  SweepResult result_;
  std::uint16_t level_ = 0;
  bool strange_tree_ = false;
  std::uint32_t first_new_ = 0;  // id of the first node made after the pass began
  std::pmr::vector<NodeRef> empty_;    // leaves that were empty before this pass
  std::pmr::vector<NodeRef> emptied_;  // by it
  mem::FlatSet cleared_;               // their ids
  NodeRef free_of_{kNoBlock, 0};
  std::uint32_t free_count_ = 0;
  BlockId plain_insert_ = kNoBlock;
};

}  // namespace

SweepResult sweep(PageStore& store, const Space& space, DeadRows* dead, std::pmr::memory_resource& memory) {
  return Sweeper(store, space, dead, memory).run();
}

}  // namespace longbow::tree
