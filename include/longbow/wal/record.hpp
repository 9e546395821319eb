// A record of the side WAL: one batch of row ids and vectors of one index. Little-endian, 8-byte aligned:
//
//   header | rows x RowId | rows x dims float32, as they are or byte planes under snappy | zeros up to 8 bytes
//
// A record counts only if it carries its own position, the incarnation it is asked for, and a right CRC-32C over
// everything behind the CRC. What is read here may be anything: every length is checked before it is used.
// Encoding may allocate (snappy's hash table) and throw bad_alloc; all else is noexcept and allocates nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace longbow::wal {

inline constexpr std::uint32_t kRecordMagic = 0x4257424C;  // "LBWB"
inline constexpr std::size_t kRecordAlign = 8;
inline constexpr std::uint64_t kAnyIncarnation = 0;  // decode() compares nothing; no index has this incarnation

enum RecordFlag : std::uint16_t {
  kRecordCompressed = 1,  // vectors are byte planes under snappy
  kRecordPad = 2,         // nothing follows in this segment; the CRC covers the header alone
  kRecordVoid = 4,        // reserved, then given up; the CRC covers the header alone
};
enum class Element : std::uint16_t { float32 = 1 };

// Where a row lies in the heap.
struct RowId {
  std::uint32_t block;
  std::uint16_t offset;
  std::uint16_t zero;
};
static_assert(sizeof(RowId) == 8);

// The index whose rows a record holds: tablespace, database, relation file.
struct RelationIds {
  std::uint32_t tablespace, database, relation;
  friend bool operator==(const RelationIds&, const RelationIds&) = default;
};

struct RecordHeader {
  std::uint32_t magic;
  std::uint32_t crc;  // over all that follows
  std::uint64_t position;
  std::uint64_t tag;  // what publishes a record in the ring (ring.hpp); of no meaning on disk
  std::uint64_t incarnation;
  std::uint32_t length;  // bytes on disk, header and padding included; a multiple of 8
  std::uint32_t rows;
  std::uint32_t dims;
  std::uint16_t flags;
  std::uint16_t element;
  std::uint32_t raw_bytes;     // of the vectors: rows x dims x 4
  std::uint32_t stored_bytes;  // of the vectors as they lie here
  std::uint64_t first_ordinal;
  RelationIds relation;
  std::uint32_t zero;
};
static_assert(sizeof(RecordHeader) == 80);

// What one record says; `rows` and `vectors` are read while encoding.
struct Batch {
  RelationIds relation;
  std::uint64_t incarnation;
  std::uint64_t first_ordinal;
  std::span<const RowId> rows;
  const float* vectors;  // rows x dims
  std::uint32_t dims;
};

// Whether compressing pays is tried on a record; after n failures in a row only every 2^n-th is tried again, n <= 6, so
// that incompressible data costs almost nothing. One a index and process; all zeros is a fresh one.
struct CompressState {
  std::uint32_t failures;
  std::uint32_t skip;
};

struct RecordWriter {
  // Bytes that a buffer for encode() needs at most; 0 if such a record cannot be (over kMaxRecordBytes, or no rows).
  static std::size_t bound(std::size_t rows, std::size_t dims) noexcept;
  // Bytes of scratch memory that encode() needs when it may compress.
  static std::size_t scratch_bytes(std::size_t rows, std::size_t dims) noexcept { return rows * dims * sizeof(float); }
  // Writes a record without position, tag and CRC into buffer (bound() bytes, 8-byte aligned) and returns its length.
  // `state` null: not compressed, `scratch` is not used.
  static std::size_t encode(const Batch& batch, CompressState* state, std::byte* scratch, std::byte* buffer);
  // Sets what encode() left out. Log does it.
  static void seal(std::byte* record, std::uint64_t position, std::uint64_t tag) noexcept;
  // Makes a sealed header that stands for `length` bytes of nothing (kRecordPad, kRecordVoid).
  static RecordHeader filler(RecordFlag flag, std::uint64_t position, std::uint32_t length, std::uint64_t tag) noexcept;
};

enum class Verdict : std::uint8_t {
  ok,
  absent,     // zeros: nothing was written here
  wrong,      // anything else
  truncated,  // the header is plausible, but the record is longer than the bytes given: Record::header.length is wanted
};

// A decoded record; `rows` and `stored` point into the bytes that were decoded.
struct Record {
  RecordHeader header;
  std::span<const RowId> rows;
  std::span<const std::byte> stored;

  [[nodiscard]] bool compressed() const noexcept { return (header.flags & kRecordCompressed) != 0; }
  [[nodiscard]] bool filler() const noexcept { return (header.flags & (kRecordPad | kRecordVoid)) != 0; }
  // Writes rows x dims floats. `scratch` (raw_bytes) is used if compressed(). False if the stored bytes do not unpack.
  [[nodiscard]] bool vectors(float* out, std::byte* scratch) const noexcept;
};

// Looks at the record that bytes (8-byte aligned) begin with, which must be the one at `position`, of `incarnation`
// unless that is kAnyIncarnation. Pads and voids are `ok` only under kAnyIncarnation: see Record::filler().
[[nodiscard]] Verdict decode(std::span<const std::byte> bytes, std::uint64_t position, std::uint64_t incarnation,
                             Record& out) noexcept;

}  // namespace longbow::wal
