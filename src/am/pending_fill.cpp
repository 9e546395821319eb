// The loop that fills, and the delta's slots as its aim.
#include "am/pending_fill.hpp"

#include <algorithm>

namespace longbow::am {

namespace {

// Entries that are fetched and encoded before anything is locked.
constexpr std::size_t kFillTogether = 256;

}  // namespace

Filler::Filler(const OldEntries& old, const tree::Space& space, std::pmr::memory_resource& memory)
    : old_(old),
      space_(space),
      layout_(tree::delta_layout(space)),
      codes_(space, memory),
      todo_(&memory),
      found_(&memory),
      stale_(&memory),
      memory_(memory),
      raw_(space.raw_cells(), &memory),
      prepared_(space.dims(), &memory) {}

namespace {

// Takes up the entries with some ordinals: dead ones where the list has them no more.
class PickEntries final : public tree::PendingReader {
 public:
  PickEntries(std::span<const std::uint64_t> ordinals, std::pmr::memory_resource& memory) : ordinals_(ordinals), picked_(&memory) {
    tree::PendingEntry dead{};
    dead.flags = tree::kPendingDead;
    picked_.resize(ordinals.size(), dead);
  }
  bool entries(std::uint64_t first, std::span<const tree::PendingEntry> some) override {
    while (at_ < ordinals_.size() && ordinals_[at_] < first) ++at_;
    for (; at_ < ordinals_.size() && ordinals_[at_] < first + some.size(); ++at_) picked_[at_] = some[ordinals_[at_] - first];
    return at_ < ordinals_.size();
  }
  const tree::PendingEntry& operator[](std::size_t i) const noexcept { return picked_[i]; }

 private:
  std::span<const std::uint64_t> ordinals_;
  std::pmr::vector<tree::PendingEntry> picked_;
  std::size_t at_ = 0;
};

}  // namespace

void Filler::run(tree::PageStore& store, Relation heap, Relation index, Snapshot snapshot) {
  list_missing();
  if (todo_.empty() || !has_room(0, std::min(todo_.size(), kFillTogether))) return;
  PickEntries entries(todo_, memory_);
  tree::read_pending(store, todo_.front(), entries);
  VectorFetch vectors(heap, index, space_, memory_, snapshot);
  for (std::size_t at = 0; at < todo_.size();) {
    const std::size_t end = std::min(todo_.size(), at + kFillTogether);
    if (at > 0 && !has_room(at, end)) break;
    codes_.clear();
    found_.clear();
    stale_.clear();
    for (; at < end; ++at) {
      store.tick();
      if ((entries[at].flags & tree::kPendingDead) == 0) look_at(vectors, todo_[at], entries[at]);
    }
    if (!(found_.empty() && stale_.empty()) && !publish()) break;
  }
  vectors.close();
}

void Filler::look_at(VectorFetch& vectors, std::uint64_t ordinal, const tree::PendingEntry& entry) {
  const tree::Fetched fetched = vectors.fetch(entry, raw_.data());
  if (fetched == tree::Fetched::stale) stale_.push_back(ordinal);
  if (fetched != tree::Fetched::found) return;
  const tree::PreparedRow how = space_.prepare_row(raw_.data(), prepared_.data());
  if (how.kind != tree::RowClass::indexed) return;
  codes_.add({entry.block, entry.offset}, prepared_.data(), how.norm, how.raw_norm);
  found_.push_back(ordinal);
}

void Filler::add_missing(std::uint64_t block, std::uint32_t mask) {
  for (; mask != 0; mask &= mask - 1) todo_.push_back(block + static_cast<std::uint64_t>(__builtin_ctz(mask)));
}

// Block by block: looking for each ordinal's chunk cost 18 ms a query with 50,000 entries.
void DeltaFiller::list_missing() {
  std::uint64_t next = old_.first_block();
  const auto missing_below = [&](std::uint64_t ordinal) {
    for (; next < ordinal; next += tree::kDeltaRows) add_missing(next, old_.match(next, nullptr).missing);
  };
  const pg::SharedLock lock(delta_.chunks_lock(), LW_SHARED);
  if (!delta_.still_ours()) return;
  delta_.for_each_block(layout_, old_.begin(), old_.end(), [&](tree::DeltaBlock block, std::uint64_t first) {
    missing_below(first);
    add_missing(first, old_.match(first, &layout_.ids_of(block)).missing);
    next = first + tree::kDeltaRows;
  });
  missing_below(old_.end());
}

bool DeltaFiller::has_room(std::size_t from, std::size_t to) {
  const std::uint64_t first = todo_[from], last = todo_[to - 1];
  const pg::SharedLock lock(delta_.append_lock(), LW_EXCLUSIVE);
  // Rows that were merged meanwhile need no memory.
  if (!delta_.still_ours() || last < delta_.entry().from) return false;
  if (delta_.reserve(first, last - first + 1)) return true;
  left_.assign(todo_.begin() + static_cast<std::ptrdiff_t>(from), todo_.end());
  return false;
}

// Others may fill the same slots with the same bytes; whoever reads them compares with the list. Slots that the delta covers by now are
// as they should be, and an entry that VACUUM has marked meanwhile has none.
bool DeltaFiller::publish() {
  const pg::SharedLock lock(delta_.append_lock(), LW_EXCLUSIVE);
  const std::uint64_t covered = delta_.covered();
  std::uint64_t first = ~std::uint64_t{0}, last = 0;
  for (const auto* some : {&found_, &stale_})
    if (!some->empty()) first = std::min(first, some->front()), last = std::max(last, some->back());
  if (!delta_.still_ours() || last < delta_.entry().from || !delta_.reserve(first, last - first + 1)) return false;
  const pg::SharedLock chunks(delta_.chunks_lock(), LW_SHARED);
  const auto slots = [&](const std::pmr::vector<std::uint64_t>& some, auto&& put) {
    for (std::size_t i = 0; i < some.size() && some[i] < covered; ++i) {
      std::size_t lane = 0;
      const tree::DeltaBlock block = delta_.block_of(some[i], lane);
      if (block.codes != nullptr) put(block, lane, i);
    }
  };
  slots(found_, [&](tree::DeltaBlock block, std::size_t lane, std::size_t i) {
    tree::put_delta_row(layout_, block, lane, codes_[i]);
  });
  slots(stale_, [&](tree::DeltaBlock block, std::size_t lane, std::size_t) { tree::mark_delta_stale(layout_, block, lane); });
  return true;
}

namespace {

// Compares slots with the entries that it is shown, and takes out what is pending no more.
class SlotCheck final : public tree::PendingReader {
 public:
  SlotCheck(pg::Delta& delta, const tree::Space& space, std::uint64_t end)
      : delta_(delta), layout_(tree::delta_layout(space)), end_(end) {}
  bool entries(std::uint64_t first, std::span<const tree::PendingEntry> some) override {
    const pg::SharedLock lock(delta_.chunks_lock(), LW_SHARED);
    tree::DeltaBlock block{nullptr, nullptr};
    std::size_t lane = 0;
    for (const tree::PendingEntry& e : some) {
      const std::uint64_t ordinal = first++;
      if (ordinal >= end_) return false;
      if (block.codes == nullptr || ++lane == tree::kDeltaRows) block = delta_.block_of(ordinal, lane);
      all_ = fits(e, block, lane);
      if (!all_) return false;
    }
    return first < end_;
  }
  [[nodiscard]] bool all() const noexcept { return all_; }

 private:
  [[nodiscard]] bool fits(const tree::PendingEntry& e, tree::DeltaBlock block, std::size_t lane) const noexcept {
    const bool dead = (e.flags & tree::kPendingDead) != 0;
    if (block.codes == nullptr) return dead;
    const tree::RowId row = slot_row(layout_.ids_of(block), lane);
    if (!dead && row.offset != tree::kDeltaStale) return row == tree::RowId{e.block, e.offset};
    tree::drop_delta_row(layout_, block, lane);
    return true;
  }

  pg::Delta& delta_;
  tree::DeltaLayout layout_;
  std::uint64_t end_;
  bool all_ = true;
};

}  // namespace

// A VACUUM that is at the list already may have begun when there was no delta to take rows out of: the next search tries again.
void cover_list(pg::Delta& delta, tree::PageStore& store, const tree::Space& space) {
  const tree::MergeLock merging(store, false);
  if (!merging) return;
  const pg::SharedLock lock(delta.append_lock(), LW_EXCLUSIVE);
  if (!delta.still_ours()) return;
  const std::uint64_t from = tree::read_meta(store).pending_from;
  SlotCheck check(delta, space, delta.covered());
  tree::read_pending(store, from, check);
  if (!check.all()) return;
  pg::DeltaIndex& entry = delta.entry();
  entry.next = std::max(entry.next.load(), tree::next_pending_ordinal(store));
  entry.covered = std::min(from, delta.covered());
}

}  // namespace longbow::am
