// Pages in memory for tests of the tree, with the rules of PageStore checked as it is used.
//
// A broken rule is a test failure: more than kMaxChangePages pages in a change, an edit without the exclusive latch, a
// page latched twice, a latch kept, a page header written to, a wait for the structure lock under a latch. Under ASan a
// page that nobody has latched cannot be read. In corrupt mode what bad bytes can cause (a page latched twice) is
// Error(index_corrupted), as it is in the store over PostgreSQL's buffers.
//
// Hooks act for other sessions and for bad luck: on_quiet runs where a reader holds no latch and is about to take one,
// crash_at throws in place of the n-th commit, tick_limit ends a loop that does not.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <memory>
#include <memory_resource>
#include <utility>
#include <vector>

#include "longbow/base/error.hpp"
#include "longbow/tree/format.hpp"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#define LB_POISON(at, bytes) __asan_poison_memory_region(at, bytes)
#define LB_UNPOISON(at, bytes) __asan_unpoison_memory_region(at, bytes)
#else
#define LB_POISON(at, bytes) static_cast<void>(at)
#define LB_UNPOISON(at, bytes) static_cast<void>(at)
#endif

namespace longbow::testing {

// The process dies here: the change is not written.
struct Crash {};
// A loop went on for too long.
struct TickLimit {};
// The interrupt check asked to stop.
struct Cancelled {};
// More memory was asked for than a caller may need.
struct MemoryLimit {};

// Counts what is in use and refuses to go beyond a limit.
class CountingResource final : public std::pmr::memory_resource {
 public:
  explicit CountingResource(std::size_t limit = std::size_t{1} << 30) : limit_(limit) {}
  [[nodiscard]] std::size_t used() const noexcept { return used_; }

 private:
  void* do_allocate(std::size_t bytes, std::size_t alignment) override {
    if (used_ + bytes > limit_) throw MemoryLimit{};
    void* at = std::pmr::new_delete_resource()->allocate(bytes, alignment);
    used_ += bytes;
    return at;
  }
  void do_deallocate(void* at, std::size_t bytes, std::size_t alignment) override {
    used_ -= bytes;
    std::pmr::new_delete_resource()->deallocate(at, bytes, alignment);
  }
  [[nodiscard]] bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }

  std::size_t limit_, used_ = 0;
};

class MemoryStore final : public tree::PageStore {
 public:
  using BlockId = tree::BlockId;

  // -- what tests set and read
  std::function<void()> on_quiet;        // another session's turn; not called inside itself
  std::uint64_t crash_at = 0;            // 1 = the next commit; 0 = never
  std::uint64_t cancel_at = 0;           // tick that throws Cancelled; 0 = never
  std::uint64_t tick_limit = 0;          // 0 = none
  std::uint64_t horizon = ~std::uint64_t{0};  // stamps up to here have passed
  bool corrupt = false;                  // bytes may be bad: what they cause is an Error
  bool structure_busy = false;           // another session splits
  std::function<void()> structure_waiter;  // another session that waits for the structure lock: its turn when that is given up
  std::uint64_t commits = 0;
  std::uint64_t ticks = 0;
  std::uint64_t ticks_under_latch = 0;

  MemoryStore() = default;
  MemoryStore(const MemoryStore&) = delete;
  MemoryStore& operator=(const MemoryStore&) = delete;
  ~MemoryStore() override {
    EXPECT_EQ(held_, 0U) << "a latch was kept";
    for (auto& slot : slots_) LB_UNPOISON(slot->bytes, tree::kPageBytes);
  }

  // A page's bytes, to look at or to spoil; also beyond latches.
  std::uint8_t* raw(BlockId block) {
    LB_UNPOISON(slots_.at(block)->bytes, tree::kPageBytes);
    return slots_.at(block)->bytes;
  }
  tree::PageKind kind(BlockId block) { return tree::trailer(raw(block)).kind; }
  [[nodiscard]] BlockId blocks() const noexcept { return static_cast<BlockId>(slots_.size()); }
  [[nodiscard]] std::size_t held() const noexcept { return held_; }
  [[nodiscard]] bool structure_locked() const noexcept { return structure_; }
  // A restart after a crash: what is not on pages is forgotten.
  void restart() {
    EXPECT_EQ(held_, 0U);
    EXPECT_FALSE(structure_ || merge_);
    EXPECT_FALSE(open_);
    free_.clear();
    crash_at = 0;
  }
  // All bytes, to come back to.
  std::vector<std::vector<std::uint8_t>> snapshot() {
    std::vector<std::vector<std::uint8_t>> copy;
    for (BlockId b = 0; b < blocks(); ++b) copy.emplace_back(raw(b), raw(b) + tree::kPageBytes);
    return copy;
  }
  void restore(const std::vector<std::vector<std::uint8_t>>& copy) {
    for (auto& slot : slots_) LB_UNPOISON(slot->bytes, tree::kPageBytes);
    slots_.clear();
    free_.clear();
    for (const auto& bytes : copy) {
      slots_.push_back(std::make_unique<Slot>());
      std::memcpy(slots_.back()->bytes, bytes.data(), tree::kPageBytes);
    }
  }

  // -- PageStore
  tree::PageHandle acquire(BlockId block, tree::Latch latch) override {
    if (on_quiet && held_ == 0 && !open_ && !inside_) {
      inside_ = true;
      on_quiet();
      inside_ = false;
    }
    if (block >= slots_.size()) {
      if (!corrupt && block == tree::kNoBlock) ADD_FAILURE() << "a page was sought where there is none";
      throw base::Error(base::Errc::index_corrupted, "block %u is beyond the end", block);
    }
    Slot& slot = *slots_[block];
    if (slot.held) {
      if (!corrupt) ADD_FAILURE() << "block " << block << " is latched twice";
      throw base::Error(base::Errc::index_corrupted, "block %u is met twice", block);
    }
    return take(block, latch);
  }
  void release(tree::PageHandle& handle) noexcept override {
    Slot& slot = *slots_[handle.block];
    EXPECT_TRUE(slot.held);
    EXPECT_FALSE(slot.fresh && !slot.edited && !unwinding()) << "a new page was let go of unwritten";
    slot.held = slot.fresh = slot.edited = false;
    --held_;
    LB_POISON(slot.bytes, tree::kPageBytes);
  }
  tree::PageHandle allocate() override {
    while (!free_.empty()) {
      const BlockId block = free_.back();
      free_.pop_back();
      if (slots_[block]->held || !reusable(block)) continue;
      return mark_fresh(take(block, tree::Latch::exclusive));
    }
    slots_.push_back(std::make_unique<Slot>());
    return mark_fresh(take(static_cast<BlockId>(slots_.size() - 1), tree::Latch::exclusive));
  }
  BlockId block_count() override { return blocks(); }

  void begin_change() override {
    EXPECT_FALSE(open_) << "a change inside a change";
    open_ = true;
    edits_.clear();
  }
  std::uint8_t* edit(const tree::PageHandle& handle, bool fresh) override {
    EXPECT_TRUE(open_);
    Slot& slot = *slots_[handle.block];
    EXPECT_TRUE(slot.held && slot.exclusive) << "an edit needs the exclusive latch";
    for (Edit& e : edits_)
      if (e.block == handle.block) return e.image->bytes;
    if (edits_.size() == tree::kMaxChangePages) {
      ADD_FAILURE() << "a change covers too many pages";
      throw base::Error(base::Errc::internal, "too many pages");
    }
    EXPECT_TRUE(fresh || !slot.fresh || slot.edited) << "the first edit of a new page must be fresh";
    auto image = std::make_unique<Slot>();
    if (!fresh) std::memcpy(image->bytes, slot.bytes, tree::kPageBytes);
    edits_.push_back({handle.block, std::move(image)});
    return edits_.back().image->bytes;
  }
  void commit_change() override {
    EXPECT_TRUE(open_);
    open_ = false;
    ++commits;
    if (crash_at != 0 && --crash_at == 0) throw Crash{};
    for (const Edit& e : edits_) {
      Slot& slot = *slots_[e.block];
      for (std::size_t i = 0; i < tree::kPageHeaderBytes; ++i)
        EXPECT_EQ(e.image->bytes[i], 0) << "the page header was written to";
      EXPECT_EQ(tree::trailer(e.image->bytes).magic, tree::kTrailerMagic);
      if (moves(slot.bytes, e.image->bytes)) {
        EXPECT_TRUE(structure_) << "a node was moved without the structure lock";
      }
      std::memcpy(slot.bytes, e.image->bytes, tree::kPageBytes);
      slot.edited = true;
    }
    edits_.clear();
  }
  void abandon_change() noexcept override {
    open_ = false;
    edits_.clear();
  }

  bool lock(tree::IndexLock which, bool wait) override {
    bool& taken = lock_of(which);
    if (taken || (which == tree::IndexLock::structure && structure_busy && !wait)) {
      EXPECT_FALSE(wait) << "a lock is waited for by its owner";
      return false;
    }
    EXPECT_FALSE(wait && held_ > 0) << "a wait for a lock under a latch";
    EXPECT_FALSE(wait && which != tree::IndexLock::structure && structure_) << "the structure lock comes last";
    EXPECT_FALSE(wait && which == tree::IndexLock::merge && moves_) << "the merge lock comes first";
    taken = true;
    return true;
  }
  void unlock(tree::IndexLock which) noexcept override {
    bool& taken = lock_of(which);
    EXPECT_TRUE(taken);
    taken = false;
    if (which != tree::IndexLock::structure || !structure_waiter || unwinding()) return;
    const std::function<void()> waiter = std::exchange(structure_waiter, nullptr);
    const std::uint64_t latched = ticks_under_latch;
    waiter();
    ticks_under_latch = latched;
    structure_waiter = waiter;
  }
  bool wanted(tree::IndexLock which) override {
    EXPECT_TRUE(lock_of(which));
    return which == tree::IndexLock::structure && structure_waiter;
  }

  std::uint64_t free_stamp() override { return ++stamp_; }
  bool stamp_passed(std::uint64_t stamp) override { return stamp == 0 || stamp <= horizon; }
  void offer_free(BlockId block) override {
    if (block < slots_.size()) free_.push_back(block);
  }
  void tick() override {
    ++ticks;
    if (held_ > 0) ++ticks_under_latch;
    if (tick_limit != 0 && ticks > tick_limit) throw TickLimit{};
    if (cancel_at != 0 && ticks >= cancel_at) throw Cancelled{};
  }

 private:
  struct alignas(64) Slot {
    std::uint8_t bytes[tree::kPageBytes] = {};
    bool held = false;
    bool exclusive = false;
    bool fresh = false;   // allocated and not yet released
    bool edited = false;  // and written since
  };
  struct Edit {
    BlockId block;
    std::unique_ptr<Slot> image;
  };

  bool& lock_of(tree::IndexLock which) noexcept {
    return which == tree::IndexLock::structure ? structure_ : which == tree::IndexLock::moves ? moves_ : merge_;
  }
  static bool unwinding() noexcept { return std::uncaught_exceptions() > 0; }
  static bool moves(const std::uint8_t* before, const std::uint8_t* after) noexcept {
    return tree::trailer(after).kind == tree::PageKind::head && (tree::node_head(after).flags & tree::kMoved) != 0 &&
           (tree::node_head(before).flags & tree::kMoved) == 0;
  }
  tree::PageHandle take(BlockId block, tree::Latch latch) {
    Slot& slot = *slots_[block];
    LB_UNPOISON(slot.bytes, tree::kPageBytes);
    slot.held = true;
    slot.exclusive = latch == tree::Latch::exclusive;
    ++held_;
    return {slot.bytes, block, block};
  }
  tree::PageHandle mark_fresh(tree::PageHandle handle) {
    slots_[handle.block]->fresh = true;
    return handle;
  }
  // Whether what the list of free pages offers is free indeed.
  bool reusable(BlockId block) {
    const std::uint8_t* bytes = raw(block);
    const tree::Trailer& t = tree::trailer(bytes);
    if (t.magic != tree::kTrailerMagic) {
      for (std::size_t i = 0; i < tree::kPageBytes; ++i)
        if (bytes[i] != 0) return false;
      return true;
    }
    std::uint64_t stamp;
    std::memcpy(&stamp, bytes + tree::kBodyOffset, sizeof stamp);
    return t.kind == tree::PageKind::free && stamp_passed(stamp);
  }

  std::vector<std::unique_ptr<Slot>> slots_;
  std::vector<BlockId> free_;
  std::vector<Edit> edits_;
  std::size_t held_ = 0;
  bool open_ = false;
  bool structure_ = false;
  bool merge_ = false;
  bool moves_ = false;
  bool inside_ = false;
  std::uint64_t stamp_ = 0;
};

}  // namespace longbow::testing
