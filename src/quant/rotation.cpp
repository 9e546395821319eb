// The rotation: random signs, Walsh-Hadamard transforms over a power of two at either end, and Kac's mixing step.
//
// Rounding: a round has at most log2 n + 3 stages, each of which rounds every element once, so four rounds stay below
// 4 * (log2 n + 3) * 2^-24 of the norm: 4e-6 up to 16,384 dimensions in the worst case, a tenth of that in practice.
#include "longbow/base/random.hpp"
#include "longbow/quant/rotation.hpp"

#include <bit>
#include <cmath>

#include "longbow/simd/kernels.hpp"

namespace longbow::quant {
namespace {

constexpr float kSqrtHalf = 0.70710678118654752F;

// Where the transform of one round lies: the first elements in even rounds, the last in odd ones.
float* transform_start(float* x, std::size_t dims, std::size_t power, int round) noexcept {
  return round % 2 == 0 ? x : x + (dims - power);
}

// Mixes the first half with the last; the middle element of an odd dimension stays.
void mix_halves(const simd::Kernels& k, float* x, std::size_t dims) noexcept {
  const std::size_t half = dims / 2;
  k.butterfly(x, x + (dims - half), kSqrtHalf, half);
}

}  // namespace

void make_rotation(std::uint64_t seed, std::size_t dims, float* signs) noexcept {
  base::SplitMix64 random(seed);
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < rotation_floats(dims); i++) {
    if (i % 64 == 0) bits = random.next();
    signs[i] = (bits & 1) != 0 ? -1.0F : 1.0F;
    bits >>= 1;
  }
}

void rotate(const float* signs, float* x, std::size_t dims) noexcept {
  if (dims == 0) return;
  const simd::Kernels& k = simd::kernels();
  const std::size_t power = std::bit_floor(dims);
  const float factor = 1.0F / std::sqrt(static_cast<float>(power));
  for (int round = 0; round < kRotationRounds; round++) {
    k.multiply(x, signs + static_cast<std::size_t>(round) * dims, x, dims);
    float* part = transform_start(x, dims, power, round);
    k.scale(part, factor, power);  // before the transform, so that nothing overflows that need not
    k.hadamard(part, power);
    if (power < dims) mix_halves(k, x, dims);
  }
}

void rotate_back(const float* signs, float* x, std::size_t dims) noexcept {
  if (dims == 0) return;
  const simd::Kernels& k = simd::kernels();
  const std::size_t power = std::bit_floor(dims);
  const float factor = 1.0F / std::sqrt(static_cast<float>(power));
  for (int round = kRotationRounds - 1; round >= 0; round--) {
    if (power < dims) mix_halves(k, x, dims);
    float* part = transform_start(x, dims, power, round);
    k.scale(part, factor, power);
    k.hadamard(part, power);
    k.multiply(x, signs + static_cast<std::size_t>(round) * dims, x, dims);
  }
}

}  // namespace longbow::quant
