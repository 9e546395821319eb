// Layout and filling of the delta's blocks.
#include "longbow/tree/delta.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "longbow/quant/code.hpp"

namespace longbow::tree {

namespace {

// Bits of the delta's scan codes. Around the index's centre vectors are longer than around a leaf's, so few dimensions need
// more bits than in the tree (two dimensions of two bits have 16 values); many can do with half.
unsigned delta_bits(const Space& space) noexcept {
  if (space.dims() <= 32) return 8;
  if (space.dims() <= 80) return 4;
  return std::max(1U, space.leaf.bits / 2);
}

}  // namespace

DeltaLayout delta_layout(const Space& space) noexcept {
  DeltaLayout layout{};
  layout.geometry.dims = space.dims();
  layout.geometry.bits = delta_bits(space);
  layout.geometry.groups = quant::groups(space.dims(), layout.geometry.bits);
  layout.factors = layout.geometry.groups * 64;
  layout.block_bytes = (layout.factors + sizeof(LeafFactors) + 63) / 64 * 64;
  layout.refine_bytes = (sizeof(quant::RefineFactors) + space.dims() + 3) / 4 * 4;
  return layout;
}

void put_delta_row(const DeltaLayout& layout, DeltaBlock block, std::size_t lane, const EncodedRow& row) noexcept {
  const Geometry& g = layout.geometry;
  quant::put_row(block.codes, static_cast<unsigned>(lane), g.bits, row.scan_codes, g.dims, 0, g.groups);
  std::uint8_t* refine = block.refine + lane * layout.refine_bytes;
  std::memcpy(refine, &row.refine, sizeof row.refine);
  std::memcpy(refine + sizeof row.refine, row.refine_codes, g.dims);
  auto& f = *reinterpret_cast<LeafFactors*>(block.codes + layout.factors);
  f.add[lane] = row.scan.add;
  f.scale[lane] = row.scan.scale;
  f.row_block[lane] = row.row.block;
  std::atomic_ref(f.row_offset[lane]).store(row.row.offset, std::memory_order_release);
}

DeltaEncoder::DeltaEncoder(const Space& space, std::pmr::memory_resource& memory)
    : space_(space),
      bits_(delta_layout(space).geometry.bits),
      zero_(space.dims(), 0.0F, &memory),
      rows_(&memory),
      codes_(&memory) {}

void DeltaEncoder::add(RowId row, const float* vector, float norm, float raw_norm) {
  const std::size_t n = space_.dims(), at = codes_.size();
  codes_.resize(at + 2 * n);
  std::uint8_t* codes = codes_.data() + at;
  // The residual of a centroid of zeros is the vector itself.
  const quant::ScanFactors scan = quant::encode_scan(space_.metric(), bits_, vector, zero_.data(), n, codes);
  rows_.push_back({row, scan, quant::encode_refine(space_.metric(), vector, n, norm, raw_norm, 0, codes + n), nullptr, nullptr});
}

EncodedRow DeltaEncoder::operator[](std::size_t i) const noexcept {
  EncodedRow row = rows_[i];
  row.scan_codes = codes_.data() + i * 2 * space_.dims();
  row.refine_codes = row.scan_codes + space_.dims();
  return row;
}

void mark_delta_stale(const DeltaLayout& layout, DeltaBlock block, std::size_t lane) noexcept {
  auto& f = *reinterpret_cast<LeafFactors*>(block.codes + layout.factors);
  std::atomic_ref(f.row_offset[lane]).store(kDeltaStale, std::memory_order_release);
}

void drop_delta_row(const DeltaLayout& layout, DeltaBlock block, std::size_t lane) noexcept {
  auto& f = *reinterpret_cast<LeafFactors*>(block.codes + layout.factors);
  std::atomic_ref(f.row_offset[lane]).store(0, std::memory_order_release);
}

}  // namespace longbow::tree
