// The one table of kernel function pointers.
//
// Every tier computes the same functions; the scalar tier is the reference. Float sums use at least sixteen
// independent partial sums in every tier, so that their rounding error stays below
// (n / 16 + 16) * 2^-24 * sum |terms|. Only dot_packed and nearest_packed add in dimension order, one sum a column:
// (n + 1) * 2^-24 * sum |terms|. Integer kernels are exact and agree bit for bit between tiers, hadamard does too.
// No kernel allocates, throws or needs alignment beyond that of its element type; n may be 0.
//
// Blocks. A block holds the codes of 16 rows, transposed: group g is 64 bytes, four for each row, at
// codes[g * 64 + row * 4 + lane]. With b bits a dimension a byte holds 8 / b dimensions and a group
// 4 * (8 / b) of them: dimension x is in group x / (32 / b), lane x % 4, bits (x % (32 / b)) / 4 * b upwards.
// The integer query is int8 in dimension order, padded with zeros to a multiple of 32 / b.
#pragma once

#include <cstddef>
#include <cstdint>

#include "longbow/base/half.hpp"

namespace longbow::simd {

using base::Half;

enum class Tier : std::uint8_t { scalar = 0, sse42 = 1, avx2 = 2, avx512 = 3 };
inline constexpr int kTierCount = 4;
inline constexpr std::size_t kBlockRows = 16;
inline constexpr std::size_t kGroupBytes = 64;

struct CosineSums {
  float dot, a_squared, b_squared;
};

struct BitSums {
  std::uint64_t both;    // bits set in a and b
  std::uint64_t either;  // bits set in a or b
};

struct GridSums {
  float dot;      // <v, r>
  float squared;  // <v, v>
};

// What block_score brings from the query and the node: see there.
struct BlockScale {
  float base, step, offset;
};

// Blocks that are scored in one call. From a block to the next one codes, add and scale lie their strides (in bytes) further.
struct BlockRun {
  const std::uint8_t* codes;
  const float *add, *scale;
  std::size_t code_stride, add_stride, scale_stride;
  std::size_t blocks, groups;
  const std::int8_t* query;
  BlockScale by;
  // How far from here lies what is scored next, laid out alike: it is brought nearer, block by block. 0: nowhere.
  std::ptrdiff_t ahead = 0;
};

struct Nearest {
  std::uint32_t index;  // column with the smallest value
  float value;          // that value
};

// Integer sums of one block: acc[row] += sum over dimensions of code * query, dimensions 0 .. groups * 32 / bits.
using BlockDot = void (*)(const std::uint8_t* codes, std::size_t groups, const std::int8_t* query,
                          std::int32_t* acc) noexcept;
// acc[row] += sum over dimensions 0 .. dims of |t[x] - scale[row] * (code[row][x] - half)|, half = (2^bits - 1) / 2.
using BlockL1 = void (*)(const std::uint8_t* codes, std::size_t dims, const float* t, const float* scale,
                         float* acc) noexcept;

// block_dot from zero and block_score of each block of a run: its estimates to estimate[16 * block], what is below to below[block].
using BlockScan = void (*)(const BlockRun& run, float threshold, float* estimate, std::uint32_t* below) noexcept;

struct Kernels {
  // -- distances between float vectors; overflow gives infinity, NaN stays NaN
  float (*l2_squared)(const float* a, const float* b, std::size_t n) noexcept;
  float (*inner_product)(const float* a, const float* b, std::size_t n) noexcept;
  float (*l1)(const float* a, const float* b, std::size_t n) noexcept;
  CosineSums (*cosine)(const float* a, const float* b, std::size_t n) noexcept;

  // -- block scan, one function a code width (block_scan too): [0] 1 bit, [1] 2 bits, [2] 4 bits, [3] 8 bits
  BlockDot block_dot[4];
  BlockL1 block_l1[4];
  // Estimates of a block's rows: estimate[i] = base + add[i] + scale[i] * (step * (acc[i] + offset)); bit i of the
  // result is set where estimate[i] < threshold.
  std::uint32_t (*block_score)(const std::int32_t* acc, const float* add, const float* scale, const BlockScale& by,
                               float threshold, float* estimate) noexcept;
  BlockScan block_scan[4];

  // Numbers of the keys up to a bar, ascending; returns how many. `out` has room for n + 16.
  std::size_t (*select_upto)(const float* keys, std::size_t n, float bar, std::uint32_t* out) noexcept;
  // The same where a[i] + b[i] >= bar.
  std::size_t (*select_sums)(const float* a, const float* b, std::size_t n, float bar, std::uint32_t* out) noexcept;

  // -- refine: one row of unsigned 8-bit codes u against a float query; v = u - 127.5
  float (*refine_l2)(const std::uint8_t* u, const float* t, float scale, std::size_t n) noexcept;  // sum (t-scale*v)^2
  float (*refine_ip)(const std::uint8_t* u, const float* t, std::size_t n) noexcept;               // sum t*v
  float (*refine_l1)(const std::uint8_t* u, const float* t, float scale, std::size_t n) noexcept;  // sum |t-scale*v|

  // -- encoding: v = clamp(floor(r * inverse_step) + 0.5, -half, half); the code is v + half
  float (*max_abs)(const float* r, std::size_t n) noexcept;
  GridSums (*grid_sums)(const float* r, std::size_t n, float inverse_step, float half) noexcept;
  void (*grid_codes)(const float* r, std::size_t n, float inverse_step, float half, std::uint8_t* codes) noexcept;

  // -- vectors: out may alias a
  void (*subtract)(const float* a, const float* b, float* out, std::size_t n) noexcept;
  void (*multiply)(const float* a, const float* b, float* out, std::size_t n) noexcept;  // elementwise
  void (*add_to)(const float* a, float* sum, std::size_t n) noexcept;                    // sum += a
  void (*scale)(float* a, float factor, std::size_t n) noexcept;                         // a *= factor
  void (*butterfly)(float* a, float* b, float factor, std::size_t n) noexcept;  // a,b = factor*(a+b), factor*(a-b)
  void (*hadamard)(float* a, std::size_t n) noexcept;  // unscaled fast Walsh-Hadamard transform in place, n = 2^k

  // -- a batch of vectors against packed columns (pack_columns below)
  // out[i * stride + j] = <x_i, c_j>; x is rows x dims, row-major with dims as its stride
  void (*dot_packed)(const float* x, std::size_t rows, const float* packed, std::size_t columns, std::size_t dims,
                     float* out, std::size_t stride) noexcept;
  // nearest[i] = column with the smallest offset[j] - 2 * <x_i, c_j> (lowest j on a tie); with offset = |c_j|^2
  // that is the nearest centroid in L2
  void (*nearest_packed)(const float* x, std::size_t rows, const float* packed, const float* offset,
                         std::size_t columns, std::size_t dims, Nearest* nearest) noexcept;

  // -- distances between vectors of halves, whose elements are taken as floats
  float (*l2_squared_f16)(const Half* a, const Half* b, std::size_t n) noexcept;
  float (*inner_product_f16)(const Half* a, const Half* b, std::size_t n) noexcept;
  float (*l1_f16)(const Half* a, const Half* b, std::size_t n) noexcept;
  CosineSums (*cosine_f16)(const Half* a, const Half* b, std::size_t n) noexcept;

  // -- conversions, as base::to_float and base::to_half; the fraction of a NaN may differ between tiers
  void (*from_f16)(const Half* a, float* out, std::size_t n) noexcept;
  void (*to_f16)(const float* a, Half* out, std::size_t n) noexcept;

  // -- bits, in whole bytes
  std::uint64_t (*hamming)(const std::uint8_t* a, const std::uint8_t* b, std::size_t bytes) noexcept;
  BitSums (*jaccard)(const std::uint8_t* a, const std::uint8_t* b, std::size_t bytes) noexcept;
  // A block of 16 rows, four bytes of each a group: acc[row] += bits set both in the row and in the query, whose four bytes
  // of group g are at query + 4 g.
  void (*block_both)(const std::uint8_t* codes, std::size_t groups, const std::uint8_t* query, std::int32_t* acc) noexcept;
};

inline constexpr std::size_t kPanelColumns = 32;
// Floats that packed columns take: whole panels of 32 columns, dimension-major inside a panel, zero-filled.
constexpr std::size_t packed_floats(std::size_t columns, std::size_t dims) noexcept {
  return (columns + kPanelColumns - 1) / kPanelColumns * kPanelColumns * dims;
}
void pack_columns(const float* columns_by_row, std::size_t columns, std::size_t dims, float* packed) noexcept;

// Index into block_dot, block_l1 and block_scan of a code width of 1, 2, 4 or 8 bits.
constexpr int width_index(unsigned bits) noexcept { return bits == 1 ? 0 : bits == 2 ? 1 : bits == 4 ? 2 : 3; }

// The table of the tier in force. The first use probes the CPU; set_tier_limit() lowers the tier.
const Kernels& kernels() noexcept;
const Kernels& kernels_of(Tier tier) noexcept;  // for tests and views; the CPU must support the tier
Tier detected_tier() noexcept;                  // the best tier that CPU and operating system allow
Tier active_tier() noexcept;
void set_tier_limit(Tier limit) noexcept;   // the tier in force becomes min(limit, detected)
const char* tier_name(Tier tier) noexcept;  // "scalar", "sse4.2", "avx2", "avx512"
// Feature names found, separated by spaces, e.g. "sse4.2 avx2 fma f16c avx512f avx512vnni"; written to buffer.
void detected_features(char* buffer, std::size_t size) noexcept;

// One row a kernel, for the view: its name and the instruction set of the function in force.
struct KernelChoice {
  const char* kernel;
  const char* implementation;  // e.g. "avx512", "avx512+vnni", "avx512+vpopcntdq", "avx2", "sse4.2", "scalar"
};
std::size_t kernel_choices(const KernelChoice** rows) noexcept;

}  // namespace longbow::simd
