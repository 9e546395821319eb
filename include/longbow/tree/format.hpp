// The bytes of an index: page kinds, trailers, heads, blocks and the meta page. Format version 1, little-endian.
//
// Block 0 is the meta page. A node (leaf or inner) is a head page that names its other pages in a directory: pages of the
// full-precision centroid if it does not fit the head, scan pages with blocks of 16 transposed codes, and (leaves only)
// refine pages with 8-bit codes row by row. As many blocks as fit lie in the head itself. Slot s of a node is row s % 16 of
// block s / 16; a slot whose row id is empty is free. A page belongs to the node whose id its trailer carries; node ids
// are never used twice, so a reader that meets another id knows that the page has changed hands.
//
// PostgreSQL's page header occupies the first 24 bytes of a page and the trailer is its special space.
#pragma once

#include <cstddef>
#include <cstdint>

#include "longbow/base/metric.hpp"
#include "longbow/tree/page_store.hpp"

namespace longbow::tree {

inline constexpr std::uint32_t kMetaMagic = 0x776F626C;  // "lbow"
inline constexpr std::uint16_t kFormatVersion = 1;
inline constexpr std::uint16_t kTrailerMagic = 0x4C42;
inline constexpr std::size_t kPageHeaderBytes = 24;
inline constexpr BlockId kMetaBlock = 0;
inline constexpr std::size_t kMaxDims = 16000;
inline constexpr std::size_t kMaxBits = 64000;  // of bit strings, whose rows are an eighth of a byte a dimension

enum class PageKind : std::uint16_t { free = 1, meta, centre, head, scan, refine, centroid, plain, pending, plan };

// The last bytes of every page.
struct Trailer {
  std::uint32_t node_id;  // owner; 0 for pages of no node
  BlockId head;           // the owner's head page
  BlockId next;           // centre, plain, pending and plan pages: the next one of the chain, or kNoBlock
  PageKind kind;
  std::uint16_t ordinal;  // position in the owner's directory
  std::uint16_t used;     // plain, pending and plan pages: entries in use
  std::uint16_t magic;
  std::uint32_t reserved;
};
static_assert(sizeof(Trailer) == 24);

inline constexpr std::size_t kTrailerOffset = kPageBytes - sizeof(Trailer);
// Codes start on a cache line.
inline constexpr std::size_t kBodyOffset = 64;
inline constexpr std::size_t kBodyBytes = kTrailerOffset - kBodyOffset;

// A heap row; offset 0 is no row.
struct RowId {
  std::uint32_t block;
  std::uint16_t offset;
  friend bool operator==(const RowId&, const RowId&) = default;
};

// A row as one number, for sets; 0 is no row.
constexpr std::uint64_t row_key(RowId row) noexcept { return std::uint64_t{row.block} << 16 | row.offset; }

enum HeadFlags : std::uint16_t {
  kMoved = 1,  // all rows are in the two forward nodes; nothing is added here any more
};

// Where a split went: a node's head and its id.
struct NodeRef {
  BlockId head;
  std::uint32_t node_id;
};

// At offset kPageHeaderBytes of a head page; the directory follows, then the centroid if it is inline, then blocks.
struct NodeHead {
  std::uint32_t node_id;
  std::uint16_t level;  // 0 = leaf
  std::uint16_t flags;
  std::uint32_t rows;      // slots ever used
  std::uint32_t free;      // free slots among them, at least; kept by the sweep
  std::uint32_t changes;   // grows with every append, so that a splitter notices
  std::uint16_t centroid_pages;
  std::uint16_t scan_pages;
  std::uint16_t refine_pages;
  std::uint16_t reserved0;
  std::uint32_t reserved1;
  std::uint64_t birth;  // split counter when the node was made by a split, else 0
  NodeRef sibling;      // the node made by the same split
  NodeRef forward[2];   // kMoved: the nodes that took the rows
  std::uint32_t reserved[10];
};
static_assert(sizeof(NodeHead) == 104);
inline constexpr std::size_t kDirectoryOffset = kPageHeaderBytes + sizeof(NodeHead);

// The rows of a leaf's block.
struct RowIds {
  std::uint32_t row_block[16];
  std::uint16_t row_offset[16];
};
static_assert(sizeof(RowIds) == 96);

// Beside a leaf's block of 16 rows.
struct LeafFactors {
  float add[16];
  float scale[16];
  RowIds ids;
};
static_assert(sizeof(LeafFactors) == 224);

// The same where rows are bit strings.
struct BitFactors {
  std::uint16_t set[16];  // bits that are set in each row
  RowIds ids;
};
static_assert(sizeof(BitFactors) == 128 && kMaxBits <= 65535);

// Beside an inner node's block of 16 children.
struct InnerFactors {
  float add[16];
  float scale[16];
  BlockId child[16];           // head page, kNoBlock or 0 = free slot
  std::uint32_t child_id[16];  // 0 = free slot
  float spread[16];            // leaves: mean of their rows' squared distances from the centroid when written
};
static_assert(sizeof(InnerFactors) == 320);

// Rows that the tree cannot order.
enum PlainFlags : std::uint16_t {
  kPlainNull = 1,     // NULL vector: distance NULL
  kPlainNan = 2,      // zero vector under cosine: distance NaN
  kPlainUnknown = 3,  // the executor must look: bound -infinity
};
struct PlainEntry {
  std::uint32_t block;
  std::uint16_t offset;  // 0 = free
  std::uint16_t flags;
};
inline constexpr std::size_t kPlainCapacity = kBodyBytes / sizeof(PlainEntry);

// The pending list: rows inserted since the last merge, in the order of their ordinals, which count from 1 and are
// never used twice. All pages but the last are full. A pending page's body starts with the ordinal of its first entry.
enum PendingFlags : std::uint16_t {
  kPendingDead = 1,  // removed by VACUUM: its row id may belong to another row by now
};
struct PendingEntry {
  std::uint32_t block;
  std::uint16_t offset;
  std::uint16_t flags;
  std::uint64_t position;  // of the record in the side WAL that has the vector, 0 = none
  std::uint32_t crc;       // CRC32C of the vector's floats as the user gave them
  std::uint32_t reserved;
};
static_assert(sizeof(PendingEntry) == 24);
inline constexpr std::size_t kPendingEntriesOffset = kBodyOffset + 8;
inline constexpr std::size_t kPendingCapacity = (kTrailerOffset - kPendingEntriesOffset) / sizeof(PendingEntry);

// A merge's plan: the offsets from pending_from (4 bytes each) of the entries below merge_cut, in the order in which they go
// into the tree. A plan page's body starts with that cut.
inline constexpr std::size_t kPlanEntriesOffset = kBodyOffset + 8;
inline constexpr std::size_t kPlanCapacity = (kTrailerOffset - kPlanEntriesOffset) / sizeof(std::uint32_t);

// Recall measured on the index's own rows: visiting `probes` leaves finds `recall` of the k nearest.
struct CalibrationPoint {
  float probes;
  float recall;
};
inline constexpr std::size_t kCalibrationPoints = 20;
inline constexpr std::size_t kCalibrationKs = 3;
inline constexpr std::uint32_t kCalibrationK[kCalibrationKs] = {1, 10, 100};
struct Calibration {
  std::uint32_t queries;  // 0 = never calibrated
  std::uint32_t leaves;   // leaves at that time
  std::uint64_t rows;     // rows at that time
  std::uint32_t points[kCalibrationKs];
  std::uint32_t claimed;  // leaves when a session last set out to calibrate anew, 0 once it has
  CalibrationPoint curve[kCalibrationKs][kCalibrationPoints];
  // The part of the rows' mean squared distance from their leaf's centroid that is there because the centroid is not their
  // mean: about one over the rows it was trained on, and more where rows have come that are not like those.
  float drift;
  float reserved;
};

// What rows are made of. All are floats here but `bit`, whose leaves hold the bits themselves (quant/bits.hpp): metric l2 is
// Hamming's distance for it, cosine Jaccard's.
namespace ElementCode {
inline constexpr std::uint8_t vector = 1, halfvec = 2, float_bit = 3, sparsevec = 4, bit = 5;
}  // namespace ElementCode

// At offset kPageHeaderBytes of block 0.
struct Meta {
  std::uint32_t magic;
  std::uint16_t version;
  base::Metric metric;
  std::uint8_t element_type;  // of the column: ElementCode
  std::uint64_t incarnation;  // random; another one is another index
  std::uint64_t rotation_seed;
  std::uint32_t dims;  // 0 until the first row of an index on a column without a dimension
  std::uint8_t bits;   // of scan codes
  std::uint8_t reserved0[3];
  std::uint32_t leaf_size;  // rows a leaf is built for
  BlockId centre;           // first page of the centre, kNoBlock = all zero
  BlockId root;
  std::uint32_t root_id;
  std::uint32_t height;  // levels, 1 = the root is a leaf
  std::uint32_t leaves;
  std::uint32_t next_node_id;
  std::uint64_t split_counter;
  std::uint64_t vacuum_epoch;
  BlockId plain_head;      // first page of plain rows, kNoBlock = none
  BlockId plain_insert;    // where the next plain row is tried
  std::uint32_t unknowns;  // nonzero: plain pages may hold kPlainUnknown rows
  std::uint32_t fanout;    // children an inner node is built for; it holds twice as many
  // The pending list and its merge.
  BlockId pending_head;        // first page, kNoBlock = none yet
  BlockId pending_tail;        // last page, or one shortly before it
  std::uint64_t pending_from;  // entries below this ordinal are in the tree
  std::uint64_t merge_cut;     // a plan stands: it covers the entries below this ordinal; else 0
  std::uint64_t merge_done;    // entries of the plan that are in the tree, in plan order
  BlockId merge_plan;          // first page of the plan, kNoBlock = none stands
  std::uint32_t moves;         // grows with re-assignments of rows between leaves; odd while one is under way
  Calibration calibration;
  // The last training of all centroids: the build. Later ones come from splits.
  std::int64_t trained_at;  // microseconds since 2000-01-01 UTC; 0 = never
  std::uint64_t trained_rows;
};
static_assert(sizeof(Meta) + kPageHeaderBytes < kTrailerOffset);
constexpr bool has_bits(const Meta& meta) noexcept { return meta.element_type == ElementCode::bit; }
constexpr std::size_t most_dims(const Meta& meta) noexcept { return has_bits(meta) ? kMaxBits : kMaxDims; }

inline const Trailer& trailer(const std::uint8_t* page) noexcept {
  return *reinterpret_cast<const Trailer*>(page + kTrailerOffset);
}
inline Trailer& trailer(std::uint8_t* page) noexcept { return *reinterpret_cast<Trailer*>(page + kTrailerOffset); }
inline const NodeHead& node_head(const std::uint8_t* page) noexcept {
  return *reinterpret_cast<const NodeHead*>(page + kPageHeaderBytes);
}
inline NodeHead& node_head(std::uint8_t* page) noexcept {
  return *reinterpret_cast<NodeHead*>(page + kPageHeaderBytes);
}
inline const Meta& meta_of(const std::uint8_t* page) noexcept {
  return *reinterpret_cast<const Meta*>(page + kPageHeaderBytes);
}
inline Meta& meta_of(std::uint8_t* page) noexcept { return *reinterpret_cast<Meta*>(page + kPageHeaderBytes); }
// The first word of a pending or plan page's body: the first entry's ordinal, or the plan's cut.
inline std::uint64_t list_ordinal(const std::uint8_t* page) noexcept {
  return *reinterpret_cast<const std::uint64_t*>(page + kBodyOffset);
}
inline const PendingEntry* pending_entries(const std::uint8_t* page) noexcept {
  return reinterpret_cast<const PendingEntry*>(page + kPendingEntriesOffset);
}
inline PendingEntry* pending_entries(std::uint8_t* page) noexcept {
  return reinterpret_cast<PendingEntry*>(page + kPendingEntriesOffset);
}
inline const PlainEntry* plain_entries(const std::uint8_t* page) noexcept {
  return reinterpret_cast<const PlainEntry*>(page + kBodyOffset);
}
inline PlainEntry* plain_entries(std::uint8_t* page) noexcept {
  return reinterpret_cast<PlainEntry*>(page + kBodyOffset);
}

}  // namespace longbow::tree
