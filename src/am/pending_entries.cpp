// Taking up the list's entries, and comparing them with slots.
#include "am/pending_entries.hpp"

#include <algorithm>
#include <cstring>

namespace longbow::am {

namespace {
// Entries for which there is memory before they are read, whatever the list's last page says.
constexpr std::uint64_t kMostReserved = 1 << 20;
}

void OldEntries::read(tree::PageStore& store, std::uint64_t from) {
  if (const std::uint64_t next = tree::next_pending_ordinal(store); next > from)
    entries_.reserve(std::min(std::min(next, limit_) - from, kMostReserved));
  tree::read_pending(store, from, *this);
}

bool OldEntries::entries(std::uint64_t first, std::span<const tree::PendingEntry> some) {
  if (first >= limit_) return false;
  if (entries_.empty()) first_ = first;
  if (first > end()) entries_.resize(first - first_, {0, 0, tree::kPendingDead});
  for (const tree::PendingEntry& e : some.first(std::min<std::uint64_t>(some.size(), limit_ - first)))
    entries_.push_back({e.block, e.offset, e.flags});
  return end() < limit_;
}

SlotMatch OldEntries::match(std::uint64_t block, const tree::RowIds* ids) const noexcept {
  constexpr tree::RowIds kNone{};
  std::uint16_t offset[tree::kDeltaRows];
  std::memcpy(offset, (ids != nullptr ? *ids : kNone).row_offset, sizeof offset);
  std::atomic_thread_fence(std::memory_order_acquire);
  const std::uint32_t* blocks = (ids != nullptr ? *ids : kNone).row_block;
  SlotMatch m;
  const std::uint64_t from = std::max(begin(), block);
  if (from >= end()) return m;
  const Entry* e = entries_.data() + (from - first_);
  const auto last = static_cast<std::uint32_t>(std::min(end(), block + tree::kDeltaRows) - block);
  for (auto lane = static_cast<std::uint32_t>(from - block); lane < last; ++lane, ++e) {
    const bool pending = (e->flags & tree::kPendingDead) == 0 && offset[lane] != tree::kDeltaStale;
    const bool same = blocks[lane] == e->block && offset[lane] == e->offset;
    m.there |= static_cast<std::uint32_t>(pending && same) << lane;
    m.missing |= static_cast<std::uint32_t>(pending && !same) << lane;
  }
  return m;
}

}  // namespace longbow::am
