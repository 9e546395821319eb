// Training: Lloyd's iterations, from a start in two levels where there are many clusters.
#include "longbow/quant/kmeans.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "lloyd.hpp"
#include "longbow/simd/kernels.hpp"

namespace longbow::quant {
namespace {

constexpr std::size_t kFlatClusters = 512;  // above it, training starts in two levels
// Rows a part that the parts are found from, if there are more: where rows end up is decided within the parts and after them.
constexpr std::size_t kPartRows = 256;
// A part's rows lie all over the sample; over a copy, in order, its iterations take less (training as a whole 0.89 of the time).
constexpr std::size_t kGatheredBytes = 32 << 20;

std::size_t part_count(std::size_t clusters) noexcept {
  return static_cast<std::size_t>(std::lround(std::sqrt(static_cast<double>(clusters))));
}

std::size_t flat_work(const Points& points, std::size_t clusters, int iterations) noexcept {
  return points.rows * GroupAssigner::row_work(clusters, points.dims) * static_cast<std::size_t>(std::max(iterations, 0));
}

// Where a row number lies when `rows` rows are given `clusters` in proportion: all parts together get exactly `clusters`.
std::size_t upto(std::size_t row, std::size_t rows, std::size_t clusters) noexcept {
  return (row * clusters + rows / 2) / rows;
}

// Finds so many parts' centroids from evenly spread rows, and returns how many there are.
std::size_t find_parts(const Points& points, std::size_t parts, int iterations, base::Crew& crew, std::pmr::memory_resource& memory,
                       base::SplitMix64& random, Progress& progress, float* out) {
  const std::size_t rows = std::min(points.rows, parts * kPartRows);
  std::pmr::vector<std::uint32_t> order(rows, &memory);
  for (std::size_t i = 0; i < rows; ++i) order[i] = static_cast<std::uint32_t>(i * points.rows / rows);
  Lloyd lloyd(RowSet(points, rows, order.data(), nullptr), out, parts, crew, memory);
  lloyd.start(random);
  return lloyd.run(iterations, random, progress);
}

// The rows beside one another, where they do not take more than kGatheredBytes; else the set as it is.
RowSet gather(const RowSet& set, std::pmr::vector<float>& memory) {
  if (set.count * set.dims * sizeof(float) > kGatheredBytes) return set;
  memory.resize(set.count * set.dims);
  set.fetch(0, set.count, memory.data());
  return RowSet({memory.data(), set.count, set.dims});
}

// Starts in two levels: sqrt k parts, then each part's own k-means, which one member does alone. Returns the number of
// centroids written.
std::size_t start_in_parts(const Points& points, const TrainOptions& options, base::Crew& crew,
                           std::pmr::memory_resource& memory, base::SplitMix64& random, Progress& progress, float* out) {
  const std::size_t dims = points.dims;
  std::size_t parts = part_count(options.clusters);
  const base::Shared<float> tops(crew, parts * dims);
  const base::Shared<std::size_t> made(crew, parts);
  parts = find_parts(points, parts, options.iterations, crew, memory, random, progress, tops.data());
  Lloyd top(RowSet(points), tops.data(), parts, crew, memory);
  parts = top.run(1, random, progress);
  const Clustering& rows = top.clustering();
  crew.for_each(parts, 1, [&](std::size_t p, std::size_t) {
    const std::size_t from = upto(rows.begin(p), points.rows, options.clusters);
    const std::size_t wanted = upto(rows.end(p), points.rows, options.clusters) - from;
    made[p] = 0;
    if (wanted == 0) return;
    base::Alone alone(memory);
    base::SplitMix64 own(options.seed + p + 1);
    float* first = out + from * dims;
    // Relative to the part's centroid, which spares digits.
    const RowSet scattered(points, rows.count(p), rows.order() + rows.begin(p), tops.data() + p * dims);
    std::pmr::vector<float> gathered(&memory);
    const RowSet set = gather(scattered, gathered);
    Lloyd part(set, first, wanted, alone, memory);
    part.start(own);
    made[p] = part.run(options.iterations, own, progress);
    for (std::size_t j = 0; j < made[p]; j++) simd::kernels().add_to(scattered.origin, first + j * dims, dims);
  });
  std::size_t total = 0;
  for (std::size_t p = 0; p < parts; p++) total += made[p];
  crew.lead([&] {
    std::size_t at = 0;
    for (std::size_t p = 0; p < parts; p++) {
      const float* from = out + upto(rows.begin(p), points.rows, options.clusters) * dims;
      std::copy(from, from + made[p] * dims, out + at * dims);
      at += made[p];
    }
  });
  return total;
}

}  // namespace

std::size_t train(const Points& points, const TrainOptions& options, base::Crew& crew,
                  std::pmr::memory_resource& memory, Watch& watch, float* out) {
  TrainOptions bounded = options;
  bounded.clusters = std::min(options.clusters, points.rows);
  bounded.iterations = std::max(options.iterations, 1);
  const std::size_t clusters = bounded.clusters;
  if (clusters == 0) return 0;
  const RowSet rows(points);
  base::SplitMix64 random(options.seed);
  if (clusters <= kFlatClusters) {
    Progress progress(watch, flat_work(points, clusters, bounded.iterations));
    Lloyd lloyd(rows, out, clusters, crew, memory);
    lloyd.start(random);
    const std::size_t made = lloyd.run(bounded.iterations, random, progress);
    progress.finish();
    return made;
  }
  const std::size_t parts_work = flat_work(points, part_count(clusters), bounded.iterations + 1);
  Progress progress(watch, parts_work + flat_work(points, clusters, bounded.polish));
  std::size_t made = start_in_parts(points, bounded, crew, memory, random, progress, out);
  progress.jump(parts_work);
  if (bounded.polish > 0) made = Lloyd(rows, out, made, crew, memory).run(bounded.polish, random, progress);
  progress.finish();
  return made;
}

std::size_t training_bytes(std::size_t rows, std::size_t dims, std::size_t room) noexcept {
  const std::size_t parts = part_count(room) + 1;
  const std::size_t start = base::Shared<float>::bytes(parts * dims) + base::Shared<std::size_t>::bytes(parts) +
                            Lloyd::shared_bytes(rows, parts, dims);
  // balance() holds the next centroids beside what an iteration needs.
  return std::max(start, Lloyd::shared_bytes(rows, room, dims) + base::Shared<float>::bytes(room * dims)) + 4096;
}

}  // namespace longbow::quant
