// splitmix64 (Steele, Lea and Flood, 2014): small, seeded by any number, and the same on every platform.
#pragma once

#include <cstdint>

namespace longbow::base {

// Its finaliser: a bijection that spreads every bit of z over all.
constexpr std::uint64_t mix64(std::uint64_t z) noexcept {
  z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9U;
  z = (z ^ (z >> 27)) * 0x94D049BB133111EBU;
  return z ^ (z >> 31);
}

class SplitMix64 {
 public:
  explicit SplitMix64(std::uint64_t seed) noexcept : state_(seed) {}
  // Gives the next 64 random bits.
  std::uint64_t next() noexcept { return mix64(state_ += 0x9E3779B97F4A7C15U); }
  // Gives a number in [0, bound), bound > 0; its bias is below bound / 2^64.
  std::uint64_t below(std::uint64_t bound) noexcept { return next() % bound; }

 private:
  std::uint64_t state_;
};

}  // namespace longbow::base
