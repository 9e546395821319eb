// Writes whole nodes on pages nobody can reach yet. One record a page; the head, which names the others, comes last.
#pragma once

#include <memory_resource>
#include <span>

#include "longbow/tree/build.hpp"
#include "node.hpp"

namespace longbow::tree {

// A child as an inner node stores it, with the centroid it is encoded from.
struct Child {
  NodeRef node;
  const float* centroid;
  float spread;  // of a leaf's rows, else 0
};

// What a split tells of itself in the nodes that it makes.
struct Birth {
  std::uint64_t counter = 0;
  NodeRef sibling{kNoBlock, 0};
};

struct NodeIdentity {
  std::uint32_t node_id;
  std::uint16_t level;
  const float* centroid;
  Birth birth;
};

// Fills a page's trailer.
void set_trailer(std::uint8_t* page, PageKind kind, std::uint32_t id, BlockId head, std::size_t ordinal);

// Writes a leaf on `head` (fresh, latched exclusively) and further pages that it allocates.
void write_leaf(PageStore& store, const Space& space, const PageRef& head, const NodeIdentity& identity,
                std::span<const EncodedRow> rows, std::pmr::memory_resource& memory);
// Writes an inner node likewise; at most space.inner.max_rows children.
void write_inner(PageStore& store, const Space& space, const PageRef& head, const NodeIdentity& identity,
                 std::span<const Child> children, std::pmr::memory_resource& memory);

// Mean squared length of the rows' residuals, from their refine codes; of bits that around their mean, for which the centroid
// is taken.
float spread_of(const Space& space, std::span<const EncodedRow> rows, const float* centroid) noexcept;
// What it is the mean of, and the mean of such a sum; 0 where that is no finite float.
float decoded_square(const std::uint8_t* refine_codes, float step, std::size_t dims) noexcept;
float mean_square(double sum, std::size_t rows) noexcept;

// Encodes a child's centroid as a row of an inner node. `codes` has dims bytes, `residual` dims floats.
quant::ScanFactors encode_child(const Space& space, const float* parent, const float* child, float* residual,
                                std::uint8_t* codes);

// Writes a chain of pages (trailer.next) that holds bytes; returns the first block.
BlockId write_chain(PageStore& store, PageKind kind, const std::uint8_t* bytes, std::size_t count);

// Writes part of a row's refine codes and factors, as they lie on page `part` of its span.
void put_refine(const Geometry& g, std::uint8_t* page, std::size_t slot, std::size_t part, const RefineHeader& header,
                const std::uint8_t* codes);
// Writes one row's scan codes into groups [first, first + count) of its block, whose own bytes begin at `block`.
// `cells`: the codes are cells already, as those of bits always are.
void put_scan(const Geometry& g, std::uint8_t* block, unsigned row, const std::uint8_t* codes, bool cells, std::size_t first,
              std::size_t count);
// The row's own part of its block's factors; put_leaf_factors() adds its id.
void put_row_factors(const Geometry& g, std::uint8_t* factors, std::size_t row, quant::ScanFactors scan);
void put_leaf_factors(const Geometry& g, std::uint8_t* factors, std::size_t row, RowId id, quant::ScanFactors scan);

}  // namespace longbow::tree
