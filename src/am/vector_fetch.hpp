// Vectors of pending entries: from the side WAL where it has them, else from the heap.
#pragma once

#include <memory_resource>
#include <vector>

#include "longbow/tree/merge.hpp"
#include "longbow/wal/reader.hpp"
#include "am/heap_reader.hpp"

namespace longbow::am {

class VectorFetch final : public tree::VectorSource {
 public:
  // Vectors of entries of `index`. With a heap they may come from there, under a snapshot that is registered until close();
  // without one (VACUUM, whose snapshot holds nothing back) an entry that the log lacks is to be left for later.
  VectorFetch(Relation heap, Relation index, const tree::Space& space, std::pmr::memory_resource& memory,
              Snapshot snapshot = nullptr);
  void close();
  tree::Fetched fetch(const tree::PendingEntry& entry, float* raw) override;

  std::uint64_t from_log = 0, from_heap = 0;

 private:
  bool read_log(const tree::PendingEntry& entry, float* raw);
  bool open_record(std::uint64_t position);
  tree::Fetched read_heap(const tree::PendingEntry& entry, float* raw);

  bool has_heap_;
  HeapReader reader_{};
  OwnerRights rights_{};
  const tree::Space& space_;
  // The record that was read last.
  wal::Reader* log_ = nullptr;
  std::uint64_t position_ = 0;  // 0: none
  std::uint64_t missing_segment_ = ~std::uint64_t{0};  // found to be missing last: asking again is a system call a row
  std::size_t next_ = 0;        // its row after the one that was asked for last
  std::pmr::vector<std::byte> buffer_, scratch_;
  std::pmr::vector<wal::RowId> ids_;
  std::pmr::vector<float> vectors_;
  alignas(wal::Reader) std::byte log_memory_[sizeof(wal::Reader)];
};

}  // namespace longbow::am
