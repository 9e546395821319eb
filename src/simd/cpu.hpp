// What the processor and the operating system offer, as bits.
#pragma once

#include <cstdint>

namespace longbow::simd {

enum CpuFeature : std::uint32_t {
  kCpuSse42 = 1u << 0,
  kCpuAvx2 = 1u << 1,
  kCpuFma = 1u << 2,
  kCpuF16c = 1u << 3,
  kCpuAvx512f = 1u << 4,
  kCpuAvx512bw = 1u << 5,
  kCpuAvx512dq = 1u << 6,
  kCpuAvx512vl = 1u << 7,
  kCpuAvx512vnni = 1u << 8,
  kCpuPopcnt = 1u << 9,
  kCpuAvx512vpopcntdq = 1u << 10,
};
inline constexpr int kCpuFeatureCount = 11;

// Asks cpuid, and xgetbv whether the system saves the ymm and zmm registers; a feature it does not save is not
// reported.
std::uint32_t probe_cpu() noexcept;

// The name of feature bit 0 <= bit < kCpuFeatureCount as /proc/cpuinfo has it, with "sse4.2" for sse4_2
// and no underscore in avx512vpopcntdq.
const char* cpu_feature_name(int bit) noexcept;

}  // namespace longbow::simd
