// Puts encoded rows into free slots of one leaf whose head the caller holds.
#pragma once

#include <memory_resource>
#include <span>

#include "writer.hpp"

namespace longbow::tree {

// Another page that changes in the record that makes rows reachable.
class RecordRider {
 public:
  virtual ~RecordRider() = default;
  // Adds to the record of the next `count` rows; may latch the meta page.
  virtual void ride(Change& change, std::size_t count) = 0;
  virtual void committed() noexcept = 0;
};

// Appends as many of `rows` as the next record takes (at least one unless the leaf is full) and returns how many: rows
// that share one scan page and one refine page go into one record. Long rows are written page by page, unreachable,
// and linked by a last record. `head` is latched exclusively and checked.
std::size_t append_run(PageStore& store, const Space& space, const PageRef& head, std::span<const EncodedRow> rows,
                       RecordRider* rider = nullptr);

}  // namespace longbow::tree
