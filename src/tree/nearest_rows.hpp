// The rows nearest to a query by truth, as a calibration gathers them.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory_resource>
#include <vector>

namespace longbow::tree {

inline constexpr std::size_t kMostNeighbours = 100;

// A row near a query: how far, and in which leaf.
struct Neighbour {
  float distance;
  std::uint32_t leaf;
  bool operator<(const Neighbour& o) const noexcept { return distance < o.distance; }
};

// The nearest rows of one query, by truth.
struct Truth {
  float bar = std::numeric_limits<float>::infinity();
  std::pmr::vector<Neighbour> best;

  explicit Truth(std::pmr::memory_resource& memory) : best(&memory) { best.reserve(2 * kMostNeighbours); }
  void add(const Neighbour& row) {
    best.push_back(row);
    if (best.size() == 2 * kMostNeighbours) shrink();
  }
  void shrink() {
    if (best.size() <= kMostNeighbours) return;
    const auto nth = best.begin() + kMostNeighbours - 1;
    std::nth_element(best.begin(), nth, best.end());
    bar = nth->distance;
    best.resize(kMostNeighbours);
  }
  void finish() {
    shrink();
    std::sort(best.begin(), best.end());
  }
};

// The nearest rows of one query as members tell each other, nearest first.
struct Nearest {
  std::uint32_t count;
  Neighbour row[kMostNeighbours];

  // Of the k nearest as many as there are.
  [[nodiscard]] std::size_t up_to(std::uint32_t k) const noexcept { return std::min(k, count); }
};

}  // namespace longbow::tree
