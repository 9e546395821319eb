// CRC-32C, reflected polynomial 0x82F63B78. The instruction does 8 bytes in 3 cycles: a single-row record in 0.1 us,
// so that interleaving streams would gain nothing worth its code.
#include "longbow/base/crc32c.hpp"

#include <array>
#include <cstring>

namespace longbow::base {
namespace {

constexpr std::array<std::uint32_t, 256> make_table() noexcept {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78U : 0);
    table[i] = crc;
  }
  return table;
}
constexpr std::array<std::uint32_t, 256> kTable = make_table();

std::uint32_t by_table(std::uint32_t crc, const unsigned char* at, std::size_t bytes) noexcept {
  for (; bytes > 0; --bytes) crc = crc >> 8 ^ kTable[(crc ^ *at++) & 0xFF];
  return crc;
}

#if defined(__x86_64__)
[[gnu::target("sse4.2")]] std::uint32_t by_instruction(std::uint32_t crc, const unsigned char* at,
                                                       std::size_t bytes) noexcept {
  unsigned long long wide = crc;
  for (; bytes >= 8; bytes -= 8, at += 8) {
    unsigned long long word;
    std::memcpy(&word, at, sizeof word);
    wide = __builtin_ia32_crc32di(wide, word);
  }
  auto narrow = static_cast<std::uint32_t>(wide);
  for (; bytes > 0; --bytes) narrow = __builtin_ia32_crc32qi(narrow, *at++);
  return narrow;
}
#endif

}  // namespace

std::uint32_t crc32c(std::uint32_t before, const void* data, std::size_t bytes) noexcept {
  const auto* at = static_cast<const unsigned char*>(data);
#if defined(__x86_64__)
  // One load and test: libgcc has asked cpuid before main().
  if (__builtin_cpu_supports("sse4.2")) return ~by_instruction(~before, at, bytes);
#endif
  return ~by_table(~before, at, bytes);
}

namespace testing {

std::uint32_t crc32c_by_table(std::uint32_t before, const void* data, std::size_t bytes) noexcept {
  return ~by_table(~before, static_cast<const unsigned char*>(data), bytes);
}

}  // namespace testing
}  // namespace longbow::base
