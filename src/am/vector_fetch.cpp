// Fetching vectors of pending entries.
#include "am/vector_fetch.hpp"

namespace longbow::am {

VectorFetch::VectorFetch(Relation heap, Relation index, const tree::Space& space, Snapshot snapshot) : space_(space) {
  pg::call([&] {
    reader_.open(heap, index, snapshot);
    rights_.enter(heap);
  });
}

void VectorFetch::close() {
  pg::call([&] {
    rights_.leave();
    reader_.close();
  });
}

tree::Fetched VectorFetch::fetch(const tree::PendingEntry& entry, float* raw) {
  return pg::call([&] {
    switch (reader_.find_pending({entry.block, entry.offset})) {
      case PendingRow::readable: break;
      case PendingRow::guarded: return tree::Fetched::unknown;
      case PendingRow::dead:
      case PendingRow::absent: return tree::Fetched::stale;
    }
    const types::Vector* vector = reader_.vector();
    const bool same = vector != nullptr && static_cast<std::size_t>(vector->dim) == space_.dims() &&
                      vector_crc(vector) == entry.crc;
    if (same) memcpy(raw, vector->x, space_.dims() * sizeof(float));
    reader_.forget();
    if (!same) return tree::Fetched::stale;
    from_heap++;
    return tree::Fetched::found;
  });
}

}  // namespace longbow::am
