// Size classes of allocations.
#pragma once

#include <cstddef>
#include <cstdint>

namespace longbow::mem {

// Bytes asked for: tiny < 64 <= small < 256 <= medium < 1,024 <= large <= 65,536 < huge.
enum class SizeClass : std::uint8_t { tiny, small, medium, large, huge };
inline constexpr std::size_t kSizeClasses = 5;

constexpr SizeClass size_class(std::size_t bytes) noexcept {
  // A sum of comparisons: sizes alternate too much for a branch to be predicted.
  return static_cast<SizeClass>(static_cast<int>(bytes >= 64) + static_cast<int>(bytes >= 256) +
                                static_cast<int>(bytes >= 1024) + static_cast<int>(bytes > 65536));
}

constexpr const char* size_class_name(SizeClass c) noexcept {
  switch (c) {
    case SizeClass::tiny: return "tiny";
    case SizeClass::small: return "small";
    case SizeClass::medium: return "medium";
    case SizeClass::large: return "large";
    case SizeClass::huge: return "huge";
  }
  return "unknown";
}

}  // namespace longbow::mem
