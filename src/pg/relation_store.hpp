// The tree's pages in an index relation: shared buffers, generic WAL records, the free space map, the structure lock.
//
// Lock order: the structure lock (heavyweight) before any buffer lock; buffer locks as src/tree says.
#pragma once

#include "pg/generic_record.hpp"

namespace longbow::pg {

// Where a session last found an index's blocks in shared buffers. A hint is only that: the buffer's tag decides.
struct BufferHints {
  Buffer* at;         // by block number
  BlockNumber size;
  BlockNumber blocks;  // that the file was seen to have at least: it never shrinks
};

class RelationStore final : public tree::PageStore {
 public:
  enum class Mode : uint8 {
    normal,  // each change is a generic WAL record
    bulk,    // a new relation: pages are changed in place, and logged all at once at the end
  };
  // What tick() obeys: interrupts; VACUUM's cost-based delay too; that, but only where nothing is latched, the structure
  // lock is not held and the delta is not half full.
  enum class Pace : uint8 { query, vacuum, merge };

  explicit RelationStore(Relation index, Mode mode = Mode::normal, Pace pace = Pace::query,
                         BufferAccessStrategy strategy = nullptr)
      : index_(index), mode_(mode), pace_(pace), strategy_(strategy) {}

  tree::PageHandle acquire(tree::BlockId block, tree::Latch latch) override;
  void release(tree::PageHandle& handle) noexcept override;
  tree::PageHandle allocate() override;
  tree::BlockId block_count() override;
  void prefetch(tree::BlockId block, std::size_t from, std::size_t bytes) noexcept override;
  const std::uint8_t* whereabouts(tree::BlockId block) noexcept override;
  void begin_change() override;
  std::uint8_t* edit(const tree::PageHandle& handle, bool fresh) override;
  void commit_change() override;
  void abandon_change() noexcept override;
  bool lock(tree::IndexLock which, bool wait) override;
  void unlock(tree::IndexLock which) noexcept override;
  bool wanted(tree::IndexLock which) override;
  std::uint64_t free_stamp() override;
  bool stamp_passed(std::uint64_t stamp) override;
  void offer_free(tree::BlockId block) override;
  void tick() override;

  // Uses and keeps hints from now on; they outlive the store.
  void set_hints(BufferHints* hints) {
    hints_ = hints;
    if (hints != nullptr) known_blocks_ = Max(known_blocks_, hints->blocks);
  }
  // Logs the pages of a relation that was written in bulk mode, but those of its first `logged` blocks that the direct
  // writer has logged already: of these only the meta page is logged again.
  void log_unlogged(BlockNumber logged);

 private:
  tree::PageHandle hold(Buffer buffer) noexcept;
  Buffer try_recycle(tree::BlockId block);
  Buffer extend();

  static constexpr int kLocalFree = 32;
  static constexpr int kMostHeld = 12;  // more than any caller latches at once

  Relation index_;
  Mode mode_;
  Pace pace_;
  BufferAccessStrategy strategy_;
  Buffer read(tree::BlockId block);

  BufferHints* hints_ = nullptr;
  tree::BlockId known_blocks_ = 0;
  GenericRecord record_;
  tree::BlockId local_free_[kLocalFree] = {};  // freed by this store: reused before the map is asked
  int local_free_count_ = 0;
  tree::BlockId held_[kMostHeld] = {};  // latched by this store
  int held_count_ = 0;
  bool structure_locked_ = false;  // by this store
};

}  // namespace longbow::pg
