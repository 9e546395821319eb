// Inserts: descend, group by leaf, encode, append; split what has outgrown its size.
#include "longbow/tree/insert.hpp"

#include <algorithm>

#include "append.hpp"
#include "descend.hpp"
#include "insert_in_order.hpp"
#include "longbow/tree/build.hpp"
#include "split.hpp"

namespace longbow::tree {

namespace {

// Splits by others keep rows from their leaves a few times; more is corruption.
constexpr int kMostIdleRounds = 1000;
// Rows that are encoded at once, at most.
constexpr std::size_t kMostTogether = 1024;

// A row on its way to a leaf.
struct Placed {
  NodeRef leaf;
  std::size_t index;
};

class Inserter {
 public:
  Inserter(PageStore& store, const Space& space, std::span<const NewRow> rows, InsertWatch* watch,
           RecordRider* rider, std::pmr::memory_resource& memory)
      : store_(store),
        space_(space),
        rows_(rows),
        watch_(watch),
        rider_(rider),
        memory_(memory),
        descent_(store, space, memory),
        encoder_(space, memory),
        head_(memory),
        centroid_(space.dims(), &memory),
        encoded_(&memory),
        codes_(&memory) {}

  void run() {
    std::pmr::vector<Placed> todo(&memory_), next(&memory_);
    for (std::size_t i = 0; i < rows_.size(); ++i) todo.push_back({descent_.leaf_of(rows_[i].vector), i});
    for (int idle = 0; !todo.empty(); ++idle) {
      if (idle > kMostIdleRounds) throw_corrupted(todo[0].leaf.head, "no row can be added to the leaf");
      std::sort(todo.begin(), todo.end(), [](const Placed& a, const Placed& b) {
        return a.leaf.head != b.leaf.head ? a.leaf.head < b.leaf.head : a.index < b.index;
      });
      next.clear();
      for (std::size_t from = 0; from < todo.size();) {
        std::size_t to = from;
        while (to < todo.size() && todo[to].leaf.node_id == todo[from].leaf.node_id) ++to;
        const std::size_t finished = append_group({todo.data() + from, to - from});
        if (finished > 0) idle = 0;
        // The leaf has moved or was split: the rest looks for its leaf again.
        for (std::size_t i = from + finished; i < to; ++i)
          next.push_back({descent_.leaf_of(rows_[todo[i].index].vector), todo[i].index});
        from = to;
      }
      todo.swap(next);
    }
  }

  // The same in the rows' own order: neighbours of one leaf go in together.
  void run_in_order(std::span<NodeRef> leaves) {
    std::pmr::vector<Placed> group(&memory_);
    int idle = 0;
    for (std::size_t at = 0; at < rows_.size();) {
      if (idle++ > kMostIdleRounds) throw_corrupted(leaves[at].head, "no row can be added to the leaf");
      if (leaves[at].head == kNoBlock) leaves[at] = descent_.leaf_of(rows_[at].vector);
      group.clear();
      for (std::size_t i = at; i < rows_.size() && group.size() < kMostTogether; ++i) {
        if (leaves[i].head == kNoBlock) leaves[i] = descent_.leaf_of(rows_[i].vector);
        if (leaves[i].node_id != leaves[at].node_id) break;
        group.push_back({leaves[i], i});
      }
      const std::size_t finished = append_group(group);
      if (finished > 0) idle = 0;
      // The leaf has moved or was split: the rest looks for its leaf again.
      for (std::size_t i = finished; i < group.size(); ++i) leaves[at + i] = {kNoBlock, 0};
      at += finished;
    }
  }

 private:
  bool encode_group(std::span<const Placed> group) {
    PageRef head(store_, group[0].leaf.head, Latch::share);
    if (!is_open(head, group[0].leaf)) return false;
    copy_head(space_, head, head_);
    if (space_.leaf.centroid_span > 0) head.reset();
    if (!space_.has_bits() && !read_centroid(store_, space_, head_, head.data(), centroid_.data())) return false;
    head.reset();
    const std::size_t scan_bytes = space_.scan_bytes(), refine_bytes = space_.refine_bytes();
    encoded_.clear();
    codes_.resize(group.size() * (scan_bytes + refine_bytes));
    for (std::size_t i = 0; i < group.size(); ++i) {
      const NewRow& row = rows_[group[i].index];
      encoder_.encode(row.vector, centroid_.data(), row.norm, row.raw_norm, 0);
      std::uint8_t* scan = codes_.data() + i * (scan_bytes + refine_bytes);
      std::copy_n(encoder_.scan_codes(), scan_bytes, scan);
      std::copy_n(encoder_.refine_codes(), refine_bytes, scan + scan_bytes);
      encoded_.push_back({row.row, encoder_.scan(), encoder_.refine(), scan, scan + scan_bytes});
    }
    return true;
  }

  [[nodiscard]] bool is_open(const PageRef& head, NodeRef leaf) const {
    return is_head_of(space_, head.data(), leaf.node_id, leaf.head) && node_head(head.data()).level == 0 &&
           (node_head(head.data()).flags & kMoved) == 0;
  }

  // Appends the rows of one leaf; returns how many went in before the leaf moved.
  std::size_t append_group(std::span<const Placed> group) {
    if (!encode_group(group)) return 0;
    bool tried = false;
    for (std::size_t at = 0; at < group.size();) {
      store_.tick();
      PageRef head(store_, group[0].leaf.head, Latch::exclusive);
      if (!is_open(head, group[0].leaf)) return at;
      const NodeHead& h = node_head(head.data());
      const bool outgrown = h.rows - std::min(h.rows, h.free) >= split_size(space_);
      std::size_t count = 0;
      if (!outgrown || tried) {
        count = append_run(store_, space_, head, {encoded_.data() + at, group.size() - at}, rider_);
        head.reset();
        for (std::size_t i = at; watch_ != nullptr && i < at + count; ++i) watch_->done(group[i].index);
        at += count;
        if (count > 0) continue;
      }
      head.reset();
      // A full leaf waits for the lock; one that merely outgrew its size goes on if another session has it.
      const bool full = tried;
      const StructureLock lock(store_, full);
      tried = true;
      if (lock && split_leaf(store_, space_, group[0].leaf, memory_)) return at;
    }
    return group.size();
  }

  PageStore& store_;
  const Space& space_;
  std::span<const NewRow> rows_;
  InsertWatch* watch_;
  RecordRider* rider_;
  std::pmr::memory_resource& memory_;
  Descent descent_;
  RowEncoder encoder_;
  HeadCopy head_;
  std::pmr::vector<float> centroid_;
  std::pmr::vector<EncodedRow> encoded_;
  std::pmr::vector<std::uint8_t> codes_;
};

// Writes one entry on a plain page; false if it is full.
bool add_entry(PageStore& store, const PageRef& page, PlainEntry entry, BlockId new_next, bool link) {
  Change change(store);
  std::uint8_t* image = change.edit(page);
  Trailer& t = trailer(image);
  PlainEntry* entries = plain_entries(image);
  if (link) {
    t.next = new_next;
    change.commit();
    return true;
  }
  for (std::size_t i = 0; i < t.used; ++i) {
    if (entries[i].offset != 0) continue;
    entries[i] = entry;
    change.commit();
    return true;
  }
  if (t.used >= kPlainCapacity) return false;
  entries[t.used++] = entry;
  change.commit();
  return true;
}

PageRef open_plain(PageStore& store, BlockId block) {
  PageRef page(store, block, Latch::exclusive);
  const Trailer& t = trailer(page.data());
  if (t.magic != kTrailerMagic || t.kind != PageKind::plain || t.used > kPlainCapacity)
    throw_corrupted(block, "a page of plain rows was expected");
  return page;
}

struct SilentWatch final : quant::Watch {
  void tick(std::size_t, std::size_t) override {}
  void pause() override {}
};

BlockId new_plain_page(PageStore& store) {
  const PageRef page = PageRef::allocate(store);
  Change change(store);
  set_trailer(change.create(page), PageKind::plain, 0, kNoBlock, 0);
  change.commit();
  return page.block();
}

}  // namespace

void insert_rows(PageStore& store, const Space& space, std::span<const NewRow> rows, InsertWatch& watch,
                 std::pmr::memory_resource& memory) {
  if (rows.empty()) return;
  Inserter(store, space, rows, &watch, nullptr, memory).run();
}

void insert_in_order(PageStore& store, const Space& space, std::span<const NewRow> rows, std::span<NodeRef> leaves,
                     RecordRider& rider, std::pmr::memory_resource& memory) {
  if (!rows.empty()) Inserter(store, space, rows, nullptr, &rider, memory).run_in_order(leaves);
}

void insert_plain(PageStore& store, RowId row, std::uint16_t flags) {
  const PlainEntry entry{row.block, row.offset, flags};
  Meta meta = read_meta(store);
  // A search that reads the flag before the entry is there misses nothing it should see; the reverse would lose a row.
  if (flags == kPlainUnknown && meta.unknowns == 0) update_meta(store, [](Meta& m) { m.unknowns = 1; });
  if (meta.plain_head == kNoBlock) {
    const BlockId first = new_plain_page(store);
    update_meta(store, [&](Meta& m) {
      if (m.plain_head == kNoBlock) m.plain_head = m.plain_insert = first;
      meta = m;
    });
  }
  BlockId at = meta.plain_insert != kNoBlock ? meta.plain_insert : meta.plain_head;
  // Asked for only where the chain is longer than the file was: counting takes the file's extension lock.
  std::size_t most = 64;
  for (std::size_t pages = 0;; ++pages) {
    store.tick();
    if (pages > most) {
      most = store.block_count();
      if (pages > most) throw_corrupted(at, "the chain of plain rows has a loop");
    }
    PageRef page = open_plain(store, at);
    if (add_entry(store, page, entry, kNoBlock, false)) break;
    BlockId next = trailer(page.data()).next;
    if (next == kNoBlock) {
      next = new_plain_page(store);
      add_entry(store, page, entry, next, true);
    }
    at = next;
  }
  if (at != meta.plain_insert) update_meta(store, [at](Meta& m) { m.plain_insert = at; });
}

void fix_dimensions(PageStore& store, std::uint32_t dims, std::pmr::memory_resource& memory) {
  const StructureLock lock(store, true);
  Meta meta = read_meta(store);
  if (meta.root != kNoBlock) return;
  settle(meta, meta.dims != 0 ? meta.dims : dims);
  dims = meta.dims;
  std::pmr::vector<float> buffer(space_floats(meta), &memory);
  std::pmr::vector<float> zero(dims, &memory);
  Space space = make_space(meta, zero.data(), buffer.data());
  SilentWatch watch;
  TreeBuilder builder(store, space, memory);
  builder.finish(watch);
  update_meta(store, [&](Meta& m) {
    m.dims = dims;
    m.bits = space.meta.bits;
    m.leaf_size = space.meta.leaf_size;
    m.fanout = space.meta.fanout;
    m.root = space.meta.root;
    m.root_id = space.meta.root_id;
    m.height = space.meta.height;
    m.leaves = space.meta.leaves;
    m.next_node_id = space.meta.next_node_id;
  });
}

}  // namespace longbow::tree
