// Reads what is constant in an index and brings rows into its space.
#include "longbow/tree/space.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "longbow/base/error.hpp"
#include "longbow/simd/kernels.hpp"
#include "node.hpp"

namespace longbow::tree {

namespace {

using base::Errc;
using base::Error;

// Squared lengths outside of this range leave float arithmetic too little room for sound bounds.
constexpr float kLargestSquare = 1e30F;
constexpr float kSmallestUnitSquare = 1e-30F;

void read_centre(PageStore& store, const Meta& meta, float* centre) {
  if (meta.centre == kNoBlock) {
    std::fill_n(centre, meta.dims, 0.0F);
    return;
  }
  read_chain(store, PageKind::centre, 0, meta.centre, reinterpret_cast<std::uint8_t*>(centre),
             meta.dims * sizeof(float));
}

}  // namespace

void check_meta(const Meta& meta) {
  if (meta.magic != kMetaMagic) throw Error(Errc::index_corrupted, "index has no longbow meta page");
  if (meta.version != kFormatVersion)
    throw Error(Errc::index_corrupted, "index has format version %u, this library reads %u", meta.version,
                kFormatVersion);
  const bool metric = meta.metric >= base::Metric::l2 && meta.metric <= base::Metric::l1;
  const bool bits =
      meta.bits == 1 || (!has_bits(meta) && (meta.bits == 2 || meta.bits == 4)) || (meta.bits == 0 && meta.dims == 0);
  if (meta.element_type == ElementCode::float_bit)
    throw Error(Errc::outdated, "index holds bit strings as an earlier version of longbow did");
  const bool sizes = meta.dims <= most_dims(meta) && meta.leaf_size <= kMaxLeafSize &&
                     (meta.leaf_size >= kMinLeafSize || meta.dims == 0);
  const bool fanout = meta.fanout >= 8 && meta.fanout <= 8192;
  // Directories must fit their heads: everything else on a node's pages is laid out by these four.
  const bool fits = !sizes || !bits || meta.dims == 0 ||
                    (fanout && head_fits(leaf_geometry(meta)) &&
                     head_fits(inner_geometry(meta.dims, meta.fanout)));
  bool curves = true;
  for (std::size_t k = 0; k < kCalibrationKs; ++k) curves = curves && meta.calibration.points[k] <= kCalibrationPoints;
  if (!metric || !bits || !sizes || !fits || !curves || meta.height > 64)
    throw Error(Errc::index_corrupted, "meta page of the index holds impossible values");
}

Meta read_meta(PageStore& store) {
  const PageRef page(store, kMetaBlock, Latch::share);
  const Trailer& t = trailer(page.data());
  if (t.magic != kTrailerMagic || t.kind != PageKind::meta)
    throw Error(Errc::index_corrupted, "index has no longbow meta page");
  const Meta meta = meta_of(page.data());
  check_meta(meta);
  return meta;
}

Space make_space(const Meta& meta, const float* centre, float* buffer) {
  Space space{};
  space.meta = meta;
  space.centre = buffer;
  space.signs = buffer + meta.dims;
  if (meta.dims == 0) return space;  // no row yet: nothing to lay out
  if (centre != nullptr) std::copy_n(centre, meta.dims, buffer);
  if (space.rotated()) quant::make_rotation(meta.rotation_seed, meta.dims, buffer + meta.dims);
  space.leaf = leaf_geometry(meta);
  space.inner = inner_geometry(meta.dims, meta.fanout);
  return space;
}

Space make_space(PageStore& store, const Meta& meta, float* buffer) {
  read_centre(store, meta, buffer);
  return make_space(meta, nullptr, buffer);
}

namespace {

PreparedRow prepare_bits(const Space& space, const std::uint8_t* cells, float* out) noexcept {
  const std::size_t n = space.dims();
  const auto set = static_cast<float>(quant::count_bits(cells, n));
  const bool unit = space.metric() == base::Metric::cosine;
  quant::spread_bits(cells, n, unit ? quant::unit_value(set) : 1.0F, out);
  const float norm = unit ? (set > 0 ? 1.0F : 0.0F) : std::sqrt(set);
  return {RowClass::indexed, norm, norm};
}

}  // namespace

PreparedRow Space::prepare_row(const float* raw, float* out) const noexcept {
  if (has_bits()) return prepare_bits(*this, reinterpret_cast<const std::uint8_t*>(raw), out);
  const auto& k = simd::kernels();
  const std::size_t n = dims();
  const float raw_squared = k.cosine(raw, raw, n).a_squared;
  const float* from = raw;
  if (metric() == base::Metric::cosine) {
    // Not the sum, which is 0 for tiny components too: their distance is the operator's, mostly a number.
    if (k.max_abs(raw, n) == 0.0F) return {RowClass::nan, 0, 0};
    if (!(raw_squared >= kSmallestUnitSquare && raw_squared <= kLargestSquare)) return {RowClass::unknown, 0, 0};
    std::copy_n(raw, n, out);
    k.scale(out, 1.0F / std::sqrt(raw_squared), n);
    from = out;
  }
  if (!(raw_squared <= kLargestSquare)) return {RowClass::unknown, 0, 0};
  k.subtract(from, centre, out, n);
  const float norm = std::sqrt(k.inner_product(out, out, n));
  if (!(norm <= 1e15F)) return {RowClass::unknown, 0, 0};
  if (rotated()) quant::rotate(signs, out, n);
  return {RowClass::indexed, norm, std::sqrt(raw_squared)};
}

}  // namespace longbow::tree
