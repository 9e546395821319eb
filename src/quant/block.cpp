// Codes in and out of the transposed blocks of simd/kernels.hpp, and the query as integers.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "longbow/quant/code.hpp"
#include "longbow/simd/kernels.hpp"

namespace longbow::quant {
namespace {

constexpr std::size_t kRowBytes = 4;  // of one row in one group
constexpr float kQueryLevels = 127.0F;
constexpr float kTinyStep = 1e-36F;  // below it 1 / step is no longer a finite float

// The four bytes of one row in one group: those of codes side by side are shifted at once, each within its byte.
std::uint32_t join_lanes(const std::uint8_t* codes, unsigned bits) noexcept {
  std::uint32_t lanes = 0;
  for (unsigned shift = 0; shift < 8; shift += bits, codes += kRowBytes) {
    std::uint32_t four;
    std::memcpy(&four, codes, sizeof four);
    lanes |= four << shift;
  }
  return lanes;
}

// Writes a row's part of the groups [first, first + count), each `stride` bytes after the one before.
void put_groups(const std::uint8_t* codes, unsigned bits, std::size_t dims, std::size_t first, std::size_t count, std::uint8_t* out,
                std::size_t stride) noexcept {
  const std::size_t per_group = 32 / bits, whole = dims / per_group;
  for (std::size_t group = first; group < first + count; ++group, out += stride) {
    std::uint32_t lanes = 0;
    if (group < whole) {
      lanes = join_lanes(codes + group * per_group, bits);
    } else if (group * per_group < dims) {
      std::uint8_t last[32] = {};
      std::memcpy(last, codes + group * per_group, dims - group * per_group);
      lanes = join_lanes(last, bits);
    }
    std::memcpy(out, &lanes, sizeof lanes);
  }
}

}  // namespace

void put_row(std::uint8_t* block, unsigned row, unsigned bits, const std::uint8_t* codes, std::size_t dims,
             std::size_t first_group, std::size_t group_count) noexcept {
  put_groups(codes, bits, dims, first_group, group_count, block + row * kRowBytes, simd::kGroupBytes);
}

void to_cells(const std::uint8_t* codes, unsigned bits, std::size_t dims, std::uint8_t* cells) noexcept {
  put_groups(codes, bits, dims, 0, groups(dims, bits), cells, kRowBytes);
}

void get_row(const std::uint8_t* block, unsigned row, unsigned bits, std::size_t dims, std::uint8_t* codes) noexcept {
  const std::size_t per_group = 32 / bits;
  const std::uint32_t mask = ((1U << bits) - 1) * 0x01010101U;
  for (std::size_t start = 0; start < dims; start += per_group) {
    std::uint32_t lanes;
    std::memcpy(&lanes, block + start / per_group * simd::kGroupBytes + row * kRowBytes, sizeof lanes);
    for (std::size_t x = start; x < std::min(dims, start + per_group); x += kRowBytes, lanes >>= bits) {
      const std::uint32_t four = lanes & mask;
      std::memcpy(codes + x, &four, std::min(dims - x, kRowBytes));
    }
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
