// Vectors of pending entries: from the side WAL where it has them, else from the heap.
#pragma once

#include "am/heap_reader.hpp"
#include "longbow/tree/merge.hpp"

namespace longbow::am {

class VectorFetch final : public tree::VectorSource {
 public:
  // Vectors of entries of `index`; a snapshot is registered until close().
  VectorFetch(Relation heap, Relation index, const tree::Space& space, Snapshot snapshot = nullptr);
  void close();
  tree::Fetched fetch(const tree::PendingEntry& entry, float* raw) override;

  std::uint64_t from_log = 0, from_heap = 0;

 private:
  HeapReader reader_{};
  const tree::Space& space_;
  OwnerRights rights_{};
};

}  // namespace longbow::am
