// Codes in and out of the transposed blocks of simd/kernels.hpp, and the query as integers.
#include <cmath>
#include <cstring>

#include "longbow/quant/code.hpp"
#include "longbow/simd/kernels.hpp"

namespace longbow::quant {
namespace {

constexpr std::size_t kRowBytes = 4;  // of one row in one group
constexpr float kQueryLevels = 127.0F;
constexpr float kTinyStep = 1e-36F;  // below it 1 / step is no longer a finite float

}  // namespace

void put_row(std::uint8_t* block, unsigned row, unsigned bits, const std::uint8_t* codes, std::size_t dims,
             std::size_t first_group, std::size_t group_count) noexcept {
  const std::size_t per_group = 32 / bits;
  for (std::size_t g = 0; g < group_count; g++) {
    std::uint32_t lanes[kRowBytes] = {};
    const std::size_t start = (first_group + g) * per_group;
    const std::size_t count = start >= dims ? 0 : dims - start < per_group ? dims - start : per_group;
    for (std::size_t x = 0; x < count; x++)
      lanes[x % kRowBytes] |= std::uint32_t{codes[start + x]} << (x / kRowBytes * bits);
    std::uint8_t* out = block + g * simd::kGroupBytes + row * kRowBytes;
    for (std::size_t lane = 0; lane < kRowBytes; lane++) out[lane] = static_cast<std::uint8_t>(lanes[lane]);
  }
}

void get_row(const std::uint8_t* block, unsigned row, unsigned bits, std::size_t dims, std::uint8_t* codes) noexcept {
  const std::size_t per_group = 32 / bits;
  const std::uint32_t mask = (1U << bits) - 1;
  for (std::size_t start = 0; start < dims; start += per_group) {
    const std::uint8_t* in = block + start / per_group * simd::kGroupBytes + row * kRowBytes;
    const std::size_t count = dims - start < per_group ? dims - start : per_group;
    for (std::size_t x = 0; x < count; x++)
      codes[start + x] = static_cast<std::uint8_t>((std::uint32_t{in[x % kRowBytes]} >> (x / kRowBytes * bits)) & mask);
  }
}

QuantizedQuery quantize_query(const float* query, std::size_t dims, std::size_t padded, std::int8_t* q8) noexcept {
  const float max = simd::kernels().max_abs(query, dims);
  const float step = max / kQueryLevels;
  if (!(step > kTinyStep) || !std::isfinite(max)) {
    std::memset(q8, 0, padded);
    return {0.0F, 0};
  }
  const float inverse = 1.0F / step;
  std::int32_t sum = 0;
  for (std::size_t i = 0; i < dims; i++) {
    const float scaled = query[i] * inverse;
    int level = static_cast<int>(scaled + std::copysign(0.5F, scaled));
    level = level > 127 ? 127 : level < -127 ? -127 : level;
    q8[i] = static_cast<std::int8_t>(level);
    sum += level;
  }
  std::memset(q8 + dims, 0, padded - dims);
  return {step, sum};
}

}  // namespace longbow::quant
