// Walking, appending to and marking the pending list.
#include "longbow/tree/pending.hpp"

#include <algorithm>

#include "longbow/tree/build.hpp"
#include "split.hpp"
#include "writer.hpp"

namespace longbow::tree {

namespace {

// A reader that keeps losing its place meets corruption, not concurrency.
constexpr int kMostRestarts = 1000;

bool is_pending(const std::uint8_t* page) noexcept {
  const Trailer& t = trailer(page);
  return t.magic == kTrailerMagic && t.kind == PageKind::pending && t.used <= kPendingCapacity;
}

std::uint8_t* create_page(Change& change, const PageRef& page, std::uint64_t first) {
  std::uint8_t* image = change.create(page);
  set_trailer(image, PageKind::pending, 0, kNoBlock, 0);
  trailer(image).next = kNoBlock;
  std::memcpy(image + kBodyOffset, &first, sizeof first);
  return image;
}

// Makes the list's first page unless another session was first; returns the tail.
BlockId begin_list(PageStore& store) {
  PageRef page = PageRef::allocate(store);
  PageRef meta(store, kMetaBlock, Latch::exclusive);
  const Meta& m = meta_of(meta.data());
  const BlockId tail = m.pending_tail;
  if (tail != kNoBlock) {
    meta.reset();
    free_page(store, page, 0);
    return tail;
  }
  Change change(store);
  create_page(change, page, m.pending_from);
  Meta& fresh = meta_of(change.edit(meta));
  fresh.pending_head = fresh.pending_tail = page.block();
  change.commit();
  return page.block();
}

// Links a new page behind a full tail, which is latched exclusively.
BlockId extend_list(PageStore& store, const PageRef& tail) {
  const PageRef page = PageRef::allocate(store);
  const PageRef meta(store, kMetaBlock, Latch::exclusive);
  Change change(store);
  create_page(change, page, list_ordinal(tail.data()) + kPendingCapacity);
  trailer(change.edit(tail)).next = page.block();
  meta_of(change.edit(meta)).pending_tail = page.block();
  change.commit();
  return page.block();
}

// The last page, latched; the meta page may name one before it, or one that has been freed since it was read.
PageRef latch_tail(PageStore& store, BlockId& block, Latch latch) {
  for (int hops = 0; hops < kMostRestarts; ++hops) {
    PageRef page(store, block, latch);
    if (!is_pending(page.data())) {
      page.reset();
      store.tick();
      block = read_meta(store).pending_tail;
      continue;
    }
    const BlockId next = trailer(page.data()).next;
    if (next == kNoBlock) return page;
    block = next;
  }
  throw_corrupted(block, "the pending list has no end");
}

}  // namespace

void append_pending(PageStore& store, std::span<const NewPending> rows, PendingWatch& watch) {
  if (rows.empty()) return;
  BlockId block = read_meta(store).pending_tail;
  if (block == kNoBlock) block = begin_list(store);
  for (std::size_t at = 0; at < rows.size();) {
    const PageRef tail = latch_tail(store, block, Latch::exclusive);
    const std::size_t used = trailer(tail.data()).used;
    if (used == kPendingCapacity) {
      block = extend_list(store, tail);
      continue;
    }
    const std::size_t count = std::min(rows.size() - at, kPendingCapacity - used);
    Change change(store);
    std::uint8_t* image = change.edit(tail);
    for (std::size_t i = 0; i < count; ++i) {
      const NewPending& row = rows[at + i];
      pending_entries(image)[used + i] = {row.row.block, row.row.offset, 0, row.position, row.crc, 0};
    }
    trailer(image).used = static_cast<std::uint16_t>(used + count);
    const std::uint64_t ordinal = list_ordinal(image) + used;
    change.commit();
    watch.appended(at, count, ordinal);
    at += count;
  }
}

std::uint64_t next_pending_ordinal(PageStore& store) {
  const Meta meta = read_meta(store);
  BlockId block = meta.pending_tail;
  if (block == kNoBlock) return meta.pending_from;
  const PageRef tail = latch_tail(store, block, Latch::share);
  return std::max(meta.pending_from, list_ordinal(tail.data()) + trailer(tail.data()).used);
}

void read_pending(PageStore& store, std::uint64_t from, PendingReader& reader) {
  PendingEntry entries[kPendingCapacity];
  for (int restarts = 0; restarts < kMostRestarts; ++restarts) {
    const Meta meta = read_meta(store);
    from = std::max(from, meta.pending_from);
    BlockId block = meta.pending_head;
    std::uint64_t expected = 0;  // the page's first ordinal; 0 = not known yet
    for (;;) {
      if (block == kNoBlock) return;
      store.tick();
      std::uint64_t first = 0;
      std::size_t used = 0;
      BlockId next = kNoBlock;
      {
        const PageRef page(store, block, Latch::share);
        if (!is_pending(page.data())) break;
        first = list_ordinal(page.data());
        // A page that was freed and became a later one of this list.
        if (expected != 0 ? first != expected : first > from) break;
        used = trailer(page.data()).used;
        next = trailer(page.data()).next;
        if (next != kNoBlock && used != kPendingCapacity)
          throw_corrupted(block, "a pending page that is not the last is not full");
        if (first + used > from) std::copy_n(pending_entries(page.data()), used, entries);
      }
      if (first + used > from) {
        const std::size_t skip = from > first ? from - first : 0;
        from = first + used;
        if (!reader.entries(first + skip, {entries + skip, used - skip})) return;
        restarts = 0;
      }
      expected = first + kPendingCapacity;
      block = next;
    }
  }
  throw base::Error(base::Errc::index_corrupted, "pages of the pending list belong to something else");
}

PendingSweep sweep_pending(PageStore& store, DeadRows& dead, PendingSweepWatch& watch) {
  PendingSweep result;
  // Under the merge lock nobody takes pages out of the list.
  const Meta meta = read_meta(store);
  std::uint64_t previous = 0;
  for (BlockId block = meta.pending_head; block != kNoBlock;) {
    store.tick();
    PageRef page(store, block, Latch::share);
    if (!is_pending(page.data())) throw_corrupted(block, "a pending page was expected");
    const std::uint64_t first = list_ordinal(page.data());
    if (first <= previous) throw_corrupted(block, "the pending list has a loop");
    previous = first;
    const auto is_dead = [&](const std::uint8_t* image, std::size_t i) {
      const PendingEntry& e = pending_entries(image)[i];
      return first + i >= meta.pending_from && (e.flags & kPendingDead) == 0 && dead.is_dead({e.block, e.offset});
    };
    const auto any = [&] {
      for (std::size_t i = 0; i < trailer(page.data()).used; ++i)
        if (is_dead(page.data(), i)) return true;
      return false;
    };
    if (any()) {
      page.reset();
      page = PageRef(store, block, Latch::exclusive);
      if (!is_pending(page.data())) throw_corrupted(block, "a pending page was expected");
      Change change(store);
      std::uint8_t* image = change.edit(page);
      bool marked[kPendingCapacity] = {};
      for (std::size_t i = 0; i < trailer(image).used; ++i) {
        marked[i] = is_dead(image, i);
        if (!marked[i]) continue;
        pending_entries(image)[i].flags |= kPendingDead;
        ++result.removed;
      }
      change.commit();
      for (std::size_t i = 0; i < kPendingCapacity; ++i)
        if (marked[i]) watch.marked(first + i);
    }
    for (std::size_t i = 0; i < trailer(page.data()).used; ++i)
      if (first + i >= meta.pending_from && (pending_entries(page.data())[i].flags & kPendingDead) == 0) ++result.rows;
    block = trailer(page.data()).next;
  }
  if (result.removed > 0) update_meta(store, [](Meta& m) { ++m.vacuum_epoch; });
  return result;
}

}  // namespace longbow::tree
