// Stacks that were sampled, and how often each: written out as pprof's CPU profile or as folded stacks.
//
// The profile format is that of gperftools ("CPU Profiler Binary Data File Format"): machine words, then the text of
// /proc/PID/maps by which a reader finds the files that addresses belong to.
#pragma once

#include <cstdint>
#include <memory_resource>
#include <string>
#include <string_view>
#include <vector>

namespace longbow::prof {

// Addresses of one moment, innermost first; those of callers are return addresses.
using Stack = std::pmr::vector<std::uint64_t>;

struct Sampled {
  Stack stack;
  std::uint64_t times;
};

class Profile {
 public:
  explicit Profile(std::pmr::memory_resource* memory) : memory_(memory), stacks_(memory) {}

  // Counts a stack `times` times; an empty one is not counted.
  void add(const Stack& stack, std::uint64_t times);
  [[nodiscard]] std::uint64_t samples() const noexcept { return samples_; }
  // In the order of their addresses, each once.
  [[nodiscard]] const std::pmr::vector<Sampled>& stacks() const noexcept { return stacks_; }

  // Appends the profile in pprof's format; `period` is the time between two samples in microseconds.
  void write_pprof(std::uint64_t period, std::string_view maps, std::pmr::string& out) const;

 private:
  std::pmr::memory_resource* memory_;
  std::pmr::vector<Sampled> stacks_;
  std::uint64_t samples_ = 0;
};

}  // namespace longbow::prof
