// Encoding, sealing and decoding of records.
#include "longbow/wal/record.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "longbow/base/crc32c.hpp"
#include "longbow/wal/segment.hpp"
#include "wal/codec.hpp"

static_assert(std::endian::native == std::endian::little, "records are little-endian");

namespace longbow::wal {
namespace {

constexpr std::size_t kCrcFrom = 8;  // magic and crc are not covered
constexpr std::size_t kMaxRecordBytes = kSegmentBytes - kSegmentHeaderBytes;
constexpr std::uint32_t kMostFailures = 6;

constexpr std::size_t aligned(std::size_t bytes) noexcept { return (bytes + kRecordAlign - 1) & ~(kRecordAlign - 1); }

// Packs the vectors behind the row ids if that makes them at least a sixteenth smaller; returns the bytes, or 0.
std::size_t try_packing(const Batch& batch, std::size_t raw, CompressState* state, std::byte* scratch, std::byte* to) {
  if (state == nullptr) return 0;
  if (state->skip > 0) {
    --state->skip;
    return 0;
  }
  const std::size_t packed = pack(batch.vectors, raw / sizeof(float), scratch, to);
  if (packed <= raw - raw / 16) {
    *state = {};
    return packed;
  }
  state->failures = std::min(state->failures + 1, kMostFailures);
  state->skip = (1U << state->failures) - 1;
  return 0;
}

// Whether a header's numbers agree with each other. Nothing of it is used before.
bool plausible(const RecordHeader& header) noexcept {
  if (header.length % kRecordAlign != 0 || header.length > kSegmentBytes) return false;
  if (header.flags & (kRecordPad | kRecordVoid))
    return header.length >= sizeof header && header.rows == 0 && header.stored_bytes == 0;
  if (header.rows == 0 || header.dims == 0 || header.zero != 0) return false;
  if (header.element != static_cast<std::uint16_t>(Element::float32) || (header.flags & ~kRecordCompressed) != 0)
    return false;
  if (header.rows > kMaxRecordBytes / sizeof(RowId) || header.dims > kMaxRecordBytes / sizeof(float)) return false;
  const std::uint64_t raw = std::uint64_t{header.rows} * header.dims * sizeof(float);
  if (header.raw_bytes != raw || header.stored_bytes > raw) return false;
  if ((header.flags & kRecordCompressed) == 0 && header.stored_bytes != raw) return false;
  const std::uint64_t bytes =
      sizeof header + std::uint64_t{header.rows} * sizeof(RowId) + std::uint64_t{header.stored_bytes};
  return header.length == aligned(static_cast<std::size_t>(bytes));
}

}  // namespace

std::size_t RecordWriter::bound(std::size_t rows, std::size_t dims) noexcept {
  if (rows == 0 || dims == 0 || rows > kMaxRecordBytes / sizeof(RowId) || dims > kMaxRecordBytes / sizeof(float) / rows)
    return 0;
  const std::size_t fixed = sizeof(RecordHeader) + rows * sizeof(RowId), raw = rows * dims * sizeof(float);
  return fixed + raw > kMaxRecordBytes ? 0 : aligned(fixed + packed_bound(raw));
}

std::size_t RecordWriter::encode(const Batch& batch, CompressState* state, std::byte* scratch, std::byte* buffer) {
  const std::size_t rows = batch.rows.size(), raw = rows * batch.dims * sizeof(float);
  std::byte* const ids = buffer + sizeof(RecordHeader);
  std::byte* const vectors = ids + rows * sizeof(RowId);
  std::memcpy(ids, batch.rows.data(), rows * sizeof(RowId));
  const std::size_t packed = try_packing(batch, raw, state, scratch, vectors);
  if (packed == 0) std::memcpy(vectors, batch.vectors, raw);
  const std::size_t stored = packed != 0 ? packed : raw;
  const std::size_t used = static_cast<std::size_t>(vectors - buffer) + stored, length = aligned(used);
  std::memset(buffer + used, 0, length - used);

  RecordHeader header{};
  header.magic = kRecordMagic;
  header.incarnation = batch.incarnation;
  header.length = static_cast<std::uint32_t>(length);
  header.rows = static_cast<std::uint32_t>(rows);
  header.dims = batch.dims;
  header.flags = packed != 0 ? kRecordCompressed : 0;
  header.element = static_cast<std::uint16_t>(Element::float32);
  header.raw_bytes = static_cast<std::uint32_t>(raw);
  header.stored_bytes = static_cast<std::uint32_t>(stored);
  header.first_ordinal = batch.first_ordinal;
  header.relation = batch.relation;
  std::memcpy(buffer, &header, sizeof header);
  return length;
}

void RecordWriter::seal(std::byte* record, std::uint64_t position, std::uint64_t tag) noexcept {
  RecordHeader header;
  std::memcpy(&header, record, sizeof header);
  header.position = position;
  header.tag = tag;
  std::memcpy(record, &header, sizeof header);
  header.crc = base::crc32c(0, record + kCrcFrom, header.length - kCrcFrom);
  std::memcpy(record, &header, sizeof header);
}

RecordHeader RecordWriter::filler(RecordFlag flag, std::uint64_t position, std::uint32_t length,
                                  std::uint64_t tag) noexcept {
  RecordHeader header{};
  header.magic = kRecordMagic;
  header.position = position;
  header.tag = tag;
  header.length = length;
  header.flags = flag;
  header.crc = base::crc32c(0, reinterpret_cast<const std::byte*>(&header) + kCrcFrom, sizeof header - kCrcFrom);
  return header;
}

bool Record::vectors(float* out, std::byte* scratch) const noexcept {
  if (!compressed()) {
    std::memcpy(out, stored.data(), stored.size());
    return true;
  }
  return unpack(stored.data(), stored.size(), header.raw_bytes / sizeof(float), scratch, out);
}

Verdict decode(std::span<const std::byte> bytes, std::uint64_t position, std::uint64_t incarnation,
               Record& out) noexcept {
  RecordHeader& header = out.header;
  if (bytes.size() < sizeof header) {
    header.length = sizeof header;
    return Verdict::truncated;
  }
  std::memcpy(&header, bytes.data(), sizeof header);
  if (std::all_of(bytes.begin(), bytes.begin() + sizeof header, [](std::byte b) { return b == std::byte{}; }))
    return Verdict::absent;
  if (header.magic != kRecordMagic || header.position != position || !plausible(header)) return Verdict::wrong;
  if (incarnation != kAnyIncarnation && header.incarnation != incarnation) return Verdict::wrong;
  const std::size_t covered = out.filler() ? sizeof header : header.length;
  if (bytes.size() < covered) return Verdict::truncated;
  if (base::crc32c(0, bytes.data() + kCrcFrom, covered - kCrcFrom) != header.crc) return Verdict::wrong;
  if (out.filler()) {
    out.rows = {};
    out.stored = {};
    return incarnation == kAnyIncarnation ? Verdict::ok : Verdict::wrong;
  }
  const std::byte* const ids = bytes.data() + sizeof header;
  out.rows = {reinterpret_cast<const RowId*>(ids), header.rows};
  out.stored = {ids + header.rows * sizeof(RowId), header.stored_bytes};
  return Verdict::ok;
}

}  // namespace longbow::wal
