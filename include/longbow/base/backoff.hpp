// How long to wait before something that may fail is tried again: not at all after a success, twice as long after each
// failure. Times are in any unit that grows; a POD, all zeros is a fresh one.
#pragma once

#include <algorithm>
#include <cstdint>

namespace longbow::base {

struct Backoff {
  std::int64_t wait;   // after the last failure, 0 = none
  std::int64_t until;  // not before

  [[nodiscard]] bool may_try(std::int64_t now) const noexcept { return now >= until; }
  void succeeded() noexcept { wait = until = 0; }
  // The first failure waits for `first`, none for longer than `most`.
  void failed(std::int64_t now, std::int64_t first, std::int64_t most) noexcept {
    wait = wait == 0 ? first : std::min(wait * 2, most);
    until = now + wait;
  }
};

}  // namespace longbow::base
