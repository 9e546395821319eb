// The loop that fills, and the delta's slots as its aim.
#include "am/pending_fill.hpp"

#include <algorithm>

namespace longbow::am {

namespace {

// Entries that are fetched and encoded before anything is locked.
constexpr std::size_t kFillTogether = 256;

}  // namespace

bool OldEntries::entries(std::uint64_t first, std::span<const tree::PendingEntry> some) {
  for (const tree::PendingEntry& e : some) {
    if (first >= end_) return false;
    if ((e.flags & tree::kPendingDead) == 0) {
      found.push_back(e);
      ordinal.push_back(first);
    }
    ++first;
  }
  return first < end_;
}

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

void Filler::run(tree::PageStore& store, Relation heap, Relation index, Snapshot snapshot) {
  list_missing();
  if (todo_.empty() || !has_room(0, std::min(todo_.size(), kFillTogether))) return;
  VectorFetch vectors(heap, index, space_, memory_, snapshot);
  for (std::size_t at = 0; at < todo_.size();) {
    const std::size_t end = std::min(todo_.size(), at + kFillTogether);
    if (at > 0 && !has_room(at, end)) break;
    codes_.clear();
    found_.clear();
    stale_.clear();
    for (; at < end; ++at) {
      store.tick();
      look_at(vectors, todo_[at]);
    }
    if (!(found_.empty() && stale_.empty()) && !publish()) break;
  }
  vectors.close();
}

void Filler::look_at(VectorFetch& vectors, std::size_t i) {
  const tree::Fetched fetched = vectors.fetch(old_.found[i], raw_.data());
  if (fetched == tree::Fetched::stale) stale_.push_back(i);
  if (fetched != tree::Fetched::found) return;
  const tree::PreparedRow how = space_.prepare_row(raw_.data(), prepared_.data());
  if (how.kind != tree::RowClass::indexed) return;
  codes_.add(old_.row(i), prepared_.data(), how.norm, how.raw_norm);
  found_.push_back(i);
}

// Block by block: looking for each ordinal's chunk cost 18 ms a query with 50,000 entries.
void DeltaFiller::list_missing() {
  std::size_t at = 0;
  const auto missing_below = [&](std::uint64_t ordinal) {
    for (; at < old_.found.size() && old_.ordinal[at] < ordinal; ++at) todo_.push_back(at);
  };
  const pg::SharedLock lock(delta_.chunks_lock(), LW_SHARED);
  if (!delta_.still_ours()) return;
  delta_.for_each_block(old_.ordinal.front(), old_.ordinal.back() + 1, [&](tree::DeltaBlock block, std::uint64_t first) {
    missing_below(first);
    const auto& f = *reinterpret_cast<const tree::RowIds*>(block.codes + layout_.ids);
    for (; at < old_.found.size() && old_.ordinal[at] < first + tree::kDeltaRows; ++at) {
      const tree::RowId row = slot_row(f, old_.ordinal[at] - first);
      if (row.offset != tree::kDeltaStale && row != old_.row(at)) todo_.push_back(at);
    }
  });
  missing_below(~std::uint64_t{0});
}

bool DeltaFiller::has_room(std::size_t from, std::size_t to) {
  const std::uint64_t first = old_.ordinal[todo_[from]], last = old_.ordinal[todo_[to - 1]];
  const pg::SharedLock lock(delta_.append_lock(), LW_EXCLUSIVE);
  // Rows that were merged meanwhile need no memory.
  if (!delta_.still_ours() || last < delta_.entry().from) return false;
  if (delta_.reserve(first, last - first + 1)) return true;
  left_.assign(todo_.begin() + static_cast<std::ptrdiff_t>(from), todo_.end());
  return false;
}

// Others may fill the same slots with the same bytes; whoever reads them compares with the list.
bool DeltaFiller::publish() {
  const pg::SharedLock lock(delta_.append_lock(), LW_EXCLUSIVE);
  std::uint64_t first = ~std::uint64_t{0}, last = 0;
  for (const auto* some : {&found_, &stale_})
    for (const std::size_t i : *some) first = std::min(first, old_.ordinal[i]), last = std::max(last, old_.ordinal[i]);
  if (!delta_.still_ours() || last < delta_.entry().from || !delta_.reserve(first, last - first + 1)) return false;
  const pg::SharedLock chunks(delta_.chunks_lock(), LW_SHARED);
  const auto slots = [&](const std::pmr::vector<std::size_t>& some, auto&& put) {
    for (std::size_t i = 0; i < some.size(); ++i) {
      std::size_t lane = 0;
      const tree::DeltaBlock block = delta_.block_of(old_.ordinal[some[i]], lane);
      if (block.codes != nullptr) put(block, lane, i);
    }
  };
  slots(found_, [&](tree::DeltaBlock block, std::size_t lane, std::size_t i) {
    tree::put_delta_row(layout_, block, lane, codes_[i]);
  });
  slots(stale_, [&](tree::DeltaBlock block, std::size_t lane, std::size_t) { tree::mark_delta_stale(layout_, block, lane); });
  return true;
}

}  // namespace longbow::am
