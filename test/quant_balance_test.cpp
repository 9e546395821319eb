// balance(): no cluster stays above the limit by more than what the last assignment moves, and small ones go.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory_resource>
#include <random>
#include <vector>

#include "longbow/quant/assign.hpp"
#include "longbow/quant/kmeans.hpp"

namespace longbow::quant {
namespace {

struct Silent final : Watch {
  void tick(std::size_t, std::size_t) override {}
  void pause() override {}
};

void balance_alone(const Points& points, const Balance& how, std::pmr::vector<float>& centroids) {
  Silent silent;
  base::Alone alone(*std::pmr::get_default_resource());
  const std::size_t clusters = centroids.size() / points.dims;
  centroids.resize((clusters + 50) * points.dims);
  const std::size_t now = balance(points, how, centroids.data(), clusters, clusters + 50, alone,
                                  *std::pmr::get_default_resource(), silent);
  centroids.resize(now * points.dims);
}

std::vector<std::size_t> sizes(const Points& points, const std::pmr::vector<float>& centroids) {
  const std::size_t clusters = centroids.size() / points.dims;
  base::Alone alone(*std::pmr::get_default_resource());
  const Assigner assigner(centroids.data(), clusters, points.dims, alone);
  std::vector<std::uint32_t> nearest(points.rows);
  assigner.assign(points.data, points.rows, nearest.data());
  std::vector<std::size_t> result(clusters);
  for (const std::uint32_t c : nearest) ++result[c];
  return result;
}

TEST(Balance, DividesTheLargeAndDropsTheSmall) {
  // Sixteen clusters, each with two thirds of the rows of the one before it.
  constexpr std::size_t kRows = 6000, kDims = 16;
  std::mt19937 random(7);
  std::normal_distribution<float> spread(0, 1);
  std::vector<float> centres(16 * kDims), data(kRows * kDims);
  for (float& c : centres) c = 3 * spread(random);
  for (std::size_t i = 0; i < kRows; ++i) {
    std::size_t c = 0;
    while (c < 15 && random() % 3 != 0) ++c;
    for (std::size_t d = 0; d < kDims; ++d) data[i * kDims + d] = centres[c * kDims + d] + spread(random);
  }
  const Points points{data.data(), kRows, kDims};
  std::pmr::vector<float> centroids(50 * kDims);
  Silent silent;
  base::Alone alone(*std::pmr::get_default_resource());
  const std::size_t found = train(points, {50, 8, 1, 1}, alone, *std::pmr::get_default_resource(), silent, centroids.data());
  centroids.resize(found * kDims);
  const auto before = sizes(points, centroids);
  balance_alone(points, {168, 24, 2, 1}, centroids);
  const auto after = sizes(points, centroids);
  // How many times more rows a visited leaf has than the mean, if leaves are visited as often as they have rows.
  const auto imbalance = [](const std::vector<std::size_t>& n) {
    double squares = 0;
    for (const std::size_t size : n) squares += static_cast<double>(size * size);
    return squares * static_cast<double>(n.size()) / (double{kRows} * kRows);
  };
  EXPECT_LT(imbalance(after), imbalance(before));
  EXPECT_LT(imbalance(after), 1.25);
  EXPECT_LT(*std::max_element(after.begin(), after.end()), std::size_t{2 * 168});
}

TEST(Balance, EqualRowsEnd) {
  const std::vector<float> data(500 * 8, 1.5F);
  std::pmr::vector<float> centroids(8, 1.5F);
  balance_alone({data.data(), 500, 8}, {100, 5, 3, 1}, centroids);
  EXPECT_GE(centroids.size(), std::size_t{8});
}

}  // namespace
}  // namespace longbow::quant
