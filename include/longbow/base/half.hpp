// IEEE 754 binary16 ("half precision"), stored as its 16 bits: sign, 5 bits of exponent, 10 of fraction.
//
// The largest finite value is 65504, the least positive 2^-24; every half is exactly a float. The conversions below are
// integer arithmetic alone, give the same bits on every processor, and are the reference for the kernels in simd.
#pragma once

#include <bit>
#include <cstdint>

namespace longbow::base {

struct Half {
  std::uint16_t bits;
};

// From here on a magnitude rounds to infinity: half of the step above 65504, which ties to even, upwards.
inline constexpr float kHalfOverflow = 65520.0f;
// Up to here a magnitude rounds to zero: half of the least positive half, which ties to even, downwards.
inline constexpr float kHalfUnderflow = 0x1p-25f;

constexpr bool is_nan(Half h) noexcept { return (h.bits & 0x7fff) > 0x7c00; }
constexpr bool is_infinite(Half h) noexcept { return (h.bits & 0x7fff) == 0x7c00; }

// The same value as a float; the fraction of a NaN is kept.
constexpr float to_float(Half h) noexcept {
  const std::uint32_t magnitude = h.bits & 0x7fffu, sign = (h.bits & 0x8000u) << 16;
  std::uint32_t bits = (magnitude << 13) + (112u << 23);  // the exponent's bias is 127, not 15
  if (magnitude >= 0x7c00) bits += 112u << 23;            // infinity and NaN have every exponent bit set
  if (magnitude < 0x0400)                                 // subnormal: the fraction counts steps of 2^-24
    bits = std::bit_cast<std::uint32_t>(static_cast<float>(magnitude) * 0x1p-24f);
  return std::bit_cast<float>(bits | sign);
}

// The nearest half, of two equally near that with an even fraction. Infinite from kHalfOverflow on; a NaN stays a
// (quiet) NaN with the upper bits of its fraction.
constexpr Half to_half(float value) noexcept {
  const std::uint32_t all = std::bit_cast<std::uint32_t>(value);
  const std::uint32_t magnitude = all & 0x7fffffffu;
  std::uint32_t result;
  if (magnitude > 0x7f800000u) {
    result = 0x7e00u | (magnitude >> 13 & 0x3ffu);
  } else if (magnitude >= std::bit_cast<std::uint32_t>(kHalfOverflow)) {
    result = 0x7c00u;
  } else if (magnitude >= (113u << 23)) {  // 2^-14, the least normal half
    const std::uint32_t odd = magnitude >> 13 & 1;
    result = (magnitude - (112u << 23) + 0xfffu + odd) >> 13;
  } else {
    // Adding 0.5 leaves 24 - 1 fraction bits for steps of 2^-24, rounded to nearest even by the addition itself.
    const float shifted = std::bit_cast<float>(magnitude) + 0.5f;
    result = std::bit_cast<std::uint32_t>(shifted) - std::bit_cast<std::uint32_t>(0.5f);
  }
  return {static_cast<std::uint16_t>(result | all >> 31 << 15)};
}

}  // namespace longbow::base
