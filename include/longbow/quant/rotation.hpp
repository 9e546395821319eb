// A random orthonormal rotation of any dimension, made from a seed alone.
//
// Four rounds of: random signs; a fast Walsh-Hadamard transform over the first (odd rounds: last) 2^k elements,
// 2^k <= n, scaled to be orthonormal; and, if 2^k < n, a step of Kac's walk that mixes the halves, (a+b, a-b)/sqrt 2.
// See Ailon and Chazelle, "The fast Johnson-Lindenstrauss transform", 2009, and Kac, 1954.
#pragma once

#include <cstddef>
#include <cstdint>

namespace longbow::quant {

inline constexpr int kRotationRounds = 4;
// Bound of the relative rounding error of one rotation: |computed - exact| <= kRotationError * |x|.
inline constexpr float kRotationError = 4e-6F;

// Floats that a rotation's sign table takes.
constexpr std::size_t rotation_floats(std::size_t dims) noexcept { return kRotationRounds * dims; }
// Fills the table of +1/-1 from the seed.
void make_rotation(std::uint64_t seed, std::size_t dims, float* signs) noexcept;
// Rotates x in place.
void rotate(const float* signs, float* x, std::size_t dims) noexcept;
// Rotates back: the inverse (transpose) of rotate().
void rotate_back(const float* signs, float* x, std::size_t dims) noexcept;

}  // namespace longbow::quant
