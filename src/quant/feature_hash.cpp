// Hashing of sparse vectors.
#include "longbow/quant/feature_hash.hpp"

#include <algorithm>

#include "longbow/base/random.hpp"

namespace longbow::quant {

void hash_features(const std::int32_t* indices, const float* values, std::size_t count, float* out) noexcept {
  constexpr std::size_t kPart = kHashedDims / kHashSpread;
  constexpr float kShare = 0.5F;  // 1 / sqrt(kHashSpread)
  static_assert(kHashSpread == 4 && kPart == 128);
  std::fill_n(out, kHashedDims, 0.0F);
  bool any = false;
  for (std::size_t i = 0; i < count; ++i) {
    any = any || values[i] != 0.0F;
    std::uint64_t bits = base::mix64((static_cast<std::uint64_t>(indices[i]) + 1) * 0x9E3779B97F4A7C15U);
    // A place in each quarter, so that no two of an index meet: 7 bits for the place, one for the sign.
    for (std::size_t part = 0; part < kHashSpread; ++part, bits >>= 8)
      out[part * kPart + (bits & 127)] += (bits & 128) != 0 ? kShare * values[i] : -kShare * values[i];
  }
  if (any && std::all_of(out, out + kHashedDims, [](float x) { return x == 0.0F; })) out[0] = 1e-30F;
}

}  // namespace longbow::quant
