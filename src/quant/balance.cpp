// Balancing: k-means follows density only so far, and a leaf costs its pages whether they are full or not.
#include <algorithm>
#include <span>
#include <vector>

#include "longbow/quant/kmeans.hpp"
#include "longbow/simd/kernels.hpp"

namespace longbow::quant {
namespace {

constexpr std::size_t kBatchRows = 1024;

class Balancer {
 public:
  Balancer(const Points& points, const Balance& how, std::pmr::memory_resource& memory, Watch& watch)
      : points_(points), how_(how), memory_(memory), watch_(watch), rows_(&memory), side_(&memory), next_(&memory) {}

  enum class Step : std::uint8_t {
    prune,   // drop small clusters and divide large ones
    divide,  // divide large ones
    settle,  // move to the mean: a division's halves attract others' rows
  };
  void run(std::pmr::vector<float>& centroids, Step step) {
    const std::size_t n = points_.dims;
    const std::size_t count = centroids.size() / n;
    std::pmr::vector<std::uint32_t> order(&memory_), ends(&memory_);
    group(centroids, count, order, ends);
    most_ = step == Step::settle ? points_.rows : how_.most;
    next_.clear();
    for (std::size_t c = 0; c < count; ++c) {
      const std::size_t from = c == 0 ? 0 : ends[c - 1];
      const std::size_t size = ends[c] - from;
      if (step == Step::prune && size < how_.least && count > 1) continue;
      watch_.tick(c, count);
      divide({order.data() + from, size}, centroids.data() + c * n);
    }
    if (!next_.empty()) centroids.swap(next_);
  }

 private:
  // Sorts row numbers by their nearest centroid.
  void group(const std::pmr::vector<float>& centroids, std::size_t count, std::pmr::vector<std::uint32_t>& order,
             std::pmr::vector<std::uint32_t>& ends) {
    const Assigner assigner(centroids.data(), count, points_.dims, memory_);
    std::pmr::vector<std::uint32_t> nearest(points_.rows, &memory_);
    for (std::size_t i = 0; i < points_.rows; i += kBatchRows) {
      watch_.tick(i, points_.rows);
      assigner.assign(points_.data + i * points_.dims, std::min(kBatchRows, points_.rows - i), nearest.data() + i);
    }
    std::pmr::vector<std::uint32_t> at(count + 1, 0, &memory_);
    for (const std::uint32_t c : nearest) ++at[c + 1];
    for (std::size_t c = 0; c < count; ++c) at[c + 1] += at[c];
    ends.assign(at.begin() + 1, at.end());
    order.resize(points_.rows);
    for (std::size_t i = 0; i < points_.rows; ++i) order[at[nearest[i]]++] = static_cast<std::uint32_t>(i);
  }

  // Adds the mean of the members, or of their halves while they are too many. An empty cluster keeps its centroid.
  void divide(std::span<std::uint32_t> members, const float* old) {
    const std::size_t n = points_.dims;
    if (members.size() <= most_) {
      if (members.empty()) {
        next_.insert(next_.end(), old, old + n);
        return;
      }
      next_.resize(next_.size() + n, 0.0F);
      float* mean = next_.data() + next_.size() - n;
      for (const std::uint32_t r : members) simd::kernels().add_to(points_.data + r * n, mean, n);
      simd::kernels().scale(mean, 1.0F / static_cast<float>(members.size()), n);
      return;
    }
    rows_.resize(members.size() * n);
    side_.resize(members.size());
    for (std::size_t i = 0; i < members.size(); ++i)
      std::copy_n(points_.data + members[i] * n, n, rows_.data() + i * n);
    std::pmr::vector<float> two(2 * n, &memory_);
    bisect({rows_.data(), members.size(), n}, how_.seed, memory_, side_.data(), two.data());
    // A stable partition by side; each half has at least a quarter of the rows, so this ends.
    std::pmr::vector<std::uint32_t> right(&memory_);
    std::size_t left = 0;
    for (std::size_t i = 0; i < members.size(); ++i) {
      if (side_[i] == 0)
        members[left++] = members[i];
      else
        right.push_back(members[i]);
    }
    std::copy(right.begin(), right.end(), members.begin() + static_cast<std::ptrdiff_t>(left));
    divide(members.first(left), two.data());
    divide(members.subspan(left), two.data() + n);
  }

  const Points& points_;
  const Balance& how_;
  std::pmr::memory_resource& memory_;
  Watch& watch_;
  std::pmr::vector<float> rows_;
  std::pmr::vector<std::uint8_t> side_;
  std::pmr::vector<float> next_;
  std::size_t most_ = 0;
};

}  // namespace

void balance(const Points& points, const Balance& how, std::pmr::vector<float>& centroids,
             std::pmr::memory_resource& memory, Watch& watch) {
  if (points.rows == 0 || centroids.empty()) return;
  Balancer balancer(points, how, memory, watch);
  for (int i = 0; i < how.rounds; ++i) {
    balancer.run(centroids, i == 0 ? Balancer::Step::prune : Balancer::Step::divide);
    balancer.run(centroids, Balancer::Step::settle);
  }
}

}  // namespace longbow::quant
