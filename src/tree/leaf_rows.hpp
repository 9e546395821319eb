// All rows of one leaf, decoded from their refine codes or bits.
#pragma once

#include <memory_resource>
#include <vector>

#include "node.hpp"

namespace longbow::tree {

struct LeafRows {
  HeadCopy head;
  std::pmr::vector<float> centroid;
  std::pmr::vector<RowId> rows;        // rows in use
  std::pmr::vector<std::uint32_t> slots;
  std::pmr::vector<float> vectors;     // rows.size() x dims
  std::pmr::vector<float> errors;      // bound of each decoded vector's error; 0 for bits
  // Leaves of bits: their blocks, for those who compare bits; cells of row i of `rows` are in slot slots[i].
  std::pmr::vector<std::uint8_t> blocks;
  std::pmr::vector<BitFactors> factors;  // of each block

  explicit LeafRows(std::pmr::memory_resource& memory)
      : head(memory), centroid(&memory), rows(&memory), slots(&memory), vectors(&memory), errors(&memory), blocks(&memory), factors(&memory) {}
};

// Reads the leaf whose head is latched by the caller; further pages are latched one after another. Throws if a page is
// not the leaf's own: only for callers who keep splits away or hold the head's latch.
void read_leaf_rows(PageStore& store, const Space& space, const PageRef& head, LeafRows& out);

}  // namespace longbow::tree
