// Layout and filling of the delta's blocks.
#include "longbow/tree/delta.hpp"

#include <atomic>
#include <cstring>

#include "writer.hpp"

namespace longbow::tree {

DeltaLayout delta_layout(const Space& space) noexcept {
  DeltaLayout layout{};
  layout.factors = space.leaf.groups * 64;
  layout.refine = layout.factors + sizeof(LeafFactors);
  layout.refine_bytes = (sizeof(quant::RefineFactors) + space.dims() + 3) / 4 * 4;
  layout.bytes = (layout.refine + kDeltaRows * layout.refine_bytes + 63) / 64 * 64;
  return layout;
}

void put_delta_row(const Space& space, const DeltaLayout& layout, std::uint8_t* block, std::size_t lane,
                   const DeltaRow& row) noexcept {
  quant::put_row(block, static_cast<unsigned>(lane), space.leaf.bits, row.scan_codes, space.dims(), 0, space.leaf.groups);
  std::uint8_t* refine = block + layout.refine + lane * layout.refine_bytes;
  std::memcpy(refine, &row.refine, sizeof row.refine);
  std::memcpy(refine + sizeof row.refine, row.refine_codes, space.dims());
  auto& f = *reinterpret_cast<LeafFactors*>(block + layout.factors);
  f.add[lane] = row.scan.add;
  f.scale[lane] = row.scan.scale;
  f.row_block[lane] = row.row.block;
  std::atomic_ref(f.row_offset[lane]).store(row.row.offset, std::memory_order_release);
}

DeltaEncoder::DeltaEncoder(const Space& space, std::pmr::memory_resource& memory)
    : space_(space), encoder_(space, memory), zero_(space.dims(), 0.0F, &memory), rows_(&memory), codes_(&memory) {}

void DeltaEncoder::add(RowId row, const float* vector, float norm, float raw_norm) {
  encoder_.encode(vector, zero_.data(), norm, raw_norm, 0);
  rows_.push_back({row, encoder_.scan(), encoder_.refine(), nullptr, nullptr});
  codes_.insert(codes_.end(), encoder_.scan_codes(), encoder_.scan_codes() + space_.dims());
  codes_.insert(codes_.end(), encoder_.refine_codes(), encoder_.refine_codes() + space_.dims());
}

DeltaRow DeltaEncoder::operator[](std::size_t i) const noexcept {
  DeltaRow row = rows_[i];
  row.scan_codes = codes_.data() + i * 2 * space_.dims();
  row.refine_codes = row.scan_codes + space_.dims();
  return row;
}

void drop_delta_row(const DeltaLayout& layout, std::uint8_t* block, std::size_t lane) noexcept {
  auto& f = *reinterpret_cast<LeafFactors*>(block + layout.factors);
  std::atomic_ref(f.row_offset[lane]).store(0, std::memory_order_release);
}

}  // namespace longbow::tree
