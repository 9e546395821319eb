// How large an index will be, reckoned from its geometry before there are rows.
#pragma once

#include "longbow/tree/format.hpp"

namespace longbow::tree {

// Pages of a fresh index by what they are for; fractions, since they are means.
struct ExpectedPages {
  double leaves;  // a count, of which each is a head page
  double scan;    // leaves' codes beyond the heads, and centroids that do not fit them
  double refine;  // 8-bit codes, of which a search reads a few rows'
  double inner;   // nodes above the leaves
  double other;   // meta page and centre
  // What every search reads in.
  [[nodiscard]] double searched() const noexcept { return leaves + scan + inner + other; }
  [[nodiscard]] double total() const noexcept { return searched() + refine; }
};

// Pages of an index that a build writes over `rows` rows; meta's dims, bits and leaf size are settled (new_meta). On
// GloVe, Fashion-MNIST, uniform and clustered data builds are within a tenth of it. An index that grew by inserts has
// fuller leaves with emptier pages, and up to a tenth more.
ExpectedPages expected_pages(const Meta& meta, double rows) noexcept;

}  // namespace longbow::tree
