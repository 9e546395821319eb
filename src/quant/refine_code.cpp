// Refine codes, and the proof that their lower bounds hold.
//
// Let e = 2^-24, S = sum_error(dims), K = kRotationError, m the centre, |.| the L2 norm. What is rounded:
//   centring           x' = fl(x - m): e |x - m| (each component is rounded once, however large the common offset)
//   rotation           K |x - m|, which leaves room for centring's e
//   residual           r = fl(x' - c): e |r|;  t = fl(q' - c): e |t|, and |t| <= D + |s v|
//   the kernel's terms t - s v, with the product rounded: e |s v|, and |s v| <= |r| + |r - s v|
//   sums               a kernel's float sum is off by at most S/2 of the sum of its terms' magnitudes, an operator's by S: the
//                      operator may be another's (longbow_pgvector), which adds its terms one after the other
//   underflow          2^-150 a product, so sqrt(dims) 2^-75 after a root
// encode_refine() puts all that the row knows into `error`, refine() what the query knows. For L2 (and L1, with the
// norms of that metric, no rotation and no roots), D the computed |t - s v|, e' and e'' the two errors:
//   |q - x| >= D (1 - S) - e' - e'', and the operator's own sum is not below |q - x| (1 - S).
// Inner product: |<q, x> - p| <= |q| error; the operator's sum is off by S times |q| |x|, those behind centre_product,
// centroid_product and <t, v> by S/2 times |q| |m|, |q| |c| and |q| |s v|, and |m| <= |x| + |x - m|, |c| <= |x'| + |r|.
// Cosine: D as for L2 between unit vectors, 1 - cos = D^2 / 2; the operator's three sums are off by 2 S together.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "longbow/quant/code.hpp"
#include "longbow/quant/rotation.hpp"
#include "longbow/simd/kernels.hpp"

namespace longbow::quant {
namespace {

constexpr float kHalf = 127.5F;
constexpr std::uint8_t kZeroCode = 128;
constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr double kFloatMax = std::numeric_limits<float>::max();
constexpr double kRounding = 0x1p-24;
constexpr double kNormalizing = 1e-6;        // of scaling to unit length, beside half of sum_error for the norm
constexpr double kUnderflow = 6e-23;         // times sqrt(dims): both sums of squares of an L2 distance
constexpr double kProductUnderflow = 1e-44;  // times dims: the sums of products of an inner product
constexpr double kTiny = 1e-36;              // covers denormal components wherever no product is taken
constexpr float kTinyResidual = 1e-34F;      // smaller ones are coded as zero: 1 / step must be a finite float

// Says whether a vector's float sum of squares keeps its digits, so that the cosine operator's does; 0: not asked.
bool cosine_range(double norm, double root_dims) noexcept {
  return norm == 0 || (norm >= 1.1e-19 * root_dims && norm <= 1.8e19);
}

// Gives the float next above a value that is not negative; anything else, NaN too, becomes infinity.
float round_up(double value) noexcept {
  if (!(value <= kFloatMax)) return kInfinity;
  const auto rounded = static_cast<float>(value);
  return static_cast<double>(rounded) < value ? std::nextafter(rounded, kInfinity) : rounded;
}

// Gives the float next below a value; NaN becomes -infinity.
float round_down(double value) noexcept {
  if (!(value >= -kFloatMax)) return -kInfinity;
  const auto rounded = static_cast<float>(std::min(value, kFloatMax));
  return static_cast<double>(rounded) > value ? std::nextafter(rounded, -kInfinity) : rounded;
}

struct Norms {
  double residual;  // |r|
  double rest;      // |r - s v|
};

// Measures residual and coding error in the metric's own norm.
Norms measure(base::Metric metric, const float* residual, std::size_t dims, float step,
              const std::uint8_t* codes) noexcept {
  const double s = static_cast<double>(step);
  double all = 0;
  double rest = 0;
  if (metric == base::Metric::l1) {
#pragma omp simd reduction(+ : all, rest)
    for (std::size_t i = 0; i < dims; i++) {
      const double r = residual[i];
      all += std::fabs(r);
      rest += std::fabs(r - s * (static_cast<double>(static_cast<int>(codes[i])) - 127.5));
    }
    return {all, rest};
  }
#pragma omp simd reduction(+ : all, rest)
  for (std::size_t i = 0; i < dims; i++) {
    const double r = residual[i];
    const double e = r - s * (static_cast<double>(static_cast<int>(codes[i])) - 127.5);
    all += r * r;
    rest += e * e;
  }
  return {std::sqrt(all), std::sqrt(rest)};
}

// Centring's rounding for L1, where |x - m|_1 <= sqrt(dims) |x - m|: either norm may be given.
double centring_l1(double norm, double root_dims) noexcept { return 2.0 * kRounding * root_dims * norm; }

Refined refine_l1(const RefineQuery& query, const float* t, const std::uint8_t* codes, RefineFactors factors) noexcept {
  const double d = simd::kernels().refine_l1(codes, t, factors.step, query.dims);
  const double sum = sum_error(query.dims);
  const double root_dims = std::sqrt(static_cast<double>(query.dims));
  const double gap = d * (1.0 - sum) - factors.error - centring_l1(query.norm, root_dims) - kTiny;
  if (!(d <= kFloatMax)) return {kInfinity, 0.0F};
  return {static_cast<float>(d), gap > 0 ? round_down(gap * (1.0 - sum)) : 0.0F};
}

Refined refine_ip(const RefineQuery& query, const float* t, float centroid_product, const std::uint8_t* codes,
                  RefineFactors factors) noexcept {
  const double tv = factors.step == 0.0F ? 0.0F : simd::kernels().refine_ip(codes, t, query.dims);
  const double p = static_cast<double>(query.centre_product) + static_cast<double>(centroid_product) +
                   static_cast<double>(factors.step) * tv;
  if (!(std::fabs(p) <= kFloatMax)) return {kInfinity, -kInfinity};
  const auto estimate = static_cast<float>(-p);
  // error holds 2 S |x|, so this is a bound of |q| |x|: beyond it the operator's sum itself may overflow.
  const double underflow = kUnderflow * std::sqrt(static_cast<double>(query.dims));
  const double norm =
      std::max<double>(query.norm, query.raw_norm) * (1.0 + static_cast<double>(sum_error(query.dims))) + underflow;
  const double magnitude = norm * factors.error / (2.0 * sum_error(query.dims));
  if (!(magnitude <= kFloatMax / 2)) return {estimate, -kInfinity};
  const double slack = 4.0 * kProductUnderflow * static_cast<double>(query.dims);
  return {estimate, round_down(-p - norm * factors.error - slack)};
}

// L2, and cosine on unit vectors.
Refined refine_euclidean(const RefineQuery& query, const float* t, const std::uint8_t* codes,
                         RefineFactors factors) noexcept {
  const double d = std::sqrt(static_cast<double>(simd::kernels().refine_l2(codes, t, factors.step, query.dims)));
  if (!(d <= kFloatMax)) return {kInfinity, 0.0F};
  const double sum = sum_error(query.dims);
  const double root_dims = std::sqrt(static_cast<double>(query.dims));
  double gap = d * (1.0 - sum) - factors.error - kUnderflow * root_dims;
  if (query.metric == base::Metric::cosine) {
    if (!cosine_range(query.raw_norm, root_dims)) gap = 0;
    gap -= 2.0 * kRotationError + kNormalizing + 0.5 * sum;  // |q - m| <= 2
    const double bound = gap > 0 ? gap * gap / 2.0 - 2.0 * sum - 2e-6 : 0.0;
    return {static_cast<float>(d * d / 2.0), bound > 0 ? round_down(bound) : 0.0F};
  }
  gap -= static_cast<double>(kRotationError) * query.norm;
  return {static_cast<float>(d), gap > 0 ? round_down(gap * (1.0 - sum)) : 0.0F};
}

}  // namespace

RefineFactors encode_refine(base::Metric metric, const float* residual, std::size_t dims, float norm, float raw_norm,
                            float prior_error, std::uint8_t* codes) noexcept {
  const simd::Kernels& k = simd::kernels();
  const float max = k.max_abs(residual, dims);
  float step = 0.0F;
  if (max > kTinyResidual && max <= std::numeric_limits<float>::max()) {
    step = max / 128.0F;  // not 127.5: the outer cells are as wide as the others, none of them clipped
    k.grid_codes(residual, dims, 1.0F / step, kHalf, codes);
  } else {
    std::memset(codes, kZeroCode, dims);
  }

  const Norms norms = measure(metric, residual, dims, step, codes);
  const double sum = sum_error(dims);
  const double root_dims = std::sqrt(static_cast<double>(dims));
  const double centred = static_cast<double>(norm) + kUnderflow * root_dims;  // the caller's norm is a float sum's root
  const double raw = static_cast<double>(raw_norm) + kUnderflow * root_dims;
  double error = norms.rest + prior_error + kTiny + 4.0 * kRounding * (norms.residual + norms.rest);
  const double rotation = static_cast<double>(kRotationError) * centred;
  switch (metric) {
    case base::Metric::l2:
      error += rotation;
      break;
    case base::Metric::cosine:
      error += rotation + kNormalizing + 0.5 * sum;
      if (!cosine_range(raw_norm, root_dims)) error = kInfinity;
      break;
    case base::Metric::ip:  // twice the rotation: the query's error meets |x - m| too
      error += 2.0 * rotation + 2.0 * sum * (raw + centred + norms.residual);
      break;
    case base::Metric::l1:
      error += centring_l1(centred, root_dims);
      break;
  }
  return {step, round_up(error)};
}

void decode_refine(const std::uint8_t* codes, float step, const float* centroid, std::size_t dims,
                   float* out) noexcept {
  for (std::size_t i = 0; i < dims; i++)
    out[i] = centroid[i] + step * (static_cast<float>(static_cast<int>(codes[i])) - kHalf);
}

Refined refine(const RefineQuery& query, const float* t, float centroid_product, const std::uint8_t* codes,
               RefineFactors factors) noexcept {
  switch (query.metric) {
    case base::Metric::ip:
      return refine_ip(query, t, centroid_product, codes, factors);
    case base::Metric::l1:
      return refine_l1(query, t, codes, factors);
    default:
      return refine_euclidean(query, t, codes, factors);
  }
}

}  // namespace longbow::quant
