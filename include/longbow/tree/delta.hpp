// The delta: codes of pending rows in memory, in blocks of 16, around the index's centre.
//
// A block is scan codes and LeafFactors, as a leaf has them but with fewer bits where rows are long: a query scores every
// pending row, so bytes are what it costs (50,000 GloVe rows: 570 us a query with the tree's 4 bits and refine codes between the blocks).
// Refine codes lie apart. A row counts once its row id is there: put_delta_row() publishes it last. Where the bytes
// lie and who may read them when is the owner's affair; readers of a block that is being filled see some of its rows.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <vector>

#include "longbow/tree/build.hpp"
#include "longbow/tree/space.hpp"

namespace longbow::tree {

inline constexpr std::size_t kDeltaRows = 16;

// Where a block's two parts lie.
struct DeltaBlock {
  std::uint8_t* codes;
  std::uint8_t* refine;  // of its first row
};

struct DeltaLayout {
  Geometry geometry;         // of a block: dims, bits and groups
  std::size_t factors;       // offset of LeafFactors or BitFactors in a block
  std::size_t ids;           // offset of their RowIds
  std::size_t block_bytes;   // of a block, a multiple of 64
  std::size_t refine_bytes;  // of a row's RefineFactors and codes; 0 for bits

  [[nodiscard]] RowIds& ids_of(DeltaBlock block) const noexcept { return *reinterpret_cast<RowIds*>(block.codes + ids); }
  // The block `count` further on in the same memory.
  [[nodiscard]] DeltaBlock further(DeltaBlock from, std::size_t count) const noexcept {
    return {from.codes + count * block_bytes, from.refine + count * kDeltaRows * refine_bytes};
  }
};
DeltaLayout delta_layout(const Space& space) noexcept;

// Writes a row's codes, which were encoded around a centroid of zeros, and then its row id.
void put_delta_row(const DeltaLayout& layout, DeltaBlock block, std::size_t lane, const EncodedRow& row) noexcept;
// Codes of many rows on their way into the delta, in one buffer.
class DeltaEncoder {
 public:
  DeltaEncoder(const Space& space, std::pmr::memory_resource& memory);
  // Encodes one more row from its prepared vector.
  void add(RowId row, const float* vector, float norm, float raw_norm);
  [[nodiscard]] EncodedRow operator[](std::size_t i) const noexcept;
  void clear() noexcept { rows_.clear(), codes_.clear(); }

 private:
  const Space& space_;
  unsigned bits_;
  std::pmr::vector<float> zero_;  // not for bits
  std::pmr::vector<EncodedRow> rows_;  // without their codes
  std::pmr::vector<std::uint8_t> codes_;
};
// In place of a row id's offset: the slot's entry is known to have no row any more.
inline constexpr std::uint16_t kDeltaStale = 0xFFFF;
// A bit a slot of the block that has a row: its codes are as put_delta_row() left them.
std::uint32_t delta_rows_there(const RowIds& ids) noexcept;
// Notes that a slot's entry has no row: nobody need look for it again.
void mark_delta_stale(const DeltaLayout& layout, DeltaBlock block, std::size_t lane) noexcept;
// Takes a row out: readers that come later do not see it.
void drop_delta_row(const DeltaLayout& layout, DeltaBlock block, std::size_t lane) noexcept;

// Pending rows as a search meets them.
class PendingVisitor {
 public:
  virtual ~PendingVisitor() = default;
  // Blocks that lie one after another, codes and refine codes each, and all of whose slots have their codes. Their row ids
  // tell which are still there (delta_rows_there). Else as block().
  virtual void run(DeltaBlock first, std::size_t blocks) = 0;
  // A block, of which the rows of `mask` are to be looked at. Its bytes may change once visit() has come back.
  virtual void block(DeltaBlock block, std::uint32_t mask) = 0;
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
