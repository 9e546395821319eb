// Filling in codes of pending rows that nobody has in memory: vectors from the side WAL, or from the heap.
//
// Reading a vector may run functions of the user, and so other searches of the same session: nothing is held meanwhile, and where
// codes go is looked up anew for each batch.
#pragma once

#include <atomic>
#include <vector>

#include "am/vector_fetch.hpp"
#include "longbow/tree/pending.hpp"
#include "pg/delta.hpp"

namespace longbow::am {

// Entries of the list below an ordinal, without the dead.
class OldEntries final : public tree::PendingReader {
 public:
  OldEntries(std::uint64_t end, std::pmr::memory_resource& memory) : found(&memory), ordinal(&memory), end_(end) {}
  bool entries(std::uint64_t first, std::span<const tree::PendingEntry> some) override;
  [[nodiscard]] tree::RowId row(std::size_t i) const noexcept { return {found[i].block, found[i].offset}; }

  std::pmr::vector<tree::PendingEntry> found;
  std::pmr::vector<std::uint64_t> ordinal;

 private:
  std::uint64_t end_;
};

inline tree::RowId slot_row(const tree::RowIds& f, std::size_t lane) {
  const auto offset = std::atomic_ref(const_cast<std::uint16_t&>(f.row_offset[lane])).load(std::memory_order_acquire);
  return {f.row_block[lane], offset};
}

class Filler {
 public:
  Filler(const OldEntries& old, const tree::Space& space, std::pmr::memory_resource& memory);
  virtual ~Filler() = default;
  // Fills, under a snapshot, what of the list has no codes. Opens neither log nor heap if nothing is missing.
  void run(tree::PageStore& store, Relation heap, Relation index, Snapshot snapshot);

 protected:
  // Puts into todo_ the numbers of entries without codes, in the order of their ordinals.
  virtual void list_missing() = 0;
  // Whether there is memory for the entries todo_[from, to): they are read then.
  virtual bool has_room(std::size_t from, std::size_t to) = 0;
  // Keeps the codes of found_ and that those of stale_ have no row; false if that has no use any more.
  virtual bool publish() = 0;

  const OldEntries& old_;
  const tree::Space& space_;
  tree::DeltaLayout layout_;
  tree::DeltaEncoder codes_;  // of found_
  std::pmr::vector<std::size_t> todo_, found_, stale_;

 private:
  void look_at(VectorFetch& vectors, std::size_t i);

  std::pmr::memory_resource& memory_;
  std::pmr::vector<float> raw_, prepared_;
};

// Fills the delta's slots.
class DeltaFiller final : public Filler {
 public:
  DeltaFiller(pg::Delta& delta, const OldEntries& old, const tree::Space& space, std::pmr::memory_resource& memory)
      : Filler(old, space, memory), delta_(delta), left_(&memory) {}
  // Entries that the delta has no memory for.
  [[nodiscard]] const std::pmr::vector<std::size_t>& left() const noexcept { return left_; }

 private:
  void list_missing() override;
  bool has_room(std::size_t from, std::size_t to) override;
  bool publish() override;

  pg::Delta& delta_;
  std::pmr::vector<std::size_t> left_;
};

}  // namespace longbow::am
