// Replaces a node by two new ones in its parent (see split.hpp for the protocol).
#pragma once

#include <memory_resource>

#include "writer.hpp"

namespace longbow::tree {

struct Replacement {
  NodeRef old_node;
  std::uint16_t level;
  std::uint64_t birth;  // the split counter that the link record sets
  Child to[2];
};

// Links; `old_head` is the old node's head, latched exclusively. May split the parent first.
void link_replacement(PageStore& store, const Space& space, const PageRef& old_head, const Replacement& what,
                      std::pmr::memory_resource& memory);
// Makes sure that the parent of a node has a free slot; called before any latch is taken.
void make_room_above(PageStore& store, const Space& space, NodeRef node, std::uint16_t level,
                     std::pmr::memory_resource& memory);
// Takes a leaf without rows out of its parent and frees its pages but the head; false if it has rows or is its parent's
// only child. The caller holds the structure lock and no latch.
bool unlink_empty(PageStore& store, const Space& space, NodeRef leaf, std::pmr::memory_resource& memory);

// Frees the pages of a leaf without rows but its head and centroid, and counts its slots from 0 again; false if it has rows. The
// caller holds the structure lock and no latch. A reader that knows the pages finds them another's, and starts again.
bool clear_empty(PageStore& store, const Space& space, NodeRef leaf, std::pmr::memory_resource& memory);

// Takes node ids and the next split counter.
struct SplitTicket {
  std::uint32_t first_id;
  std::uint64_t birth;
};
SplitTicket take_ticket(PageStore& store, std::uint32_t ids);
// Frees all pages of a moved node but its head.
void free_body(PageStore& store, const Space& space, const HeadCopy& old_head);

}  // namespace longbow::tree
