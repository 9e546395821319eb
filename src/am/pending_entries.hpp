// The pending list as a search has read it, and what slots of codes have of it.
#pragma once

#include <atomic>
#include <vector>

#include "longbow/tree/delta.hpp"
#include "longbow/tree/pending.hpp"

namespace longbow::am {

// What a block's slots have of the entries with its ordinals, a bit a lane; entries that are dead, or known to have no row, are in neither.
struct SlotMatch {
  std::uint32_t there = 0;    // codes of the entry's row
  std::uint32_t missing = 0;  // nothing, or another row's
};

// Row ids of the list's entries below an ordinal. What a merge took while they were read stands as dead.
class OldEntries final : public tree::PendingReader {
 public:
  OldEntries(std::uint64_t end, std::pmr::memory_resource& memory) : entries_(&memory), limit_(end) {}
  // Reads them, from an ordinal on.
  void read(tree::PageStore& store, std::uint64_t from);
  bool entries(std::uint64_t first, std::span<const tree::PendingEntry> some) override;

  [[nodiscard]] bool empty() const noexcept { return entries_.empty(); }
  [[nodiscard]] std::uint64_t begin() const noexcept { return first_; }
  [[nodiscard]] std::uint64_t end() const noexcept { return first_ + entries_.size(); }
  // The first ordinal of the block that holds begin().
  [[nodiscard]] std::uint64_t first_block() const noexcept { return first_ - first_ % tree::kDeltaRows; }
  [[nodiscard]] tree::RowId row(std::uint64_t ordinal) const noexcept {
    return {entries_[ordinal - first_].block, entries_[ordinal - first_].offset};
  }
  // Compares the block whose first ordinal is `block` with the row ids of its slots (nullptr: it has none).
  [[nodiscard]] SlotMatch match(std::uint64_t block, const tree::RowIds* ids) const noexcept;

 private:
  // Of a tree::PendingEntry what every search needs.
  struct Entry {
    std::uint32_t block;
    std::uint16_t offset, flags;
  };
  std::uint64_t first_ = 0;
  std::pmr::vector<Entry> entries_;
  std::uint64_t limit_;
};

inline tree::RowId slot_row(const tree::RowIds& f, std::size_t lane) {
  const auto offset = std::atomic_ref(const_cast<std::uint16_t&>(f.row_offset[lane])).load(std::memory_order_acquire);
  return {f.row_block[lane], offset};
}

}  // namespace longbow::am
