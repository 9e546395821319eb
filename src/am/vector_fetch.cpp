// Fetching vectors of pending entries. Nothing that the log's files hold is believed but by position, incarnation, checksum
// and the entry's own checksum of the vector.
#include "am/vector_fetch.hpp"

#include <new>

#include "pg/side_wal.hpp"

extern "C" {
#include "access/xlog.h"
}

namespace longbow::am {

namespace {
constexpr std::size_t kReadBytes = 256 << 10;
// A record is a quarter of the ring at most.
constexpr std::size_t kMostRecord = pg::kSideWalRing / 4;
}

VectorFetch::VectorFetch(Relation heap, Relation index, const tree::Space& space, std::pmr::memory_resource& memory,
                         Snapshot snapshot)
    : has_heap_(heap != nullptr), space_(space), buffer_(&memory), scratch_(&memory), ids_(&memory), vectors_(&memory) {
  // Without shared memory there may be segments of an earlier start, to which nobody writes.
  pg::call([] { return pg::side_wal(); });
  buffer_.resize(kReadBytes);
  log_ = new (log_memory_) wal::Reader(pg::kSideWalDirectory, pg::call([] { return GetSystemIdentifier(); }), buffer_);
  if (!has_heap_) return;
  pg::call([&] {
    reader_.open(heap, index, snapshot);
    rights_.enter(heap);
  });
}

void VectorFetch::close() {
  if (log_ != nullptr) log_->reset();
  log_ = nullptr;
  if (!has_heap_) return;
  pg::call([&] {
    rights_.leave();
    reader_.close();
  });
}

tree::Fetched VectorFetch::fetch(const tree::PendingEntry& entry, float* raw) {
  if (entry.position != 0 && log_ != nullptr && read_log(entry, raw)) {
    from_log++;
    return tree::Fetched::found;
  }
  if (!has_heap_) return tree::Fetched::later;
  return pg::call([&] { return read_heap(entry, raw); });
}

// Decodes the record at a position; false if it is not what it should be.
bool VectorFetch::open_record(std::uint64_t position) {
  position_ = 0;
  const std::uint64_t incarnation = space_.meta.incarnation;
  wal::Record record{};
  wal::Log* log = pg::side_wal();
  if (log != nullptr && position >= log->durable_position()) {
    // Still in the ring, or on its way to disk.
    scratch_.resize(log->shared().max_record());
    const std::size_t bytes = log->read_ring(position, scratch_);
    if (bytes == 0 || wal::decode({scratch_.data(), bytes}, position, incarnation, record) != wal::Verdict::ok) return false;
  } else {
    if (wal::segment_of(position) == missing_segment_) return false;
    wal::ReadStatus status = log_->read(position, incarnation, record);
    if (status == wal::ReadStatus::too_small && log_->needed() <= kMostRecord) {
      buffer_.resize(log_->needed());
      log_->set_buffer(buffer_);
      status = log_->read(position, incarnation, record);
    }
    if (status == wal::ReadStatus::no_segment) missing_segment_ = wal::segment_of(position);
    if (status != wal::ReadStatus::ok) return false;
  }
  if (record.header.dims != space_.raw_cells() || record.filler()) return false;
  ids_.assign(record.rows.begin(), record.rows.end());
  vectors_.resize(ids_.size() * space_.raw_cells());
  std::pmr::vector<std::byte> unpacked(record.compressed() ? record.header.raw_bytes : 0, scratch_.get_allocator());
  if (!record.vectors(vectors_.data(), unpacked.data())) return false;
  position_ = position;
  next_ = 0;
  return true;
}

bool VectorFetch::read_log(const tree::PendingEntry& entry, float* raw) {
  if (position_ != entry.position && !open_record(entry.position)) return false;
  // Entries of one record follow each other in its order.
  for (std::size_t n = 0; n < ids_.size(); ++n) {
    const std::size_t i = (next_ + n) % ids_.size();
    if (ids_[i].block != entry.block || ids_[i].offset != entry.offset) continue;
    const float* vector = vectors_.data() + i * space_.raw_cells();
    const std::size_t bytes = space_.raw_cells() * sizeof(float);
    if (base::crc32c(0, vector, bytes) != entry.crc) return false;
    std::memcpy(raw, vector, bytes);
    next_ = i + 1;
    return true;
  }
  return false;
}

tree::Fetched VectorFetch::read_heap(const tree::PendingEntry& entry, float* raw) {
  switch (reader_.find_pending({entry.block, entry.offset})) {
    case PendingRow::readable: break;
    case PendingRow::guarded: return tree::Fetched::unknown;
    case PendingRow::dead:
    case PendingRow::absent: return tree::Fetched::stale;
  }
  const RowVector vector = reader_.vector();
  const bool same = vector.x != nullptr && static_cast<std::size_t>(vector.dim) == space_.dims() &&
                    vector_crc(vector) == entry.crc;
  if (same) memcpy(raw, vector.x, space_.raw_cells() * sizeof(float));
  reader_.forget();
  if (!same) return tree::Fetched::stale;
  from_heap++;
  return tree::Fetched::found;
}

}  // namespace longbow::am
