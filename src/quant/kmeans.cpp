// Training: Lloyd's iterations over batches that the fused product-and-argmin kernel assigns.
//
// Sums are kept of differences from the old centroid, so that clusters far from the origin lose no digits. A cluster
// that got no row takes one of the largest cluster's, except in the last iteration, after which it is dropped.
#include "longbow/base/random.hpp"
#include "longbow/quant/kmeans.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "longbow/simd/kernels.hpp"

namespace longbow::quant {
namespace {

constexpr std::size_t kFlatClusters = 512;                // above it, training starts in two levels
constexpr std::size_t kBatchWork = std::size_t{1} << 27;  // multiply-adds of a batch: 3 ms (AVX-512) to 60 ms (scalar)
constexpr std::size_t kMinBatch = 16, kMaxBatch = 1024;

// Counts work in multiply-adds and calls the watch each time a batch's worth is done.
class Progress {
 public:
  Progress(Watch& watch, std::size_t total) noexcept : watch_(watch), total_(std::max<std::size_t>(total, 1)) {}
  void add(std::size_t work) {
    done_ += work;
    if (done_ - reported_ < kBatchWork) return;
    reported_ = done_;
    watch_.tick(std::min(done_, total_), total_);
  }
  // Says that work is done up to a point, for iterations that ended early.
  void jump(std::size_t done) noexcept { done_ = reported_ = std::max(done_, done); }
  void finish() { watch_.tick(total_, total_); }

 private:
  Watch& watch_;
  std::size_t done_ = 0, reported_ = 0, total_;
};

// Lloyd's iterations for one set of rows and one set of centroids.
class Lloyd {
 public:
  Lloyd(const Points& points, float* centroids, std::size_t clusters, std::pmr::memory_resource& memory)
      : points_(points),
        centroids_(centroids),
        clusters_(clusters),
        memory_(memory),
        nearest_(points.rows, 0, &memory),
        counts_(clusters, 0, &memory),
        sums_(clusters * points.dims, &memory),
        difference_(points.dims, &memory) {}

  // Takes distinct random rows as centroids.
  void start(base::SplitMix64& random) {
    std::pmr::vector<std::uint32_t> order(points_.rows, &memory_);
    for (std::size_t i = 0; i < points_.rows; i++) order[i] = static_cast<std::uint32_t>(i);
    for (std::size_t j = 0; j < clusters_; j++) {
      std::swap(order[j], order[j + random.below(points_.rows - j)]);
      std::memcpy(centroid(j), row(order[j]), points_.dims * sizeof(float));
    }
  }

  // Iterates until nothing changes or the count is reached, drops empty clusters and returns how many are left.
  std::size_t run(int iterations, base::SplitMix64& random, Progress& progress) {
    for (int i = 0; i < iterations; i++) {
      const bool changed = assign(progress) || i == 0;
      move();
      const bool last = i + 1 == iterations || !changed;
      if (last) return drop_empty();
      fill_empty(random);
    }
    return clusters_;
  }

  [[nodiscard]] const std::pmr::vector<std::uint32_t>& nearest() const noexcept { return nearest_; }
  [[nodiscard]] const std::pmr::vector<std::size_t>& counts() const noexcept { return counts_; }

 private:
  [[nodiscard]] const float* row(std::size_t i) const noexcept { return points_.data + i * points_.dims; }
  [[nodiscard]] float* centroid(std::size_t j) const noexcept { return centroids_ + j * points_.dims; }

  // Assigns every row and sums it up; says whether any row changed its cluster.
  bool assign(Progress& progress) {
    const Assigner assigner(centroids_, clusters_, points_.dims, memory_);
    const std::size_t row_work = std::max<std::size_t>(clusters_ * points_.dims, 1);
    const std::size_t batch = std::clamp(kBatchWork / row_work, kMinBatch, kMaxBatch);
    std::fill(sums_.begin(), sums_.end(), 0.0F);
    std::fill(counts_.begin(), counts_.end(), 0);
    std::uint32_t found[kMaxBatch];
    bool changed = false;
    for (std::size_t first = 0; first < points_.rows; first += batch) {
      const std::size_t n = std::min(batch, points_.rows - first);
      assigner.assign(row(first), n, found);
      for (std::size_t i = 0; i < n; i++) {
        changed |= nearest_[first + i] != found[i];
        nearest_[first + i] = found[i];
        sum_up(row(first + i), found[i]);
      }
      progress.add(n * row_work);
    }
    return changed;
  }

  void sum_up(const float* x, std::size_t j) noexcept {
    kernels_.subtract(x, centroid(j), difference_.data(), points_.dims);
    kernels_.add_to(difference_.data(), sums_.data() + j * points_.dims, points_.dims);
    counts_[j]++;
  }

  // Moves every centroid to the mean of its rows.
  void move() noexcept {
    for (std::size_t j = 0; j < clusters_; j++) {
      if (counts_[j] == 0) continue;
      float* sum = sums_.data() + j * points_.dims;
      kernels_.scale(sum, 1.0F / static_cast<float>(counts_[j]), points_.dims);
      kernels_.add_to(sum, centroid(j), points_.dims);
    }
  }

  // Gives each empty cluster a row of what is the largest cluster at that time, and half of its count.
  void fill_empty(base::SplitMix64& random) {
    if (std::find(counts_.begin(), counts_.end(), 0U) == counts_.end()) return;
    std::pmr::vector<std::uint32_t> source(clusters_, &memory_);  // whose rows a cluster has, as nearest_ names them
    for (std::size_t j = 0; j < clusters_; j++) source[j] = static_cast<std::uint32_t>(j);
    for (std::size_t j = 0; j < clusters_; j++) {
      if (counts_[j] != 0) continue;
      const auto largest = std::max_element(counts_.begin(), counts_.end());
      if (*largest < 2) return;
      source[j] = source[static_cast<std::size_t>(largest - counts_.begin())];
      std::size_t i = random.below(points_.rows);
      while (nearest_[i] != source[j]) i = i + 1 < points_.rows ? i + 1 : 0;
      std::memcpy(centroid(j), row(i), points_.dims * sizeof(float));
      counts_[j] = *largest / 2;
      *largest -= counts_[j];
    }
  }

  // Closes the gaps that empty clusters leave, in centroids, counts and assignments.
  std::size_t drop_empty() {
    std::pmr::vector<std::uint32_t> renamed(clusters_, 0, &memory_);
    std::size_t kept = 0;
    for (std::size_t j = 0; j < clusters_; j++) {
      if (counts_[j] == 0) continue;
      renamed[j] = static_cast<std::uint32_t>(kept);
      if (kept != j) std::memcpy(centroid(kept), centroid(j), points_.dims * sizeof(float));
      counts_[kept++] = counts_[j];
    }
    if (kept != clusters_)
      for (std::uint32_t& j : nearest_) j = renamed[j];
    return clusters_ = kept;
  }

  const simd::Kernels& kernels_ = simd::kernels();
  const Points points_;
  float* centroids_;
  std::size_t clusters_;
  std::pmr::memory_resource& memory_;
  std::pmr::vector<std::uint32_t> nearest_;
  std::pmr::vector<std::size_t> counts_;  // valid up to clusters_
  std::pmr::vector<float> sums_, difference_;
};

std::size_t flat_work(const Points& points, std::size_t clusters, int iterations) noexcept {
  return points.rows * clusters * points.dims * static_cast<std::size_t>(std::max(iterations, 0));
}

// The rows of the parts that the first level made, part by part.
struct Parts {
  Parts(std::size_t rows, std::size_t parts, std::pmr::memory_resource& memory)
      : order(rows, &memory), first(parts + 1, 0, &memory) {}
  std::pmr::vector<std::uint32_t> order;  // row numbers
  std::pmr::vector<std::size_t> first;    // where each part begins in order, and the end
};

// Sorts rows by part.
void sort_by_part(const Lloyd& lloyd, std::size_t parts, Parts& out) {
  for (std::size_t p = 0; p < parts; p++) out.first[p + 1] = out.first[p] + lloyd.counts()[p];
  std::pmr::vector<std::size_t> next(out.first.begin(), out.first.end(), out.first.get_allocator());
  for (std::size_t i = 0; i < lloyd.nearest().size(); i++)
    out.order[next[lloyd.nearest()[i]]++] = static_cast<std::uint32_t>(i);
}

// Gives a part its clusters, in proportion to rows, so that all parts together get exactly `clusters`.
std::size_t share(const Parts& parts, std::size_t part, std::size_t clusters) noexcept {
  const std::size_t rows = parts.order.size();
  const auto upto = [&](std::size_t row) { return (row * clusters + rows / 2) / rows; };
  return upto(parts.first[part + 1]) - upto(parts.first[part]);
}

// Starts in two levels: sqrt k parts, then each part's own k-means. Returns the number of centroids written.
std::size_t start_in_parts(const Points& points, const TrainOptions& options, std::pmr::memory_resource& memory,
                           base::SplitMix64& random, Progress& progress, float* out) {
  const std::size_t dims = points.dims;
  std::size_t parts = static_cast<std::size_t>(std::lround(std::sqrt(static_cast<double>(options.clusters))));
  Parts rows(points.rows, parts, memory);
  std::pmr::vector<float> tops(parts * dims, &memory);
  {
    Lloyd top(points, tops.data(), parts, memory);
    top.start(random);
    parts = top.run(options.iterations, random, progress);
    sort_by_part(top, parts, rows);
  }
  std::size_t made = 0;
  std::pmr::vector<float> copy(&memory);
  for (std::size_t p = 0; p < parts; p++) {
    const std::size_t count = rows.first[p + 1] - rows.first[p];
    const std::size_t wanted = share(rows, p, options.clusters);
    if (wanted == 0) continue;
    copy.resize(count * dims);
    for (std::size_t i = 0; i < count; i++)  // relative to the part's centroid, which spares digits
      simd::kernels().subtract(points.data + rows.order[rows.first[p] + i] * dims, tops.data() + p * dims,
                               copy.data() + i * dims, dims);
    Lloyd part({copy.data(), count, dims}, out + made * dims, wanted, memory);
    part.start(random);
    const std::size_t end = made + part.run(options.iterations, random, progress);
    for (; made < end; made++) simd::kernels().add_to(tops.data() + p * dims, out + made * dims, dims);
  }
  return made;
}

}  // namespace

std::size_t train(const Points& points, const TrainOptions& options, std::pmr::memory_resource& memory, Watch& watch,
                  float* out) {
  TrainOptions bounded = options;
  bounded.clusters = std::min(options.clusters, points.rows);
  bounded.iterations = std::max(options.iterations, 1);
  const std::size_t clusters = bounded.clusters;
  if (clusters == 0) return 0;
  base::SplitMix64 random(options.seed);
  if (clusters <= kFlatClusters) {
    Progress progress(watch, flat_work(points, clusters, bounded.iterations));
    Lloyd lloyd(points, out, clusters, memory);
    lloyd.start(random);
    const std::size_t made = lloyd.run(bounded.iterations, random, progress);
    progress.finish();
    return made;
  }
  const auto root = static_cast<std::size_t>(std::sqrt(static_cast<double>(clusters)));
  const std::size_t parts_work = flat_work(points, 2 * root, bounded.iterations);
  Progress progress(watch, parts_work + flat_work(points, clusters, bounded.polish));
  std::size_t made = start_in_parts(points, bounded, memory, random, progress, out);
  progress.jump(parts_work);
  if (bounded.polish > 0) made = Lloyd(points, out, made, memory).run(bounded.polish, random, progress);
  progress.finish();
  return made;
}

}  // namespace longbow::quant
