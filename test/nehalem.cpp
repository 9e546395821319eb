// Answers on the oldest processor there is to test with: run under an emulator of one that has SSE4.2 but no AVX, it
// shows that no code of a higher tier runs before or after the tier is chosen. scripts/check-nehalem builds and runs
// it.
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <string_view>
#include <vector>

#include "longbow/simd/kernels.hpp"

namespace simd = longbow::simd;

static int failures = 0;

static void expect(const char* what, std::size_t n, double got, double want) {
  if (std::fabs(got - want) <= 1e-4 * (1 + std::fabs(want))) return;
  std::printf("%s, %zu elements: %.9g instead of %.9g\n", what, n, got, want);
  failures++;
}

int main(int argc, char** argv) {
  char features[512];
  simd::detected_features(features, sizeof features);
  std::printf("tier %s of: %s\n", simd::tier_name(simd::active_tier()), features);
  if (argc > 1 && std::string_view(argv[1]) != simd::tier_name(simd::active_tier())) {
    std::printf("expected tier %s\n", argv[1]);
    failures++;
  }
  const simd::Kernels& kernels = simd::kernels();
  for (const std::size_t n : {1, 3, 4, 15, 16, 17, 64, 100, 784, 1536}) {
    std::vector<float> a(n), b(n);
    double l2 = 0, dot = 0, l1 = 0;
    for (std::size_t i = 0; i < n; i++) {
      a[i] = float(i % 7) - 3.25f;
      b[i] = float(i % 5) * 0.5f - 1.0f;
      l2 += (double(a[i]) - b[i]) * (double(a[i]) - b[i]);
      dot += double(a[i]) * b[i];
      l1 += std::fabs(double(a[i]) - b[i]);
    }
    expect("l2_squared", n, kernels.l2_squared(a.data(), b.data(), n), l2);
    expect("inner_product", n, kernels.inner_product(a.data(), b.data(), n), dot);
    expect("l1", n, kernels.l1(a.data(), b.data(), n), l1);
    expect("cosine", n, kernels.cosine(a.data(), b.data(), n).dot, dot);
    // Quarters and halves are exact in half precision.
    std::vector<simd::Half> x(n), y(n);
    kernels.to_f16(a.data(), x.data(), n);
    kernels.to_f16(b.data(), y.data(), n);
    expect("l2_squared_f16", n, kernels.l2_squared_f16(x.data(), y.data(), n), l2);
    expect("inner_product_f16", n, kernels.inner_product_f16(x.data(), y.data(), n), dot);
    expect("l1_f16", n, kernels.l1_f16(x.data(), y.data(), n), l1);
    const std::vector<std::uint8_t> ones(n, 0xff), odd(n, 0x55);
    expect("hamming", n, double(kernels.hamming(ones.data(), odd.data(), n)), 4.0 * double(n));
    expect("jaccard", n, double(kernels.jaccard(ones.data(), odd.data(), n).either), 8.0 * double(n));
  }
  std::vector<float> ones(64, 1.0f);
  kernels.hadamard(ones.data(), ones.size());
  expect("hadamard", 64, ones[0], 64);
  expect("hadamard", 64, ones[63], 0);
  std::printf("%s\n", failures ? "failed" : "answers");
  return failures != 0;
}
