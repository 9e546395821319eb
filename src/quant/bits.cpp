// Bit strings as floats and in blocks; centroids in a byte a share.
#include "longbow/quant/bits.hpp"

#include <algorithm>
#include <cstring>

#include "longbow/simd/kernels.hpp"

namespace longbow::quant {
namespace {

constexpr std::size_t kByteBits = 8;
constexpr float kShareLevels = 255.0F;

}  // namespace

std::size_t count_bits(const std::uint8_t* cells, std::size_t bits) noexcept {
  return simd::kernels().jaccard(cells, cells, bit_cells(bits) * kCellBytes).both;
}

void spread_bits(const std::uint8_t* cells, std::size_t bits, float value, float* x) noexcept {
  std::uint32_t word;
  std::memcpy(&word, &value, sizeof word);
  const std::size_t whole = bits / kByteBits;
  for (std::size_t i = 0; i < whole; ++i) {
    std::uint32_t eight[kByteBits];
    const std::uint32_t byte = cells[i];
#pragma GCC unroll 8
    for (std::uint32_t j = 0; j < kByteBits; ++j) eight[j] = (0U - (byte >> (7 - j) & 1U)) & word;
    std::memcpy(x + i * kByteBits, eight, sizeof eight);
  }
  for (std::size_t i = whole * kByteBits; i < bits; ++i)
    x[i] = (cells[i / kByteBits] >> (7 - i % kByteBits) & 1) != 0 ? value : 0.0F;
}

void gather_bits(const float* x, std::size_t bits, std::uint8_t* cells) noexcept {
  const std::size_t whole = bits / kByteBits;
  for (std::size_t i = 0; i < whole; ++i) {
    unsigned byte = 0;
#pragma GCC unroll 8
    for (unsigned j = 0; j < kByteBits; ++j) byte |= static_cast<unsigned>(x[i * kByteBits + j] > 0.0F) << (7 - j);
    cells[i] = static_cast<std::uint8_t>(byte);
  }
  std::memset(cells + whole, 0, bit_cells(bits) * kCellBytes - whole);
  for (std::size_t i = whole * kByteBits; i < bits; ++i)
    if (x[i] > 0.0F) cells[whole] = static_cast<std::uint8_t>(cells[whole] | 0x80U >> i % kByteBits);
}

void put_cells(std::uint8_t* block, unsigned row, const std::uint8_t* cells, std::size_t first, std::size_t count) noexcept {
  for (std::size_t g = 0; g < count; ++g)
    std::memcpy(block + g * simd::kGroupBytes + row * kCellBytes, cells + (first + g) * kCellBytes, kCellBytes);
}

void get_cells(const std::uint8_t* block, unsigned row, std::size_t first, std::size_t count, std::uint8_t* cells) noexcept {
  for (std::size_t g = 0; g < count; ++g)
    std::memcpy(cells + (first + g) * kCellBytes, block + g * simd::kGroupBytes + row * kCellBytes, kCellBytes);
}

void pack_shares(const float* centroid, std::size_t bits, std::uint8_t* out) noexcept {
  float most = simd::kernels().max_abs(centroid, bits);
  if (!(most <= 1.0F)) most = 1.0F;
  const float step = most / kShareLevels;
  const float inverse = step > 0 ? 1.0F / step : 0.0F;
  std::memset(out, 0, share_bytes(bits));
  std::memcpy(out, &step, sizeof step);
  out += sizeof step;
  // Means of shares are not below 0 but by rounding.
  for (std::size_t i = 0; i < bits; ++i) out[i] = static_cast<std::uint8_t>(std::clamp(centroid[i] * inverse + 0.5F, 0.0F, kShareLevels));
}

void unpack_shares(const std::uint8_t* in, std::size_t bits, float* centroid) noexcept {
  float step;
  std::memcpy(&step, in, sizeof step);
  in += sizeof step;
  for (std::size_t i = 0; i < bits; ++i) centroid[i] = step * static_cast<float>(in[i]);
}

}  // namespace longbow::quant
