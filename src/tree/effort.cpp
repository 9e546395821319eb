// From target recall to effort: leaves to visit and rows to refine.
#include <algorithm>
#include <cmath>

#include "longbow/tree/search.hpp"

namespace longbow::tree {

namespace {

// Of bits so many more leaves are visited than calibration names: they are few and large, so that one more or less decides much and
// costs little. Words by signs and trigrams, target 0.95, two builds each (bench/opclasses): 0.943 to 0.966 found without, 0.956 to
// 0.988 with it.
constexpr double kBitMargin = 1.25, kBitExtra = 1;

// Leaves needed for a recall by one measured curve; interpolated between points in log(probes).
double probes_on_curve(const CalibrationPoint* curve, std::uint32_t points, float target) noexcept {
  if (points == 0) return 0;
  if (curve[0].recall >= target) return curve[0].probes;
  for (std::uint32_t i = 1; i < points; ++i) {
    if (curve[i].recall < target) continue;
    const double low = std::log(std::max(1.0F, curve[i - 1].probes));
    const double high = std::log(std::max(1.0F, curve[i].probes));
    const double span = curve[i].recall - curve[i - 1].recall;
    const double part = span > 0 ? (target - curve[i - 1].recall) / span : 1.0;
    return std::exp(low + (high - low) * part);
  }
  // Beyond what was measured: the misses halve with about each doubling of the leaves.
  const CalibrationPoint& last = curve[points - 1];
  const double misses = std::max(1e-4, 1.0 - static_cast<double>(last.recall));
  const double wanted = std::max(1e-4, 1.0 - static_cast<double>(target));
  return last.probes * std::max(1.0, misses / wanted);
}

}  // namespace

std::uint32_t planned_probes(const Meta& meta, float target_recall, double k) noexcept {
  const double leaves = std::max(1U, meta.leaves);
  const Calibration& c = meta.calibration;
  double at10 = 0;
  double at100 = 0;
  if (c.queries > 0) {
    at10 = probes_on_curve(c.curve[1], std::min<std::uint32_t>(c.points[1], kCalibrationPoints), target_recall);
    at100 = probes_on_curve(c.curve[2], std::min<std::uint32_t>(c.points[2], kCalibrationPoints), target_recall);
    // A split between scales the leaves that hold the same neighbours. In proportion: at 1.9 times the leaves an index that
    // was calibrated half-grown needed 1.8 times the probes; their square root cost up to 8 % of recall.
    const double grown = c.leaves > 0 ? leaves / c.leaves : 1.0;
    at10 *= std::max(1.0, grown);
    at100 *= std::max(1.0, grown);
  }
  if (!(at10 > 0)) at10 = 4 + 2 * std::sqrt(leaves);
  if (!(at100 > at10)) at100 = at10;
  double probes = at10;
  if (k > 10) {
    const double slope = k <= 100 ? std::log(at100 / at10) / std::log(10.0) : 0.8;
    probes = k <= 100 ? at10 * std::pow(k / 10, slope) : at100 * std::pow(k / 100, slope);
  }
  if (has_bits(meta)) probes = probes * kBitMargin + kBitExtra;
  // A spoilt curve may give anything, NaN too.
  return probes < leaves ? static_cast<std::uint32_t>(std::max(1.0, std::ceil(probes))) : static_cast<std::uint32_t>(leaves);
}

std::size_t planned_refine(unsigned bits, double k) noexcept {
  // Rows beyond k that must be refined so that the scan code's error loses under 0.2 % of them: measured as 10, 30
  // and 70 at k = 10, growing with the square root of k.
  const double spare = bits >= 4 ? 10 : bits == 2 ? 30 : 70;
  return static_cast<std::size_t>(std::ceil(k + spare * std::sqrt(std::max(1.0, k / 10))));
}

}  // namespace longbow::tree
