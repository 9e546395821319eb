// The direct page writer's PageStore, its choice of a backend, and its standard backend.
#include "pg/bulk_store.hpp"

#include <algorithm>
#include <cerrno>

#include "longbow/base/error.hpp"
#include "pg/activity.hpp"
#include "pg/page_hole.hpp"
#include "pg/settings.hpp"

extern "C" {
#include "access/xloginsert.h"
#include "storage/bufpage.h"
#include "storage/checksum.h"
#include "storage/fd.h"
}

namespace longbow::pg {

static_assert(io::kPageBytes == BLCKSZ && io::kPageBytes == tree::kPageBytes);

namespace {

constexpr std::uint32_t kChunkPages = 32;  // 256 kB
constexpr std::uint32_t kChunks = 32;
constexpr std::uint32_t kLeastChunks = 4;  // where maintenance_work_mem is small
constexpr std::uint32_t kLogPages = 32;    // pages a WAL record

}  // namespace

void SmgrSink::begin(io::Chunk& chunk) {
  call([&] {
    for (std::uint32_t i = 0; i < chunk.used; ++i)
      lb_extend_file(relation_, chunk.first + i, chunk.pages + std::size_t{i} * BLCKSZ);
  });
  chunk.pending = 0;
  done_ = &chunk;
}

io::Chunk* SmgrSink::finished(bool) { return std::exchange(done_, nullptr); }

void SmgrSink::finish(std::uint32_t) {
  call([&] { smgrimmedsync(RelationGetSmgr(relation_), MAIN_FORKNUM); });
}

BulkStore::BulkStore(Relation index, MemoryContext context)
    : index_(index), memory_(context, MemoryKind::build), guard_(nullptr), files_(index), smgr_(index) {
  INSTR_TIME_SET_CURRENT(began_);
  INSTR_TIME_SET_ZERO(waited_);
  guard_ = call([&] {
    auto* guard = static_cast<Guard*>(MemoryContextAllocZero(context, sizeof(Guard)));
    guard->store = this;
    guard->callback.func = [](void* self) {
      if (BulkStore* store = static_cast<Guard*>(self)->store) store->stop();
    };
    guard->callback.arg = guard;
    MemoryContextRegisterResetCallback(context, &guard->callback);
    return guard;
  });
  const std::uint32_t room = static_cast<std::uint32_t>(maintenance_work_mem) / 4 / (kChunkPages * BLCKSZ / 1024);
  choose_sink({kChunkPages, std::clamp(room, kLeastChunks, kChunks)});
}

BulkStore::~BulkStore() {
  stop();
  if (guard_ != nullptr) guard_->store = nullptr;
}

void BulkStore::stop() noexcept {
  if (writer_) writer_->stop();
  for (; descriptors_ > 0; --descriptors_) ReleaseExternalFD();
}

void BulkStore::choose_sink(io::PageWriter::Pool pool) {
  io::PageSealer& sealer = *this;
  if (settings.storage_use_iouring) {
    ring_.emplace(files_, io::RingSink::Shape{RELSEG_SIZE, pool.chunks}, memory_);
    if (open_ring()) {
      writer_.emplace(*ring_, sealer, pool, memory_);
      return;
    }
    ring_.reset();
    for (; descriptors_ > 0; --descriptors_) ReleaseExternalFD();
    say_fallback();
  }
  writer_.emplace(smgr_, sealer, pool, memory_);
}

// One descriptor for the ring, one for the segment.
bool BulkStore::open_ring() {
  for (; descriptors_ < 2; ++descriptors_) {
    if (AcquireExternalFD()) continue;
    reason_ = BuildReason::no_descriptors;
    return false;
  }
  const int result = ring_->open();
  if (result == 0) return true;
  error_ = -result;
  reason_ = !ring_->has_ring()   ? BuildReason::no_ring
            : error_ == ENOTSUP ? BuildReason::no_plain_file
                                : BuildReason::no_file;
  return false;
}

void BulkStore::say_fallback() {
  if (build_stats().said.exchange(true)) return;
  char text[160];
  const char* why = build_reason_text(reason_, error_, text, sizeof text);
  call([&] {
    ereport(LOG, (errmsg("longbow writes new indexes by standard system calls instead of io_uring"), errdetail_log("%s.", why)));
  });
}

BlockNumber BulkStore::finish() {
  instr_time from, now;
  INSTR_TIME_SET_CURRENT(from);
  const BlockNumber blocks = writer_->pages();
  note_wait(Wait::build_write);
  writer_->finish();
  note_wait(Wait::none);
  const bool by_ring = ring_.has_value();
  const bool registered = by_ring && ring_->registered();
  if (by_ring && !ring_->direct()) reason_ = BuildReason::no_direct;
  stop();
  INSTR_TIME_SET_CURRENT(now);
  INSTR_TIME_ACCUM_DIFF(waited_, now, from);
  INSTR_TIME_SUBTRACT(now, began_);
  count_build(by_ring ? BuildBackend::io_uring : BuildBackend::standard, reason_, error_, std::uint64_t{blocks} * BLCKSZ);
  call([&] {
    if (RelationGetNumberOfBlocks(index_) != blocks)
      elog(ERROR, "index \"%s\" has %u blocks on disk instead of %u", RelationGetRelationName(index_),
           RelationGetNumberOfBlocks(index_), blocks);
    elog(DEBUG1, "index \"%s\": %u blocks written by %s%s in %.1f ms, %.1f ms of them logging and writing",
         RelationGetRelationName(index_), blocks, last_build_backend(), registered ? " from registered memory" : "",
         INSTR_TIME_GET_MILLISEC(now), INSTR_TIME_GET_MILLISEC(waited_));
  });
  return blocks;
}

tree::PageHandle BulkStore::acquire(tree::BlockId block, tree::Latch) {
  const std::uint8_t* page = writer_->find(block);
  if (page == nullptr) throw base::Error(base::Errc::internal, "block %u of a new index has been written already", block);
  writer_->hold(block);
  return {page, block, 0};
}

void BulkStore::release(tree::PageHandle& handle) noexcept { writer_->release(handle.block); }

tree::PageHandle BulkStore::allocate() {
  const std::uint32_t block = writer_->pages();
  if (block == tree::kNoBlock) throw base::Error(base::Errc::limit_exceeded, "a new index has too many blocks");
  // Only a new chunk may log and write: a clock reading a page would be dear.
  if (block % kChunkPages != 0) return {writer_->add(), block, 0};
  instr_time from, now;
  INSTR_TIME_SET_CURRENT(from);
  note_wait(Wait::build_write);
  std::uint8_t* page = writer_->add();
  note_wait(Wait::none);
  INSTR_TIME_SET_CURRENT(now);
  INSTR_TIME_ACCUM_DIFF(waited_, now, from);
  return {page, block, 0};
}

std::uint8_t* BulkStore::edit(const tree::PageHandle& handle, bool fresh) {
  std::uint8_t* page = writer_->find(handle.block);
  if (edits_ == tree::kMaxChangePages) throw base::Error(base::Errc::internal, "a change covers too many pages");
  if (fresh) PageInit(reinterpret_cast<Page>(page), BLCKSZ, sizeof(tree::Trailer));
  return images_[edits_++] = page;
}

void BulkStore::commit_change() {
  for (std::size_t i = 0; i < edits_; ++i) mark_hole(images_[i]);
}

void BulkStore::offer_free(tree::BlockId block) {
  throw base::Error(base::Errc::internal, "block %u of a new index is given back", block);
}

void BulkStore::tick() {
  if (INTERRUPTS_PENDING_CONDITION()) call([&] { CHECK_FOR_INTERRUPTS(); });
}

void BulkStore::seal(std::uint32_t first, std::uint8_t* pages, std::uint32_t count) {
  call([&] {
    const bool log = RelationNeedsWAL(index_);
    LbLocator file = lb_locator(index_);
    for (std::uint32_t from = 0; from < count; from += kLogPages) {
      Page page[kLogPages];
      BlockNumber block[kLogPages];
      const std::uint32_t n = std::min(kLogPages, count - from);
      for (std::uint32_t i = 0; i < n; ++i) {
        page[i] = reinterpret_cast<Page>(pages + std::size_t{from + i} * BLCKSZ);
        block[i] = first + from + i;
      }
      if (log) log_newpages(&file, MAIN_FORKNUM, static_cast<int>(n), block, page, true);
      for (std::uint32_t i = 0; i < n; ++i) PageSetChecksumInplace(page[i], block[i]);
    }
  });
}

}  // namespace longbow::pg
