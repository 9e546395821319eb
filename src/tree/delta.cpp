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
                   const RowEncoder& codes, RowId row) noexcept {
  quant::put_row(block, static_cast<unsigned>(lane), space.leaf.bits, codes.scan_codes(), space.dims(), 0,
                 space.leaf.groups);
  std::uint8_t* refine = block + layout.refine + lane * layout.refine_bytes;
  const quant::RefineFactors factors = codes.refine();
  std::memcpy(refine, &factors, sizeof factors);
  std::memcpy(refine + sizeof factors, codes.refine_codes(), space.dims());
  auto& f = *reinterpret_cast<LeafFactors*>(block + layout.factors);
  f.add[lane] = codes.scan().add;
  f.scale[lane] = codes.scan().scale;
  f.row_block[lane] = row.block;
  std::atomic_ref(f.row_offset[lane]).store(row.offset, std::memory_order_release);
}

void drop_delta_row(const DeltaLayout& layout, std::uint8_t* block, std::size_t lane) noexcept {
  auto& f = *reinterpret_cast<LeafFactors*>(block + layout.factors);
  std::atomic_ref(f.row_offset[lane]).store(0, std::memory_order_release);
}

}  // namespace longbow::tree
