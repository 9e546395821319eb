// How large a table of vectors will be: PostgreSQL's rows, pages and TOAST.
#include <algorithm>
#include <cmath>

#include "am/sizing.hpp"

extern "C" {
#include "postgres.h"

#include "access/heaptoast.h"
#include "access/htup_details.h"
#include "storage/bufpage.h"
}

namespace longbow::am {

namespace {

constexpr double kPageRoom = BLCKSZ - SizeOfPageHeaderData;
constexpr Size kIdBytes = 8;
constexpr Size kToastPointerBytes = 18;
// A TOAST chunk's columns beside its bytes: the value's OID, the chunk's number, a length.
constexpr Size kChunkColumns = 12;
// A chunk's entry in TOAST's index: tuple header and two numbers, its line pointer, pages filled to nine tenths.
constexpr double kChunkKeyBytes = 20 / 0.9;

// Bytes of a tuple in a page, its line pointer included.
double tuple_bytes(Size data) { return MAXALIGN(MAXALIGN(SizeofHeapTupleHeader) + data) + sizeof(ItemIdData); }
double pages_of(double rows, double bytes) {
  return std::ceil(rows / std::max(1.0, std::floor(kPageRoom / bytes))) * BLCKSZ;
}

// A value as TOAST cuts it.
struct Chunks {
  explicit Chunks(Size value)
      : count((value + TOAST_MAX_CHUNK_SIZE - 1) / TOAST_MAX_CHUNK_SIZE),
        last(value - (count - 1) * TOAST_MAX_CHUNK_SIZE) {}

  // As PostgreSQL places them: where the last one went, else on an older page that has room, else on a new one.
  [[nodiscard]] double pages_per_row() const {
    constexpr Size kRows = 64, kMostChunks = tree::kMaxDims * sizeof(float) / TOAST_MAX_CHUNK_SIZE + 1;
    double room[kRows * kMostChunks];
    Size pages = 0, at = 0;
    for (Size i = 0; i < kRows * count; i++) {
      const double bytes = tuple_bytes(kChunkColumns + ((i + 1) % count != 0 ? TOAST_MAX_CHUNK_SIZE : last));
      if (pages == 0 || bytes > room[at]) {
        at = 0;
        while (at < pages && bytes > room[at]) at++;
        if (at == pages) room[pages++] = kPageRoom;
      }
      room[at] -= bytes;
    }
    return static_cast<double>(pages) / kRows;
  }

  Size count, last;  // chunks, and bytes in the last one
};

}  // namespace

double value_bytes(Element element, int dims) {
  // Four bytes of length, then dimensions and a reserved word, or the length in bits.
  switch (element) {
    case Element::vector:
      return 8 + 4.0 * dims;
    case Element::halfvec:
      return 8 + 2.0 * dims;
    case Element::bit:
      return 8 + std::ceil(dims / 8.0);
    case Element::sparsevec:
      break;
  }
  return 0;
}

double expected_table_bytes(Element element, int dims, double rows) {
  const auto value = static_cast<Size>(value_bytes(element, dims));
  if (value == 0) return 0;
  // Short values have one byte of length.
  const Size stored = value - VARHDRSZ + VARHDRSZ_SHORT <= VARATT_SHORT_MAX ? value - VARHDRSZ + VARHDRSZ_SHORT : value;
  if (MAXALIGN(SizeofHeapTupleHeader) + kIdBytes + stored <= TOAST_TUPLE_THRESHOLD)
    return pages_of(rows, tuple_bytes(kIdBytes + stored));
  const Chunks chunks{value - VARHDRSZ};
  return pages_of(rows, tuple_bytes(kIdBytes + kToastPointerBytes)) +
         std::ceil(rows * chunks.pages_per_row()) * BLCKSZ + rows * static_cast<double>(chunks.count) * kChunkKeyBytes;
}

}  // namespace longbow::am
