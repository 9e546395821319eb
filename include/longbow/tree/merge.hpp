// The merge: takes the oldest pending rows into the tree.
//
// A round first writes its plan, the order in which the entries up to a cut go into the tree, on logged pages that the
// meta page names. Then it appends them leaf by leaf; each append's own record also says in the meta page how far the plan
// has come. So whoever finds a plan after a crash carries it on, and no row goes in twice. The last record moves the
// list's head. The plan fixes the order, not the leaves: rows look for their leaf anew if theirs has been split.
// The caller holds the merge lock; latches are those of an insert, the meta page last.
#pragma once

#include <cstdint>
#include <memory_resource>
#include <span>

#include "longbow/tree/pending.hpp"
#include "longbow/tree/space.hpp"

namespace longbow::tree {

enum class Fetched : std::uint8_t {
  found,
  stale,    // the entry's row is gone: it is passed over
  unknown,  // there is a row, but its vector cannot be read: the executor must look at it
  later,    // not to be had now: the round ends before it
};

// Where a merge gets vectors.
class VectorSource {
 public:
  virtual ~VectorSource() = default;
  // Writes the raw vector (space.raw_cells() floats) of an entry, or says why not.
  virtual Fetched fetch(const PendingEntry& entry, float* raw) = 0;
};

struct MergeResult {
  std::uint64_t rows = 0;      // that went into the tree
  std::uint64_t stale = 0;
  std::uint64_t unknown = 0;
  std::uint64_t from = 0;      // the list begins here now
  bool resumed = false;        // carried on a plan of an earlier round
};

// Merges a standing plan, or else up to `most` of the oldest entries. Does nothing if there are none.
MergeResult merge_pending(PageStore& store, const Space& space, VectorSource& source, std::size_t most,
                          std::pmr::memory_resource& memory);

}  // namespace longbow::tree
