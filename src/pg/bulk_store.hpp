// The pages of a new index, written past shared buffers from block 0 on.
//
// Only blocks that shared buffers never held: the relation is new, and nobody reads it before it is committed (of an index
// that is built concurrently, before it is ready). Each chunk gets its log position (log_newpages), then its checksums, then
// goes to disk; every segment is synced before finish() returns, since a checkpoint may have passed our WAL records by then.
// Later changes (the meta page, plain rows) go through a RelationStore, after finish().
//
// Backends: `io_uring` (io/ring_sink.hpp) or `standard` (smgrextend a page, as core builds indexes), by
// longbow.storage_use_iouring. No I/O outlives the store, nor the memory context where FATAL ends the session without
// unwinding.
#pragma once

#include <optional>

#include "longbow/io/page_writer.hpp"
#include "longbow/io/ring_sink.hpp"
#include "longbow/tree/page_store.hpp"
#include "pg/build_stats.hpp"
#include "pg/compat.hpp"
#include "pg/context_resource.hpp"
#include "pg/md_segments.hpp"

extern "C" {
#include "portability/instr_time.h"
}

namespace longbow::pg {

// Writes chunks page by page through the storage manager; each is done when begin() returns.
class SmgrSink final : public io::ChunkSink {
 public:
  explicit SmgrSink(Relation relation) : relation_(relation) {}
  void begin(io::Chunk& chunk) override;
  io::Chunk* finished(bool wait) override;
  void finish(std::uint32_t pages) override;
  void stop() noexcept override {}

 private:
  Relation relation_;
  io::Chunk* done_ = nullptr;
};

class BulkStore final : public tree::PageStore, private io::PageSealer {
 public:
  // Memory comes from `context`. The relation has no blocks and is not temporary.
  BulkStore(Relation index, MemoryContext context);
  ~BulkStore() override;

  // Writes and syncs what is left; the number of blocks. The store is of no use afterwards.
  BlockNumber finish();

  // Only pages that are not yet on their way to disk can be had again.
  tree::PageHandle acquire(tree::BlockId block, tree::Latch latch) override;
  void release(tree::PageHandle& handle) noexcept override;
  tree::PageHandle allocate() override;
  tree::BlockId block_count() override { return writer_->pages(); }
  void begin_change() override { edits_ = 0; }
  std::uint8_t* edit(const tree::PageHandle& handle, bool fresh) override;
  void commit_change() override;
  void abandon_change() noexcept override {}
  // Nobody else knows the index: locks and stamps have no meaning, pages are never freed.
  bool lock(tree::IndexLock, bool) override { return true; }
  void unlock(tree::IndexLock) noexcept override {}
  std::uint64_t free_stamp() override { return 0; }
  bool stamp_passed(std::uint64_t) override { return true; }
  void offer_free(tree::BlockId block) override;
  void tick() override;

 private:
  // Outlives the store in its context, whose reset stops what a FATAL error left under way.
  struct Guard {
    MemoryContextCallback callback;
    BulkStore* store;
  };
  void choose_sink(io::PageWriter::Pool pool);
  bool open_ring();
  void say_fallback();
  void seal(std::uint32_t first, std::uint8_t* pages, std::uint32_t count) override;
  void stop() noexcept;

  Relation index_;
  ContextResource memory_;
  Guard* guard_;
  MdSegments files_;
  SmgrSink smgr_;
  std::optional<io::RingSink> ring_;
  std::optional<io::PageWriter> writer_;
  BuildReason reason_ = BuildReason::none;
  int error_ = 0;
  int descriptors_ = 0;  // reserved
  std::uint8_t* images_[tree::kMaxChangePages] = {};
  std::size_t edits_ = 0;
  instr_time began_, waited_;
};

}  // namespace longbow::pg
