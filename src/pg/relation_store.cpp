// Buffers, changes and free pages behind the tree's PageStore.
#include "pg/relation_store.hpp"

#include "longbow/base/error.hpp"
#include "longbow/tree/format.hpp"
#include "pg/activity.hpp"
#include "pg/boundary.hpp"
#include "pg/compat.hpp"
#include "pg/delta.hpp"

extern "C" {
#include "access/transam.h"
#include "access/xloginsert.h"
#include "commands/vacuum.h"
#include "pgstat.h"
#include "storage/buf_internals.h"
#include "storage/bufmgr.h"
#include "storage/freespace.h"
#include "storage/indexfsm.h"
#include "storage/lmgr.h"
#include "utils/snapmgr.h"
}

namespace longbow::pg {

using tree::BlockId;
using tree::kPageBytes;
using tree::Latch;
using tree::PageHandle;

static_assert(BLCKSZ == kPageBytes, "longbow needs PostgreSQL's default block size of 8192 bytes");
static_assert(SizeOfPageHeaderData <= tree::kPageHeaderBytes);

namespace {

// The heavyweight locks are tuple locks on rows that no index has. Page locks would do as well, but 15 and 16 leave those out
// of deadlock detection and forbid taking any other lock under one, which longbow_check must (it reads the heap).
ItemPointerData lock_tag(tree::IndexLock which) {
  ItemPointerData tag;
  // In the locks' order. Those of `merge` and `structure` stay what they were before there was `moves`: where the library is not
  // preloaded, a session may still have the one of before an upgrade.
  constexpr OffsetNumber kRow[] = {FirstOffsetNumber + 1, FirstOffsetNumber + 2, FirstOffsetNumber};
  ItemPointerSet(&tag, 1, kRow[static_cast<int>(which)]);
  return tag;
}

PageHandle handle_of(Buffer buffer) {
  return {reinterpret_cast<const std::uint8_t*>(BufferGetPage(buffer)), BufferGetBlockNumber(buffer),
          static_cast<std::uintptr_t>(static_cast<std::uint32_t>(buffer))};
}
Buffer buffer_of(const PageHandle& handle) { return static_cast<Buffer>(static_cast<std::uint32_t>(handle.token)); }

}  // namespace

PageHandle RelationStore::acquire(BlockId block, Latch latch) {
  // A spoilt directory may name a page that this store holds already: its lock would never come.
  for (int i = 0; i < held_count_; ++i)
    if (held_[i] == block)
      throw base::Error(base::Errc::index_corrupted, "block %u of the index is corrupted: it is met twice on one way", block);
  return call([&] {
    if (block >= known_blocks_) {
      known_blocks_ = RelationGetNumberOfBlocks(index_);
      if (hints_ != nullptr) hints_->blocks = known_blocks_;
      if (block >= known_blocks_)
        ereport(ERROR, (errcode(ERRCODE_INDEX_CORRUPTED),
                        errmsg("index \"%s\" refers to block %u, but has only %u blocks",
                               RelationGetRelationName(index_), block, known_blocks_),
                        errhint("Please REINDEX it.")));
    }
    const Buffer buffer = read(block);
    LockBuffer(buffer, latch == Latch::share ? BUFFER_LOCK_SHARE : BUFFER_LOCK_EXCLUSIVE);
    return hold(buffer);
  });
}

PageHandle RelationStore::hold(Buffer buffer) noexcept {
  const PageHandle handle = handle_of(buffer);
  if (held_count_ < kMostHeld) held_[held_count_++] = handle.block;
  return handle;
}

void RelationStore::release(PageHandle& handle) noexcept {
  for (int i = held_count_; i-- > 0;) {
    if (held_[i] != handle.block) continue;
    held_[i] = held_[--held_count_];
    break;
  }
  UnlockReleaseBuffer(buffer_of(handle));
}

Buffer RelationStore::try_recycle(BlockId block) {
  // A page of a temporary index has no lock that would tell us that we have just taken it.
  for (int i = 0; i < held_count_; ++i)
    if (held_[i] == block) return InvalidBuffer;
  if (block >= RelationGetNumberOfBlocks(index_)) return InvalidBuffer;
  const Buffer buffer = ReadBuffer(index_, block);
  // Another session may be about to use what the map offered: no waiting, and a look at what the page says of itself.
  if (ConditionalLockBuffer(buffer)) {
    const Page page = BufferGetPage(buffer);
    if (PageIsNew(page)) return buffer;
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(page);
    const tree::Trailer& t = tree::trailer(bytes);
    if (t.magic == tree::kTrailerMagic && t.kind == tree::PageKind::free) {
      std::uint64_t stamp;
      memcpy(&stamp, bytes + tree::kBodyOffset, sizeof stamp);
      if (stamp_passed(stamp)) return buffer;
    }
    LockBuffer(buffer, BUFFER_LOCK_UNLOCK);
  }
  ReleaseBuffer(buffer);
  return InvalidBuffer;
}

Buffer RelationStore::extend() { return extend_locked(index_); }

PageHandle RelationStore::allocate() {
  return call([&] {
    if (mode_ == Mode::normal) {
      while (local_free_count_ > 0) {
        const Buffer buffer = try_recycle(local_free_[--local_free_count_]);
        if (BufferIsValid(buffer)) return hold(buffer);
      }
      for (int attempt = 0; attempt < 32; ++attempt) {
        const BlockNumber block = GetFreeIndexPage(index_);
        if (block == InvalidBlockNumber) break;
        const Buffer buffer = try_recycle(block);
        if (BufferIsValid(buffer)) return hold(buffer);
      }
    }
    return hold(extend());
  });
}

BlockId RelationStore::block_count() {
  return call([&] {
    // Under the extension lock every page below the count has been latched by whoever extended the file.
    const bool local = RELATION_IS_LOCAL(index_);
    if (!local) LockRelationForExtension(index_, ExclusiveLock);
    known_blocks_ = RelationGetNumberOfBlocks(index_);
    if (!local) UnlockRelationForExtension(index_, ExclusiveLock);
    return known_blocks_;
  });
}

// Counts a use of a pinned buffer, as PinBuffer() does: ReadRecentBuffer() leaves that out, and a buffer whose count the
// clock sweep has brought to zero is evicted. Most have the highest count already; one that is locked now is counted next time.
static void count_use(Buffer buffer) noexcept {
  BufferDesc* desc = GetBufferDescriptor(buffer - 1);
  uint32 state = pg_atomic_read_u32(&desc->state);
  if ((state & BM_LOCKED) != 0 || BUF_STATE_GET_USAGECOUNT(state) >= BM_MAX_USAGE_COUNT) return;
  pg_atomic_compare_exchange_u32(&desc->state, &state, state + BUF_USAGECOUNT_ONE);
}

// A pinned buffer of the block. A hint that still holds spares the buffer table, whose random accesses cost a scan more
// than its arithmetic: about 1 us each.
Buffer RelationStore::read(BlockId block) {
  if (hints_ == nullptr || block >= hints_->size)
    return ReadBufferExtended(index_, MAIN_FORKNUM, block, RBM_NORMAL, strategy_);
  Buffer& hint = hints_->at[block];
  if (hint != InvalidBuffer && ReadRecentBuffer(lb_locator(index_), MAIN_FORKNUM, block, hint)) {
    count_use(hint);
    pgstat_count_buffer_read(index_);
    pgstat_count_buffer_hit(index_);
    return hint;
  }
  return hint = ReadBufferExtended(index_, MAIN_FORKNUM, block, RBM_NORMAL, strategy_);
}

const std::uint8_t* RelationStore::whereabouts(BlockId block) noexcept {
  if (hints_ == nullptr || block >= hints_->size) return nullptr;
  const Buffer hint = hints_->at[block];
  return hint == InvalidBuffer ? nullptr : reinterpret_cast<const std::uint8_t*>(BufferGetBlock(hint));
}

void RelationStore::prefetch(BlockId block, std::size_t from, std::size_t bytes) noexcept {
  const std::uint8_t* page = whereabouts(block);
  if (page == nullptr) return;
  __builtin_prefetch(GetBufferDescriptor(hints_->at[block] - 1), 1, 3);
  // Into the nearest cache: with the second nearest a search of GloVe at 95 % took 4 % longer.
  for (std::size_t at = from & ~std::size_t{63}; at < from + bytes; at += 64) __builtin_prefetch(page + at, 0, 3);
}

void RelationStore::begin_change() {
  call([&] { record_.begin(mode_ == Mode::bulk); });
}

std::uint8_t* RelationStore::edit(const PageHandle& handle, bool fresh) { return record_.edit(buffer_of(handle), fresh); }

void RelationStore::commit_change() {
  call([&] { record_.finish(index_); });
}

void RelationStore::abandon_change() noexcept { record_.abandon(); }

bool RelationStore::lock(tree::IndexLock which, bool wait) {
  return call([&] {
    ItemPointerData tag = lock_tag(which);
    bool locked = lb_conditional_lock_tuple(index_, &tag, ExclusiveLock);
    if (!locked && wait) {
      note_wait(which == tree::IndexLock::merge ? Wait::merge_lock : Wait::structure_lock);
      LockTuple(index_, &tag, ExclusiveLock);
      note_wait(Wait::none);
      locked = true;
    }
    if (locked && which == tree::IndexLock::structure) structure_locked_ = true;
    return locked;
  });
}

void RelationStore::unlock(tree::IndexLock which) noexcept {
  ItemPointerData tag = lock_tag(which);
  UnlockTuple(index_, &tag, ExclusiveLock);
  if (which == tree::IndexLock::structure) structure_locked_ = false;
}

bool RelationStore::wanted(tree::IndexLock which) {
  const ItemPointerData row = lock_tag(which);
  LOCKTAG tag;
  SET_LOCKTAG_TUPLE(tag, index_->rd_lockInfo.lockRelId.dbId, index_->rd_lockInfo.lockRelId.relId, ItemPointerGetBlockNumber(&row),
                    ItemPointerGetOffsetNumber(&row));
  return call([&] { return LockHasWaiters(&tag, ExclusiveLock, false); });
}

std::uint64_t RelationStore::free_stamp() { return U64FromFullTransactionId(ReadNextFullTransactionId()); }

bool RelationStore::stamp_passed(std::uint64_t stamp) {
  if (stamp == 0) return true;
  return call([&] { return GlobalVisCheckRemovableFullXid(nullptr, FullTransactionIdFromU64(stamp)); });
}

void RelationStore::offer_free(BlockId block) {
  if (local_free_count_ < kLocalFree) local_free_[local_free_count_++] = block;
  call([&] {
    RecordFreeIndexPage(index_, block);
    // VACUUM brings the whole map up to date when it is done; what a split gives back is to be found before.
    if (pace_ != Pace::vacuum && mode_ == Mode::normal) FreeSpaceMapVacuumRange(index_, block, block + 1);
  });
}

void RelationStore::tick() {
  // Whoever holds a latch or a lightweight lock holds off interrupts.
  const bool may_delay =
      pace_ == Pace::merge && InterruptHoldoffCount == 0 && !structure_locked_ && !(have_shared_memory() && delta_half_full());
  if (pace_ == Pace::vacuum || may_delay) {
    call([&] { lb_vacuum_delay_point(); });
  } else if (INTERRUPTS_PENDING_CONDITION()) {
    call([&] { CHECK_FOR_INTERRUPTS(); });
  }
}

void RelationStore::log_unlogged(BlockNumber logged) {
  if (!RelationNeedsWAL(index_)) return;
  call([&] {
    // The meta page has been changed since it was written with the others.
    if (logged > 0) log_newpage_range(index_, MAIN_FORKNUM, tree::kMetaBlock, tree::kMetaBlock + 1, true);
    log_newpage_range(index_, MAIN_FORKNUM, logged, RelationGetNumberOfBlocks(index_), true);
  });
}

}  // namespace longbow::pg
