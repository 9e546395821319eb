// Declares what lies between a page's last byte in use and its trailer a hole, so that it is neither logged nor kept:
// zeros there are zeros after replay too.
#pragma once

#include <algorithm>

#include "longbow/tree/format.hpp"

extern "C" {
#include "postgres.h"

#include "storage/bufpage.h"
}

namespace longbow::pg {

inline void mark_hole(std::uint8_t* image) {
  auto* words = reinterpret_cast<const std::uint64_t*>(image);
  std::size_t end = tree::kTrailerOffset / 8;
  while (end > tree::kPageHeaderBytes / 8 && words[end - 1] == 0) --end;
  auto* header = reinterpret_cast<PageHeader>(image);
  header->pd_lower = static_cast<LocationIndex>(std::max<std::size_t>(end * 8, SizeOfPageHeaderData));
  header->pd_upper = header->pd_special;
}

}  // namespace longbow::pg
