// Finds the words that differ and trims each run of them to the bytes that do.
//
// Between two runs lies at least one equal word, which takes more bytes than the second one's header.
#include "longbow/base/byte_delta.hpp"

#include <algorithm>
#include <cstring>

namespace longbow::base {

namespace {

std::uint64_t word_at(const std::uint8_t* bytes, std::size_t at) noexcept {
  std::uint64_t word;
  std::memcpy(&word, bytes + at, sizeof word);
  return word;
}

// The first word in [at, end) that differs, or end. Most of a page is equal: four words a step.
std::size_t skip_equal(const std::uint8_t* from, const std::uint8_t* to, std::size_t at, std::size_t end) noexcept {
  constexpr std::size_t kStep = 4 * kDeltaWord;
  for (; at + kStep <= end; at += kStep) {
    std::uint64_t different = 0;
    for (std::size_t w = 0; w < kStep; w += kDeltaWord) different |= word_at(from, at + w) ^ word_at(to, at + w);
    if (different != 0) break;
  }
  while (at < end && word_at(from, at) == word_at(to, at)) at += kDeltaWord;
  return at;
}

std::size_t skip_different(const std::uint8_t* from, const std::uint8_t* to, std::size_t at, std::size_t end) noexcept {
  while (at < end && word_at(from, at) != word_at(to, at)) at += kDeltaWord;
  return at;
}

}  // namespace

std::size_t write_delta(const std::uint8_t* from, const std::uint8_t* to, std::size_t begin, std::size_t known_end, std::size_t end,
                        std::uint8_t* out) noexcept {
  const std::size_t known = std::min(known_end / kDeltaWord * kDeltaWord, end);
  std::uint8_t* at = out;
  const auto put = [&](std::size_t first, std::size_t last) {
    const auto offset = static_cast<std::uint16_t>(first);
    const auto length = static_cast<std::uint16_t>(last - first);
    std::memcpy(at, &offset, sizeof offset);
    std::memcpy(at + sizeof offset, &length, sizeof length);
    std::memcpy(at + sizeof offset + sizeof length, to + first, length);
    at += sizeof offset + sizeof length + length;
  };
  for (std::size_t i = begin; i < end;) {
    std::size_t first = i < known ? skip_equal(from, to, i, known) : i;
    if (first >= end) break;
    std::size_t last = first < known ? skip_different(from, to, first, known) : known;
    if (first < known)
      while (from[first] == to[first]) ++first;
    if (last >= known && known < end)
      last = end;
    else
      while (from[last - 1] == to[last - 1]) --last;
    put(first, last);
    i = (last + kDeltaWord - 1) / kDeltaWord * kDeltaWord;
  }
  return static_cast<std::size_t>(at - out);
}

}  // namespace longbow::base
