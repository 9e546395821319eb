// Numbers in network byte order.
#pragma once

#include <cstdint>

namespace longbow::format {

inline std::uint16_t read_u16(const std::uint8_t* at) noexcept {
  return static_cast<std::uint16_t>(at[0] << 8 | at[1]);
}

inline std::uint32_t read_u32(const std::uint8_t* at) noexcept {
  return static_cast<std::uint32_t>(read_u16(at)) << 16 | read_u16(at + 2);
}

}  // namespace longbow::format
