// The AVX2 tier (Haswell, Zen and later), with FMA and F16C: 8 lanes, parts of vectors by maskload.
#include "simd/tiers.hpp"

#if defined(__x86_64__)
#include <immintrin.h>

#define LB_TARGET "avx2,fma,f16c"
#define LB_OP [[gnu::always_inline, gnu::target(LB_TARGET)]] inline

namespace longbow::simd {
namespace {

using F = __m256;
using I = __m256i;
constexpr std::size_t kLanes = 8;
constexpr int kTableSize = 8;  // of lookup()
constexpr int kTileRows = 6;   // 12 sums, two vectors of columns and one of x: 15 of 16 registers

alignas(32) constexpr std::int32_t kMasks[16] = {-1, -1, -1, -1, -1, -1, -1, -1};
LB_OP I first_lanes(std::size_t n) { return _mm256_loadu_si256(reinterpret_cast<const I*>(kMasks + 8 - n)); }

// The four bytes at p, which need no alignment.
LB_OP std::int32_t word_at(const void* p) {
  std::int32_t word;
  __builtin_memcpy(&word, p, sizeof word);
  return word;
}

LB_OP F zero() { return _mm256_setzero_ps(); }
LB_OP F set(float x) { return _mm256_set1_ps(x); }
LB_OP F load(const float* p) { return _mm256_loadu_ps(p); }
LB_OP F load_part(const float* p, std::size_t n) { return _mm256_maskload_ps(p, first_lanes(n)); }
LB_OP void store(float* p, F v) { _mm256_storeu_ps(p, v); }
LB_OP void store_part(float* p, F v, std::size_t n) { _mm256_maskstore_ps(p, first_lanes(n), v); }
LB_OP F keep(F v, std::size_t n) { return _mm256_and_ps(v, _mm256_castsi256_ps(first_lanes(n))); }
LB_OP F add(F a, F b) { return _mm256_add_ps(a, b); }
LB_OP F sub(F a, F b) { return _mm256_sub_ps(a, b); }
LB_OP F mul(F a, F b) { return _mm256_mul_ps(a, b); }
LB_OP F fma(F a, F b, F c) { return _mm256_fmadd_ps(a, b, c); }
LB_OP F fnma(F a, F b, F c) { return _mm256_fnmadd_ps(a, b, c); }
LB_OP F min(F a, F b) { return _mm256_min_ps(a, b); }
LB_OP F max(F a, F b) { return _mm256_max_ps(a, b); }
LB_OP F absolute(F v) { return _mm256_and_ps(v, _mm256_castsi256_ps(_mm256_set1_epi32(0x7fffffff))); }
LB_OP F floor(F v) { return _mm256_floor_ps(v); }

LB_OP float sum(F v) {
  const __m128 half = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  const __m128 two = _mm_add_ps(half, _mm_movehl_ps(half, half));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
LB_OP float peak(F v) {
  const __m128 half = _mm_max_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  const __m128 two = _mm_max_ps(half, _mm_movehl_ps(half, half));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

LB_OP F bytes_to_floats(__m128i bytes) { return _mm256_cvtepi32_ps(_mm256_cvtepu8_epi32(bytes)); }
LB_OP F load_codes(const std::uint8_t* p) {
  return bytes_to_floats(_mm_loadl_epi64(reinterpret_cast<const __m128i*>(p)));
}
// Reads n codes, 0 < n < 8, in two or three loads that overlap: or of a byte with itself changes nothing.
LB_OP F load_codes_part(const std::uint8_t* p, std::size_t n) {
  std::uint64_t codes;
  if (n >= 4) {
    const std::uint64_t first = static_cast<std::uint32_t>(word_at(p)),
                        last = static_cast<std::uint32_t>(word_at(p + n - 4));
    codes = first | last << 8 * (n - 4);
  } else {
    codes = p[0] | static_cast<std::uint64_t>(p[n / 2]) << 8 * (n / 2) |
            static_cast<std::uint64_t>(p[n - 1]) << 8 * (n - 1);
  }
  return bytes_to_floats(_mm_cvtsi64_si128(static_cast<long long>(codes)));
}
LB_OP void store_codes(std::uint8_t* p, F v) {
  const I ints = _mm256_cvtps_epi32(v);
  const __m128i shorts = _mm_packs_epi32(_mm256_castsi256_si128(ints), _mm256_extracti128_si256(ints, 1));
  _mm_storel_epi64(reinterpret_cast<__m128i*>(p), _mm_packus_epi16(shorts, shorts));
}
LB_OP void store_codes_part(std::uint8_t* p, F v, std::size_t n) {
  std::uint8_t codes[kLanes];
  store_codes(codes, v);
  for (std::size_t i = 0; i < n; ++i) p[i] = codes[i];
}

// The transform's stages with strides 1, 2 and 4: the partner lane plus this one, or minus it in the upper half. The
// product with 1 or -1 is exact, so the fused form rounds as the plain one.
template <int Minus>
LB_OP F lane_stage(F v, F partner) {
  return _mm256_fmadd_ps(v, _mm256_blend_ps(set(1), set(-1), Minus), partner);
}
LB_OP F lane_hadamard(F v) {
  v = lane_stage<0xaa>(v, _mm256_permute_ps(v, 0xb1));
  v = lane_stage<0xcc>(v, _mm256_permute_ps(v, 0x4e));
  return lane_stage<0xf0>(v, _mm256_permute2f128_ps(v, v, 1));
}

LB_OP I zero_ints() { return _mm256_setzero_si256(); }
LB_OP I set_ints(std::int32_t x) { return _mm256_set1_epi32(x); }
LB_OP I set_shorts(std::int16_t x) { return _mm256_set1_epi16(x); }
LB_OP I set_bytes(int x) { return _mm256_set1_epi8(static_cast<char>(x)); }
LB_OP I set_word(const std::int8_t* p) { return _mm256_set1_epi32(word_at(p)); }
LB_OP I load_ints(const void* p) { return _mm256_loadu_si256(static_cast<const I*>(p)); }
LB_OP void store_ints(void* p, I v) { _mm256_storeu_si256(static_cast<I*>(p), v); }
LB_OP I both(I a, I b) { return _mm256_and_si256(a, b); }
LB_OP I exclusive(I a, I b) { return _mm256_xor_si256(a, b); }
LB_OP I add16(I a, I b) { return _mm256_add_epi16(a, b); }
LB_OP I add32(I a, I b) { return _mm256_add_epi32(a, b); }
LB_OP I maddubs(I a, I b) { return _mm256_maddubs_epi16(a, b); }
LB_OP I madd(I a, I b) { return _mm256_madd_epi16(a, b); }
LB_OP I absolute_bytes(I v) { return _mm256_abs_epi8(v); }
LB_OP I add8(I a, I b) { return _mm256_add_epi8(a, b); }
LB_OP I sign_bytes(I v, I sign) { return _mm256_sign_epi8(v, sign); }
template <int Bits>
LB_OP I shift_shorts(I v) {
  return _mm256_srli_epi16(v, Bits);
}
template <int Bits>
LB_OP I shift_ints(I v) {
  return _mm256_srli_epi32(v, Bits);
}
LB_OP F to_floats(I v) { return _mm256_cvtepi32_ps(v); }
LB_OP I lane_numbers() { return _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7); }

// table[v % 8] in each lane.
LB_OP F lookup(F table, I v) { return _mm256_permutevar8x32_ps(table, v); }

// A bit a lane: a < b.
LB_OP unsigned below(F a, F b) { return static_cast<unsigned>(_mm256_movemask_ps(_mm256_cmp_ps(a, b, _CMP_LT_OQ))); }

// Replaces best and place by value and column in the lanes where value < best.
LB_OP void take_lower(F& best, I& place, F value, I column) {
  const F lower = _mm256_cmp_ps(value, best, _CMP_LT_OQ);
  best = _mm256_blendv_ps(best, value, lower);
  place = _mm256_blendv_epi8(place, column, _mm256_castps_si256(lower));
}

LB_OP F load(const Half* p) { return _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(p))); }
// Reads n halves, 0 < n < 8, in two or three loads that overlap.
LB_OP F load_part(const Half* p, std::size_t n) {
  std::uint64_t first = 0, last = 0;
  if (n >= 4) {
    __builtin_memcpy(&first, p, sizeof first);
    __builtin_memcpy(&last, p + n - 4, sizeof last);
    last = n > 4 ? last >> 16 * (8 - n) : 0;
  } else {
    first = p[0].bits | static_cast<std::uint64_t>(p[n / 2].bits) << 16 * (n / 2) |
            static_cast<std::uint64_t>(p[n - 1].bits) << 16 * (n - 1);
  }
  return _mm256_cvtph_ps(_mm_set_epi64x(static_cast<long long>(last), static_cast<long long>(first)));
}
LB_OP void store_halves(Half* p, F v) {
  _mm_storeu_si128(reinterpret_cast<__m128i*>(p), _mm256_cvtps_ph(v, _MM_FROUND_TO_NEAREST_INT));
}

// Bits are counted by a table of the sixteen nibbles, then summed by sad (Mula, Kurz and Lemire 2018).
using B = __m256i;
constexpr std::size_t kBitBytes = 32;
constexpr bool kAlignBits = false;
LB_OP B bits_zero() { return _mm256_setzero_si256(); }
LB_OP B bits_load(const std::uint8_t* p) { return _mm256_loadu_si256(reinterpret_cast<const B*>(p)); }
// With enough before it, a vector that ends with the part, the rest masked out: where bits lie does not matter.
LB_OP B bits_load_part(const std::uint8_t* p, std::size_t n, std::size_t before) {
  static constexpr std::uint64_t kMask[8] = {0, 0, 0, 0, ~0ULL, ~0ULL, ~0ULL, ~0ULL};
  if (before >= kBitBytes)
    return _mm256_and_si256(bits_load(p + n - kBitBytes), bits_load(reinterpret_cast<const std::uint8_t*>(kMask) + n));
  alignas(32) std::uint8_t bytes[kBitBytes] = {};
  __builtin_memcpy(bytes, p, n);
  return _mm256_load_si256(reinterpret_cast<const B*>(bytes));
}
LB_OP B bits_held(B v) { return v; }
LB_OP B bits_xor(B a, B b) { return _mm256_xor_si256(a, b); }
LB_OP B bits_and(B a, B b) { return _mm256_and_si256(a, b); }
LB_OP B bits_or(B a, B b) { return _mm256_or_si256(a, b); }
LB_OP B count_bytes(B v) {
  const B table =
      _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
  const B nibble = _mm256_set1_epi8(0x0f);
  const B low = _mm256_shuffle_epi8(table, _mm256_and_si256(v, nibble));
  const B high = _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16(v, 4), nibble));
  return _mm256_add_epi8(low, high);
}
LB_OP B tally(B v) { return count_bytes(v); }
LB_OP B tally_add(B a, B b) { return _mm256_add_epi8(a, b); }
LB_OP B counts(B v) { return _mm256_sad_epu8(v, _mm256_setzero_si256()); }
LB_OP B counts_add(B a, B b) { return _mm256_add_epi64(a, b); }
LB_OP std::uint64_t counts_total(B v) {
  const __m128i two = _mm_add_epi64(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
  return static_cast<std::uint64_t>(_mm_cvtsi128_si64(two)) + static_cast<std::uint64_t>(_mm_extract_epi64(two, 1));
}

#include "simd/tier.inc"

}  // namespace

constinit const Kernels kAvx2Kernels = kTable;

}  // namespace longbow::simd
#endif
