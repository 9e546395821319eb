// Nearest centroids for many rows.
//
// Both classes are built by all members of a crew together: what they pack lies in the crew's memory, once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <optional>
#include <vector>

#include "longbow/base/crew.hpp"
#include "longbow/simd/kernels.hpp"

namespace longbow::quant {

class Watch;

// Compares every row with every centroid.
class Assigner {
 public:
  // centroids: clusters x dims, row-major, clusters >= 1.
  Assigner(const float* centroids, std::size_t clusters, std::size_t dims, base::Crew& crew);
  // nearest[i] = index of the centroid nearest to row i in L2.
  void assign(const float* rows, std::size_t count, std::uint32_t* nearest) const noexcept;
  [[nodiscard]] std::size_t clusters() const noexcept { return clusters_; }
  // Bytes of the crew's memory that it takes.
  static std::size_t shared_bytes(std::size_t clusters, std::size_t dims) noexcept;

 private:
  std::size_t clusters_, dims_;
  base::Shared<float> packed_, offset_;
};

// Compares a row with the centroids of the few groups nearest to it, so that the cost of a row grows with the square root
// of the number of clusters. Few clusters are one group, compared whole.
//
// The result may be the second-best centroid: for 3 rows in 100 on GloVe words (3,200 clusters, 100 dimensions; their mean
// squared distance grows by 0.2 %), for 1 in 100 on Fashion-MNIST (934 clusters, 784 dimensions): bench/assign.cpp.
class GroupAssigner {
 public:
  // The centroids must stay as they are: they are packed, but not copied.
  GroupAssigner(const float* centroids, std::size_t clusters, std::size_t dims, base::Crew& crew,
                std::pmr::memory_resource& memory, Watch& watch);
  // Rows at a time that a caller should offer: groups see few rows of a small batch.
  [[nodiscard]] std::size_t batch() const noexcept { return batch_; }
  // nearest[i] = index of a centroid near to row i in L2: its nearest, or nearly.
  void assign(const float* rows, std::size_t count, std::uint32_t* nearest);
  static std::size_t shared_bytes(std::size_t clusters, std::size_t dims) noexcept;
  // Multiply-adds a row, about.
  static std::size_t row_work(std::size_t clusters, std::size_t dims) noexcept;
  [[nodiscard]] std::size_t row_work() const noexcept { return row_work(clusters_, dims_); }

 private:
  struct Group {
    std::size_t packed;   // floats before its panels
    std::uint32_t first;  // position of its first column among all groups' columns, padded to panels
    std::uint32_t count;
  };
  struct Pick {
    std::uint32_t row, group;
  };
  void form_groups(const float* centroids, std::pmr::memory_resource& memory, Watch& watch);
  void pick_groups(const float* rows, std::size_t count);
  void search_group(const float* rows, std::size_t group, const Pick* picks, std::size_t count);

  std::size_t clusters_, dims_, groups_, probes_, batch_;
  std::optional<Assigner> flat_;  // few clusters
  std::optional<base::Shared<Group>> group_;
  std::optional<base::Shared<std::uint32_t>> member_;            // cluster of each column
  std::optional<base::Shared<float>> packed_, offset_;           // all groups' panels, one after another
  std::optional<base::Shared<float>> top_packed_, top_offset_;   // the groups' own centres
  // A batch's scratch.
  std::pmr::vector<float> top_, tile_, best_;
  std::pmr::vector<std::uint32_t> best_column_;
  std::pmr::vector<Pick> picks_, sorted_;
  std::pmr::vector<std::size_t> at_;
  std::pmr::vector<simd::Nearest> found_;
};

}  // namespace longbow::quant
