// Reads numbers from bytes of a file that may hold anything: beyond the end it gives zeros and says so.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace longbow::prof {

class Cursor {
 public:
  Cursor(const std::byte* at, std::size_t bytes) noexcept : at_(at), end_(at + bytes) {}

  template <class T>
  T take() noexcept {
    T value{};
    if (left() < sizeof value) {
      fail();
      return value;
    }
    std::memcpy(&value, at_, sizeof value);
    at_ += sizeof value;
    return value;
  }
  std::uint64_t uleb() noexcept {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
      const auto b = take<std::uint8_t>();
      value |= static_cast<std::uint64_t>(b & 0x7f) << shift;
      if ((b & 0x80) == 0) break;
    }
    return value;
  }
  std::int64_t sleb() noexcept {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 64;) {
      const auto b = take<std::uint8_t>();
      value |= static_cast<std::uint64_t>(b & 0x7f) << shift;
      shift += 7;
      if ((b & 0x80) != 0) continue;
      if ((b & 0x40) != 0 && shift < 64) value |= ~std::uint64_t{0} << shift;
      break;
    }
    return static_cast<std::int64_t>(value);
  }
  void skip(std::uint64_t bytes) noexcept {
    if (bytes > left())
      fail();
    else
      at_ += bytes;
  }
  void cut(std::uint64_t bytes) noexcept {
    if (bytes > left())
      fail();
    else
      end_ = at_ + bytes;
  }
  [[nodiscard]] std::size_t left() const noexcept { return static_cast<std::size_t>(end_ - at_); }
  [[nodiscard]] bool good() const noexcept { return good_; }
  [[nodiscard]] const std::byte* at() const noexcept { return at_; }

 private:
  void fail() noexcept {
    good_ = false;
    at_ = end_;
  }
  const std::byte *at_, *end_;
  bool good_ = true;
};

}  // namespace longbow::prof
