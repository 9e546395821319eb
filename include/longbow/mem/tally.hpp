// Tallies of allocations: plain numbers of one thread, which a memory resource raises through a meter of its own.
#pragma once

#include <algorithm>
#include <cstdint>

#include "longbow/mem/size_class.hpp"

namespace longbow::mem {

struct Tally {
  std::uint64_t allocations = 0;
  std::uint64_t bytes = 0;   // asked for, in all
  std::uint64_t live = 0;    // bytes not given back yet
  std::uint64_t peak = 0;    // the most that `live` has been
  std::uint64_t resets = 0;  // times that a resource ended with bytes of this class, which went all at once
};

struct Tallies {
  Tally of[kSizeClasses];
  bool touched = false;  // since whoever reads the tallies cleared it
};

// What one resource has taken from its tallies; gives back what is left when it ends.
class Meter {
 public:
  explicit Meter(Tallies& total) noexcept : total_(total) {}
  Meter(const Meter&) = delete;
  Meter& operator=(const Meter&) = delete;
  ~Meter() { reset(); }

  void took(std::size_t bytes) noexcept {
    const auto c = static_cast<std::size_t>(size_class(bytes));
    Tally& t = total_.of[c];
    ++t.allocations;
    t.bytes += bytes;
    t.live += bytes;
    t.peak = std::max(t.peak, t.live);
    live_[c] += bytes;
    total_.touched = true;
  }
  // `bytes` as they were when taken.
  void gave(std::size_t bytes) noexcept {
    const auto c = static_cast<std::size_t>(size_class(bytes));
    total_.of[c].live -= bytes;
    live_[c] -= bytes;
    total_.touched = true;
  }
  // All that is left has gone at once.
  void reset() noexcept {
    for (std::size_t c = 0; c < kSizeClasses; ++c) {
      if (live_[c] == 0) continue;
      total_.of[c].live -= live_[c];
      ++total_.of[c].resets;
      live_[c] = 0;
      total_.touched = true;
    }
  }

 private:
  Tallies& total_;
  std::uint64_t live_[kSizeClasses] = {};
};

}  // namespace longbow::mem
