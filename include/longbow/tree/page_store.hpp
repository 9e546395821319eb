// Pages as the tree sees them: latched, read in place, changed in atomic groups.
//
// The tree never knows whether a page lies in PostgreSQL's shared buffers or in a test's vector. A reader holds at most
// one latch at a time; a writer latches head, then scan, then refine or new pages, then the meta page (see each module's
// banner). A change covers at most kMaxChangePages pages and is atomic against crashes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

namespace longbow::tree {

using BlockId = std::uint32_t;
inline constexpr BlockId kNoBlock = 0xFFFFFFFFU;
inline constexpr std::size_t kPageBytes = 8192;
inline constexpr std::size_t kMaxChangePages = 4;

enum class Latch : std::uint8_t { share, exclusive };

// The index's heavyweight locks, in the order in which they are taken.
enum class IndexLock : std::uint8_t {
  merge,      // rounds of the merge, VACUUM's step over the pending list
  moves,      // rows stay in their leaves for VACUUM's pass; re-assignment, which holds `structure` already, only tries it
  structure,  // splits, VACUUM's pass over the tree, the check
};

struct PageHandle {
  const std::uint8_t* data = nullptr;  // kPageBytes bytes, valid until release
  BlockId block = kNoBlock;
  std::uintptr_t token = 0;  // the store's own
};

class PageStore {
 public:
  virtual ~PageStore() = default;
  // Pins and latches a page. Throws Error(index_corrupted) for a block beyond the end.
  virtual PageHandle acquire(BlockId block, Latch latch) = 0;
  virtual void release(PageHandle& handle) noexcept = 0;
  // A page nobody else uses, latched exclusively: recycled or new. Its first edit must be fresh.
  virtual PageHandle allocate() = 0;
  virtual BlockId block_count() = 0;
  // Brings bytes of a page towards the CPU if it is known to be in memory; never waits, never reads from disk.
  virtual void prefetch(BlockId /*block*/, std::size_t /*from*/, std::size_t /*bytes*/) noexcept {}
  // Where the page probably lies, for the CPU's own prefetching alone: it may be another's by now. nullptr if that is not known.
  virtual const std::uint8_t* whereabouts(BlockId /*block*/) noexcept { return nullptr; }

  // One atomic change: begin, edit each page (held exclusively), commit. edit() returns the writable image; `fresh`
  // clears it first. The image is visible to others only after commit.
  virtual void begin_change() = 0;
  virtual std::uint8_t* edit(const PageHandle& handle, bool fresh) = 0;
  virtual void commit_change() = 0;
  virtual void abandon_change() noexcept = 0;

  // Heavyweight locks: taken while no latch is held when `wait` is set; without `wait` they are only tried.
  virtual bool lock(IndexLock which, bool wait) = 0;
  virtual void unlock(IndexLock which) noexcept = 0;
  // Whether another session waits for a lock that this one has.
  virtual bool wanted(IndexLock /*which*/) { return false; }

  // Pages out of use carry a stamp; they are reused once no reader can remember them.
  virtual std::uint64_t free_stamp() = 0;
  virtual bool stamp_passed(std::uint64_t stamp) = 0;
  // Offers a page that was marked free for reuse.
  virtual void offer_free(BlockId block) = 0;

  // Stops long work when the session is asked to (throws), between pages and with no latch held.
  virtual void tick() = 0;
};

// A latched page, released at the end of its scope.
class PageRef {
 public:
  PageRef() = default;
  PageRef(PageStore& store, BlockId block, Latch latch) : store_(&store), handle_(store.acquire(block, latch)) {}
  static PageRef allocate(PageStore& store) {
    PageRef ref;
    ref.handle_ = store.allocate();
    ref.store_ = &store;
    return ref;
  }
  PageRef(PageRef&& other) noexcept
      : store_(std::exchange(other.store_, nullptr)), handle_(std::exchange(other.handle_, {})) {}
  PageRef& operator=(PageRef&& other) noexcept {
    if (this != &other) {
      reset();
      store_ = std::exchange(other.store_, nullptr);
      handle_ = std::exchange(other.handle_, {});
    }
    return *this;
  }
  ~PageRef() { reset(); }

  void reset() noexcept {
    if (store_ != nullptr) store_->release(handle_);
    store_ = nullptr;
    handle_ = {};
  }
  [[nodiscard]] const std::uint8_t* data() const noexcept { return handle_.data; }
  [[nodiscard]] BlockId block() const noexcept { return handle_.block; }
  [[nodiscard]] const PageHandle& handle() const noexcept { return handle_; }
  [[nodiscard]] bool held() const noexcept { return store_ != nullptr; }

 private:
  PageStore* store_ = nullptr;
  PageHandle handle_;
};

// One atomic change; abandoned unless committed.
class Change {
 public:
  explicit Change(PageStore& store) : store_(store) { store_.begin_change(); }
  Change(const Change&) = delete;
  Change& operator=(const Change&) = delete;
  ~Change() {
    if (open_) store_.abandon_change();
  }
  std::uint8_t* edit(const PageRef& page) { return store_.edit(page.handle(), false); }
  std::uint8_t* create(const PageRef& page) { return store_.edit(page.handle(), true); }
  void commit() {
    open_ = false;
    store_.commit_change();
  }

 private:
  PageStore& store_;
  bool open_ = true;
};

// One of the heavyweight locks for a scope.
template <IndexLock Which>
class HeavyLock {
 public:
  HeavyLock(PageStore& store, bool wait) : store_(store), held_(store.lock(Which, wait)) {}
  HeavyLock(const HeavyLock&) = delete;
  HeavyLock& operator=(const HeavyLock&) = delete;
  ~HeavyLock() {
    if (held_) store_.unlock(Which);
  }
  explicit operator bool() const noexcept { return held_; }
  // Lets who waits have the lock first, if anybody does. Returns whether it has been away.
  bool yield() {
    if (!store_.wanted(Which)) return false;
    held_ = false;
    store_.unlock(Which);
    held_ = store_.lock(Which, true);
    return true;
  }

 private:
  PageStore& store_;
  bool held_;
};
using MovesLock = HeavyLock<IndexLock::moves>;
using StructureLock = HeavyLock<IndexLock::structure>;
using MergeLock = HeavyLock<IndexLock::merge>;

}  // namespace longbow::tree
