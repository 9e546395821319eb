// A set of 64-bit keys in one array: open addressing, linear probing, at most half full. Key 0 is not allowed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <vector>

namespace longbow::mem {

class FlatSet {
 public:
  explicit FlatSet(std::pmr::memory_resource& memory) : slots_(&memory) {}

  // Adds a key; returns whether it was new.
  bool insert(std::uint64_t key) {
    if ((size_ + 1) * 2 > slots_.size()) grow();
    std::size_t at = place(key);
    for (; slots_[at] != 0; at = (at + 1) & (slots_.size() - 1))
      if (slots_[at] == key) return false;
    slots_[at] = key;
    ++size_;
    return true;
  }
  [[nodiscard]] bool contains(std::uint64_t key) const noexcept {
    if (slots_.empty()) return false;
    for (std::size_t at = place(key); slots_[at] != 0; at = (at + 1) & (slots_.size() - 1))
      if (slots_[at] == key) return true;
    return false;
  }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::size_t bytes() const noexcept { return slots_.size() * sizeof(std::uint64_t); }
  void clear() noexcept {
    slots_.clear();
    size_ = 0;
  }

 private:
  [[nodiscard]] std::size_t place(std::uint64_t key) const noexcept {
    // Fibonacci hashing: the high bits of the product are well mixed.
    return static_cast<std::size_t>((key * 0x9E3779B97F4A7C15ULL) >> 20) & (slots_.size() - 1);
  }
  void grow() {
    std::pmr::vector<std::uint64_t> old(slots_.get_allocator());
    old.swap(slots_);
    slots_.assign(old.empty() ? 64 : old.size() * 2, 0);
    for (const std::uint64_t key : old) {
      if (key == 0) continue;
      std::size_t at = place(key);
      while (slots_[at] != 0) at = (at + 1) & (slots_.size() - 1);
      slots_[at] = key;
    }
  }

  std::pmr::vector<std::uint64_t> slots_;
  std::size_t size_ = 0;
};

}  // namespace longbow::mem
