// The delta: codes of pending rows in memory, in blocks of 16 as a leaf holds them, around the index's centre.
//
// A block is scan codes, then LeafFactors, then 16 rows of refine codes. A row counts once its row id is there: put_delta_row()
// publishes it last. Where the blocks lie and who may read them when is the owner's affair; readers of a block that is being
// filled see some of its rows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <vector>

#include "longbow/tree/build.hpp"
#include "longbow/tree/space.hpp"

namespace longbow::tree {

inline constexpr std::size_t kDeltaRows = 16;

struct DeltaLayout {
  std::size_t factors;      // offset of LeafFactors
  std::size_t refine;       // offset of the first row's RefineFactors, its codes behind them
  std::size_t refine_bytes; // from row to row
  std::size_t bytes;        // of a block, a multiple of 64
};
DeltaLayout delta_layout(const Space& space) noexcept;

// A row's codes, encoded around a centroid of zeros, one a byte.
struct DeltaRow {
  RowId row;
  quant::ScanFactors scan;
  quant::RefineFactors refine;
  const std::uint8_t* scan_codes;
  const std::uint8_t* refine_codes;
};
// Writes a row's codes, and then its row id.
void put_delta_row(const Space& space, const DeltaLayout& layout, std::uint8_t* block, std::size_t lane,
                   const DeltaRow& row) noexcept;
// Codes of many rows on their way into the delta, in one buffer.
class DeltaEncoder {
 public:
  DeltaEncoder(const Space& space, std::pmr::memory_resource& memory);
  // Encodes one more row from its prepared vector.
  void add(RowId row, const float* vector, float norm, float raw_norm);
  [[nodiscard]] DeltaRow operator[](std::size_t i) const noexcept;
  void clear() noexcept { rows_.clear(), codes_.clear(); }

 private:
  const Space& space_;
  RowEncoder encoder_;
  std::pmr::vector<float> zero_;
  std::pmr::vector<DeltaRow> rows_;  // without their codes
  std::pmr::vector<std::uint8_t> codes_;
};

// Takes a row out: readers that come later do not see it.
void drop_delta_row(const DeltaLayout& layout, std::uint8_t* block, std::size_t lane) noexcept;

// Pending rows as a search meets them.
class PendingVisitor {
 public:
  virtual ~PendingVisitor() = default;
  // A block, of which the rows of `mask` are to be looked at. Its bytes may change once visit() has come back.
  virtual void block(const std::uint8_t* bytes, std::uint32_t mask) = 0;
  // A row whose codes are not at hand: only the executor can place it.
  virtual void bare(RowId row) = 0;
  // All has been visited, and blocks are still as they were.
  virtual void finish() = 0;
};
class PendingSource {
 public:
  virtual ~PendingSource() = default;
  // Shows every row that is pending now; finish() comes last.
  virtual void visit(PendingVisitor& visitor) = 0;
};

}  // namespace longbow::tree
