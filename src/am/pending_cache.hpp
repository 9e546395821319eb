// A session's own codes of pending rows, for those that the delta has not: there is no shared memory, or it is full.
//
// All caches of a session together take work_mem at most; what does not fit stays without codes. A slot is an ordinal's, which an
// incarnation never uses twice, and is believed only where its row id is that of the list's entry: so a row that VACUUM marked and
// one that came to its row id again are seen from the list, which every search reads.
#pragma once

#include "am/pending_fill.hpp"
#include "pg/context_resource.hpp"

namespace longbow::am {

class PendingCache {
 public:
  // The session's cache of an index, made if there is none, without what the list has no more. Stays until the session searches
  // anything again.
  static PendingCache* of(Relation index, const tree::Space& space);
  // The same if it is there as it was.
  static PendingCache* find(Relation index, const tree::Space& space) noexcept;

  // The block of an ordinal and its lane; `codes` is nullptr if there is none.
  [[nodiscard]] tree::DeltaBlock block_of(std::uint64_t ordinal, std::size_t& lane) const noexcept;
  // Makes a block for an ordinal; false if work_mem is used up, or the list has gone on.
  bool reserve(std::uint64_t ordinal);

 private:
  PendingCache(MemoryContext context, Relation index, const tree::Space& space);
  ~PendingCache();
  PendingCache(const PendingCache&) = delete;
  PendingCache& operator=(const PendingCache&) = delete;
  static void invalidate(Datum, Oid relation);
  static void drop(PendingCache* cache) noexcept;
  template <class Which>
  static void drop_those(Which&& which) noexcept;
  [[nodiscard]] std::size_t bytes() const noexcept { return block_bytes_ + tree::kDeltaRows * refine_bytes_; }
  void free_block(std::uint8_t*& block) noexcept;
  void forget_below(std::uint64_t ordinal) noexcept;
  void shrink() noexcept;
  bool make_room(std::size_t wanted) noexcept;

  PendingCache* next_ = nullptr;
  MemoryContext context_;  // holds the cache itself
  pg::ContextResource memory_;
  LbLocator file_;
  Oid relation_;
  std::uint64_t incarnation_;
  std::size_t block_bytes_, refine_bytes_;
  std::uint64_t first_;  // number of the first block: its first ordinal by 16
  std::pmr::vector<std::uint8_t*> blocks_;
  std::int64_t used_ = 0;  // start of the transaction that used it last
  bool suspect_ = false;   // something has happened to the index
};

// Fills the slots of a session's cache, for the ordinals `wanted`, or all if it is null.
class CacheFiller final : public Filler {
 public:
  CacheFiller(Relation index, const OldEntries& old, const std::pmr::vector<std::uint64_t>* wanted, const tree::Space& space,
              std::pmr::memory_resource& memory)
      : Filler(old, space, memory), index_(index), wanted_(wanted) {}

 private:
  void list_missing() override;
  bool has_room(std::size_t from, std::size_t to) override;
  bool publish() override;

  Relation index_;
  const std::pmr::vector<std::uint64_t>* wanted_;
};

// Shows a visitor a block's entries of the list, in the lanes of `wanted`: with the codes that the session has (cache: nullptr if none),
// or bare.
void show_cached(const PendingCache* cache, const OldEntries& old, const tree::DeltaLayout& layout, std::uint64_t block,
                 std::uint32_t wanted, tree::PendingVisitor& visitor);

}  // namespace longbow::am
