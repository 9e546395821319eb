// Time for waits and for the age of a leader; the same clock in every process.
#pragma once

#include <time.h>

#include <cstdint>

namespace longbow::wal {

inline std::uint64_t now_ns() noexcept {
  timespec now;
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000U + static_cast<std::uint64_t>(now.tv_nsec);
}
inline std::uint64_t now_us() noexcept { return now_ns() / 1000; }

}  // namespace longbow::wal
