// The pending list: rows that are in the index but not in its tree yet, on pages of their own.
//
// An append writes entries at the tail, one record a page. Readers walk from the head; a page that has changed hands sends
// them back to the head as it is now, and no ordinal is met twice. VACUUM marks entries dead in place, so ordinals never
// shift. Latches: the tail page, then a new page, then the meta page; readers one page at a time.
#pragma once

#include <cstdint>
#include <memory_resource>
#include <span>

#include "longbow/tree/maintain.hpp"
#include "longbow/tree/space.hpp"

namespace longbow::tree {

struct NewPending {
  RowId row;
  std::uint32_t crc;       // CRC32C of the raw vector
  std::uint64_t position;  // in the side WAL, 0 = none
};

// Told of entries while their page is still latched.
class PendingWatch {
 public:
  virtual ~PendingWatch() = default;
  // `rows[first, first + count)` have the ordinals from `ordinal` on: their record is finished.
  virtual void appended(std::size_t first, std::size_t count, std::uint64_t ordinal) noexcept = 0;
};
// Appends entries in order. The caller keeps other appenders of this index away if ordinals must follow each other.
void append_pending(PageStore& store, std::span<const NewPending> rows, PendingWatch& watch);
// Ordinal that the next entry gets, as of now.
std::uint64_t next_pending_ordinal(PageStore& store);

// Receives entries in the order of their ordinals, dead ones included; no latch is held.
class PendingReader {
 public:
  virtual ~PendingReader() = default;
  // Entries with ordinals from `first` on. Returns false to stop.
  virtual bool entries(std::uint64_t first, std::span<const PendingEntry> entries) = 0;
};
// Reads all entries from the ordinal on that are not in the tree yet.
void read_pending(PageStore& store, std::uint64_t from, PendingReader& reader);

// Marks entries of dead rows, and tells of each while its page is latched exclusively; raises the vacuum epoch if there are
// any. The caller holds the merge lock.
class PendingSweepWatch {
 public:
  virtual ~PendingSweepWatch() = default;
  virtual void marked(std::uint64_t ordinal) noexcept = 0;
};
struct PendingSweep {
  std::uint64_t rows = 0;  // left in the list
  std::uint64_t removed = 0;
};
PendingSweep sweep_pending(PageStore& store, DeadRows& dead, PendingSweepWatch& watch);

}  // namespace longbow::tree
