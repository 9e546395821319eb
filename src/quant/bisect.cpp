// Balanced 2-means for splitting a leaf: every iteration cuts at the zero of d0 - d1, or at the nearest quantile that
// leaves a quarter of the rows on either side, so that an outlier does not get a side of its own.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>
#include <vector>

#include "longbow/base/random.hpp"
#include "longbow/quant/kmeans.hpp"
#include "longbow/simd/kernels.hpp"

namespace longbow::quant {
namespace {

constexpr int kIterations = 8;
constexpr float kSmall = 1e-12F, kLarge = 1e12F;  // squares of components between these are ordinary floats

class Bisection {
 public:
  Bisection(const Points& points, std::pmr::memory_resource& memory)
      : rows_(points.rows),
        dims_(points.dims),
        data_(points.rows * points.dims, &memory),
        mean_(points.dims, &memory),
        centroids_(2 * points.dims, &memory),
        normal_(points.dims, &memory),
        keys_(points.rows, &memory) {
    centre(points.data);
  }

  // Starts from a far pair and moves both centroids until no row changes its side.
  void run(std::uint64_t seed, std::uint8_t* side) {
    base::SplitMix64 random(seed);
    const std::size_t first = farthest(random.below(rows_));
    const std::size_t second = farthest(first);
    std::memcpy(centroid(0), row(first), dims_ * sizeof(float));
    std::memcpy(centroid(1), row(second), dims_ * sizeof(float));
    std::memset(side, 0, rows_);
    for (int i = 0; i < kIterations; i++) {
      const bool changed = cut(side);
      average(side);
      if (!changed) break;
    }
  }

  // Writes the centroids in the caller's coordinates.
  void result(float* out) const noexcept {
    const float back = 1.0F / scale_;
    for (std::size_t c = 0; c < 2; c++)
      for (std::size_t x = 0; x < dims_; x++) out[c * dims_ + x] = mean_[x] + back * centroids_[c * dims_ + x];
  }

 private:
  struct Key {
    float value;  // (d0 - d1) / 2, squared distances
    std::uint32_t row;
    friend bool operator<(const Key& a, const Key& b) noexcept {
      return a.value != b.value ? a.value < b.value : a.row < b.row;
    }
  };

  float* row(std::size_t i) noexcept { return data_.data() + i * dims_; }
  float* centroid(std::size_t c) noexcept { return centroids_.data() + c * dims_; }

  // Copies the rows relative to their mean, scaled if their squares would leave the range of floats.
  void centre(const float* data) noexcept {
    std::memcpy(mean_.data(), data,
                dims_ * sizeof(float));  // relative to the first row, sums lose nothing to an offset
    const float share = 1.0F / static_cast<float>(rows_);
    for (std::size_t i = 0; i < rows_; i++) {
      kernels_.subtract(data + i * dims_, data, row(i), dims_);
      kernels_.scale(row(i), share, dims_);
      kernels_.add_to(row(i), mean_.data(), dims_);
    }
    float max = 0;
    for (std::size_t i = 0; i < rows_; i++) {
      kernels_.subtract(data + i * dims_, mean_.data(), row(i), dims_);
      max = std::max(max, kernels_.max_abs(row(i), dims_));
    }
    if (!std::isfinite(max) || max == 0 || (max >= kSmall && max <= kLarge)) return;
    scale_ = std::exp2(-static_cast<float>(std::clamp(std::ilogb(max), -120, 120)));
    for (std::size_t i = 0; i < rows_; i++) kernels_.scale(row(i), scale_, dims_);
  }

  std::size_t farthest(std::size_t from) noexcept {
    std::size_t best = from;
    float best_distance = 0;
    for (std::size_t i = 0; i < rows_; i++) {
      const float distance = kernels_.l2_squared(row(from), row(i), dims_);
      if (distance > best_distance) {
        best_distance = distance;
        best = i;
      }
    }
    return best;
  }

  // Gives each row its side and says whether any row changed it.
  bool cut(std::uint8_t* side) noexcept {
    kernels_.subtract(centroid(1), centroid(0), normal_.data(), dims_);
    const float middle = (kernels_.inner_product(centroid(1), centroid(1), dims_) -
                          kernels_.inner_product(centroid(0), centroid(0), dims_)) /
                         2.0F;
    std::size_t left = 0;
    for (std::size_t i = 0; i < rows_; i++) {
      float value = kernels_.inner_product(row(i), normal_.data(), dims_) - middle;
      if (!std::isfinite(value)) value = 0;  // components that overflow: any cut will do
      keys_[i] = {value, static_cast<std::uint32_t>(i)};
      if (value <= 0) left++;
    }
    const auto [low, high] = std::minmax_element(keys_.begin(), keys_.end());
    const std::size_t least = (rows_ + 3) / 4;
    left = low->value == high->value ? rows_ / 2 : std::clamp(left, least, rows_ - least);
    std::nth_element(keys_.begin(), keys_.begin() + static_cast<std::ptrdiff_t>(left), keys_.end());
    bool changed = false;
    for (std::size_t i = 0; i < rows_; i++) {
      const std::uint8_t now = i < left ? 0 : 1;
      changed |= side[keys_[i].row] != now;
      side[keys_[i].row] = now;
    }
    return changed;
  }

  // Moves both centroids to the means of their sides.
  void average(const std::uint8_t* side) noexcept {
    std::size_t count[2] = {0, 0};
    std::fill(centroids_.begin(), centroids_.end(), 0.0F);
    for (std::size_t i = 0; i < rows_; i++) {
      kernels_.add_to(row(i), centroid(side[i]), dims_);
      count[side[i]]++;
    }
    for (std::size_t c = 0; c < 2; c++)
      if (count[c] > 0) kernels_.scale(centroid(c), 1.0F / static_cast<float>(count[c]), dims_);
  }

  const simd::Kernels& kernels_ = simd::kernels();
  std::size_t rows_, dims_;
  float scale_ = 1.0F;
  std::pmr::vector<float> data_, mean_, centroids_, normal_;
  std::pmr::vector<Key> keys_;
};

}  // namespace

void bisect(const Points& points, std::uint64_t seed, std::pmr::memory_resource& memory, std::uint8_t* side,
            float* centroids) {
  if (points.rows < 2) {
    for (std::size_t c = 0; c < 2 && points.rows == 1; c++)
      std::memcpy(centroids + c * points.dims, points.data, points.dims * sizeof(float));
    if (points.rows == 1) side[0] = 0;
    return;
  }
  Bisection bisection(points, memory);
  bisection.run(seed, side);
  bisection.result(centroids);
}

}  // namespace longbow::quant
