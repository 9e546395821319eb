// Inserts rows strictly in the order given: what a merge's plan needs, whose progress is one number.
#pragma once

#include <memory_resource>
#include <span>
#include <vector>

#include "append.hpp"
#include "longbow/tree/insert.hpp"

namespace longbow::tree {

// `leaves[i]` is where row i may go, or kNoBlock; it is changed where that leaf has been split. The rider's page changes in
// the record that makes rows reachable.
void insert_in_order(PageStore& store, const Space& space, std::span<const NewRow> rows, std::span<NodeRef> leaves,
                     RecordRider& rider, std::pmr::memory_resource& memory);

}  // namespace longbow::tree
