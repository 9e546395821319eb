// Byte planes and snappy.
#include "wal/codec.hpp"

#include <snappy.h>

#include <cstdint>
#include <cstring>

namespace longbow::wal {
namespace {

// Both loops are written so that the compiler turns them into vector code.
void split_planes(const float* in, std::size_t count, std::byte* out) noexcept {
  auto* planes = reinterpret_cast<std::uint8_t*>(out);
  for (std::size_t i = 0; i < count; ++i) {
    std::uint32_t word;
    std::memcpy(&word, in + i, sizeof word);
    planes[i] = static_cast<std::uint8_t>(word);
    planes[count + i] = static_cast<std::uint8_t>(word >> 8);
    planes[2 * count + i] = static_cast<std::uint8_t>(word >> 16);
    planes[3 * count + i] = static_cast<std::uint8_t>(word >> 24);
  }
}

void join_planes(const std::byte* in, std::size_t count, float* out) noexcept {
  const auto* planes = reinterpret_cast<const std::uint8_t*>(in);
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t word = planes[i] | std::uint32_t{planes[count + i]} << 8 |
                               std::uint32_t{planes[2 * count + i]} << 16 | std::uint32_t{planes[3 * count + i]} << 24;
    std::memcpy(out + i, &word, sizeof word);
  }
}

}  // namespace

std::size_t packed_bound(std::size_t bytes) noexcept { return snappy::MaxCompressedLength(bytes); }

std::size_t pack(const float* in, std::size_t count, std::byte* scratch, std::byte* out) {
  split_planes(in, count, scratch);
  std::size_t bytes = 0;
  snappy::RawCompress(reinterpret_cast<const char*>(scratch), count * sizeof(float), reinterpret_cast<char*>(out),
                      &bytes);
  return bytes;
}

bool unpack(const std::byte* in, std::size_t bytes, std::size_t count, std::byte* scratch, float* out) noexcept {
  const auto* packed = reinterpret_cast<const char*>(in);
  std::size_t raw = 0;
  if (!snappy::GetUncompressedLength(packed, bytes, &raw) || raw != count * sizeof(float)) return false;
  if (!snappy::RawUncompress(packed, bytes, reinterpret_cast<char*>(scratch))) return false;
  join_planes(scratch, count, out);
  return true;
}

}  // namespace longbow::wal
