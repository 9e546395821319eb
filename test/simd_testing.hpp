// What the tests of the simd floor share: every table this CPU can run, memory that ends at an unreadable page, and
// seeded numbers.
#pragma once

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cctype>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include "longbow/simd/kernels.hpp"
#include "simd/tiers.hpp"

namespace longbow::simd::testing {

struct NamedTable {
  std::string name;
  const Kernels* kernels;
};

// Every table the CPU supports, the scalar one first; AVX-512 with and without VNNI and VPOPCNTDQ.
inline std::vector<NamedTable> tables() {
  std::vector<NamedTable> all;
  for (int tier = 0; tier <= static_cast<int>(detected_tier()); ++tier)
    all.push_back({tier_name(static_cast<Tier>(tier)), &kernels_of(static_cast<Tier>(tier))});
#if defined(__x86_64__)
  const Kernels* best = all.back().kernels;
  if (best == &kAvx512PopcntKernels) all.push_back({"avx512 without vpopcntdq", &kAvx512VnniKernels});
  if (best == &kAvx512PopcntKernels || best == &kAvx512VnniKernels)
    all.push_back({"avx512 without vnni", &kAvx512Kernels});
#endif
  return all;
}

// A table's name as a test's: letters, digits and underscores.
inline std::string table_label(const ::testing::TestParamInfo<NamedTable>& about) {
  std::string label = about.param.name;
  for (char& c : label)
    if (std::isalnum(static_cast<unsigned char>(c)) == 0) c = '_';
  return label;
}

// Room for `capacity` elements directly before a page that may not be touched: last(n) is n elements up to its edge.
template <class T>
class Guarded {
 public:
  explicit Guarded(std::size_t capacity) {
    const std::size_t page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    readable_ = (capacity * sizeof(T) + page - 1) / page * page;
    total_ = readable_ + page;
    void* map = mmap(nullptr, total_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) std::abort();
    base_ = static_cast<std::uint8_t*>(map);
    if (mprotect(base_ + readable_, page, PROT_NONE) != 0) std::abort();
  }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;
  ~Guarded() { munmap(base_, total_); }

  T* last(std::size_t n) const { return reinterpret_cast<T*>(base_ + readable_) - n; }

 private:
  std::uint8_t* base_;
  std::size_t readable_, total_;
};

class Numbers {
 public:
  explicit Numbers(unsigned seed) : engine_(seed) {}
  float real(float low, float high) { return std::uniform_real_distribution<float>(low, high)(engine_); }
  int integer(int low, int high) { return std::uniform_int_distribution<int>(low, high)(engine_); }
  void fill(float* to, std::size_t n, float low = -1, float high = 1) {
    for (std::size_t i = 0; i < n; ++i) to[i] = real(low, high);
  }
  template <class T, std::enable_if_t<std::is_integral_v<T>, int> = 0>
  void fill(T* to, std::size_t n, int low, int high) {
    for (std::size_t i = 0; i < n; ++i) to[i] = static_cast<T>(integer(low, high));
  }

 private:
  std::minstd_rand engine_;
};

// The error that sums of n terms may have, given the sum of the terms' absolute values (kernels.hpp).
inline double error_bound(std::size_t n, double absolute_sum) {
  return (static_cast<double>(n) / 16 + 16) * 0x1p-24 * absolute_sum + 1e-37;
}

}  // namespace longbow::simd::testing
