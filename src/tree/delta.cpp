// Layout and filling of the delta's blocks.
#include "longbow/tree/delta.hpp"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "longbow/quant/bits.hpp"
#include "longbow/quant/code.hpp"
#include "writer.hpp"

namespace longbow::tree {

namespace {

// Bits of the delta's scan codes. Around the index's centre vectors are longer than around a leaf's, so few dimensions need
// more bits than in the tree (two dimensions of two bits have 16 values); many can do with half.
unsigned delta_bits(const Space& space) noexcept {
  if (space.has_bits()) return 1;
  if (space.dims() <= 32) return 8;
  if (space.dims() <= 80) return 4;
  return std::max(1U, space.leaf.bits / 2);
}

}  // namespace

DeltaLayout delta_layout(const Space& space) noexcept {
  DeltaLayout layout{};
  const bool packed = space.has_bits();
  layout.geometry.dims = space.dims();
  layout.geometry.packed = packed;
  layout.geometry.bits = delta_bits(space);
  layout.geometry.groups = quant::groups(space.dims(), layout.geometry.bits);
  layout.factors = layout.geometry.groups * 64;
  layout.geometry.ids_offset = packed ? offsetof(BitFactors, ids) : offsetof(LeafFactors, ids);
  layout.ids = layout.factors + layout.geometry.ids_offset;
  layout.block_bytes = (layout.factors + (packed ? sizeof(BitFactors) : sizeof(LeafFactors)) + 63) / 64 * 64;
  layout.refine_bytes = packed ? 0 : (sizeof(quant::RefineFactors) + space.dims() + 3) / 4 * 4;
  return layout;
}

void put_delta_row(const DeltaLayout& layout, DeltaBlock block, std::size_t lane, const EncodedRow& row) noexcept {
  const Geometry& g = layout.geometry;
  put_scan(g, block.codes, static_cast<unsigned>(lane), row.scan_codes, row.cells, 0, g.groups);
  if (!g.packed) {
    std::uint8_t* refine = block.refine + lane * layout.refine_bytes;
    std::memcpy(refine, &row.refine, sizeof row.refine);
    std::memcpy(refine + sizeof row.refine, row.refine_codes, g.dims);
  }
  put_row_factors(g, block.codes + layout.factors, lane, row.scan);
  RowIds& ids = layout.ids_of(block);
  ids.row_block[lane] = row.row.block;
  std::atomic_ref(ids.row_offset[lane]).store(row.row.offset, std::memory_order_release);
}

std::uint32_t delta_rows_there(const RowIds& ids) noexcept {
  constexpr std::uint64_t kOnes = 0x0001000100010001, kTops = 0x8000800080008000;
  std::uint64_t four[kDeltaRows / 4];
  std::memcpy(four, ids.row_offset, sizeof four);
  std::atomic_thread_fence(std::memory_order_acquire);
  // Mostly all are there: no offset is zero, and none has its top bit, as the mark has, in any word of four.
  std::uint64_t odd = 0;
  for (const std::uint64_t w : four) odd |= ((w - kOnes) & ~w & kTops) | (w & kTops);
  if (odd == 0) return 0xFFFF;
  std::uint16_t offset[kDeltaRows];
  std::memcpy(offset, four, sizeof offset);
  std::uint32_t mask = 0;
  for (std::uint32_t lane = 0; lane < kDeltaRows; ++lane)
    mask |= static_cast<std::uint32_t>(offset[lane] != 0 && offset[lane] != kDeltaStale) << lane;
  return mask;
}

DeltaEncoder::DeltaEncoder(const Space& space, std::pmr::memory_resource& memory)
    : space_(space),
      bits_(delta_layout(space).geometry.bits),
      zero_(space.has_bits() ? 0 : space.dims(), 0.0F, &memory),
      rows_(&memory),
      codes_(&memory) {}

void DeltaEncoder::add(RowId row, const float* vector, float norm, float raw_norm) {
  const std::size_t n = space_.dims(), at = codes_.size();
  codes_.resize(at + space_.scan_bytes() + space_.refine_bytes());
  std::uint8_t* codes = codes_.data() + at;
  if (space_.has_bits()) {
    quant::gather_bits(vector, n, codes);
    rows_.push_back({row, {static_cast<float>(quant::count_bits(codes, n)), 0}, {}, nullptr, nullptr});
    return;
  }
  // The residual of a centroid of zeros is the vector itself.
  const quant::ScanFactors scan = quant::encode_scan(space_.metric(), bits_, vector, zero_.data(), n, codes);
  rows_.push_back({row, scan, quant::encode_refine(space_.metric(), vector, n, norm, raw_norm, 0, codes + n), nullptr, nullptr});
}

EncodedRow DeltaEncoder::operator[](std::size_t i) const noexcept {
  EncodedRow row = rows_[i];
  row.scan_codes = codes_.data() + i * (space_.scan_bytes() + space_.refine_bytes());
  row.refine_codes = row.scan_codes + space_.scan_bytes();
  return row;
}

void mark_delta_stale(const DeltaLayout& layout, DeltaBlock block, std::size_t lane) noexcept {
  RowIds& f = layout.ids_of(block);
  std::atomic_ref(f.row_offset[lane]).store(kDeltaStale, std::memory_order_release);
}

void drop_delta_row(const DeltaLayout& layout, DeltaBlock block, std::size_t lane) noexcept {
  RowIds& f = layout.ids_of(block);
  std::atomic_ref(f.row_offset[lane]).store(0, std::memory_order_release);
}

}  // namespace longbow::tree
