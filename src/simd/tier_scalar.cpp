// The scalar tier: plain loops, the reference for every other tier, and what runs on a CPU without SSE 4.2. Sums keep
// sixteen partial sums like the others, which also lets the compiler use whatever vectors the baseline has.
#include <cmath>
#include <limits>

#include "simd/tiers.hpp"

namespace longbow::simd {
namespace {

constexpr std::size_t kPartials = 16;

// Adds the partial sums pairwise.
float total(const float* sums) noexcept {
  float left[8], half[4];
  for (int i = 0; i < 8; ++i) left[i] = sums[i] + sums[i + 8];
  for (int i = 0; i < 4; ++i) half[i] = left[i] + left[i + 4];
  return (half[0] + half[2]) + (half[1] + half[3]);
}

// Sums term(i) over 0 <= i < n in sixteen partial sums.
template <class Term>
inline float sum_of(std::size_t n, Term term) noexcept {
  float sums[kPartials] = {};
  std::size_t i = 0;
  for (; i + kPartials <= n; i += kPartials)
    for (std::size_t j = 0; j < kPartials; ++j) sums[j] += term(i + j);
  for (std::size_t j = 0; i + j < n; ++j) sums[j] += term(i + j);
  return total(sums);
}

float l2_squared(const float* a, const float* b, std::size_t n) noexcept {
  return sum_of(n, [=](std::size_t i) {
    const float d = a[i] - b[i];
    return d * d;
  });
}

float inner_product(const float* a, const float* b, std::size_t n) noexcept {
  return sum_of(n, [=](std::size_t i) { return a[i] * b[i]; });
}

float l1(const float* a, const float* b, std::size_t n) noexcept {
  return sum_of(n, [=](std::size_t i) { return std::fabs(a[i] - b[i]); });
}

CosineSums cosine(const float* a, const float* b, std::size_t n) noexcept {
  return {inner_product(a, b, n), inner_product(a, a, n), inner_product(b, b, n)};
}

template <unsigned Bits>
void block_dot(const std::uint8_t* codes, std::size_t groups, const std::int8_t* query, std::int32_t* acc) noexcept {
  constexpr unsigned kMask = (1u << Bits) - 1;
  for (std::size_t group = 0; group < groups; ++group, codes += kGroupBytes, query += 32 / Bits)
    for (std::size_t row = 0; row < kBlockRows; ++row)
      for (unsigned plane = 0; plane < 8 / Bits; ++plane)
        for (unsigned lane = 0; lane < 4; ++lane)
          acc[row] += static_cast<int>(codes[row * 4 + lane] >> plane * Bits & kMask) * query[plane * 4 + lane];
}

template <unsigned Bits>
void block_l1(const std::uint8_t* codes, std::size_t dims, const float* t, const float* scale, float* acc) noexcept {
  constexpr unsigned kMask = (1u << Bits) - 1, kGroupDims = 32 / Bits;
  constexpr float kHalf = static_cast<float>(kMask) / 2;
  for (std::size_t row = 0; row < kBlockRows; ++row) {
    const float step = scale[row];
    acc[row] += sum_of(dims, [=](std::size_t x) {
      const std::uint8_t byte = codes[x / kGroupDims * kGroupBytes + row * 4 + x % 4];
      const unsigned code = byte >> x % kGroupDims / 4 * Bits & kMask;
      return std::fabs(t[x] - step * (static_cast<float>(code) - kHalf));
    });
  }
}

float refine_l2(const std::uint8_t* u, const float* t, float scale, std::size_t n) noexcept {
  return sum_of(n, [=](std::size_t i) {
    const float d = t[i] - scale * (static_cast<float>(u[i]) - 127.5f);
    return d * d;
  });
}

float refine_ip(const std::uint8_t* u, const float* t, std::size_t n) noexcept {
  return sum_of(n, [=](std::size_t i) { return t[i] * (static_cast<float>(u[i]) - 127.5f); });
}

float refine_l1(const std::uint8_t* u, const float* t, float scale, std::size_t n) noexcept {
  return sum_of(n, [=](std::size_t i) { return std::fabs(t[i] - scale * (static_cast<float>(u[i]) - 127.5f)); });
}

// A NaN is passed over, as in every tier.
float max_abs(const float* r, std::size_t n) noexcept {
  float largest[kPartials] = {};
  std::size_t i = 0;
  const auto raise = [r](float& to, std::size_t at) {
    const float x = std::fabs(r[at]);
    to = x > to ? x : to;
  };
  for (; i + kPartials <= n; i += kPartials)
    for (std::size_t j = 0; j < kPartials; ++j) raise(largest[j], i + j);
  for (; i < n; ++i) raise(largest[0], i);
  float result = 0;
  for (const float x : largest) result = x > result ? x : result;
  return result;
}

// The grid point of x = r * inverse_step. Clamping first keeps the int conversion in range and changes no result, as it
// leaves a whole step on either side; it sends a NaN to -half. Truncation stands for floor, a call without SSE 4.1.
inline float grid_point(float x, float half) noexcept {
  const float least = -half - 1, most = half + 1;
  x = x > least ? x : least;
  x = x < most ? x : most;
  const float whole = static_cast<float>(static_cast<int>(x));
  const float v = (whole > x ? whole - 1 : whole) + 0.5f;
  const float raised = v > -half ? v : -half;
  return raised < half ? raised : half;
}

GridSums grid_sums(const float* r, std::size_t n, float inverse_step, float half) noexcept {
  return {sum_of(n, [=](std::size_t i) { return grid_point(r[i] * inverse_step, half) * r[i]; }),
          sum_of(n, [=](std::size_t i) {
            const float v = grid_point(r[i] * inverse_step, half);
            return v * v;
          })};
}

void grid_codes(const float* r, std::size_t n, float inverse_step, float half, std::uint8_t* codes) noexcept {
  for (std::size_t i = 0; i < n; ++i)
    codes[i] = static_cast<std::uint8_t>(static_cast<int>(grid_point(r[i] * inverse_step, half) + half));
}

void subtract(const float* a, const float* b, float* out, std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; ++i) out[i] = a[i] - b[i];
}

void multiply(const float* a, const float* b, float* out, std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; ++i) out[i] = a[i] * b[i];
}

void add_to(const float* a, float* sum, std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; ++i) sum[i] += a[i];
}

void scale(float* a, float factor, std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; ++i) a[i] *= factor;
}

void butterfly(float* a, float* b, float factor, std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; ++i) {
    const float sum = a[i] + b[i], difference = a[i] - b[i];
    a[i] = factor * sum;
    b[i] = factor * difference;
  }
}

void hadamard(float* a, std::size_t n) noexcept {
  for (std::size_t h = 1; h < n; h *= 2)
    for (std::size_t i = 0; i < n; i += 2 * h)
      for (std::size_t j = i; j < i + h; ++j) {
        const float sum = a[j] + a[j + h], difference = a[j] - a[j + h];
        a[j] = sum;
        a[j + h] = difference;
      }
}

// dots[j] = <x, column j of the panel>.
inline void panel_dots(const float* x, const float* panel, std::size_t dims, float* dots) noexcept {
  for (std::size_t j = 0; j < kPanelColumns; ++j) dots[j] = 0;
  for (std::size_t k = 0; k < dims; ++k)
    for (std::size_t j = 0; j < kPanelColumns; ++j) dots[j] += x[k] * panel[k * kPanelColumns + j];
}

void dot_packed(const float* x, std::size_t rows, const float* packed, std::size_t columns, std::size_t dims,
                float* out, std::size_t stride) noexcept {
  for (std::size_t first = 0; first < columns; first += kPanelColumns, packed += kPanelColumns * dims) {
    const std::size_t width = columns - first < kPanelColumns ? columns - first : kPanelColumns;
    for (std::size_t i = 0; i < rows; ++i) {
      float dots[kPanelColumns];
      panel_dots(x + i * dims, packed, dims, dots);
      for (std::size_t j = 0; j < width; ++j) out[i * stride + first + j] = dots[j];
    }
  }
}

void nearest_packed(const float* x, std::size_t rows, const float* packed, const float* offset, std::size_t columns,
                    std::size_t dims, Nearest* nearest) noexcept {
  for (std::size_t i = 0; i < rows; ++i) nearest[i] = {0, std::numeric_limits<float>::infinity()};
  for (std::size_t first = 0; first < columns; first += kPanelColumns, packed += kPanelColumns * dims) {
    const std::size_t width = columns - first < kPanelColumns ? columns - first : kPanelColumns;
    for (std::size_t i = 0; i < rows; ++i) {
      float dots[kPanelColumns];
      panel_dots(x + i * dims, packed, dims, dots);
      for (std::size_t j = 0; j < width; ++j) {
        const float value = offset[first + j] - 2 * dots[j];
        if (value < nearest[i].value) nearest[i] = {static_cast<std::uint32_t>(first + j), value};
      }
    }
  }
}

std::uint32_t block_score(const std::int32_t* acc, const float* add, const float* scale, const BlockScale& by,
                          float threshold, float* estimate) noexcept {
  std::uint32_t mask = 0;
  for (std::size_t i = 0; i < kBlockRows; ++i) {
    estimate[i] = (by.base + add[i]) + scale[i] * (by.step * (static_cast<float>(acc[i]) + by.offset));
    mask |= static_cast<std::uint32_t>(estimate[i] < threshold) << i;
  }
  return mask;
}

const float* further(const float* at, std::size_t bytes) noexcept {
  return reinterpret_cast<const float*>(reinterpret_cast<const char*>(at) + bytes);
}

template <unsigned Bits>
void block_scan(const BlockRun& run, float threshold, float* estimate, std::uint32_t* below) noexcept {
  for (std::size_t b = 0; b < run.blocks; ++b) {
    std::int32_t acc[kBlockRows] = {};
    block_dot<Bits>(run.codes + b * run.code_stride, run.groups, run.query, acc);
    below[b] = block_score(acc, further(run.add, b * run.add_stride), further(run.scale, b * run.scale_stride), run.by, threshold,
                           estimate + b * kBlockRows);
  }
}

std::size_t select_upto(const float* keys, std::size_t n, float bar, std::uint32_t* out) noexcept {
  std::size_t found = 0;
  for (std::size_t i = 0; i < n; ++i) {
    out[found] = static_cast<std::uint32_t>(i);
    found += keys[i] <= bar ? 1 : 0;
  }
  return found;
}

std::size_t select_sums(const float* a, const float* b, std::size_t n, float bar, std::uint32_t* out) noexcept {
  std::size_t found = 0;
  for (std::size_t i = 0; i < n; ++i) {
    out[found] = static_cast<std::uint32_t>(i);
    found += a[i] + b[i] >= bar ? 1 : 0;
  }
  return found;
}

float l2_squared_f16(const Half* a, const Half* b, std::size_t n) noexcept {
  return sum_of(n, [=](std::size_t i) {
    const float d = base::to_float(a[i]) - base::to_float(b[i]);
    return d * d;
  });
}

float inner_product_f16(const Half* a, const Half* b, std::size_t n) noexcept {
  return sum_of(n, [=](std::size_t i) { return base::to_float(a[i]) * base::to_float(b[i]); });
}

float l1_f16(const Half* a, const Half* b, std::size_t n) noexcept {
  return sum_of(n, [=](std::size_t i) { return std::fabs(base::to_float(a[i]) - base::to_float(b[i])); });
}

CosineSums cosine_f16(const Half* a, const Half* b, std::size_t n) noexcept {
  return {inner_product_f16(a, b, n), inner_product_f16(a, a, n), inner_product_f16(b, b, n)};
}

void from_f16(const Half* a, float* out, std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; ++i) out[i] = base::to_float(a[i]);
}

void to_f16(const float* a, Half* out, std::size_t n) noexcept {
  for (std::size_t i = 0; i < n; ++i) out[i] = base::to_half(a[i]);
}

// Bits set in a word, counted in fields of 2, 4 and 8 bits (Warren, Hacker's Delight, 5-1): popcnt came with SSE 4.2.
std::uint64_t count_bits(std::uint64_t x) noexcept {
  x -= x >> 1 & 0x5555555555555555u;
  x = (x & 0x3333333333333333u) + (x >> 2 & 0x3333333333333333u);
  x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fu;
  return x * 0x0101010101010101u >> 56;
}

// Gives take() the bytes in words of eight, the last one filled with zeros.
template <class Take>
inline void for_each_word(const std::uint8_t* a, const std::uint8_t* b, std::size_t bytes, Take take) noexcept {
  std::uint64_t x, y;
  for (; bytes >= sizeof x; bytes -= sizeof x, a += sizeof x, b += sizeof x) {
    __builtin_memcpy(&x, a, sizeof x);
    __builtin_memcpy(&y, b, sizeof y);
    take(x, y);
  }
  x = y = 0;
  __builtin_memcpy(&x, a, bytes);
  __builtin_memcpy(&y, b, bytes);
  take(x, y);
}

std::uint64_t hamming(const std::uint8_t* a, const std::uint8_t* b, std::size_t bytes) noexcept {
  std::uint64_t sum = 0;
  for_each_word(a, b, bytes, [&sum](std::uint64_t x, std::uint64_t y) { sum += count_bits(x ^ y); });
  return sum;
}

BitSums jaccard(const std::uint8_t* a, const std::uint8_t* b, std::size_t bytes) noexcept {
  BitSums sums{0, 0};
  for_each_word(a, b, bytes, [&sums](std::uint64_t x, std::uint64_t y) {
    sums.both += count_bits(x & y);
    sums.either += count_bits(x | y);
  });
  return sums;
}

void block_both(const std::uint8_t* codes, std::size_t groups, const std::uint8_t* query, std::int32_t* acc) noexcept {
  for (std::size_t group = 0; group < groups; ++group, codes += kGroupBytes, query += 4) {
    std::uint32_t word;
    __builtin_memcpy(&word, query, sizeof word);
    for (std::size_t row = 0; row < kBlockRows; ++row) {
      std::uint32_t bits;
      __builtin_memcpy(&bits, codes + row * 4, sizeof bits);
      acc[row] += static_cast<std::int32_t>(count_bits(bits & word));
    }
  }
}

}  // namespace

constinit const Kernels kScalarKernels = {
    .l2_squared = l2_squared,
    .inner_product = inner_product,
    .l1 = l1,
    .cosine = cosine,
    .block_dot = {block_dot<1>, block_dot<2>, block_dot<4>, block_dot<8>},
    .block_l1 = {block_l1<1>, block_l1<2>, block_l1<4>, block_l1<8>},
    .block_score = block_score,
    .block_scan = {block_scan<1>, block_scan<2>, block_scan<4>, block_scan<8>},
    .select_upto = select_upto,
    .select_sums = select_sums,
    .refine_l2 = refine_l2,
    .refine_ip = refine_ip,
    .refine_l1 = refine_l1,
    .max_abs = max_abs,
    .grid_sums = grid_sums,
    .grid_codes = grid_codes,
    .subtract = subtract,
    .multiply = multiply,
    .add_to = add_to,
    .scale = scale,
    .butterfly = butterfly,
    .hadamard = hadamard,
    .dot_packed = dot_packed,
    .nearest_packed = nearest_packed,
    .l2_squared_f16 = l2_squared_f16,
    .inner_product_f16 = inner_product_f16,
    .l1_f16 = l1_f16,
    .cosine_f16 = cosine_f16,
    .from_f16 = from_f16,
    .to_f16 = to_f16,
    .hamming = hamming,
    .jaccard = jaccard,
    .block_both = block_both,
};

}  // namespace longbow::simd
