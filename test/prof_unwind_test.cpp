// Unwinding of this process's own stack, names of its functions, samples by the kernel, and the profile's format.
#include <execinfo.h>
#include <gtest/gtest.h>
#include <ucontext.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <numeric>
#include <vector>

#include "longbow/prof/perf.hpp"
#include "longbow/prof/space.hpp"

namespace longbow::prof {
namespace {

#if defined(__x86_64__)

std::vector<std::uint64_t> expected;

// The moment of its own call, and backtrace()'s view of the same stack.
[[gnu::noinline]] void look(Moment& m, std::vector<std::byte>& stack) {
  void* frames[64];
  const int count = backtrace(frames, 64);
  expected.clear();
  for (int i = 0; i < count; i++) expected.push_back(reinterpret_cast<std::uint64_t>(frames[i]));
  ucontext_t here;
  getcontext(&here);
  constexpr int kGreg[] = {REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI, REG_RBP, REG_RSP, REG_R8,
                           REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP};
  for (int i = 0; i < kRegisters; i++) m.reg[i] = static_cast<std::uint64_t>(here.uc_mcontext.gregs[kGreg[i]]);
  m.stack_at = m.reg[kStackPointer];
  m.stack_bytes = 8192;
  stack.resize(m.stack_bytes);
  // Byte by byte, past the sanitizer's eyes: it takes other frames' bytes for nobody's.
  const auto* from = reinterpret_cast<const volatile unsigned char*>(m.stack_at);
  [&]() __attribute__((no_sanitize("address"))) {
    for (std::size_t i = 0; i < stack.size(); i++) stack[i] = static_cast<std::byte>(from[i]);
  }
  ();
  m.stack = stack.data();
}

[[gnu::noinline]] int deep(int n, Moment& m, std::vector<std::byte>& stack) {
  if (n == 0) {
    look(m, stack);
    return 1;
  }
  return deep(n - 1, m, stack) + 1;
}

TEST(Unwind, FindsTheCallersThatBacktraceFinds) {
  std::pmr::monotonic_buffer_resource memory;
  Space space(getpid(), &memory);
  ASSERT_TRUE(space.refresh());
  Moment m{};
  std::vector<std::byte> bytes;
  ASSERT_EQ(deep(5, m, bytes), 6);
  Stack stack(&memory);
  space.unwind(m, stack);
  ASSERT_GE(stack.size(), 8U);
  // Six frames of deep() and the test's: all but the innermost address are return addresses, the same for both.
  // (The sanitizer's backtrace() may count itself.)
  const auto first = std::find(expected.begin(), expected.end(), stack[1]);
  ASSERT_GE(expected.end() - first, 7);
  for (std::ptrdiff_t i = 0; i < 7; i++) EXPECT_EQ(stack[static_cast<std::size_t>(i) + 1], first[i]) << i;
  EXPECT_EQ(space.name(stack[0]), "longbow::prof::look");
  EXPECT_EQ(space.name(stack[3] - 1), "longbow::prof::deep");
  EXPECT_NE(space.name(stack[7] - 1).find("Unwind_FindsTheCallers"), std::string_view::npos);
}

// A frame whose stack pointer was rounded down: what its caller's is stands in an expression.
[[gnu::noinline, gnu::target("avx2"), gnu::optimize("O2")]] int aligned(int n, Moment& m,
                                                                        std::vector<std::byte>& stack) {
  alignas(256) volatile char wide[256];
  wide[0] = static_cast<char>(n);
  volatile auto* variable = static_cast<volatile char*>(__builtin_alloca(static_cast<std::size_t>(n) * 16));
  variable[0] = wide[0];
  return deep(n, m, stack) + variable[0] * 0 + wide[0] * 0;
}

TEST(Unwind, FindsTheCallersOfRealignedFrames) {
  std::pmr::monotonic_buffer_resource memory;
  Space space(getpid(), &memory);
  ASSERT_TRUE(space.refresh());
  Moment m{};
  std::vector<std::byte> bytes;
  ASSERT_EQ(aligned(2, m, bytes), 3);
  Stack stack(&memory);
  space.unwind(m, stack);
  ASSERT_GE(stack.size(), 6U);
  EXPECT_EQ(space.name(stack[4] - 1), "longbow::prof::aligned");
  EXPECT_NE(space.name(stack[5] - 1).find("Unwind_FindsTheCallersOfRealigned"), std::string_view::npos);
  const auto first = std::find(expected.begin(), expected.end(), stack[1]);
  ASSERT_GE(expected.end() - first, 5);
  for (std::ptrdiff_t i = 0; i < 5; i++) EXPECT_EQ(stack[static_cast<std::size_t>(i) + 1], first[i]) << i;
}

// Stacks cut at any length, and wrong registers, end early and read nothing else (the sanitizer watches).
TEST(Unwind, EndsWhereTheStackEnds) {
  std::pmr::monotonic_buffer_resource memory;
  Space space(getpid(), &memory);
  ASSERT_TRUE(space.refresh());
  Moment m{};
  std::vector<std::byte> bytes;
  deep(3, m, bytes);
  Stack stack(&memory);
  std::size_t before = 0;
  for (std::size_t length = 0; length <= 2048; length += 8) {
    std::vector<std::byte> cut(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(length));
    Moment shorter = m;
    shorter.stack = cut.data();
    shorter.stack_bytes = length;
    space.unwind(shorter, stack);
    ASSERT_GE(stack.size(), std::max<std::size_t>(before, 1));
    before = stack.size();
  }
  Moment lost = m;
  lost.reg[kStackPointer] = lost.reg[6] = ~std::uint64_t{0} - 3;
  space.unwind(lost, stack);
  EXPECT_EQ(stack.size(), 1U);
}

TEST(Perf, SamplesAndFinds) {
  std::pmr::monotonic_buffer_resource memory;
  Perf perf;
  const int error = perf.open(getpid(), 1000);
  if (error != 0) GTEST_SKIP() << "perf_event_open: " << strerror(error);
  Space space(getpid(), &memory);
  ASSERT_TRUE(space.refresh());
  Profile profile(&memory);
  Stack stack(&memory);
  for (int round = 0; round < 2000 && profile.samples() < 20; round++) {
    volatile double x = 1;
    for (int i = 0; i < 100000; i++) x = x * 1.0000001;
    Moment m;
    while (perf.next(m)) {
      space.unwind(m, stack);
      profile.add(stack, 1);
    }
  }
  EXPECT_GE(profile.samples(), 20U);
  std::pmr::vector<Folded> folded(&memory);
  fold(profile, space, folded);
  std::uint64_t ours = 0;
  for (std::size_t i = 1; i < folded.size(); i++) EXPECT_LT(folded[i - 1].stack, folded[i].stack);
  for (const auto& [line, times] : folded)
    if (line.find("Perf_SamplesAndFinds") != std::pmr::string::npos) ours += times;
  EXPECT_GE(ours, 10U);
  EXPECT_EQ(std::accumulate(folded.begin(), folded.end(), std::uint64_t{0},
                            [](std::uint64_t n, const Folded& f) { return n + f.samples; }),
            profile.samples());
}

#endif

TEST(Readable, NamesLoseWhatMakesThemLong) {
  std::pmr::monotonic_buffer_resource memory;
  const auto readable = [&memory](std::string_view name) {
    std::pmr::string out(&memory);
    append_readable(name, out);
    return out;
  };
  EXPECT_EQ(readable("_ZN7longbow4tree6searchERKNS0_5QueryE"), "longbow::tree::search");
  EXPECT_EQ(readable("_ZN7longbow4simd12_GLOBAL__N_1L9l2_avx512EPKfS3_m"), "longbow::simd::l2_avx512");
  EXPECT_EQ(readable("_ZNK7longbow4tree4Tree3getEv"), "longbow::tree::Tree::get");
  EXPECT_EQ(readable("_ZL4leafi"), "leaf");
  EXPECT_EQ(readable("ExecutorRun"), "ExecutorRun");
  EXPECT_EQ(readable("_Z99999x"), "_Z99999x");
  EXPECT_EQ(readable("_ZN"), "_ZN");
  EXPECT_EQ(readable(""), "");
}

TEST(Profile, WritesTheFormat) {
  std::pmr::monotonic_buffer_resource memory;
  Profile profile(&memory);
  const Stack a({0x10, 0x20}, &memory), b({0x30}, &memory);
  profile.add(a, 2);
  profile.add(b, 1);
  profile.add(a, 3);
  profile.add(Stack(&memory), 7);
  EXPECT_EQ(profile.samples(), 6U);
  std::pmr::string out(&memory);
  profile.write_pprof(10101, "maps\n", out);
  std::vector<std::uint64_t> words((out.size() - 5) / 8);
  std::memcpy(words.data(), out.data(), words.size() * 8);
  EXPECT_EQ(words, (std::vector<std::uint64_t>{0, 3, 0, 10101, 0, 5, 2, 0x10, 0x20, 1, 1, 0x30, 0, 1, 0}));
  EXPECT_EQ(out.substr(out.size() - 5), "maps\n");
}

}  // namespace
}  // namespace longbow::prof
