// What longbow_sizing() reckons with: a table of vectors and its index, there or to come.
#pragma once

#include "am/element.hpp"
#include "longbow/tree/format.hpp"

namespace longbow::am {

struct SizingSubject {
  Element element;
  int dims;         // of a value; of an index on sparsevec those that rows are hashed to
  tree::Meta meta;  // of the index, settled
  double rows;
  // Of an index that is there, else 0: bytes of its file and of its table.
  double index_bytes, table_bytes;
};

// Bytes of one value on disk, header included; 0 for sparsevec, whose values differ.
double value_bytes(Element element, int dims);
// Bytes of a table of so many rows that have an 8-byte id and a vector, TOAST included; 0 if value_bytes() is.
double expected_table_bytes(Element element, int dims, double rows);

}  // namespace longbow::am
