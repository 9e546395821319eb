// Local re-assignment: after a split, rows go to the leaf whose rows' mean is nearest, and parents learn those means.
//
// A split moves the borders of two cells: rows of leaves around may now be nearer to one of the new centroids, and rows of the
// new leaves nearer to a neighbour's. Without it an index that grew by splits finds less than a fresh one at the same number
// of leaves (the idea is SPFresh's: Xu et al., SOSP 2023). Each move is one record: the row appears in its new leaf and
// leaves the old one. A scan that has passed the one and not yet met the other could miss it, so the meta page counts moves
// (odd while some are under way), and a scan that comes to the end of the tree looks again if the count is not what it was.
//
// Latches: the target's head, then the page that the row leaves, then the target's pages. Nobody but the holder of the
// structure lock latches pages of two leaves.
#pragma once

#include <memory_resource>

#include "link.hpp"

namespace longbow::tree {

// Moves rows between the two leaves of a split and their neighbours; the caller holds the moves and the structure lock and no latch.
// `centroid`: of the leaf that was split.
void reassign_around(PageStore& store, const Space& space, const Replacement& split, const float* centroid,
                     std::pmr::memory_resource& memory);

}  // namespace longbow::tree
