// Lloyd's iterations for one set of rows and one set of centroids, by all members of a crew.
//
// Rows are assigned by whoever is free; then clusters, not rows, are shared out, each summed up from its rows in their order:
// no sums of each member's own, and the same result for any number of members. Sums are kept of differences from the old
// centroid, so that clusters far from the origin lose no digits. A cluster that got no row takes one of the largest
// cluster's, except in the last iteration, after which it is dropped.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <vector>

#include "longbow/base/crew.hpp"
#include "longbow/base/random.hpp"
#include "longbow/quant/assign.hpp"
#include "longbow/quant/kmeans.hpp"

namespace longbow::quant {

// Rows of a matrix: all, or those named in `order`; less `origin` where there is one.
struct RowSet {
  explicit RowSet(const Points& points) : data(points.data), count(points.rows), dims(points.dims), form(points.form) {}
  RowSet(const Points& points, std::size_t count_arg, const std::uint32_t* order_arg, const float* origin_arg)
      : data(points.data), count(count_arg), dims(points.dims), form(points.form), order(order_arg), origin(origin_arg) {}

  const float* data;
  std::size_t count, dims;
  PointForm form;
  const std::uint32_t* order = nullptr;
  const float* origin = nullptr;

  // Whether rows are where they are wanted: fetch() needs no tile.
  [[nodiscard]] bool in_place() const noexcept { return order == nullptr && origin == nullptr && form == PointForm::floats; }
  // `n` rows from `first` on, side by side; `tile` has room for them.
  const float* fetch(std::size_t first, std::size_t n, float* tile) const noexcept;
};

// Counts work in multiply-adds and calls the watch each time a batch's worth is done.
class Progress {
 public:
  Progress(Watch& watch, std::size_t total) noexcept : watch_(watch), total_(total > 0 ? total : 1) {}
  void add(std::size_t work);
  // Says that work is done up to a point, for iterations that ended early.
  void jump(std::size_t done) noexcept;
  void finish() { watch_.tick(total_, total_); }
  [[nodiscard]] Watch& watch() const noexcept { return watch_; }

 private:
  Watch& watch_;
  std::size_t done_ = 0, reported_ = 0, total_;
};

// Row numbers by cluster, in the crew's memory.
class Clustering {
 public:
  Clustering(std::size_t rows, std::size_t clusters, base::Crew& crew);
  std::uint32_t* nearest() const noexcept { return nearest_.data(); }
  // Rows of clusters 0 .. j - 1, by a stable counting sort of nearest(); the leader's work.
  void sort(std::size_t clusters) const noexcept;
  [[nodiscard]] std::size_t begin(std::size_t j) const noexcept { return first_[j]; }
  [[nodiscard]] std::size_t end(std::size_t j) const noexcept { return first_[j + 1]; }
  [[nodiscard]] std::size_t count(std::size_t j) const noexcept { return end(j) - begin(j); }
  [[nodiscard]] std::uint32_t* order() const noexcept { return order_.data(); }
  static std::size_t shared_bytes(std::size_t rows, std::size_t clusters) noexcept;

 private:
  base::Shared<std::uint32_t> nearest_, order_;
  base::Shared<std::size_t> first_, next_;
};

class Lloyd {
 public:
  // `centroids` has room for `clusters` of them and is seen by all members.
  Lloyd(const RowSet& rows, float* centroids, std::size_t clusters, base::Crew& crew, std::pmr::memory_resource& memory);
  // Takes distinct random rows as centroids.
  void start(base::SplitMix64& random);
  // Iterates until nothing changes or the count is reached, drops empty clusters and returns how many are left.
  std::size_t run(int iterations, base::SplitMix64& random, Progress& progress);
  // The rows as they were assigned last, by cluster.
  [[nodiscard]] const Clustering& clustering() const noexcept { return clustering_; }
  static std::size_t shared_bytes(std::size_t rows, std::size_t clusters, std::size_t dims) noexcept;

 private:
  struct State {
    std::atomic<std::uint32_t> changed;
    std::size_t clusters;
  };
  [[nodiscard]] float* centroid(std::size_t j) const noexcept { return centroids_ + j * rows_.dims; }
  bool assign(Progress& progress);
  void move(Progress& progress);
  void move_one(std::size_t j) noexcept;
  void fill_empty(base::SplitMix64& random);
  std::size_t drop_empty();

  const RowSet rows_;
  float* centroids_;
  std::size_t clusters_;
  base::Crew& crew_;
  std::pmr::memory_resource& memory_;
  Clustering clustering_;
  base::Shared<std::size_t> count_;  // as fill_empty() shares rows out
  base::Shared<State> state_;
  std::pmr::vector<float> tile_, sum_;
  std::pmr::vector<std::uint32_t> found_;
};

}  // namespace longbow::quant
