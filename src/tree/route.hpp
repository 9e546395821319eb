// Corrects the way to leaves: the centroid and spread by which a parent ranks a child, without touching the child.
//
// A leaf's rows are coded around the centroid in its own head, which stays; where its rows' mean has wandered from that, the
// parent's copy, which only leads searches and inserts, follows it. Each page of the parent is one record.
#pragma once

#include <memory_resource>
#include <span>

#include "writer.hpp"

namespace longbow::tree {

// Rewrites the codes of some children of an inner node; those it does not have are left out, as are all of a node whose
// blocks span pages. The caller holds the structure lock and no latch.
void reroute(PageStore& store, const Space& space, NodeRef parent, std::span<const Child> children,
             std::pmr::memory_resource& memory);

}  // namespace longbow::tree
