// Balancing: k-means follows density only so far, and a leaf costs its pages whether they are full or not.
#include <algorithm>
#include <span>
#include <vector>

#include "lloyd.hpp"
#include "longbow/simd/kernels.hpp"

namespace longbow::quant {
namespace {

constexpr std::size_t kGrain = 16;  // clusters at a time

class Balancer {
 public:
  Balancer(const Points& points, const Balance& how, float* centroids, std::size_t clusters, std::size_t room,
           base::Crew& crew, std::pmr::memory_resource& memory, Watch& watch)
      : points_(points),
        how_(how),
        centroids_(centroids),
        clusters_(clusters),
        room_(room),
        crew_(crew),
        memory_(memory),
        watch_(watch),
        rows_(points.rows, room, crew),
        next_(crew, room * points.dims),
        made_(crew, 1),
        tile_(&memory),
        members_(&memory),
        side_(&memory) {}

  // Drops small clusters (`least` > 0) and divides large ones: the leader's work, for there are few.
  void divide(std::size_t least) {
    group();
    crew_.lead([&] {
      const std::size_t n = points_.dims;
      kept_ = 0;
      for (std::size_t c = 0; c < clusters_; ++c) {
        if (rows_.count(c) < least && clusters_ > 1) continue;
        watch_.tick(c, clusters_);
        divide({rows_.order() + rows_.begin(c), rows_.count(c)}, centroids_ + c * n, clusters_ - c - 1);
      }
      if (kept_ > 0) std::copy_n(next_.begin(), kept_ * n, centroids_);
      made_[0] = kept_ > 0 ? kept_ : clusters_;
    });
    clusters_ = made_[0];
  }

  // Moves every centroid to its rows' mean: a division's halves attract others' rows.
  void settle() {
    group();
    crew_.for_each(clusters_, kGrain, [&](std::size_t first, std::size_t end) {
      watch_.tick(first, clusters_);
      for (std::size_t c = first; c < end; ++c)
        if (rows_.count(c) > 0) mean({rows_.order() + rows_.begin(c), rows_.count(c)}, centroids_ + c * points_.dims);
    });
  }

  [[nodiscard]] std::size_t clusters() const noexcept { return clusters_; }

 private:
  // Sorts row numbers by their nearest centroid.
  void group() {
    GroupAssigner assigner(centroids_, clusters_, points_.dims, crew_, memory_, watch_);
    const RowSet all(points_);
    tile_.resize(all.in_place() ? 0 : assigner.batch() * points_.dims);
    crew_.for_each(points_.rows, assigner.batch(), [&](std::size_t first, std::size_t end) {
      watch_.tick(first, points_.rows);
      assigner.assign(all.fetch(first, end - first, tile_.data()), end - first, rows_.nearest() + first);
    });
    crew_.lead([&] { rows_.sort(clusters_); });
  }

  void mean(std::span<const std::uint32_t> members, float* out) {
    const std::size_t n = points_.dims;
    const RowSet all(points_);
    tile_.resize(std::max(tile_.size(), n));
    std::fill_n(out, n, 0.0F);
    for (const std::uint32_t r : members) simd::kernels().add_to(all.fetch(r, 1, tile_.data()), out, n);
    simd::kernels().scale(out, 1.0F / static_cast<float>(members.size()), n);
  }

  // Adds the mean of the members, or of their halves while they are too many and `after` further clusters leave room. An
  // empty cluster keeps its centroid.
  void divide(std::span<std::uint32_t> members, const float* old, std::size_t after) {
    const std::size_t n = points_.dims;
    if (members.size() <= how_.most || kept_ + 2 + after > room_) {
      float* out = next_.data() + kept_++ * n;
      if (members.empty())
        std::copy_n(old, n, out);
      else
        mean(members, out);
      return;
    }
    members_.resize(members.size() * n);
    side_.resize(members.size());
    for (std::size_t i = 0; i < members.size(); ++i) {
      float* to = members_.data() + i * n;
      const float* row = RowSet(points_).fetch(members[i], 1, to);
      if (row != to) std::copy_n(row, n, to);
    }
    std::pmr::vector<float> two(2 * n, &memory_);
    bisect({members_.data(), members.size(), n}, how_.seed, memory_, side_.data(), two.data());
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
    divide(members.first(left), two.data(), after + 1);
    divide(members.subspan(left), two.data() + n, after);
  }

  const Points& points_;
  const Balance& how_;
  float* centroids_;
  std::size_t clusters_, room_;
  base::Crew& crew_;
  std::pmr::memory_resource& memory_;
  Watch& watch_;
  Clustering rows_;
  base::Shared<float> next_;
  base::Shared<std::size_t> made_;
  std::size_t kept_ = 0;
  std::pmr::vector<float> tile_, members_;
  std::pmr::vector<std::uint8_t> side_;
};

}  // namespace

std::size_t balance(const Points& points, const Balance& how, float* centroids, std::size_t clusters, std::size_t room,
                    base::Crew& crew, std::pmr::memory_resource& memory, Watch& watch) {
  if (points.rows == 0 || clusters == 0) return clusters;
  Balancer balancer(points, how, centroids, clusters, room, crew, memory, watch);
  for (int i = 0; i < how.rounds; ++i) {
    balancer.divide(i == 0 ? how.least : 0);
    balancer.settle();
  }
  return balancer.clusters();
}

}  // namespace longbow::quant
