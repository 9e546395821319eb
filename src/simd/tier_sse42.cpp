// The SSE 4.2 tier (Nehalem and later): 4 lanes, no fused multiply-add, parts of vectors through a small buffer.
#include "simd/tiers.hpp"

#if defined(__x86_64__)
#include <immintrin.h>

#define LB_TARGET "sse4.2,popcnt"
#define LB_OP [[gnu::always_inline, gnu::target(LB_TARGET)]] inline

namespace longbow::simd {
namespace {

using F = __m128;
using I = __m128i;
constexpr std::size_t kLanes = 4;
constexpr int kTableSize = 0;  // no lookup
constexpr int kTileRows = 6;   // 12 sums, two vectors of columns, x and a product: 16 of 16 registers

// The four bytes at p, which need no alignment.
LB_OP std::int32_t word_at(const void* p) {
  std::int32_t word;
  __builtin_memcpy(&word, p, sizeof word);
  return word;
}

LB_OP F zero() { return _mm_setzero_ps(); }
LB_OP F set(float x) { return _mm_set1_ps(x); }
LB_OP F load(const float* p) { return _mm_loadu_ps(p); }
LB_OP F load_part(const float* p, std::size_t n) { return _mm_setr_ps(p[0], n > 1 ? p[1] : 0, n > 2 ? p[2] : 0, 0); }
LB_OP void store(float* p, F v) { _mm_storeu_ps(p, v); }
LB_OP void store_part(float* p, F v, std::size_t n) {
  float lanes[kLanes];
  store(lanes, v);
  for (std::size_t i = 0; i < n; ++i) p[i] = lanes[i];
}
LB_OP F keep(F v, std::size_t n) {
  return _mm_and_ps(v,
                    _mm_castsi128_ps(_mm_cmpgt_epi32(_mm_set1_epi32(static_cast<int>(n)), _mm_setr_epi32(0, 1, 2, 3))));
}
LB_OP F add(F a, F b) { return _mm_add_ps(a, b); }
LB_OP F sub(F a, F b) { return _mm_sub_ps(a, b); }
LB_OP F mul(F a, F b) { return _mm_mul_ps(a, b); }
LB_OP F fma(F a, F b, F c) { return _mm_add_ps(_mm_mul_ps(a, b), c); }
LB_OP F fnma(F a, F b, F c) { return _mm_sub_ps(c, _mm_mul_ps(a, b)); }
LB_OP F min(F a, F b) { return _mm_min_ps(a, b); }
LB_OP F max(F a, F b) { return _mm_max_ps(a, b); }
LB_OP F absolute(F v) { return _mm_and_ps(v, _mm_castsi128_ps(_mm_set1_epi32(0x7fffffff))); }
LB_OP F floor(F v) { return _mm_floor_ps(v); }

LB_OP float sum(F v) {
  const F two = _mm_add_ps(v, _mm_movehl_ps(v, v));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}
LB_OP float peak(F v) {
  const F two = _mm_max_ps(v, _mm_movehl_ps(v, v));
  return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

LB_OP F bytes_to_floats(std::int32_t bytes) { return _mm_cvtepi32_ps(_mm_cvtepu8_epi32(_mm_cvtsi32_si128(bytes))); }
LB_OP F load_codes(const std::uint8_t* p) { return bytes_to_floats(word_at(p)); }
// Reads n codes, 0 < n < 4, in three loads that may overlap: or of a byte with itself changes nothing.
LB_OP F load_codes_part(const std::uint8_t* p, std::size_t n) {
  return bytes_to_floats(p[0] | p[n / 2] << 8 * (n / 2) | p[n - 1] << 8 * (n - 1));
}
LB_OP void store_codes(std::uint8_t* p, F v) {
  const I shorts = _mm_packs_epi32(_mm_cvtps_epi32(v), _mm_setzero_si128());
  const std::int32_t word = _mm_cvtsi128_si32(_mm_packus_epi16(shorts, shorts));
  __builtin_memcpy(p, &word, sizeof word);
}
LB_OP void store_codes_part(std::uint8_t* p, F v, std::size_t n) {
  std::uint8_t codes[kLanes];
  store_codes(codes, v);
  for (std::size_t i = 0; i < n; ++i) p[i] = codes[i];
}

// The transform's stages with strides 1 and 2: the partner lane plus this one, or minus it in the upper half.
template <int Minus>
LB_OP F lane_stage(F v, F partner) {
  return _mm_blend_ps(_mm_add_ps(v, partner), _mm_sub_ps(partner, v), Minus);
}
LB_OP F lane_hadamard(F v) {
  v = lane_stage<0xa>(v, _mm_shuffle_ps(v, v, 0xb1));
  return lane_stage<0xc>(v, _mm_shuffle_ps(v, v, 0x4e));
}

LB_OP I zero_ints() { return _mm_setzero_si128(); }
LB_OP I set_ints(std::int32_t x) { return _mm_set1_epi32(x); }
LB_OP I set_shorts(std::int16_t x) { return _mm_set1_epi16(x); }
LB_OP I set_bytes(int x) { return _mm_set1_epi8(static_cast<char>(x)); }
LB_OP I set_word(const std::int8_t* p) { return _mm_set1_epi32(word_at(p)); }
LB_OP I load_ints(const void* p) { return _mm_loadu_si128(static_cast<const I*>(p)); }
LB_OP void store_ints(void* p, I v) { _mm_storeu_si128(static_cast<I*>(p), v); }
LB_OP I both(I a, I b) { return _mm_and_si128(a, b); }
LB_OP I exclusive(I a, I b) { return _mm_xor_si128(a, b); }
LB_OP I add16(I a, I b) { return _mm_add_epi16(a, b); }
LB_OP I add32(I a, I b) { return _mm_add_epi32(a, b); }
LB_OP I maddubs(I a, I b) { return _mm_maddubs_epi16(a, b); }
LB_OP I madd(I a, I b) { return _mm_madd_epi16(a, b); }
LB_OP I absolute_bytes(I v) { return _mm_abs_epi8(v); }
LB_OP I add8(I a, I b) { return _mm_add_epi8(a, b); }
LB_OP I sign_bytes(I v, I sign) { return _mm_sign_epi8(v, sign); }
template <int Bits>
LB_OP I shift_shorts(I v) {
  return _mm_srli_epi16(v, Bits);
}
template <int Bits>
LB_OP I shift_ints(I v) {
  return _mm_srli_epi32(v, Bits);
}
LB_OP F to_floats(I v) { return _mm_cvtepi32_ps(v); }
LB_OP I lane_numbers() { return _mm_setr_epi32(0, 1, 2, 3); }

[[maybe_unused]] LB_OP F lookup(F table, I) { return table; }  // never called: no table fits

// A bit a lane: a < b.
LB_OP unsigned below(F a, F b) { return static_cast<unsigned>(_mm_movemask_ps(_mm_cmplt_ps(a, b))); }

// Replaces best and place by value and column in the lanes where value < best.
LB_OP void take_lower(F& best, I& place, F value, I column) {
  const F lower = _mm_cmplt_ps(value, best);
  best = _mm_blendv_ps(best, value, lower);
  place = _mm_blendv_epi8(place, column, _mm_castps_si128(lower));
}

// Halves to floats as base::to_float does, without branches: a subnormal gets an exponent, which a subtraction takes
// away again exactly.
LB_OP F halves_to_floats(I halves) {
  const I magnitude = _mm_and_si128(halves, _mm_set1_epi32(0x7fff)), shifted = _mm_slli_epi32(magnitude, 13);
  const I bias = _mm_set1_epi32(112 << 23), least = _mm_set1_epi32(113 << 23);
  const I special = _mm_and_si128(_mm_cmpgt_epi32(magnitude, _mm_set1_epi32(0x7bff)), bias);
  const F normal = _mm_castsi128_ps(_mm_add_epi32(_mm_add_epi32(shifted, bias), special));
  const F subnormal = _mm_sub_ps(_mm_castsi128_ps(_mm_add_epi32(shifted, least)), _mm_castsi128_ps(least));
  const F tiny = _mm_castsi128_ps(_mm_cmpgt_epi32(_mm_set1_epi32(0x0400), magnitude));
  const I sign = _mm_slli_epi32(_mm_andnot_si128(_mm_set1_epi32(0x7fff), halves), 16);
  return _mm_or_ps(_mm_blendv_ps(normal, subnormal, tiny), _mm_castsi128_ps(sign));
}
LB_OP F load(const Half* p) {
  return halves_to_floats(_mm_cvtepu16_epi32(_mm_loadl_epi64(reinterpret_cast<const I*>(p))));
}
LB_OP F load_part(const Half* p, std::size_t n) {
  return halves_to_floats(_mm_setr_epi32(p[0].bits, n > 1 ? p[1].bits : 0, n > 2 ? p[2].bits : 0, 0));
}
// Only casts convert this way.
LB_OP void store_halves(Half* p, F v) {
  float lanes[kLanes];
  store(lanes, v);
  for (std::size_t i = 0; i < kLanes; ++i) p[i] = base::to_half(lanes[i]);
}

// Bits are counted by popcnt, a word at a time: twice as fast as two table look-ups of 16 bytes and their sums.
using B = std::uint64_t;
constexpr std::size_t kBitBytes = 8;
constexpr bool kAlignBits = false;
LB_OP B bits_zero() { return 0; }
LB_OP B bits_load(const std::uint8_t* p) {
  B word;
  __builtin_memcpy(&word, p, sizeof word);
  return word;
}
LB_OP B bits_load_part(const std::uint8_t* p, std::size_t n, std::size_t) {
  B word = 0;
  for (std::size_t i = 0; i < n; ++i) word |= static_cast<B>(p[i]) << 8 * i;
  return word;
}
LB_OP B bits_held(B v) { return v; }
LB_OP B bits_xor(B a, B b) { return a ^ b; }
LB_OP B bits_and(B a, B b) { return a & b; }
LB_OP B bits_or(B a, B b) { return a | b; }
LB_OP B tally(B v) { return static_cast<B>(_mm_popcnt_u64(v)); }
LB_OP B tally_add(B a, B b) { return a + b; }
LB_OP B counts(B v) { return v; }
LB_OP I count_bytes(I v) {
  const I table = _mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4), nibble = _mm_set1_epi8(0x0f);
  const I low = _mm_shuffle_epi8(table, _mm_and_si128(v, nibble));
  const I high = _mm_shuffle_epi8(table, _mm_and_si128(_mm_srli_epi16(v, 4), nibble));
  return _mm_add_epi8(low, high);
}
LB_OP B counts_add(B a, B b) { return a + b; }
LB_OP std::uint64_t counts_total(B v) { return v; }

#include "simd/tier.inc"

}  // namespace

constinit const Kernels kSse42Kernels = kTable;

}  // namespace longbow::simd
#endif
