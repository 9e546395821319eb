// What looking into a few groups costs: rows whose centroid is not the nearest, and their squared distances, beside the
// comparison with all centroids. Trains as a build does, on a set that bench/ann has left in its cache.
//   g++ -std=c++20 -O3 -fopenmp-simd -Iinclude -Isrc bench/assign.cpp src/quant/*.cpp src/simd/*.cpp -o build/assign
//   build/assign ~/.cache/longbow-bench/glove cosine 3200; build/assign ~/.cache/longbow-bench/fashion l2 1000
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory_resource>
#include <string>
#include <vector>

#include "ann_common.hpp"
#include "longbow/quant/assign.hpp"
#include "longbow/quant/kmeans.hpp"

namespace {

namespace base = longbow::base;
namespace quant = longbow::quant;
namespace simd = longbow::simd;

struct Silent final : quant::Watch {
  void tick(std::size_t, std::size_t) override {}
  void pause() override {}
};

double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) ann::die("usage: assign DIR METRIC CLUSTERS");
  ann::Set set = ann::read_set(argv[1], argv[2]);
  if (set.metric == ann::Metric::cosine) ann::normalise(set.base);
  const std::size_t clusters = std::strtoul(argv[3], nullptr, 10), dims = set.base.columns, rows = set.base.rows;
  const std::size_t room = clusters * 2, used = std::min(rows, clusters * 48), tried = std::min<std::size_t>(rows, 20000);
  std::pmr::memory_resource& memory = *std::pmr::new_delete_resource();
  base::Alone alone(memory);
  Silent silent;
  std::vector<float> centroids(room * dims);
  const quant::Points points{set.base.row(0), used, dims};
  std::size_t made = quant::train(points, {clusters, 8, 2, 1}, alone, memory, silent, centroids.data());
  made = quant::balance(points, {97, 9, 1, 1}, centroids.data(), made, room, alone, memory, silent);
  const quant::Assigner exact(centroids.data(), made, dims, alone);
  quant::GroupAssigner grouped(centroids.data(), made, dims, alone, memory, silent);
  const float* x = set.base.row(rows - tried);
  std::vector<std::uint32_t> best(tried), found(tried);
  const double start = seconds();
  exact.assign(x, tried, best.data());
  const double middle = seconds();
  grouped.assign(x, tried, found.data());
  const double end = seconds();
  std::size_t same = 0;
  double nearest = 0, chosen = 0;
  for (std::size_t i = 0; i < tried; i++) {
    same += best[i] == found[i] ? 1 : 0;
    nearest += double(simd::kernels().l2_squared(x + i * dims, &centroids[best[i] * dims], dims));
    chosen += double(simd::kernels().l2_squared(x + i * dims, &centroids[found[i] * dims], dims));
  }
  std::printf("%zu clusters: %.2f %% of rows get another centroid, mean squared distance + %.2f %%, time / all %.2f\n", made,
              100.0 * double(tried - same) / double(tried), 100.0 * (chosen / nearest - 1), (end - middle) / (middle - start));
}
