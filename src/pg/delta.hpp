// The delta in shared memory: codes of pending rows, by index and ordinal.
//
// Memory is divided into chunks; a chunk holds consecutive ordinals of one index in blocks of 16 (tree/delta.hpp): first
// all blocks' codes, which a query reads one after another, then their refine codes. An index that has pending rows has an
// entry in a table. From its `covered` ordinal on every entry of its list is in the delta or belongs to a flush that is
// still under way, whose transaction no reader's snapshot can see; below it slots may be empty, and the list itself says
// what is pending.
//
// Locks, in this order: an index's `append` (held over an append to its list), page latches, its `chunks` (shared to use
// blocks, exclusive to add or drop chunks), the table's. Nothing is latched or locked under `chunks` but the table.
// Rows appear and vanish by atomic stores of their row ids.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "longbow/stats/counter.hpp"
#include "longbow/stats/histogram.hpp"
#include "longbow/tree/delta.hpp"
#include "pg/compat.hpp"
#include "pg/shared.hpp"

namespace longbow::pg {

inline constexpr Size kDeltaChunkBytes = 256 * 1024;

// An index in the delta's table.
struct DeltaIndex {
  LbLocator file;
  bool used;
  std::uint64_t incarnation;
  std::uint32_t block_bytes, refine_bytes, chunk_rows;
  std::atomic<std::uint64_t> covered;  // 0: nothing is covered yet. Changed under `append`.
  std::int32_t first, last;  // chunks in the order of their ordinals, -1 = none
  std::atomic<std::uint64_t> from, next;  // of the list, as seen last
  std::atomic<std::uint64_t> tree_rows;   // in the tree when it was merged last, about
  std::atomic<std::uint64_t> log_floor;   // position in the side WAL before which no pending row needs it; 0 = unknown

  // Rows of the list, dead ones included.
  [[nodiscard]] std::uint64_t pending() const noexcept {
    const std::uint64_t begin = from.load(), end = next.load();
    return end > begin ? end - begin : 0;
  }
};

struct DeltaChunk {
  std::int32_t next;
  std::uint64_t first;  // ordinal of its first row, a multiple of chunk_rows
};

// Flushes that went straight into the tree because the delta was full, in all indexes since the server's start.
struct GcCounters {
  stats::Counter pauses;
  stats::Counter rounds, rows, stale, unknown;  // of merges
  stats::Histogram pause, round;

  // Starts all anew.
  void reset() noexcept {
    for (stats::Counter* c : {&pauses, &rounds, &rows, &stale, &unknown}) c->reset();
    pause.reset();
    round.reset();
  }
};

struct DeltaShared {
  GcCounters gc;
  DeltaIndex index[kMostDeltaIndexes];
  std::int32_t chunks, free, free_count;
  Size chunk_at, memory_at;  // offsets from here
};

// Rows that a chunk holds, a multiple of 16; 0 if 16 rows are larger than a chunk and cannot be in the delta.
std::uint32_t delta_chunk_rows(const tree::DeltaLayout& layout);
Size delta_shared_bytes(Size memory);
void init_delta(DeltaShared* shared, Size memory);

// A process's view of one index's part of the delta; cheap to make.
class Delta {
 public:
  // The index's entry, made if `create`; none without shared memory, if the table is full, or if a block is larger than a
  // chunk. An entry of another incarnation is emptied.
  static Delta of(Relation index, const tree::Space& space, bool create);
  explicit operator bool() const noexcept { return entry_ != nullptr; }

  [[nodiscard]] LWLock* append_lock() const noexcept;
  [[nodiscard]] LWLock* chunks_lock() const noexcept;
  [[nodiscard]] DeltaIndex& entry() const noexcept { return *entry_; }
  // The ordinal from which on it is complete; beyond all others if there is none.
  [[nodiscard]] std::uint64_t covered() const noexcept {
    const std::uint64_t covered = entry_->covered.load();
    return covered != 0 ? covered : ~std::uint64_t{0};
  }

  // Whether reserve() would find memory for so many more rows, as of now.
  bool has_room(std::uint64_t count);
  // Under `append`: makes room for the ordinals [from, from + count); false if memory is out.
  bool reserve(std::uint64_t from, std::uint64_t count);
  // Under `chunks`: the block of an ordinal and its lane; `codes` is nullptr if there is no chunk.
  tree::DeltaBlock block_of(std::uint64_t ordinal, std::size_t& lane) noexcept;
  // Makes readers not see a row any more.
  void drop_row(std::uint64_t ordinal, const tree::DeltaLayout& layout);
  // Keeps the side WAL from this position on for the index's sake; 0 says nothing.
  void note_logged(std::uint64_t position) noexcept;
  // After a merge: gives back the chunks whose ordinals are all below, and lets go of the side WAL before `position`.
  void drop_below(std::uint64_t ordinal, std::uint64_t position);
  // Under `append`: gives back all chunks of an index whose list is empty, its next ordinal being this one.
  void drop_all(std::uint64_t next);
  // Under `chunks`: calls f(first block, ordinal of its first row, blocks) for each chunk's blocks that have an ordinal of
  // [from, end), in their order; they lie one after another.
  template <class F>
  void for_each_run(std::uint64_t from, std::uint64_t end, F&& f) {
    constexpr std::uint64_t kRows = tree::kDeltaRows;
    for (std::int32_t c = entry_->first; c >= 0; c = chunk(c).next) {
      const std::uint64_t first = chunk(c).first;
      const std::uint64_t low = from > first ? (from - first) / kRows : 0;
      const std::uint64_t all = entry_->chunk_rows / kRows;
      const std::uint64_t high = end <= first ? 0 : std::min(all, (end - first - 1) / kRows + 1);
      if (low < high) f(block(c, low * kRows), first + low * kRows, high - low);
    }
  }
  // The same block by block: f(block, ordinal of its first row).
  template <class F>
  void for_each_block(const tree::DeltaLayout& layout, std::uint64_t from, std::uint64_t end, F&& f) {
    for_each_run(from, end, [&](tree::DeltaBlock block, std::uint64_t first, std::size_t blocks) {
      for (std::size_t b = 0; b < blocks; ++b) f(layout.further(block, b), first + b * tree::kDeltaRows);
    });
  }
  // Whether the entry is still this index's: to be looked at under one of its locks.
  [[nodiscard]] bool still_ours() const noexcept {
    return entry_->used && entry_->incarnation == incarnation_ && lb_same_file(entry_->file, file_);
  }

 private:
  Delta() = default;
  static DeltaChunk& chunk(std::int32_t number) noexcept;
  // Under `chunks`: calls f(first ordinal) for each chunk that [from, from + count) needs and that is not there.
  template <class F>
  void for_each_missing(std::uint64_t from, std::uint64_t count, F&& f) const;
  [[nodiscard]] std::int32_t count_missing(std::uint64_t from, std::uint64_t count) const;
  // The block of a chunk's row.
  [[nodiscard]] tree::DeltaBlock block(std::int32_t number, std::uint64_t row) const noexcept;

  DeltaIndex* entry_ = nullptr;
  LbLocator file_{};
  std::uint64_t incarnation_ = 0;
};

// Whether half of the chunks are in use.
bool delta_half_full();

// Counters of merges and pauses; nullptr without shared memory.
GcCounters* gc_counters();

// Forgets an entry of the table and gives its chunks back.
void forget_delta(int number);

}  // namespace longbow::pg
