// Counting of stacks, and pprof's format.
#include "longbow/prof/profile.hpp"

#include <algorithm>

namespace longbow::prof {

void Profile::add(const Stack& stack, std::uint64_t times) {
  if (stack.empty() || times == 0) return;
  auto place = std::lower_bound(stacks_.begin(), stacks_.end(), stack,
                                [](const Sampled& s, const Stack& other) { return s.stack < other; });
  if (place == stacks_.end() || place->stack != stack) place = stacks_.insert(place, Sampled{Stack(stack, memory_), 0});
  place->times += times;
  samples_ += times;
}

void Profile::write_pprof(std::uint64_t period, std::string_view maps, std::pmr::string& out) const {
  const auto word = [&out](std::uint64_t w) { out.append(reinterpret_cast<const char*>(&w), sizeof w); };
  // Header: none, words after these two, version, period, none.
  for (const std::uint64_t w : {std::uint64_t{0}, std::uint64_t{3}, std::uint64_t{0}, period, std::uint64_t{0}})
    word(w);
  for (const auto& [stack, times] : stacks_) {
    word(times);
    word(stack.size());
    for (const std::uint64_t address : stack) word(address);
  }
  // The end: no samples of one address, which is none.
  for (const std::uint64_t w : {0, 1, 0}) word(w);
  out.append(maps);
}

}  // namespace longbow::prof
