// Sparse vectors of any number of dimensions as dense ones of few: a sparse Johnson-Lindenstrauss transform.
//
// Each index goes to kHashSpread of kHashedDims places, with signs: feature hashing (Weinberger et al., ICML 2009) with more
// than one place an index (Kane and Nelson, J. ACM 2014). Inner products stay as they are on average, with a standard
// deviation of about |x| |y| / sqrt(kHashedDims); no bound follows for a single pair. Places and signs are part of the
// index's format.
#pragma once

#include <cstddef>
#include <cstdint>

namespace longbow::quant {

inline constexpr std::size_t kHashedDims = 512;
inline constexpr std::size_t kHashSpread = 4;

// Fills out (kHashedDims floats). A vector that is not zero never gives zero: where all places cancel out, the first is
// a number too small to be ranked by.
void hash_features(const std::int32_t* indices, const float* values, std::size_t count, float* out) noexcept;

}  // namespace longbow::quant
