// What turns one page image into another, in the form in which PostgreSQL's generic WAL records keep it: fragments of
// {offset, length (16 bits each, in the machine's order), bytes}.
#pragma once

#include <cstddef>
#include <cstdint>

namespace longbow::base {

// Images are compared by words of so many bytes.
inline constexpr std::size_t kDeltaWord = 8;
// Bytes that the delta of one range of `bytes` bytes takes at most.
constexpr std::size_t most_delta_bytes(std::size_t bytes) noexcept { return bytes + 4; }

// Appends at `out` what turns `from` into `to` between the offsets `begin` and `end` (multiples of kDeltaWord, below 65,536;
// both images aligned to words); of `from` only [begin, known_end) is known, the rest counts as different. Returns how many
// bytes that took.
std::size_t write_delta(const std::uint8_t* from, const std::uint8_t* to, std::size_t begin, std::size_t known_end, std::size_t end,
                        std::uint8_t* out) noexcept;

}  // namespace longbow::base
