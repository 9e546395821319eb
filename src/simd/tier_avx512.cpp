// The AVX-512 tier (Skylake-X, Zen 4 and later): 16 lanes, parts of vectors by mask, and block_dot and block_scan a second
// time with VNNI's dpbusd, the bit kernels with VPOPCNTDQ. The intrinsics in their maskz form are those whose plain form makes
// GCC 12 warn about the undefined vector inside.
#include "simd/tiers.hpp"

#if defined(__x86_64__)
#include <immintrin.h>

#define LB_TARGET "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,f16c"
#define LB_OP [[gnu::always_inline, gnu::target(LB_TARGET)]] inline

namespace longbow::simd {
namespace {

using F = __m512;
using I = __m512i;
constexpr std::size_t kLanes = 16;
constexpr int kTableSize = 16;  // of lookup()
constexpr int kTileRows = 12;   // 24 sums, two vectors of columns and one of x: 27 of 32 registers
constexpr __mmask16 kAll = 0xffff;

LB_OP __mmask16 first_lanes(std::size_t n) { return static_cast<__mmask16>((1u << n) - 1); }

// The four bytes at p, which need no alignment.
LB_OP std::int32_t word_at(const void* p) {
  std::int32_t word;
  __builtin_memcpy(&word, p, sizeof word);
  return word;
}

LB_OP F zero() { return _mm512_setzero_ps(); }
LB_OP F set(float x) { return _mm512_set1_ps(x); }
LB_OP F load(const float* p) { return _mm512_loadu_ps(p); }
LB_OP F load_part(const float* p, std::size_t n) { return _mm512_maskz_loadu_ps(first_lanes(n), p); }
LB_OP void store(float* p, F v) { _mm512_storeu_ps(p, v); }
LB_OP void store_part(float* p, F v, std::size_t n) { _mm512_mask_storeu_ps(p, first_lanes(n), v); }
LB_OP F keep(F v, std::size_t n) { return _mm512_maskz_mov_ps(first_lanes(n), v); }
LB_OP F add(F a, F b) { return _mm512_add_ps(a, b); }
LB_OP F sub(F a, F b) { return _mm512_sub_ps(a, b); }
LB_OP F mul(F a, F b) { return _mm512_mul_ps(a, b); }
LB_OP F fma(F a, F b, F c) { return _mm512_fmadd_ps(a, b, c); }
LB_OP F fnma(F a, F b, F c) { return _mm512_fnmadd_ps(a, b, c); }
LB_OP F min(F a, F b) { return _mm512_maskz_min_ps(kAll, a, b); }
LB_OP F max(F a, F b) { return _mm512_maskz_max_ps(kAll, a, b); }
LB_OP F absolute(F v) {
  return _mm512_castsi512_ps(_mm512_and_si512(_mm512_castps_si512(v), _mm512_set1_epi32(0x7fffffff)));
}
LB_OP F floor(F v) { return _mm512_maskz_roundscale_ps(kAll, v, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC); }

LB_OP __m256 lower(F v) { return _mm512_maskz_extractf32x8_ps(0xff, v, 0); }
LB_OP __m256 upper(F v) { return _mm512_maskz_extractf32x8_ps(0xff, v, 1); }
LB_OP float sum(F v) {
  const __m256 half = _mm256_add_ps(lower(v), upper(v));
  const __m128 quarter = _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
  const __m128 two = _mm_add_ps(quarter, _mm_movehl_ps(quarter, quarter));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
LB_OP float peak(F v) {
  const __m256 half = _mm256_max_ps(lower(v), upper(v));
  const __m128 quarter = _mm_max_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1));
  const __m128 two = _mm_max_ps(quarter, _mm_movehl_ps(quarter, quarter));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

LB_OP F bytes_to_floats(__m128i bytes) {
  return _mm512_maskz_cvtepi32_ps(kAll, _mm512_maskz_cvtepu8_epi32(kAll, bytes));
}
LB_OP F load_codes(const std::uint8_t* p) {
  return bytes_to_floats(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p)));
}
LB_OP F load_codes_part(const std::uint8_t* p, std::size_t n) {
  return bytes_to_floats(_mm_maskz_loadu_epi8(first_lanes(n), p));
}
LB_OP void store_codes_part(std::uint8_t* p, F v, std::size_t n) {
  _mm512_mask_cvtepi32_storeu_epi8(p, first_lanes(n), _mm512_maskz_cvtps_epi32(kAll, v));
}
LB_OP void store_codes(std::uint8_t* p, F v) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm512_maskz_cvtepi32_epi8(kAll, _mm512_maskz_cvtps_epi32(kAll, v)));
}

// The transform's stages with strides 1, 2, 4 and 8: the partner lane plus this one, or minus it in the upper half. The
// product with 1 or -1 is exact, so the fused form rounds as the plain one.
LB_OP F lane_stage(F v, F partner, __mmask16 minus) {
  return _mm512_fmadd_ps(v, _mm512_mask_blend_ps(minus, set(1), set(-1)), partner);
}
LB_OP F lane_hadamard(F v) {
  v = lane_stage(v, _mm512_maskz_permute_ps(kAll, v, 0xb1), 0xaaaa);
  v = lane_stage(v, _mm512_maskz_permute_ps(kAll, v, 0x4e), 0xcccc);
  v = lane_stage(v, _mm512_maskz_shuffle_f32x4(kAll, v, v, 0xb1), 0xf0f0);
  return lane_stage(v, _mm512_maskz_shuffle_f32x4(kAll, v, v, 0x4e), 0xff00);
}

LB_OP I zero_ints() { return _mm512_setzero_si512(); }
LB_OP I set_ints(std::int32_t x) { return _mm512_set1_epi32(x); }
LB_OP I set_shorts(std::int16_t x) { return _mm512_set1_epi16(x); }
LB_OP I set_bytes(int x) { return _mm512_set1_epi8(static_cast<char>(x)); }
LB_OP I set_word(const std::int8_t* p) { return _mm512_set1_epi32(word_at(p)); }
LB_OP I load_ints(const void* p) { return _mm512_loadu_si512(p); }
LB_OP void store_ints(void* p, I v) { _mm512_storeu_si512(p, v); }
LB_OP I both(I a, I b) { return _mm512_and_si512(a, b); }
LB_OP I exclusive(I a, I b) { return _mm512_xor_si512(a, b); }
LB_OP I add16(I a, I b) { return _mm512_add_epi16(a, b); }
LB_OP I add32(I a, I b) { return _mm512_add_epi32(a, b); }
LB_OP I maddubs(I a, I b) { return _mm512_maddubs_epi16(a, b); }
LB_OP I madd(I a, I b) { return _mm512_madd_epi16(a, b); }
LB_OP I absolute_bytes(I v) { return _mm512_abs_epi8(v); }
LB_OP I add8(I a, I b) { return _mm512_add_epi8(a, b); }
LB_OP I sign_bytes(I v, I sign) { return _mm512_mask_sub_epi8(v, _mm512_movepi8_mask(sign), zero_ints(), v); }
template <int Bits>
LB_OP I shift_shorts(I v) {
  return _mm512_srli_epi16(v, Bits);
}
template <int Bits>
LB_OP I shift_ints(I v) {
  return _mm512_maskz_srli_epi32(kAll, v, Bits);
}
LB_OP F to_floats(I v) { return _mm512_maskz_cvtepi32_ps(kAll, v); }
LB_OP I lane_numbers() { return _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15); }

// table[v % 16] in each lane.
LB_OP F lookup(F table, I v) { return _mm512_maskz_permutexvar_ps(kAll, v, table); }

// A bit a lane: a < b.
LB_OP unsigned below(F a, F b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }

// Replaces best and place by value and column in the lanes where value < best.
LB_OP void take_lower(F& best, I& place, F value, I column) {
  const __mmask16 less = _mm512_cmp_ps_mask(value, best, _CMP_LT_OQ);
  best = _mm512_mask_mov_ps(best, less, value);
  place = _mm512_mask_mov_epi32(place, less, column);
}

LB_OP F load(const Half* p) {
  return _mm512_maskz_cvtph_ps(kAll, _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p)));
}
LB_OP F load_part(const Half* p, std::size_t n) {
  return _mm512_maskz_cvtph_ps(kAll, _mm256_maskz_loadu_epi16(first_lanes(n), p));
}
LB_OP void store_halves(Half* p, F v) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), _mm512_maskz_cvtps_ph(kAll, v, _MM_FROUND_TO_NEAREST_INT));
}

using B = __m512i;
constexpr std::size_t kBitBytes = 64;
constexpr bool kAlignBits = true;
LB_OP B bits_zero() { return _mm512_setzero_si512(); }
LB_OP B bits_load(const std::uint8_t* p) { return _mm512_loadu_si512(p); }
LB_OP B bits_load_part(const std::uint8_t* p, std::size_t n, std::size_t) {
  return _mm512_maskz_loadu_epi8(~__mmask64{0} >> (kBitBytes - n), p);
}
// In a register: of a vector that is used twice GCC 12 makes two loads, and most cross a line.
LB_OP B bits_held(B v) {
  __asm__("" : "+v"(v));
  return v;
}
LB_OP B bits_xor(B a, B b) { return _mm512_xor_si512(a, b); }
LB_OP B bits_and(B a, B b) { return _mm512_and_si512(a, b); }
LB_OP B bits_or(B a, B b) { return _mm512_or_si512(a, b); }
// As in the AVX2 tier, twice as wide.
LB_OP B count_bytes(B v) {
  const B table = _mm512_maskz_broadcast_i32x4(kAll, _mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
  const B nibble = _mm512_set1_epi8(0x0f);
  const B low = _mm512_shuffle_epi8(table, _mm512_and_si512(v, nibble));
  const B high = _mm512_shuffle_epi8(table, _mm512_and_si512(_mm512_srli_epi16(v, 4), nibble));
  return _mm512_add_epi8(low, high);
}
LB_OP B tally(B v) { return count_bytes(v); }
LB_OP B tally_add(B a, B b) { return _mm512_add_epi8(a, b); }
LB_OP B counts(B v) { return _mm512_sad_epu8(v, _mm512_setzero_si512()); }
LB_OP B counts_add(B a, B b) { return _mm512_add_epi64(a, b); }
LB_OP std::uint64_t counts_total(B v) {
  const __m256i half =
      _mm256_add_epi64(_mm512_maskz_extracti64x4_epi64(0xf, v, 0), _mm512_maskz_extracti64x4_epi64(0xf, v, 1));
  const __m128i two = _mm_add_epi64(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
  return static_cast<std::uint64_t>(_mm_cvtsi128_si64(two)) + static_cast<std::uint64_t>(_mm_extract_epi64(two, 1));
}

#include "simd/tier.inc"

#define LB_VNNI_TARGET LB_TARGET ",avx512vnni"

#define LB_VNNI_OP [[gnu::always_inline, gnu::target(LB_VNNI_TARGET)]] inline

// Adds one group to the sums of its planes. The planes of a byte are masked but not shifted; the first empty
// asm keeps the codes in a register, where GCC would load them anew for every mask, the second keeps each sum in its
// own, where GCC 12 would copy all of them twice a step.
template <int Bits>
LB_VNNI_OP void dot_group(I (&sums)[8 / Bits], const std::uint8_t* codes, const std::int8_t* query) {
  constexpr int kMask = (1 << Bits) - 1;
  I c = load_ints(codes);
  __asm__("" : "+v"(c));
#pragma GCC unroll 8
  for (int p = 0; p < 8 / Bits; ++p) {
    const I plane = Bits == 8 ? c : both(c, set_bytes(kMask << p * Bits));
    sums[p] = _mm512_dpbusd_epi32(sums[p], plane, set_word(query + 4 * p));
    __asm__("" : "+v"(sums[p]));
  }
}

// A block's sums by dpbusd. Plane p counts 2^(p * Bits) fold into its own sum, which is shifted back exactly at the end.
// Such a sum stays below 2^31 for 17,000 groups (240 * 4 * 127 a group in the worst plane, the upper one of 4 bits).
// Eight sums hide dpbusd's latency of five cycles, so a step takes 8 / kPlanes groups.
template <int Bits>
LB_VNNI_OP I block_sums(const std::uint8_t* codes, std::size_t groups, const std::int8_t* query) {
  constexpr int kPlanes = 8 / Bits, kGroups = 8 / kPlanes;
  constexpr std::size_t kQueryBytes = 4 * kPlanes;
  I sums[kGroups][kPlanes];
#pragma GCC unroll 8
  for (int g = 0; g < kGroups; ++g)
#pragma GCC unroll 8
    for (int p = 0; p < kPlanes; ++p) sums[g][p] = zero_ints();
  for (; groups >= kGroups; groups -= kGroups) {
#pragma GCC unroll 8
    for (int g = 0; g < kGroups; ++g, codes += kGroupBytes, query += kQueryBytes)
      dot_group<Bits>(sums[g], codes, query);
  }
#pragma GCC unroll 8
  for (std::size_t g = 0; g + 1 < kGroups; ++g, codes += kGroupBytes, query += kQueryBytes) {
    if (g == groups) break;
    dot_group<Bits>(sums[g], codes, query);
  }
  I total = zero_ints();
#pragma GCC unroll 8
  for (int p = 0; p < kPlanes; ++p) {
#pragma GCC unroll 8
    for (int g = 1; g < kGroups; ++g) sums[0][p] = add32(sums[0][p], sums[g][p]);
    total = add32(total, _mm512_maskz_srai_epi32(kAll, sums[0][p], p * Bits));
  }
  return total;
}

template <int Bits>
[[gnu::target(LB_VNNI_TARGET)]] inline void block_dot_vnni(const std::uint8_t* codes, std::size_t groups,
                                                           const std::int8_t* query, std::int32_t* acc) noexcept {
  store_ints(acc, add32(load_ints(acc), block_sums<Bits>(codes, groups, query)));
}

// block_scan with a block's sums in a register from the first group to the estimates: half the time of block_dot and
// block_score called one after the other, at 100 dimensions.
template <int Bits>
[[gnu::target(LB_VNNI_TARGET)]] inline void block_scan_vnni(const BlockRun& run, float threshold, float* estimate,
                                                            std::uint32_t* below) noexcept {
  const std::uint8_t* codes = run.codes;
  const float *add = run.add, *scale = run.scale;
  for (std::size_t b = 0; b < run.blocks; ++b, codes += run.code_stride, estimate += kBlockRows) {
    fetch_ahead(run, codes, add, scale);
    below[b] = score_lanes(block_sums<Bits>(codes, run.groups, run.query), add, scale, run.by, threshold, estimate);
    add = further(add, run.add_stride);
    scale = further(scale, run.scale_stride);
  }
}

constexpr Kernels with_vnni(Kernels table) {
  const BlockDot dots[4] = {block_dot_vnni<1>, block_dot_vnni<2>, block_dot_vnni<4>, block_dot_vnni<8>};
  const BlockScan scans[4] = {block_scan_vnni<1>, block_scan_vnni<2>, block_scan_vnni<4>, block_scan_vnni<8>};
  for (int i = 0; i < 4; ++i) table.block_dot[i] = dots[i], table.block_scan[i] = scans[i];
  return table;
}

#define LB_POPCNT_TARGET LB_TARGET ",avx512vpopcntdq"
#define LB_BIT_OP [[gnu::always_inline, gnu::target(LB_POPCNT_TARGET)]] inline
#define LB_BIT_KERNEL [[gnu::target(LB_POPCNT_TARGET)]] inline

// The bit kernels again, where one instruction counts.
namespace popcnt {
LB_BIT_OP B tally(B v) { return _mm512_popcnt_epi64(v); }
LB_BIT_OP B tally_add(B a, B b) { return counts_add(a, b); }
LB_BIT_OP B counts(B v) { return v; }
#include "simd/bit_kernels.inc"

// A group is 16 words of 32 bits, one a row.
LB_BIT_KERNEL void block_both(const std::uint8_t* codes, std::size_t groups, const std::uint8_t* query,
                              std::int32_t* acc) noexcept {
  I sums[2] = {load_ints(acc), zero_ints()};
  const auto* words = reinterpret_cast<const std::int8_t*>(query);
  std::size_t g = 0;
  for (; g + 2 <= groups; g += 2) {
#pragma GCC unroll 2
    for (std::size_t k = 0; k < 2; ++k)
      sums[k] = add32(sums[k], _mm512_popcnt_epi32(both(load_ints(codes + (g + k) * kGroupBytes), set_word(words + (g + k) * 4))));
  }
  if (g < groups) sums[1] = add32(sums[1], _mm512_popcnt_epi32(both(load_ints(codes + g * kGroupBytes), set_word(words + g * 4))));
  store_ints(acc, add32(sums[0], sums[1]));
}
}  // namespace popcnt

constexpr Kernels with_popcnt(Kernels table) {
  table.hamming = popcnt::hamming;
  table.jaccard = popcnt::jaccard;
  table.block_both = popcnt::block_both;
  return table;
}

}  // namespace

constinit const Kernels kAvx512Kernels = kTable;
constinit const Kernels kAvx512VnniKernels = with_vnni(kTable);
constinit const Kernels kAvx512PopcntKernels = with_popcnt(with_vnni(kTable));

}  // namespace longbow::simd
#endif
