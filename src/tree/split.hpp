// Splits a leaf in two: copy on split.
//
// Under the structure lock the node's rows are read, divided by 2-means and written as two new nodes that nobody can
// reach; one last record then links both in the parent, marks the old node as moved with forward links, and raises the
// split counter. Rows appended meanwhile are carried over under the old head's latch. The old node's other pages are free
// at once (a reader that meets another owner starts again); its head stays, for the sweep to reclaim.
//
// Latches: the old head, then its pages; private new nodes; the parent's head and pages; the meta page. Nobody else holds a
// parent's latch while waiting for a child's.
#pragma once

#include <memory_resource>

#include "node.hpp"

namespace longbow::tree {

// Rows in use at which a leaf is split.
constexpr std::size_t split_size(const Space& space) noexcept { return space.meta.leaf_size * std::size_t{2}; }

// Splits the leaf if it still has at least split_size rows; the caller holds the structure lock and no latch.
// Returns whether it did.
bool split_leaf(PageStore& store, const Space& space, NodeRef leaf, std::pmr::memory_resource& memory);

// Turns a page into a free one; `stamp` is 0 where no reader can be hurt by its reuse.
void free_page(PageStore& store, PageRef& page, std::uint64_t stamp);
// The stamp of a free page.
inline std::uint64_t free_page_stamp(const std::uint8_t* page) noexcept {
  std::uint64_t stamp;
  std::memcpy(&stamp, page + kBodyOffset, sizeof stamp);
  return stamp;
}

}  // namespace longbow::tree
