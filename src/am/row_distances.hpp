// Exact distances of a search's rows, for indexes whose codes cannot bound them: the rows are read from the table.
#pragma once

#include "am/heap_reader.hpp"
#include "longbow/tree/search.hpp"

namespace longbow::am {

class HeapDistances final : public tree::RowDistances {
 public:
  // For the first order of a scan that has started; its query is not NULL.
  explicit HeapDistances(IndexScanDesc scan) : scan_(scan) {}
  void measure(std::span<tree::MeasuredRow> rows) override;

 private:
  IndexScanDesc scan_;
};

}  // namespace longbow::am
