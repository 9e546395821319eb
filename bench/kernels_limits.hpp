// What bounds a kernel, measured in the same run: how fast this core reads from its caches and from memory, and how
// fast it executes a kernel's instructions alone.
//
// A limit is named <mix>_limit/<tier> and counts the row bytes that the same instructions would have served, so its
// bytes/s compare with those of the kernels. Operands are loaded from the nearest cache, as the kernels load theirs.
#pragma once

#include <benchmark/benchmark.h>

#include <cstdint>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>

namespace longbow::simd {

// Reads a buffer once in vectors of 64 bytes (avx512), 32 (avx2) or 16, keeping four of them busy.
[[gnu::target("avx512f")]] inline std::uint64_t read_avx512(const std::uint8_t* p, std::size_t bytes) noexcept {
  __m512i s[4] = {};
  for (const std::uint8_t* end = p + bytes; p != end; p += 256)
    for (int k = 0; k < 4; ++k) s[k] = _mm512_or_si512(s[k], _mm512_loadu_si512(p + 64 * k));
  std::uint64_t lanes[8];
  _mm512_storeu_si512(lanes, _mm512_or_si512(_mm512_or_si512(s[0], s[1]), _mm512_or_si512(s[2], s[3])));
  return lanes[0] ^ lanes[7];
}

[[gnu::target("avx2")]] inline std::uint64_t read_avx2(const std::uint8_t* p, std::size_t bytes) noexcept {
  __m256i s[4] = {};
  for (const std::uint8_t* end = p + bytes; p != end; p += 128)
    for (int k = 0; k < 4; ++k)
      s[k] = _mm256_or_si256(s[k], _mm256_loadu_si256(reinterpret_cast<const __m256i*>(p + 32 * k)));
  alignas(32) std::uint64_t lanes[4];
  _mm256_store_si256(reinterpret_cast<__m256i*>(lanes),
                     _mm256_or_si256(_mm256_or_si256(s[0], s[1]), _mm256_or_si256(s[2], s[3])));
  return lanes[0] ^ lanes[3];
}

inline std::uint64_t read_sse(const std::uint8_t* p, std::size_t bytes) noexcept {
  __m128i s[4] = {};
  for (const std::uint8_t* end = p + bytes; p != end; p += 64)
    for (int k = 0; k < 4; ++k)
      s[k] = _mm_or_si128(s[k], _mm_loadu_si128(reinterpret_cast<const __m128i*>(p + 16 * k)));
  alignas(16) std::uint64_t lanes[2];
  _mm_store_si128(reinterpret_cast<__m128i*>(lanes), _mm_or_si128(_mm_or_si128(s[0], s[1]), _mm_or_si128(s[2], s[3])));
  return lanes[0] ^ lanes[1];
}

// Reads so many bytes again and again.
inline void read_bandwidth(benchmark::State& state, std::uint64_t (*read)(const std::uint8_t*, std::size_t) noexcept,
                           std::size_t bytes) {
  const std::vector<std::uint8_t> data(bytes, 1);
  for (auto step : state) {
    std::uint64_t sum = read(data.data(), bytes);
    benchmark::DoNotOptimize(sum);
  }
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * static_cast<std::int64_t>(bytes));
}

// Four independent copies of a mix, a thousand times an iteration. Registers 0 to 3 are sums, 4 to 11 temporaries, 14
// and 15 constants; %1 and %2 are two lines of the nearest cache.
#define LB_LIMIT(name, mix, row_bytes)                                                                                 \
  inline void name(benchmark::State& state) {                                                                          \
    alignas(64) static std::uint8_t left[64] = {1}, right[64] = {2};                                                   \
    for (auto once : state) {                                                                                          \
      int count = 1000;                                                                                                \
      __asm__ volatile(                                                                                                \
          "vpxor %%xmm0, %%xmm0, %%xmm0\n\tvpxor %%xmm1, %%xmm1, %%xmm1\n\tvpxor %%xmm2, %%xmm2, %%xmm2\n\t"           \
          "vpxor %%xmm3, %%xmm3, %%xmm3\n\tvpxor %%xmm14, %%xmm14, %%xmm14\n\tvpxor %%xmm15, %%xmm15, %%xmm15\n"       \
          "1:\n\t" mix(0, 4, 5) mix(1, 6, 7) mix(2, 8, 9) mix(3, 10, 11) "dec %0\n\tjnz 1b"                            \
          : "+r"(count)                                                                                                \
          : "r"(left), "r"(right)                                                                                      \
          : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm14", \
            "xmm15", "cc", "memory");                                                                                  \
    }                                                                                                                  \
    state.SetBytesProcessed(state.iterations() * 4000 * (row_bytes));                                                  \
  }
// A difference of two halves, squared and summed; r is zmm or ymm.
#define LB_MIX_L2_F16(r, s, t, u)                         \
  "vcvtph2ps (%1), %%" r #t "\n\tvcvtph2ps (%2), %%" r #u \
  "\n\t"                                                  \
  "vsubps %%" r #u ", %%" r #t ", %%" r #t "\n\tvfmadd231ps %%" r #t ", %%" r #t ", %%" r #s "\n\t"
// The product of two halves, summed; their difference without its sign, summed.
#define LB_MIX_IP_F16(r, s, t, u)                         \
  "vcvtph2ps (%1), %%" r #t "\n\tvcvtph2ps (%2), %%" r #u \
  "\n\t"                                                  \
  "vfmadd231ps %%" r #t ", %%" r #u ", %%" r #s "\n\t"
#define LB_MIX_L1_F16(r, s, t, u)                         \
  "vcvtph2ps (%1), %%" r #t "\n\tvcvtph2ps (%2), %%" r #u \
  "\n\t"                                                  \
  "vsubps %%" r #u ", %%" r #t ", %%" r #t "\n\tvandps %%" r "15, %%" r #t ", %%" r #t "\n\tvaddps %%" r #t ", %%" r #s ", %%" r #s "\n\t"
// A half widened and stored.
#define LB_MIX_FROM_F16(r, t) "vcvtph2ps (%1), %%" r #t "\n\tvmovups %%" r #t ", (%2)\n\t"
// Bytes as differences from 128, multiplied by the query's, by the sign rule that spares maddubs its saturation.
#define LB_MIX_DOT_8_256(s, t, u)                                               \
  "vpxor (%1), %%ymm15, %%ymm" #t "\n\tvpabsb %%ymm" #t ", %%ymm" #u            \
  "\n\t"                                                                        \
  "vpsignb %%ymm" #t ", %%ymm14, %%ymm" #t "\n\tvpmaddubsw %%ymm" #t ", %%ymm" #u ", %%ymm" #t \
  "\n\t"                                                                        \
  "vpmaddwd %%ymm15, %%ymm" #t ", %%ymm" #t "\n\tvpaddd %%ymm" #t ", %%ymm" #s ", %%ymm" #s "\n\t"
// A byte widened, centred, scaled, taken from a float, squared and summed.
#define LB_MIX_REFINE(r, s, t, u)                                                           \
  "vpmovzxbd (%1), %%" r #t "\n\tvcvtdq2ps %%" r #t ", %%" r #t "\n\tvmovups (%2), %%" r #u \
  "\n\t"                                                                                    \
  "vsubps %%" r "15, %%" r #t ", %%" r #t "\n\tvfnmadd213ps %%" r #u ", %%" r "14, %%" r #t \
  "\n\t"                                                                                    \
  "vfmadd231ps %%" r #t ", %%" r #t ", %%" r #s "\n\t"
#define LB_MIX_L2_F16_512(s, t, u) LB_MIX_L2_F16("zmm", s, t, u)
#define LB_MIX_L2_F16_256(s, t, u) LB_MIX_L2_F16("ymm", s, t, u)
#define LB_MIX_IP_F16_512(s, t, u) LB_MIX_IP_F16("zmm", s, t, u)
#define LB_MIX_IP_F16_256(s, t, u) LB_MIX_IP_F16("ymm", s, t, u)
#define LB_MIX_L1_F16_512(s, t, u) LB_MIX_L1_F16("zmm", s, t, u)
#define LB_MIX_L1_F16_256(s, t, u) LB_MIX_L1_F16("ymm", s, t, u)
#define LB_MIX_FROM_F16_512(s, t, u) LB_MIX_FROM_F16("zmm", t)
#define LB_MIX_FROM_F16_256(s, t, u) LB_MIX_FROM_F16("ymm", t)
#define LB_MIX_REFINE_512(s, t, u) LB_MIX_REFINE("zmm", s, t, u)
#define LB_MIX_REFINE_256(s, t, u) LB_MIX_REFINE("ymm", s, t, u)
// Bits of a difference; bits of an intersection and of a union.
#define LB_MIX_HAMMING_512(s, t, u)                                   \
  "vmovdqu64 (%1), %%zmm" #t "\n\tvpxorq (%2), %%zmm" #t ", %%zmm" #t \
  "\n\t"                                                              \
  "vpopcntq %%zmm" #t ", %%zmm" #t "\n\tvpaddq %%zmm" #t ", %%zmm" #s ", %%zmm" #s "\n\t"
#define LB_MIX_JACCARD_512(s, t, u)                                                \
  "vmovdqu64 (%1), %%zmm" #t "\n\tvporq (%2), %%zmm" #t ", %%zmm" #u               \
  "\n\t"                                                                           \
  "vpandq (%2), %%zmm" #t ", %%zmm" #t "\n\tvpopcntq %%zmm" #t ", %%zmm" #t        \
  "\n\t"                                                                           \
  "vpopcntq %%zmm" #u ", %%zmm" #u "\n\tvpaddq %%zmm" #t ", %%zmm" #s ", %%zmm" #s \
  "\n\t"                                                                           \
  "vpaddq %%zmm" #u ", %%zmm15, %%zmm" #u "\n\t"
#define LB_COUNT_BYTES_256(t, u)                                                           \
  "vpand %%ymm15, %%ymm" #t ", %%ymm" #u "\n\tvpsrlw $4, %%ymm" #t ", %%ymm" #t            \
  "\n\t"                                                                                   \
  "vpand %%ymm15, %%ymm" #t ", %%ymm" #t "\n\tvpshufb %%ymm" #t ", %%ymm14, %%ymm" #t      \
  "\n\t"                                                                                   \
  "vpshufb %%ymm" #u ", %%ymm14, %%ymm" #u "\n\tvpaddb %%ymm" #t ", %%ymm" #u ", %%ymm" #t "\n\t"
#define LB_COUNT_256(t, u) LB_COUNT_BYTES_256(t, u) "vpsadbw %%ymm15, %%ymm" #t ", %%ymm" #t "\n\t"
// Bits of an intersection, summed for each row of a block: in bytes, or in words of 32 bits.
#define LB_MIX_BOTH_256(s, t, u)                                   \
  "vmovdqu (%1), %%ymm" #t "\n\tvpand (%2), %%ymm" #t ", %%ymm" #t \
  "\n\t" LB_COUNT_BYTES_256(t, u) "vpaddb %%ymm" #t ", %%ymm" #s ", %%ymm" #s "\n\t"
#define LB_MIX_BOTH_512(s, t, u)                                              \
  "vmovdqu64 (%1), %%zmm" #t "\n\tvpandd (%2)%{1to16%}, %%zmm" #t ", %%zmm" #t \
  "\n\t"                                                                      \
  "vpopcntd %%zmm" #t ", %%zmm" #t "\n\tvpaddd %%zmm" #t ", %%zmm" #s ", %%zmm" #s "\n\t"
#define LB_MIX_HAMMING_256(s, t, u)                                \
  "vmovdqu (%1), %%ymm" #t "\n\tvpxor (%2), %%ymm" #t ", %%ymm" #t \
  "\n\t" LB_COUNT_256(t, u) "vpaddq %%ymm" #t ", %%ymm" #s ", %%ymm" #s "\n\t"
#define LB_MIX_JACCARD_256(s, t, u)                                                                  \
  "vmovdqu (%1), %%ymm" #t "\n\tvpand (%2), %%ymm" #t ", %%ymm" #t                                   \
  "\n\t" LB_COUNT_256(t, u) "vpaddq %%ymm" #t ", %%ymm" #s ", %%ymm" #s "\n\tvmovdqu (%1), %%ymm" #t \
                            "\n\t"                                                                   \
                            "vpor (%2), %%ymm" #t ", %%ymm" #t                                       \
                            "\n\t" LB_COUNT_256(t, u) "vpaddq %%ymm" #t ", %%ymm" #s ", %%ymm" #s "\n\t"

LB_LIMIT(l2_f16_limit_avx512, LB_MIX_L2_F16_512, 32)
LB_LIMIT(l2_f16_limit_avx2, LB_MIX_L2_F16_256, 16)
LB_LIMIT(ip_f16_limit_avx512, LB_MIX_IP_F16_512, 32)
LB_LIMIT(ip_f16_limit_avx2, LB_MIX_IP_F16_256, 16)
LB_LIMIT(l1_f16_limit_avx512, LB_MIX_L1_F16_512, 32)
LB_LIMIT(l1_f16_limit_avx2, LB_MIX_L1_F16_256, 16)
LB_LIMIT(from_f16_limit_avx512, LB_MIX_FROM_F16_512, 32)
LB_LIMIT(from_f16_limit_avx2, LB_MIX_FROM_F16_256, 16)
LB_LIMIT(refine_limit_avx512, LB_MIX_REFINE_512, 16)
LB_LIMIT(refine_limit_avx2, LB_MIX_REFINE_256, 8)
LB_LIMIT(block_dot_8_limit_avx2, LB_MIX_DOT_8_256, 32)
LB_LIMIT(hamming_limit_avx512, LB_MIX_HAMMING_512, 64)
LB_LIMIT(jaccard_limit_avx512, LB_MIX_JACCARD_512, 64)
LB_LIMIT(hamming_limit_avx2, LB_MIX_HAMMING_256, 32)
LB_LIMIT(jaccard_limit_avx2, LB_MIX_JACCARD_256, 32)
LB_LIMIT(block_both_limit_avx512, LB_MIX_BOTH_512, 64)
LB_LIMIT(block_both_limit_avx2, LB_MIX_BOTH_256, 32)

}  // namespace longbow::simd
#endif
