// Choosing a tier: one probe a process, one atomic pointer to the table in force. State is plain constant-initialised
// data, so the file needs no constructor at load time and may be used from any thread.
#include <atomic>
#include <cstring>

#include "simd/cpu.hpp"
#include "simd/tiers.hpp"

namespace longbow::simd {
namespace {

constexpr std::uint32_t kProbed = 1u << 31;
constinit std::atomic<std::uint32_t> cpu_features{0};
constinit std::atomic<const Kernels*> active_kernels{nullptr};
constinit std::atomic<Tier> tier_limit{Tier::avx512};

bool has(std::uint32_t features, std::uint32_t wanted) noexcept { return (features & wanted) == wanted; }

// Returns the CPU's features, probing on first use; a race probes twice and stores the same bits.
std::uint32_t features() noexcept {
  std::uint32_t found = cpu_features.load(std::memory_order_relaxed);
  if (found == 0) {
    found = probe_cpu() | kProbed;
    cpu_features.store(found, std::memory_order_relaxed);
  }
  return found;
}

// The instruction set of a kernel's function in a tier.
const char* implementation_name(Tier tier, const char* kernel) noexcept {
  const Kernels* table = &kernels_of(tier);
#if defined(__x86_64__)
  const bool popcnt = table == &kAvx512PopcntKernels, vnni = popcnt || table == &kAvx512VnniKernels;
  const auto begins = [kernel](const char* name) { return std::strncmp(kernel, name, std::strlen(name)) == 0; };
  if (vnni && (begins("block_dot") || begins("block_scan"))) return "avx512+vnni";
  const auto is = [kernel](const char* name) { return std::strcmp(kernel, name) == 0; };
  if (popcnt && (is("hamming") || is("jaccard") || is("block_both"))) return "avx512+vpopcntdq";
#else
  static_cast<void>(table), static_cast<void>(kernel);
#endif
  return tier_name(tier);
}

const Kernels* activate() noexcept {
  const Kernels* table = &kernels_of(active_tier());
  active_kernels.store(table, std::memory_order_release);
  return table;
}

}  // namespace

const Kernels& kernels() noexcept {
  const Kernels* table = active_kernels.load(std::memory_order_acquire);
  return table != nullptr ? *table : *activate();
}

const Kernels& kernels_of(Tier tier) noexcept {
#if defined(__x86_64__)
  switch (tier) {
    case Tier::scalar:
      break;
    case Tier::sse42:
      return kSse42Kernels;
    case Tier::avx2:
      return kAvx2Kernels;
    case Tier::avx512:
      if (!has(features(), kCpuAvx512vnni)) return kAvx512Kernels;
      return has(features(), kCpuAvx512vpopcntdq) ? kAvx512PopcntKernels : kAvx512VnniKernels;
  }
#else
  static_cast<void>(tier);
#endif
  return kScalarKernels;
}

Tier detected_tier() noexcept {
  const std::uint32_t found = features();
  if (!has(found, kCpuSse42 | kCpuPopcnt)) return Tier::scalar;
  if (!has(found, kCpuAvx2 | kCpuFma | kCpuF16c)) return Tier::sse42;
  if (!has(found, kCpuAvx512f | kCpuAvx512bw | kCpuAvx512dq | kCpuAvx512vl)) return Tier::avx2;
  return Tier::avx512;
}

Tier active_tier() noexcept {
  const Tier limit = tier_limit.load(std::memory_order_relaxed);
  const Tier detected = detected_tier();
  return limit < detected ? limit : detected;
}

void set_tier_limit(Tier limit) noexcept {
  tier_limit.store(limit, std::memory_order_relaxed);
  activate();
}

const char* tier_name(Tier tier) noexcept {
  static constexpr const char* kNames[kTierCount] = {"scalar", "sse4.2", "avx2", "avx512"};
  return kNames[static_cast<int>(tier)];
}

void detected_features(char* buffer, std::size_t size) noexcept {
  if (size == 0) return;
  std::size_t used = 0;
  for (int bit = 0; bit < kCpuFeatureCount; ++bit) {
    if ((features() >> bit & 1) == 0) continue;
    const char* name = cpu_feature_name(bit);
    const std::size_t length = std::strlen(name), separator = used > 0 ? 1 : 0;
    if (used + separator + length + 1 > size) break;
    if (separator != 0) buffer[used++] = ' ';
    std::memcpy(buffer + used, name, length);
    used += length;
  }
  buffer[used] = '\0';
}

std::size_t kernel_choices(const KernelChoice** rows) noexcept {
  static constexpr const char* kNames[] = {
      "l2_squared",  "inner_product", "l1",         "cosine",         "block_dot_1",    "block_dot_2",
      "block_dot_4", "block_dot_8",   "block_l1_1", "block_l1_2",     "block_l1_4",     "block_l1_8",
      "block_score", "block_scan_1",  "block_scan_2", "block_scan_4", "block_scan_8",
      "select_upto", "select_sums",   "refine_l2",  "refine_ip",      "refine_l1",      "max_abs",
      "grid_sums",   "grid_codes",    "subtract",   "multiply",       "add_to",         "scale",
      "butterfly",   "hadamard",      "dot_packed", "nearest_packed", "l2_squared_f16", "inner_product_f16",
      "l1_f16",      "cosine_f16",    "from_f16",   "to_f16",         "hamming",        "jaccard",
      "block_both"};
  constexpr std::size_t kRows = sizeof(kNames) / sizeof(kNames[0]);
  static_assert(sizeof(Kernels) == kRows * sizeof(void (*)()), "a kernel has no name");
  constinit static KernelChoice choices[kRows] = {};
  const Tier tier = active_tier();
  for (std::size_t i = 0; i < kRows; ++i) choices[i] = {kNames[i], implementation_name(tier, kNames[i])};
  *rows = choices;
  return kRows;
}

void pack_columns(const float* columns_by_row, std::size_t columns, std::size_t dims, float* packed) noexcept {
  for (std::size_t first = 0; first < columns; first += kPanelColumns, packed += kPanelColumns * dims) {
    const std::size_t width = columns - first < kPanelColumns ? columns - first : kPanelColumns;
    const float* source = columns_by_row + first * dims;
    for (std::size_t x = 0; x < dims; ++x) {
      float* line = packed + x * kPanelColumns;
      for (std::size_t j = 0; j < width; ++j) line[j] = source[j * dims + x];
      for (std::size_t j = width; j < kPanelColumns; ++j) line[j] = 0;
    }
  }
}

}  // namespace longbow::simd
