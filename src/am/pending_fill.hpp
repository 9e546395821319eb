// Filling in codes of pending rows that nobody has in memory: vectors from the side WAL, or from the heap.
//
// Reading a vector may run functions of the user, and so other searches of the same session: nothing is held meanwhile, and where
// codes go is looked up anew for each batch.
#pragma once

#include <vector>

#include "am/pending_entries.hpp"
#include "am/vector_fetch.hpp"
#include "pg/delta.hpp"

namespace longbow::am {

class Filler {
 public:
  Filler(const OldEntries& old, const tree::Space& space, std::pmr::memory_resource& memory);
  virtual ~Filler() = default;
  // Fills, under a snapshot, what of the list has no codes. Opens neither log nor heap if nothing is missing.
  void run(tree::PageStore& store, Relation heap, Relation index, Snapshot snapshot);

 protected:
  // Puts into todo_ the ordinals of entries without codes, in their order.
  virtual void list_missing() = 0;
  // Whether there is memory for the entries todo_[from, to): they are read then.
  virtual bool has_room(std::size_t from, std::size_t to) = 0;
  // Keeps the codes of found_ and that those of stale_ have no row; false if that has no use any more.
  virtual bool publish() = 0;

  const OldEntries& old_;
  const tree::Space& space_;
  tree::DeltaLayout layout_;
  tree::DeltaEncoder codes_;  // of found_
  std::pmr::vector<std::uint64_t> todo_, found_, stale_;

  // Puts the entries of a block, in the lanes of `mask`, into todo_.
  void add_missing(std::uint64_t block, std::uint32_t mask);

 private:
  void look_at(VectorFetch& vectors, std::uint64_t ordinal, const tree::PendingEntry& entry);

  std::pmr::memory_resource& memory_;
  std::pmr::vector<float> raw_, prepared_;
};

// Fills the delta's slots.
class DeltaFiller final : public Filler {
 public:
  DeltaFiller(pg::Delta& delta, const OldEntries& old, const tree::Space& space, std::pmr::memory_resource& memory)
      : Filler(old, space, memory), delta_(delta), left_(&memory) {}
  // Ordinals of entries that the delta has no memory for.
  [[nodiscard]] const std::pmr::vector<std::uint64_t>& left() const noexcept { return left_; }
  // Whether every entry had its slot before run() began.
  [[nodiscard]] bool had_all() const noexcept { return todo_.empty(); }

 private:
  void list_missing() override;
  bool has_room(std::size_t from, std::size_t to) override;
  bool publish() override;

  pg::Delta& delta_;
  std::pmr::vector<std::uint64_t> left_;
};

// On a primary: compares the slots of entries below `covered` with the list, slot by slot, under the merge lock and `append`. If all that are pending
// have theirs, the delta covers the whole list from now on, and searches read the list no more: VACUUM takes its dead rows out of the
// delta too.
void cover_list(pg::Delta& delta, tree::PageStore& store, const tree::Space& space);

}  // namespace longbow::am
