// Finds the leaf whose centroid is nearest to a vector, by the codes of the inner nodes.
#pragma once

#include <memory_resource>
#include <vector>

#include "node.hpp"

namespace longbow::tree {

class Descent {
 public:
  Descent(PageStore& store, const Space& space, std::pmr::memory_resource& memory);
  // The nearest leaf; reads the root from the meta page anew on a conflict with a split.
  NodeRef leaf_of(const float* vector);
  // A leaf and the inner node above it.
  struct Placed {
    NodeRef node, parent;
  };
  // Appends about the `count` leaves nearest to a vector, nearest first, if the root is no leaf; the caller keeps splits
  // away.
  void leaves_near(const float* vector, std::size_t count, std::pmr::vector<Placed>& out);
  // The parent of a node of that level, found by looking through the inner nodes above it; false if there is none. The
  // caller may hold the node's own head.
  bool parent_of(NodeRef node, std::uint16_t level, NodeRef& parent);

 private:
  struct Step {
    NodeRef node;
    std::uint16_t level;
  };
  static Step root_of(const Meta& meta) noexcept;
  // Opens a node: follows forward links to the nearer of the two. False if it has changed hands.
  bool open(Step& step, PageRef& page, const float* vector);
  bool best_child(Step& step, PageRef& page, const float* vector);
  // Calls found(estimate of the distance, child) for all children of an open node; false if a page has changed hands.
  template <class Found>
  bool score_children(PageRef& page, const float* vector, Found&& found);
  float distance(const float* vector, const float* centroid);

  PageStore& store_;
  const Space& space_;
  Step root_;  // as last seen
  HeadCopy head_;
  std::pmr::vector<float> centroid_, other_, t_;
  std::pmr::vector<std::int8_t> q8_;
};

}  // namespace longbow::tree
