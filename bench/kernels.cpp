// Speed of the kernels of every tier this CPU runs, on data that stays in the L2 cache.
//   g++ -std=c++20 -O3 -Iinclude -Isrc bench/kernels.cpp src/simd/*.cpp -lbenchmark -lpthread -o build/kernels
// At the end a table sets the kernels on halves, bytes and bits against what bounds them: the L2 cache's bandwidth and
// their instructions' (kernels_limits.hpp), whichever is less, and against the scalar tier; "-" where no limit is
// known. fma_peak is a loop of independent multiply-adds in registers: what the core can do, for comparing the packed
// kernels. peak_percent is their share of it, by CPU time:
// run both (--benchmark_filter='fma_peak|nearest|dot/').
#include "longbow/simd/kernels.hpp"

#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstring>
#include <ctime>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "kernels_limits.hpp"
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

std::vector<Half> random_halves(std::size_t n) {
  std::vector<Half> values(n);
  const std::vector<float> floats = random_floats(n);
  for (std::size_t i = 0; i < n; ++i) values[i] = base::to_half(floats[i]);
  return values;
}

// Runs a kernel of rows of halves against one query; sum takes what it gives.
template <class Kernel>
void halves(benchmark::State& state, Kernel kernel, std::size_t dims) {
  const std::size_t rows = kCacheBytes / (dims * sizeof(Half));
  const std::vector<Half> data = random_halves(rows * dims), query = random_halves(dims);
  for (auto step : state)
    for (std::size_t row = 0; row < rows; ++row)
      benchmark::DoNotOptimize(kernel(&data[row * dims], query.data(), dims));
  report_rows(state, rows, rows * dims * sizeof(Half));
}

void from_f16(benchmark::State& state, const Kernels* table, std::size_t dims) {
  const std::size_t rows = kCacheBytes / (dims * sizeof(Half));
  const std::vector<Half> data = random_halves(rows * dims);
  std::vector<float> out(dims);
  for (auto step : state)
    for (std::size_t row = 0; row < rows; ++row) {
      table->from_f16(&data[row * dims], out.data(), dims);
      benchmark::ClobberMemory();
    }
  report_rows(state, rows, rows * dims * sizeof(Half));
}

// Runs a kernel on rows of bits against one query.
template <class Kernel>
void bits(benchmark::State& state, Kernel kernel, std::size_t bytes) {
  const std::size_t rows = kCacheBytes / bytes;
  const auto data = random_bytes<std::uint8_t>(rows * bytes, 0, 255), query = random_bytes<std::uint8_t>(bytes, 0, 255);
  for (auto step : state)
    for (std::size_t row = 0; row < rows; ++row) {
      auto result = kernel(&data[row * bytes], query.data(), bytes);
      benchmark::DoNotOptimize(result);
    }
  report_rows(state, rows, rows * bytes);
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

// Blocks with their factors as the delta has them: scored in one call, or by block_dot and block_score each.
void block_scan(benchmark::State& state, const Kernels* table, unsigned bits, std::size_t dims, bool one_call) {
  const std::size_t groups = (dims * bits + 31) / 32, codes = groups * kGroupBytes, block = codes + 2 * kBlockRows * sizeof(float);
  const std::size_t blocks = kCacheBytes / block;
  auto bytes = random_bytes<std::uint8_t>(blocks * block, 0, 255);
  const std::vector<float> factors = random_floats(2 * kBlockRows);
  for (std::size_t b = 0; b < blocks; ++b) std::memcpy(&bytes[b * block + codes], factors.data(), factors.size() * sizeof(float));
  const auto query = random_bytes<std::int8_t>(groups * 32 / bits, -127, 127);
  const auto* add = reinterpret_cast<const float*>(bytes.data() + codes);
  const BlockRun run{bytes.data(), add, add + kBlockRows, block, block, block, blocks, groups, query.data(), {1, 0.01f, -3}};
  std::vector<float> estimate(blocks * kBlockRows);
  std::vector<std::uint32_t> below(blocks);
  const int width = width_index(bits);
  for (auto step : state) {
    if (one_call) table->block_scan[width](run, 0, estimate.data(), below.data());
    for (std::size_t b = 0; !one_call && b < blocks; ++b) {
      std::int32_t acc[kBlockRows] = {};
      table->block_dot[width](&bytes[b * block], groups, query.data(), acc);
      const auto* at = reinterpret_cast<const float*>(&bytes[b * block + codes]);
      below[b] = table->block_score(acc, at, at + kBlockRows, run.by, 0, &estimate[b * kBlockRows]);
    }
    benchmark::ClobberMemory();
  }
  report_rows(state, blocks * kBlockRows, blocks * block);
}

void block_both(benchmark::State& state, const Kernels* table, std::size_t count) {
  const std::size_t groups = (count + 31) / 32, block = groups * kGroupBytes, blocks = kCacheBytes / block;
  const auto codes = random_bytes<std::uint8_t>(blocks * block, 0, 255);
  const auto query = random_bytes<std::uint8_t>(groups * 4, 0, 255);
  std::int32_t acc[kBlockRows] = {};
  for (auto step : state) {
    for (std::size_t i = 0; i < blocks; ++i) table->block_both(&codes[i * block], groups, query.data(), acc);
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
    for (const unsigned bits : {2u, 4u}) {
      add(std::string("block_scan_").append(std::to_string(bits)) + end, block_scan, table, bits, dims, true);
      add(std::string("block_dot_score_").append(std::to_string(bits)) + end, block_scan, table, bits, dims, false);
    }
    for (const unsigned bits : {1u, 4u, 8u})
      add(std::string("block_l1_").append(std::to_string(bits)) + end, block_l1, table, bits, dims);
    add("refine_l2" + end, refine, table, dims);
    add("l2_f16" + end, halves<decltype(table->l2_squared_f16)>, table->l2_squared_f16, dims);
    add("ip_f16" + end, halves<decltype(table->inner_product_f16)>, table->inner_product_f16, dims);
    add("l1_f16" + end, halves<decltype(table->l1_f16)>, table->l1_f16, dims);
    add("from_f16" + end, from_f16, table, dims);
    add("grid_sums" + end, encode, table, dims);
  }
  for (const std::size_t count : {std::size_t{1024}, std::size_t{16000}}) {
    const std::string end = std::string("/").append(std::to_string(count)).append("bit/").append(tier);
    add("hamming" + end, bits<decltype(table->hamming)>, table->hamming, count / 8);
    add("jaccard" + end, bits<decltype(table->jaccard)>, table->jaccard, count / 8);
    add("block_both" + end, block_both, table, count);
  }
  for (const std::size_t n : {std::size_t{128}, std::size_t{1024}})
    add(std::string("hadamard/").append(std::to_string(n)).append("/") + tier, hadamard, table, n);
}

#if defined(__x86_64__)
void add_limits() {
  constexpr std::size_t kMemoryBytes = std::size_t{512} << 20;  // beyond most last-level caches
  const Tier best = detected_tier();
  const auto read = best == Tier::avx512 ? read_avx512 : best == Tier::avx2 ? read_avx2 : read_sse;
  add("read_memory", read_bandwidth, read, kMemoryBytes);
  add("read_L2/scalar", read_bandwidth, read_sse, kCacheBytes);
  add("read_L2/sse4.2", read_bandwidth, read_sse, kCacheBytes);
  if (best >= Tier::avx2) {
    add("read_L2/avx2", read_bandwidth, read_avx2, kCacheBytes);
    add("l2_f16_limit/avx2", l2_f16_limit_avx2);
    add("ip_f16_limit/avx2", ip_f16_limit_avx2);
    add("l1_f16_limit/avx2", l1_f16_limit_avx2);
    add("from_f16_limit/avx2", from_f16_limit_avx2);
    add("refine_l2_limit/avx2", refine_limit_avx2);
    add("block_dot_8_limit/avx2", block_dot_8_limit_avx2);
    add("hamming_limit/avx2", hamming_limit_avx2);
    add("jaccard_limit/avx2", jaccard_limit_avx2);
    add("block_both_limit/avx2", block_both_limit_avx2);
    add("fma_peak/avx2", peak_avx2);
  }
  if (best >= Tier::avx512) {
    add("read_L2/avx512", read_bandwidth, read_avx512, kCacheBytes);
    add("l2_f16_limit/avx512", l2_f16_limit_avx512);
    add("ip_f16_limit/avx512", ip_f16_limit_avx512);
    add("l1_f16_limit/avx512", l1_f16_limit_avx512);
    add("from_f16_limit/avx512", from_f16_limit_avx512);
    add("refine_l2_limit/avx512", refine_limit_avx512);
    add("fma_peak/avx512", peak_avx512);
  }
  if (&kernels_of(best) == &kAvx512PopcntKernels) {
    add("hamming_limit/avx512", hamming_limit_avx512);
    add("jaccard_limit/avx512", jaccard_limit_avx512);
    add("block_both_limit/avx512", block_both_limit_avx512);
  }
  if (best >= Tier::sse42) add("fma_peak/sse4.2", peak_sse42);
}
#endif

void add_all() {
#if defined(__x86_64__)
  add_limits();
#endif
  for (int i = 0; i <= static_cast<int>(detected_tier()); ++i) {
    const Tier tier = static_cast<Tier>(i);
    add_table(tier_name(tier), &kernels_of(tier));
    add_assignment(tier_name(tier), tier, &kernels_of(tier));
  }
#if defined(__x86_64__)
  const Kernels* best = &kernels_of(detected_tier());
  if (best == &kAvx512PopcntKernels) add_table("avx512-without-vpopcntdq", &kAvx512VnniKernels);
  if (best == &kAvx512PopcntKernels || best == &kAvx512VnniKernels) add_table("avx512-without-vnni", &kAvx512Kernels);
#endif
}

// Keeps bytes/s by name (the median of repetitions), besides printing what Google Benchmark prints.
class Collector : public benchmark::ConsoleReporter {
 public:
  void ReportRuns(const std::vector<Run>& runs) override {
    ConsoleReporter::ReportRuns(runs);
    for (const Run& run : runs) {
      const auto rate = run.counters.find("bytes_per_second");
      if (rate == run.counters.end() || (run.run_type == Run::RT_Aggregate && run.aggregate_name != "median")) continue;
      rates_[run.run_name.function_name] = rate->second.value;
    }
  }

  void print_against_limits() const {
    std::printf("\n%-40s %8s %8s %8s %9s %9s\n", "kernel", "GB/s", "L2 GB/s", "limit", "of lesser", "x scalar");
    for (const auto& [name, rate] : rates_) {
      const std::string kernel = name.substr(0, name.find('/')), tier = name.substr(name.rfind('/') + 1);
      const bool wanted = kernel.find("f16") != std::string::npos || kernel == "hamming" || kernel == "jaccard" ||
                          kernel.starts_with("refine") || kernel == "block_dot_8" || kernel == "block_both";
      if (!wanted || kernel.ends_with("limit") || tier == "scalar") continue;
      const std::string set = tier.substr(0, tier.find('-'));
      const double cache = rate_of("read_L2/" + set);
      const double limit = tier == set ? rate_of(kernel + "_limit/" + set) : 0;
      const double lesser = limit > 0 && limit < cache ? limit : cache;
      const double scalar = rate_of(name.substr(0, name.rfind('/')) + "/scalar");
      std::printf("%-40s %8.1f %8.1f %8s %8.0f%% %9.1f\n", name.c_str(), rate / 1e9, cache / 1e9,
                  limit > 0 ? std::to_string(limit / 1e9).substr(0, 6).c_str() : "-", 100 * rate / lesser,
                  rate / scalar);
    }
  }

 private:
  double rate_of(const std::string& name) const {
    const auto found = rates_.find(name);
    return found == rates_.end() ? 0 : found->second;
  }
  std::map<std::string, double> rates_;
};

}  // namespace
}  // namespace longbow::simd

int main(int count, char** arguments) {
  longbow::simd::add_all();
  benchmark::Initialize(&count, arguments);
  longbow::simd::Collector collector;
  benchmark::RunSpecifiedBenchmarks(&collector);
  collector.print_against_limits();
}
