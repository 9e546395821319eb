// Scan codes: the search for the grid's step, and the factors of the estimator.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <span>

#include "longbow/quant/code.hpp"
#include "longbow/simd/kernels.hpp"

namespace longbow::quant {
namespace {

// Residuals smaller than this count as zero: the inverse of their step would not be a finite float.
constexpr float kTinyResidual = 1e-34F;

// Steps to try, as fractions of max|r| / half. The best step of a normal variable is 1.0 (2 bits) or 0.34 (4 bits)
// standard deviations, and max|r| is 2.5 to 4.5 of them for 64 to 16,000 dimensions; few dimensions want fraction 1.
constexpr float kFractions2[] = {1.0F, 0.8F, 0.66F, 0.58F, 0.51F, 0.45F, 0.39F, 0.33F};
constexpr float kFractions4[] = {1.0F, 0.92F, 0.85F, 0.78F, 0.7F, 0.62F, 0.54F, 0.46F};
constexpr float kFraction1[] = {1.0F};
constexpr float kFraction8[] = {127.5F / 128.0F};  // the outer cells are as wide as the others

std::span<const float> fractions(unsigned bits) noexcept {
  switch (bits) {
    case 1:
      return kFraction1;
    case 2:
      return kFractions2;
    case 4:
      return kFractions4;
    default:
      return kFraction8;
  }
}

// Finds the inverse step for which the grid vector v has the largest cosine with r.
float best_inverse_step(const float* r, std::size_t dims, unsigned bits, float max, float half) noexcept {
  const simd::Kernels& k = simd::kernels();
  const std::span<const float> steps = fractions(bits);
  float best = half / (max * steps[0]);
  if (steps.size() == 1) return best;
  float best_cosine = -1.0F;
  for (const float fraction : steps) {
    const float inverse = half / (max * fraction);
    const simd::GridSums sums = k.grid_sums(r, dims, inverse, half);
    const float cosine = sums.dot / std::sqrt(sums.squared);
    if (cosine > best_cosine) {
      best_cosine = cosine;
      best = inverse;
    }
  }
  return best;
}

float to_float(double value) noexcept {
  constexpr double kMax = std::numeric_limits<float>::max();
  return std::isnan(value) ? 0.0F : static_cast<float>(std::clamp(value, -kMax, kMax));
}

}  // namespace

ScanFactors encode_scan(base::Metric metric, unsigned bits, const float* residual, const float* centroid,
                        std::size_t dims, std::uint8_t* codes) noexcept {
  const simd::Kernels& k = simd::kernels();
  const float half = static_cast<float>((1U << bits) - 1) / 2.0F;
  const float max = k.max_abs(residual, dims);
  if (!(max > kTinyResidual) || !std::isfinite(max)) {
    std::memset(codes, 1 << (bits - 1), dims);
    const bool overflow = metric == base::Metric::l2 && !(max <= kTinyResidual);
    return {overflow ? std::numeric_limits<float>::max() : 0.0F, 0.0F};
  }
  k.grid_codes(residual, dims, best_inverse_step(residual, dims, bits, max, half), half, codes);

  double rr = 0;
  double vr = 0;
  double vv = 0;
  double cv = 0;
#pragma omp simd reduction(+ : rr, vr, vv, cv)
  for (std::size_t i = 0; i < dims; i++) {
    const double r = residual[i];
    const double v = static_cast<double>(static_cast<int>(codes[i])) - static_cast<double>(half);
    rr += r * r;
    vr += v * r;
    vv += v * v;
    cv += v * static_cast<double>(centroid[i]);
  }
  if (metric == base::Metric::l1) return {0.0F, to_float(vr / vv)};
  const double s = rr / vr;  // each v has the sign of its r, so that vr > 0
  return {metric == base::Metric::ip ? 0.0F : to_float(rr + 2.0 * s * cv), to_float(-2.0 * s)};
}

}  // namespace longbow::quant
