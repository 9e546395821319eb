// CRC-32C (Castagnoli, RFC 3720 appendix B.4): by the SSE4.2 instruction where the processor has it, else by tables.
#pragma once

#include <cstddef>
#include <cstdint>

namespace longbow::base {

// Continues a checksum over `bytes` bytes. The first call takes 0; a result can be passed on:
// crc32c(crc32c(0, a, n), b, m) is the checksum of a followed by b. crc32c(0, "123456789", 9) is 0xE3069283.
[[nodiscard]] std::uint32_t crc32c(std::uint32_t before, const void* data, std::size_t bytes) noexcept;

namespace testing {
// The same by tables, on any processor.
[[nodiscard]] std::uint32_t crc32c_by_table(std::uint32_t before, const void* data, std::size_t bytes) noexcept;
}  // namespace testing

}  // namespace longbow::base
