// Speed of the kernels of every tier this CPU runs, on data that stays in the L2 cache.
//   g++ -std=c++20 -O3 -Iinclude -Isrc bench/kernels.cpp src/simd/*.cpp -lbenchmark -lpthread -o build/kernels
// fma_peak is a loop of independent multiply-adds in registers: what the core can do. peak_percent is the packed kernels'
// share of it, by CPU time: run both (--benchmark_filter='fma_peak|nearest|dot/').
#include "longbow/simd/kernels.hpp"

#include <benchmark/benchmark.h>

#include <ctime>
#include <random>
#include <string>
#include <vector>

#include "simd/tiers.hpp"

namespace longbow::simd {
namespace {

constexpr std::size_t kCacheBytes = 512 * 1024;

std::vector<float> random_floats(std::size_t n) {
  std::minstd_rand engine(1);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> values(n);
  for (float& value : values) value = uniform(engine);
  return values;
}

template <class T>
std::vector<T> random_bytes(std::size_t n, int low, int high) {
  std::minstd_rand engine(2);
  std::uniform_int_distribution<int> uniform(low, high);
  std::vector<T> values(n);
  for (T& value : values) value = static_cast<T>(uniform(engine));
  return values;
}

void report_rows(benchmark::State& state, std::size_t rows, std::size_t bytes) {
  const double total = static_cast<double>(state.iterations()) * static_cast<double>(rows);
  state.counters["rows"] = benchmark::Counter(total, benchmark::Counter::kIsRate);
  state.SetBytesProcessed(static_cast<std::int64_t>(state.iterations()) * static_cast<std::int64_t>(bytes));
}

void distance(benchmark::State& state, float (*kernel)(const float*, const float*, std::size_t) noexcept,
              std::size_t dims) {
  const std::size_t rows = kCacheBytes / (dims * sizeof(float));
  const std::vector<float> data = random_floats(rows * dims), query = random_floats(dims);
  for (auto step : state) {
    float sum = 0;
    for (std::size_t row = 0; row < rows; ++row) sum += kernel(&data[row * dims], query.data(), dims);
    benchmark::DoNotOptimize(sum);
  }
  report_rows(state, rows, rows * dims * sizeof(float));
}

void refine(benchmark::State& state, const Kernels* table, std::size_t dims) {
  const std::size_t rows = kCacheBytes / dims;
  const auto codes = random_bytes<std::uint8_t>(rows * dims, 0, 255);
  const std::vector<float> query = random_floats(dims);
  for (auto step : state) {
    float sum = 0;
    for (std::size_t row = 0; row < rows; ++row) sum += table->refine_l2(&codes[row * dims], query.data(), 0.01f, dims);
    benchmark::DoNotOptimize(sum);
  }
  report_rows(state, rows, rows * dims);
}

void block_dot(benchmark::State& state, const Kernels* table, unsigned bits, std::size_t dims) {
  const std::size_t groups = (dims * bits + 31) / 32, block = groups * kGroupBytes, blocks = kCacheBytes / block;
  const auto codes = random_bytes<std::uint8_t>(blocks * block, 0, 255);
  const auto query = random_bytes<std::int8_t>(groups * 32 / bits, -127, 127);
  const BlockDot kernel = table->block_dot[width_index(bits)];
  std::int32_t acc[kBlockRows] = {};
  for (auto step : state) {
    for (std::size_t i = 0; i < blocks; ++i) kernel(&codes[i * block], groups, query.data(), acc);
    benchmark::DoNotOptimize(acc);
    for (std::int32_t& lane : acc) lane = 0;
  }
  report_rows(state, blocks * kBlockRows, blocks * block);
}

void block_l1(benchmark::State& state, const Kernels* table, unsigned bits, std::size_t dims) {
  const std::size_t groups = (dims * bits + 31) / 32, block = groups * kGroupBytes, blocks = kCacheBytes / block;
  const auto codes = random_bytes<std::uint8_t>(blocks * block, 0, 255);
  const std::vector<float> query = random_floats(dims), scale(kBlockRows, 0.1f);
  float acc[kBlockRows] = {};
  for (auto step : state) {
    for (std::size_t i = 0; i < blocks; ++i)
      table->block_l1[width_index(bits)](&codes[i * block], dims, query.data(), scale.data(), acc);
    benchmark::DoNotOptimize(acc);
    for (float& lane : acc) lane = 0;
  }
  report_rows(state, blocks * kBlockRows, blocks * block);
}

void encode(benchmark::State& state, const Kernels* table, std::size_t dims) {
  const std::vector<float> row = random_floats(dims);
  for (auto step : state) {
    GridSums sums = table->grid_sums(row.data(), dims, 7, 7.5f);
    benchmark::DoNotOptimize(sums);
  }
  report_rows(state, 1, dims * sizeof(float));
}

void hadamard(benchmark::State& state, const Kernels* table, std::size_t n) {
  std::vector<float> row(n, 0);
  for (auto step : state) {
    table->hadamard(row.data(), n);
    benchmark::DoNotOptimize(row.data());
    benchmark::ClobberMemory();
  }
  report_rows(state, 1, n * sizeof(float));
}

// What the core can do in a tier's instruction set, by its fma_peak; 0 until that has run.
double peak_flops[kTierCount];

// Both are blocks of the assignment: 256 rows by 512 columns.
constexpr std::size_t kAssignRows = 256;

// Counts the multiplications and additions of one call, and their share of the tier's peak.
void report_flops(benchmark::State& state, Tier tier, double flops, double seconds) {
  const double total = static_cast<double>(state.iterations()) * flops;
  state.counters["flops"] = benchmark::Counter(total, benchmark::Counter::kIsRate);
  const double peak = peak_flops[static_cast<int>(tier)];
  if (peak > 0 && seconds > 0) state.counters["peak_percent"] = 100 * total / seconds / peak;
}

double cpu_seconds() {
  timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

void nearest(benchmark::State& state, const Kernels* table, Tier tier, std::size_t columns, std::size_t dims) {
  const std::vector<float> x = random_floats(kAssignRows * dims), centroids = random_floats(columns * dims);
  const std::vector<float> offset = random_floats(columns);
  std::vector<float> packed(packed_floats(columns, dims));
  pack_columns(centroids.data(), columns, dims, packed.data());
  std::vector<Nearest> found(kAssignRows);
  const double from = cpu_seconds();
  for (auto step : state) {
    table->nearest_packed(x.data(), kAssignRows, packed.data(), offset.data(), columns, dims, found.data());
    benchmark::DoNotOptimize(found.data());
    benchmark::ClobberMemory();
  }
  report_flops(state, tier, 2.0 * static_cast<double>(kAssignRows * columns * dims), cpu_seconds() - from);
}

void dot(benchmark::State& state, const Kernels* table, Tier tier, std::size_t columns, std::size_t dims) {
  const std::vector<float> x = random_floats(kAssignRows * dims), centroids = random_floats(columns * dims);
  std::vector<float> packed(packed_floats(columns, dims)), out(kAssignRows * columns);
  pack_columns(centroids.data(), columns, dims, packed.data());
  const double from = cpu_seconds();
  for (auto step : state) {
    table->dot_packed(x.data(), kAssignRows, packed.data(), columns, dims, out.data(), columns);
    benchmark::DoNotOptimize(out.data());
    benchmark::ClobberMemory();
  }
  report_flops(state, tier, 2.0 * static_cast<double>(kAssignRows * columns * dims), cpu_seconds() - from);
}

#if defined(__x86_64__)
// Twelve independent chains of multiply-adds in registers 0 .. 11, a thousand steps an iteration.
#define LB_EACH(step) step(0) step(1) step(2) step(3) step(4) step(5) step(6) step(7) step(8) step(9) step(10) step(11)
#define LB_SSE(i) "mulps %%xmm15, %%xmm" #i "\n\taddps %%xmm14, %%xmm" #i "\n\t"
#define LB_AVX2(i) "vfmadd231ps %%ymm15, %%ymm14, %%ymm" #i "\n\t"
#define LB_AVX512(i) "vfmadd231ps %%zmm15, %%zmm14, %%zmm" #i "\n\t"
#define LB_CLEAR(i) "xorps %%xmm" #i ", %%xmm" #i "\n\t"
#define LB_CLEAR_VEX(i) "vxorps %%xmm" #i ", %%xmm" #i ", %%xmm" #i "\n\t"
#define LB_PEAK(name, tier, clear, step, lanes)                                                                       \
  void name(benchmark::State& state) {                                                                                \
    const double from = cpu_seconds();                                                                                \
    for (auto once : state) {                                                                                         \
      int count = 1000;                                                                                               \
      __asm__ volatile(LB_EACH(clear) clear(14) clear(15) "1:\n\t" LB_EACH(step) "dec %0\n\tjnz 1b"                   \
                       : "+r"(count)::"xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", \
                         "xmm10", "xmm11", "xmm14", "xmm15", "cc");                                                   \
    }                                                                                                                 \
    report_flops(state, tier, 2.0 * 12000 * lanes, 0);                                                                \
    const double seconds = cpu_seconds() - from;                                                                      \
    const double rate = 2.0 * static_cast<double>(state.iterations()) * 12000 * lanes / seconds;                      \
    double& best = peak_flops[static_cast<int>(tier)];                                                                \
    best = rate > best && state.iterations() > 1000 ? rate : best;                                                    \
  }
LB_PEAK(peak_sse42, Tier::sse42, LB_CLEAR, LB_SSE, 4)
LB_PEAK(peak_avx2, Tier::avx2, LB_CLEAR_VEX, LB_AVX2, 8)
LB_PEAK(peak_avx512, Tier::avx512, LB_CLEAR_VEX, LB_AVX512, 16)
#endif

template <class Function, class... Arguments>
void add(const std::string& name, Function function, Arguments... arguments) {
  benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) { function(state, arguments...); });
}

// dims 100 to 768: a panel's slice, the rows and what comes out of them stay in the L2 cache.
void add_assignment(const std::string& name, Tier tier, const Kernels* table) {
  for (const std::size_t dims : {std::size_t{100}, std::size_t{128}, std::size_t{768}}) {
    const std::string end = std::string("/").append(std::to_string(dims)).append("d/").append(name);
    add("nearest" + end, nearest, table, tier, std::size_t{512}, dims);
    add("dot" + end, dot, table, tier, std::size_t{512}, dims);
  }
}

void add_table(const std::string& tier, const Kernels* table) {
  for (const std::size_t dims : {std::size_t{100}, std::size_t{784}}) {
    const std::string end = std::string("/").append(std::to_string(dims)).append("d/").append(tier);
    add("l2" + end, distance, table->l2_squared, dims);
    for (const unsigned bits : {1u, 2u, 4u, 8u})
      add(std::string("block_dot_").append(std::to_string(bits)) + end, block_dot, table, bits, dims);
    for (const unsigned bits : {1u, 4u, 8u})
      add(std::string("block_l1_").append(std::to_string(bits)) + end, block_l1, table, bits, dims);
    add("refine_l2" + end, refine, table, dims);
    add("grid_sums" + end, encode, table, dims);
  }
  for (const std::size_t n : {std::size_t{128}, std::size_t{1024}})
    add(std::string("hadamard/").append(std::to_string(n)).append("/") + tier, hadamard, table, n);
}

void add_all() {
#if defined(__x86_64__)
  // First, since shares of the peak are reported with the kernels.
  if (detected_tier() >= Tier::sse42) add("fma_peak/sse4.2", peak_sse42);
  if (detected_tier() >= Tier::avx2) add("fma_peak/avx2", peak_avx2);
  if (detected_tier() >= Tier::avx512) add("fma_peak/avx512", peak_avx512);
#endif
  for (int i = 0; i <= static_cast<int>(detected_tier()); ++i) {
    const Tier tier = static_cast<Tier>(i);
    add_table(tier_name(tier), &kernels_of(tier));
    add_assignment(tier_name(tier), tier, &kernels_of(tier));
  }
#if defined(__x86_64__)
  if (&kernels_of(detected_tier()) == &kAvx512VnniKernels) add_table("avx512-without-vnni", &kAvx512Kernels);
#endif
}

}  // namespace
}  // namespace longbow::simd

int main(int count, char** arguments) {
  longbow::simd::add_all();
  benchmark::Initialize(&count, arguments);
  benchmark::RunSpecifiedBenchmarks();
}
