// Expected pages: the build's number of leaves, their spread of sizes, and the levels above.
#include "longbow/tree/sizing.hpp"

#include <algorithm>
#include <cmath>

#include "longbow/tree/build.hpp"
#include "longbow/tree/geometry.hpp"
#include "longbow/tree/train.hpp"

namespace longbow::tree {

namespace {

// Rows of leaves around their mean: taken as even between these shares of it (on 20,000 words the standard deviation of
// rows a leaf was 0.31 of their mean, here it is 0.32).
constexpr double kLeast = 0.45, kMost = 1.55;
constexpr int kSteps = 64;

void add_leaves(const Geometry& g, std::size_t most, double clusters, double rows, double share, ExpectedPages& out) {
  const double parts = std::max(1.0, std::ceil(rows / static_cast<double>(most)));
  const auto each = static_cast<std::size_t>(std::llround(rows / parts));
  const double leaves = clusters * share * parts;
  out.leaves += leaves;
  out.scan += leaves * static_cast<double>(g.centroid_span + g.scan_pages(each));
  out.refine += leaves * static_cast<double>(g.refine_pages(each));
}

// Nodes above so many leaves, level by level as a build groups them.
double inner_pages(const Meta& meta, double leaves) {
  const Geometry g = inner_geometry(meta.dims, meta.fanout);
  const auto flat = static_cast<double>(most_built_children(meta));
  double pages = 0;
  for (double level = std::ceil(leaves); level > 1;) {
    const auto groups = static_cast<double>(built_groups(meta, static_cast<std::size_t>(level)));
    const double nodes = groups * std::ceil(level / groups / flat);
    const auto scan = static_cast<double>(g.scan_pages(static_cast<std::size_t>(std::ceil(level / nodes))));
    // Groups are uneven: where there are several, half a page more than their mean needs.
    const double uneven = nodes > 1 && scan > 0 ? 0.5 : 0;
    pages += nodes * (1 + static_cast<double>(g.centroid_span) + scan + uneven);
    level = nodes;
  }
  return pages;
}

}  // namespace

ExpectedPages expected_pages(const Meta& meta, double rows) noexcept {
  const Geometry g = leaf_geometry(meta);
  const std::size_t most = most_built_rows(meta);
  const TrainingPlan plan = plan_training(meta, rows);
  const double clusters =
      std::clamp<double>(std::ceil(rows / meta.leaf_size), 1, static_cast<double>(plan.sample_rows) / 8);
  const double mean = rows / clusters;
  ExpectedPages pages{};
  if (clusters == 1) {
    add_leaves(g, most, 1, mean, 1, pages);
  } else {
    for (int i = 0; i < kSteps; ++i) {
      const double share = kLeast + (kMost - kLeast) * (i + 0.5) / kSteps;
      add_leaves(g, most, clusters, mean * share, 1.0 / kSteps, pages);
    }
  }
  pages.inner = inner_pages(meta, pages.leaves);
  pages.other = 1;
  if (!has_bits(meta)) pages.other += std::ceil(static_cast<double>(meta.dims * sizeof(float)) / static_cast<double>(kBodyBytes));
  return pages;
}

}  // namespace longbow::tree
