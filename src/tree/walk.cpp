// Walks over the whole tree: leaves, figures, every row.
#include <algorithm>
#include <cmath>

#include "leaf_rows.hpp"
#include "longbow/mem/flat_set.hpp"
#include "longbow/tree/maintain.hpp"
#include "longbow/tree/pending.hpp"

namespace longbow::tree {

namespace {

// Splits by others disturb a walk a few times; more is corruption.
constexpr int kMostWalks = 100;

// What a walk met that does not fit; what == nullptr for nothing.
struct Misfit {
  BlockId block = kNoBlock;
  const char* what = nullptr;
};

Misfit try_list(PageStore& store, const Space& space, const Meta& meta, std::pmr::vector<NodeRef>& leaves,
                std::pmr::vector<NodeRef>* inner, std::pmr::memory_resource& memory) {
  struct Step {
    NodeRef node;
    std::uint16_t level;
  };
  std::pmr::vector<Step> todo(&memory);
  mem::FlatSet seen(memory);
  HeadCopy head(memory);
  todo.push_back({{meta.root, meta.root_id}, static_cast<std::uint16_t>(meta.height - 1)});
  while (!todo.empty()) {
    const Step step = todo.back();
    todo.pop_back();
    if (!seen.insert(std::uint64_t{step.node.node_id} + 1)) return {step.node.head, "a node has two parents"};
    if (step.level == 0) {
      leaves.push_back(step.node);
      continue;
    }
    store.tick();
    PageRef page(store, step.node.head, Latch::share);
    if (!is_head_of(space, page.data(), step.node.node_id, step.node.head))
      return {step.node.head, "a node is not where its parent says"};
    if (node_head(page.data()).level != step.level) throw_corrupted(step.node.head, "unexpected level of a node");
    if (inner != nullptr) inner->push_back(step.node);
    copy_head(space, page, head);
    const bool whole = for_each_block<InnerFactors>(
        store, space.inner, head, page, nullptr, [&](std::size_t first, const InnerFactors& f) {
          for (std::size_t i = 0; i < 16 && first + i < head.head.rows; ++i)
            if (!is_free(f, i))
              todo.push_back({{f.child[i], f.child_id[i]}, static_cast<std::uint16_t>(step.level - 1)});
        });
    if (!whole) return {step.node.head, "a page of an inner node is not its own"};
  }
  return {};
}

}  // namespace

void list_leaves(PageStore& store, const Space& space, std::pmr::vector<NodeRef>& leaves,
                 std::pmr::vector<NodeRef>* inner, std::pmr::memory_resource& memory) {
  Meta meta = read_meta(store);
  if (meta.root == kNoBlock) return;
  for (int walk = 0;; ++walk) {
    leaves.clear();
    if (inner != nullptr) inner->clear();
    const Misfit misfit = try_list(store, space, meta, leaves, inner, memory);
    if (misfit.what == nullptr) return;
    // Without the structure lock an inner node may have been split under the walk; every split raises the counter.
    const Meta now = read_meta(store);
    if (now.split_counter == meta.split_counter || walk == kMostWalks) throw_corrupted(misfit.block, misfit.what);
    meta = now;
  }
}

namespace {

template <class F>
void for_each_plain(PageStore& store, const Meta& meta, F&& f) {
  BlockId at = meta.plain_head;
  const std::size_t most = at == kNoBlock ? 0 : store.block_count() * std::size_t{2} + 64;
  // Copied out: a visitor reads the heap and may evaluate index expressions, which no latch should wait for.
  PlainEntry entries[kPlainCapacity];
  for (std::size_t pages = 0; at != kNoBlock; ++pages) {
    store.tick();
    if (pages > most) throw_corrupted(at, "the chain of plain rows has a loop");
    std::size_t used = 0;
    {
      const PageRef page(store, at, Latch::share);
      const Trailer& t = trailer(page.data());
      if (t.magic != kTrailerMagic || t.kind != PageKind::plain || t.used > kPlainCapacity)
        throw_corrupted(at, "a page of plain rows was expected");
      used = t.used;
      std::copy_n(plain_entries(page.data()), used, entries);
      at = t.next;
    }
    for (std::size_t i = 0; i < used; ++i)
      if (entries[i].offset != 0) f(entries[i]);
  }
}

// Calls f(entry) for every entry of the pending list that is not dead.
template <class F>
void for_each_pending(PageStore& store, F&& f) {
  struct Reader final : PendingReader {
    F* f;
    bool entries(std::uint64_t, std::span<const PendingEntry> entries) override {
      for (const PendingEntry& e : entries)
        if ((e.flags & kPendingDead) == 0) (*f)(e);
      return true;
    }
  } reader;
  reader.f = &f;
  read_pending(store, 0, reader);
}

}  // namespace

Facts collect_facts(PageStore& store, const Space& space, std::pmr::memory_resource& memory) {
  Facts facts;
  const Meta meta = read_meta(store);
  facts.height = meta.height;
  for_each_pending(store, [&](const PendingEntry&) { ++facts.pending; });
  for_each_plain(store, meta, [&](const PlainEntry&) { ++facts.plain_rows; });
  if (space.dims() == 0) return facts;
  // A split between listing and reading moves rows to leaves that were not listed: such a listing is taken again.
  for (int attempt = 0;; ++attempt) {
    std::pmr::vector<NodeRef> leaves(&memory), inner(&memory);
    list_leaves(store, space, leaves, &inner, memory);
    facts.rows = facts.free_slots = 0;
    facts.leaves = static_cast<std::uint32_t>(leaves.size());
    facts.inner = static_cast<std::uint32_t>(inner.size());
    bool moved = false;
    for (const NodeRef& leaf : leaves) {
      store.tick();
      const PageRef page(store, leaf.head, Latch::share);
      if (!is_head_of(space, page.data(), leaf.node_id, leaf.head)) {
        moved = true;
        break;
      }
      const NodeHead& h = node_head(page.data());
      moved = moved || (h.flags & kMoved) != 0;
      facts.rows += h.rows - std::min(h.rows, h.free);
      facts.free_slots += h.free;
    }
    if (!moved || attempt == 3) return facts;
  }
}

void visit_plain(PageStore& store, RowVisitor& visitor) {
  for_each_plain(store, read_meta(store),
                 [&](const PlainEntry& e) { visitor.row({e.block, e.offset}, nullptr, 0, e.flags); });
}

void visit_rows(PageStore& store, const Space& space, RowVisitor& visitor, std::pmr::memory_resource& memory) {
  const StructureLock lock(store, true);
  for_each_pending(store, [&](const PendingEntry& e) { visitor.pending(e); });
  visit_plain(store, visitor);
  if (space.dims() == 0) return;
  std::pmr::vector<NodeRef> leaves(&memory);
  list_leaves(store, space, leaves, nullptr, memory);
  LeafRows rows(memory);
  for (const NodeRef& leaf : leaves) {
    store.tick();
    {
      const PageRef head(store, leaf.head, Latch::share);
      if (!is_head_of(space, head.data(), leaf.node_id, leaf.head))
        throw_corrupted(leaf.head, "a leaf is not where its parent says");
      if (node_head(head.data()).level != 0) throw_corrupted(leaf.head, "a leaf was expected");
      if ((node_head(head.data()).flags & kMoved) != 0) throw_corrupted(leaf.head, "a parent still names a moved leaf");
      read_leaf_rows(store, space, head, rows);
    }
    const std::size_t n = space.dims();
    for (std::size_t i = 0; i < rows.rows.size(); ++i) {
      const float* v = rows.vectors.data() + i * n;
      if (!(rows.errors[i] >= 0) || !std::isfinite(rows.errors[i]))
        throw_corrupted(leaf.head, "a row's error bound is impossible");
      for (std::size_t d = 0; d < n; ++d)
        if (!std::isfinite(v[d])) throw_corrupted(leaf.head, "a row does not decode to finite values");
      visitor.row(rows.rows[i], v, rows.errors[i], 0);
    }
  }
}

}  // namespace longbow::tree
