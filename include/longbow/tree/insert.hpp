// Appends rows to the tree, and rows that the tree cannot order to the plain chain.
//
// Latches: a leaf's head, then its scan page, then its refine page, then new pages; the meta page last. A leaf that has
// outgrown twice its size is split first if the structure lock is free; one that is full waits for it.
#pragma once

#include <cstdint>
#include <memory_resource>
#include <span>

#include "longbow/tree/space.hpp"

namespace longbow::tree {

// A row in the index's space; the vector (dims floats) stays valid during the call.
struct NewRow {
  RowId row;
  const float* vector;
  float norm;      // as Space::prepare_row gave them
  float raw_norm;
};

// Appends rows, leaf by leaf. Calls done(i) once row i's record is finished, so that a caller who catches an error
// half-way knows which rows are in.
class InsertWatch {
 public:
  virtual ~InsertWatch() = default;
  virtual void done(std::size_t index) noexcept = 0;
};
void insert_rows(PageStore& store, const Space& space, std::span<const NewRow> rows, InsertWatch& watch,
                 std::pmr::memory_resource& memory);

// Appends one plain row; flags is one of PlainFlags.
void insert_plain(PageStore& store, RowId row, std::uint16_t flags);

// Gives an index without a root an empty one, and its dimension if it has none; harmless if another session was first.
void fix_dimensions(PageStore& store, std::uint32_t dims, std::pmr::memory_resource& memory);

}  // namespace longbow::tree
