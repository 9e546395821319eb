// Bit strings. A row is kept as it is, in cells of four bytes that hold 32 bits each, and its distances follow from counts of
// bits: the code is the row, and its estimates are exact.
//
// Where rows meet centroids they are floats, one a bit: `value` where the bit is set, else 0. With the value 1 the square of
// L2 is the Hamming distance; with 1 / sqrt(bits set) rows have unit length, and nearness by cosine stands for that by Jaccard.
// A centroid is its rows' mean, the share of them that has each bit: the majority alone would be nothing where rows have few
// bits set.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

namespace longbow::quant {

inline constexpr std::size_t kCellBits = 32, kCellBytes = 4;
constexpr std::size_t bit_cells(std::size_t bits) noexcept { return (bits + kCellBits - 1) / kCellBits; }

// What a set bit is worth in a row of unit length.
inline float unit_value(float set) noexcept { return set > 0 ? 1.0F / std::sqrt(set) : 0.0F; }
// Bits set in a row's cells.
std::size_t count_bits(const std::uint8_t* cells, std::size_t bits) noexcept;
// Cells to floats and back; the first bit is the highest of the first byte. gather_bits() sets a bit where x > 0 and clears
// what fills the last cell.
void spread_bits(const std::uint8_t* cells, std::size_t bits, float value, float* x) noexcept;
void gather_bits(const float* x, std::size_t bits, std::uint8_t* cells) noexcept;

// Writes one row's cells [first, first + count) into their groups of a block of 16 rows (simd/kernels.hpp), whose
// `block` points at the first one's own 64 bytes; get_cells() reads them back.
void put_cells(std::uint8_t* block, unsigned row, const std::uint8_t* cells, std::size_t first, std::size_t count) noexcept;
void get_cells(const std::uint8_t* block, unsigned row, std::size_t first, std::size_t count, std::uint8_t* cells) noexcept;

// Distances as the operators compute them, of a row and a query by the bits that are set in each and in both.
constexpr double hamming_of(std::uint32_t row, std::uint32_t query, std::uint32_t both) noexcept {
  return static_cast<double>(row) + query - 2.0 * both;
}
// 1 where no bit is set in both, also for two rows without any.
constexpr double jaccard_of(std::uint32_t row, std::uint32_t query, std::uint32_t both) noexcept {
  return both == 0 ? 1 : 1 - static_cast<double>(both) / static_cast<double>(std::uint64_t{row} + query - both);
}

// A leaf's centroid in a byte a share and one scale: it says where rows may go, and bounds nothing.
constexpr std::size_t share_bytes(std::size_t bits) noexcept { return sizeof(float) + (bits + 3) / 4 * 4; }
void pack_shares(const float* centroid, std::size_t bits, std::uint8_t* out) noexcept;
void unpack_shares(const std::uint8_t* in, std::size_t bits, float* centroid) noexcept;

}  // namespace longbow::quant
