// Codes of residuals, and what can be said of distances from them.
//
// A row x (centred and rotated; for cosine also of unit length) belongs to a node with centroid c; its residual is
// r = x - c. A code of b bits holds u = v + half for each dimension, half = (2^b - 1) / 2, v on a symmetric grid.
//
// Scan code (1, 2 or 4 bits; 8 for the centroids of an inner node of few dimensions). The step is searched for the largest cosine
// between v and r; the scale s = |r|^2 / <v, r> makes <q, s v> an unbiased stand-in for <q, r> under a random
// rotation (RaBitQ, Gao and Long, SIGMOD 2024). With add = |r|^2 + 2 s <c, v> and scale = -2 s,
//     |q - x|^2  ~  |q - c|^2 + add + scale * <q, v>        (L2, and cosine on unit vectors)
//     -<q, x>    ~  -<q, c> + scale / 2 * <q, v>            (inner product)
// so that the query is turned into integers once, not once a leaf. For L1 (no rotation) scale is the grid's step s
// itself, add is 0, and |q - x|_1 ~ sum |(q - c) - s v|.
//
// Refine code (8 bits). x^ = c + s v, with s the grid's step; error bounds |x - x^| (for L1 |x - x^|_1) from above,
// rounding of centring, rotation and of the distance functions included, so that lower_bound() is sound.
#pragma once

#include <cstddef>
#include <cstdint>

#include "longbow/base/metric.hpp"

namespace longbow::quant {

struct ScanFactors {
  float add;
  float scale;
};

struct RefineFactors {
  float step;   // s
  float error;  // bound of |x - x^|, NaN never
};

// Dimensions that a code of `bits` occupies: dims rounded up to whole groups of a block (32 / bits).
constexpr std::size_t padded_dims(std::size_t dims, unsigned bits) noexcept {
  const std::size_t per_group = 32 / bits;
  return (dims + per_group - 1) / per_group * per_group;
}
constexpr std::size_t groups(std::size_t dims, unsigned bits) noexcept { return padded_dims(dims, bits) * bits / 32; }

// Relative rounding error allowed for a float sum of n products in any order: operators of others, such as those that
// longbow_pgvector indexes, may add them one after the other.
constexpr float sum_error(std::size_t n) noexcept { return (32.0F + static_cast<float>(n)) * 0x1p-24F; }

// Encodes a residual: writes dims codes, one a byte, in dimension order. r all zero gives scale 0.
ScanFactors encode_scan(base::Metric metric, unsigned bits, const float* residual, const float* centroid,
                        std::size_t dims, std::uint8_t* codes) noexcept;
// Encodes a residual with 8 bits. `norm` is |x - centre| before rotation, for any metric (the L2 norm will do for L1).
// `raw_norm` is |x| before centring: needed for ip; for cosine |x| before scaling to unit length, where a vector whose
// squares leave the range of floats gets an infinite error (0: not checked). `prior_error` is an error already made (a
// row decoded from an earlier code). Norms may be rounded as float sums are.
RefineFactors encode_refine(base::Metric metric, const float* residual, std::size_t dims, float norm, float raw_norm,
                            float prior_error, std::uint8_t* codes) noexcept;
// x^ = centroid + step * v.
void decode_refine(const std::uint8_t* codes, float step, const float* centroid, std::size_t dims, float* out) noexcept;

// Writes one row's codes (one a byte) into its place of groups [first_group, first_group + group_count) of a block.
// `block` points at first_group's own 64 bytes, so that a block may be spread over pages.
void put_row(std::uint8_t* block, unsigned row, unsigned bits, const std::uint8_t* codes, std::size_t dims,
             std::size_t first_group, std::size_t group_count) noexcept;
// The same bytes of all groups one after another, as put_cells() of bits.hpp takes them.
void to_cells(const std::uint8_t* codes, unsigned bits, std::size_t dims, std::uint8_t* cells) noexcept;
// Reads it back: the inverse of put_row over all groups.
void get_row(const std::uint8_t* block, unsigned row, unsigned bits, std::size_t dims, std::uint8_t* codes) noexcept;

// A query in integer form: q ~ step * q8.
struct QuantizedQuery {
  float step;
  std::int32_t sum;  // sum of the q8
};
// Writes padded int8 values (padded >= dims, the rest zero).
QuantizedQuery quantize_query(const float* query, std::size_t dims, std::size_t padded, std::int8_t* q8) noexcept;

// Distance of a refined row, and the bound that is handed to the executor; both in the operator's own unit
// (L2: |q - x|, not squared; ip: -<q, x>; cosine: 1 - cos; L1). For any dims and any row encoded by encode_refine,
// lower_bound <= the distance that the SQL operator computes in float32 for the original vectors.
struct Refined {
  float estimate;
  float lower_bound;
};
// What a query brings to refine(), computed once.
struct RefineQuery {
  base::Metric metric;
  std::size_t dims;
  const float* query;   // centred (not for ip) and rotated; unit length for cosine
  float norm;           // |query - centre| (L2, L1), |query| (ip), 1 (cosine)
  float centre_product; // ip: <query, centre>, else 0
  float raw_norm;       // |query| in the original coordinates (for cosine before scaling; 0: range not checked)
};
// `t` is query - centroid for L2, cosine and L1; for ip it is the query, and `centroid_product` is <query, centroid>.
// Both products come from inner_product() or better: dot_packed() rounds more than the bound allows for.
Refined refine(const RefineQuery& query, const float* t, float centroid_product, const std::uint8_t* codes,
               RefineFactors factors) noexcept;

}  // namespace longbow::quant
