// The CPU probe (Intel SDM volume 1, 14.3 and 15.2: cpuid leaves 1 and 7, XCR0 by xgetbv).
#include "simd/cpu.hpp"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace longbow::simd {

#if defined(__x86_64__)
namespace {

// Reads XCR0; only valid where cpuid reports OSXSAVE.
std::uint64_t enabled_state() noexcept {
  std::uint32_t low, high;
  __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return static_cast<std::uint64_t>(high) << 32 | low;
}

}  // namespace
#endif

std::uint32_t probe_cpu() noexcept {
  std::uint32_t found = 0;
#if defined(__x86_64__)
  constexpr std::uint64_t kYmmState = 0x06, kZmmState = 0xe6;  // xmm, ymm; those and opmask, zmm high halves, zmm16-31
  unsigned eax, ebx, ecx, edx;
  if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx)) return 0;
  const auto add = [&found](unsigned word, int bit, CpuFeature feature) {
    if (word >> bit & 1) found |= feature;
  };
  add(ecx, 20, kCpuSse42);
  add(ecx, 23, kCpuPopcnt);
  const bool has_xgetbv = (ecx >> 27 & 1) != 0;
  const std::uint64_t state = has_xgetbv ? enabled_state() : 0;
  if ((state & kYmmState) != kYmmState || (ecx >> 28 & 1) == 0) return found;
  add(ecx, 12, kCpuFma);
  add(ecx, 29, kCpuF16c);
  if (!__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) return found;
  add(ebx, 5, kCpuAvx2);
  if ((state & kZmmState) != kZmmState || (ebx >> 16 & 1) == 0) return found;
  add(ebx, 16, kCpuAvx512f);
  add(ebx, 30, kCpuAvx512bw);
  add(ebx, 17, kCpuAvx512dq);
  add(ebx, 31, kCpuAvx512vl);
  add(ecx, 11, kCpuAvx512vnni);
  add(ecx, 14, kCpuAvx512vpopcntdq);
#endif
  return found;
}

const char* cpu_feature_name(int bit) noexcept {
  static constexpr const char* kNames[kCpuFeatureCount] = {
      "sse4.2",   "avx2",     "fma",        "f16c",   "avx512f",        "avx512bw",
      "avx512dq", "avx512vl", "avx512vnni", "popcnt", "avx512vpopcntdq"};
  return kNames[bit];
}

}  // namespace longbow::simd
