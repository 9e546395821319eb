// Checked reading of a node's pages.
#include "node.hpp"

namespace longbow::tree {

using base::Errc;
using base::Error;

void throw_corrupted(BlockId block, const char* what) {
  throw Error(Errc::index_corrupted, "block %u of the index is corrupted: %s", block, what);
}

bool is_head_of(const Space& space, const std::uint8_t* page, std::uint32_t id, BlockId block) {
  if (!belongs(page, PageKind::head, id)) return false;
  const NodeHead& head = node_head(page);
  const Geometry& g = space.geometry(head.level);
  if (head.node_id != id || head.level > 64) throw_corrupted(block, "head names another node");
  if (head.rows > g.max_rows || head.free > g.max_rows) throw_corrupted(block, "impossible number of rows");
  if (head.centroid_pages != g.centroid_span || head.scan_pages > g.scan_capacity ||
      head.refine_pages > g.refine_capacity || head.scan_pages < g.scan_pages(head.rows) ||
      head.refine_pages < g.refine_pages(head.rows))
    throw_corrupted(block, "impossible number of pages");
  return true;
}

void copy_head(const Space& space, const PageRef& page, HeadCopy& out) {
  out.head = node_head(page.data());
  out.block = page.block();
  const Geometry& g = space.geometry(out.head.level);
  const auto* entries = reinterpret_cast<const BlockId*>(page.data() + kDirectoryOffset);
  out.directory.assign(entries, entries + g.refine_entry(g.refine_capacity));
}

void read_chain(PageStore& store, PageKind kind, std::uint32_t id, BlockId first, std::uint8_t* out,
                std::size_t bytes) {
  BlockId block = first;
  for (std::size_t at = 0; at < bytes;) {
    if (block == kNoBlock) throw Error(Errc::index_corrupted, "a chain of index pages ends too early");
    const PageRef page(store, block, Latch::share);
    if (!belongs(page.data(), kind, id)) throw_corrupted(block, "unexpected page in a chain");
    const std::size_t part = std::min(bytes - at, kBodyBytes);
    std::memcpy(out + at, page.data() + kBodyOffset, part);
    at += part;
    block = trailer(page.data()).next;
  }
}

bool read_centroid(PageStore& store, const Space& space, const HeadCopy& head, const std::uint8_t* page, float* out) {
  const Geometry& g = space.geometry(head.head.level);
  if (g.centroid_span == 0) {
    if (g.packed)
      quant::unpack_shares(page + g.centroid_offset, g.dims, out);
    else
      std::copy_n(inline_centroid(g, page), g.dims, out);
    return true;
  }
  std::pmr::vector<std::uint8_t> shares(g.packed ? g.centroid_bytes : 0, head.directory.get_allocator().resource());
  auto* bytes = g.packed ? shares.data() : reinterpret_cast<std::uint8_t*>(out);
  for (std::size_t p = 0; p < g.centroid_span; ++p) {
    const PageRef part(store, head.directory[p], Latch::share);
    if (!belongs(part.data(), PageKind::centroid, head.head.node_id)) return false;
    std::memcpy(bytes + p * kBodyBytes, part.data() + kBodyOffset, std::min(kBodyBytes, g.centroid_bytes - p * kBodyBytes));
  }
  if (g.packed) quant::unpack_shares(bytes, g.dims, out);
  return true;
}

bool read_refine(PageStore& store, const Geometry& g, BlockId first_page, std::uint32_t id, std::size_t slot,
                 RefineHeader& header, std::uint8_t* codes) {
  PageRef page(store, first_page, Latch::share);
  if (!belongs(page.data(), PageKind::refine, id)) return false;
  const std::uint8_t* at = page.data() + place_of_refine(g, slot).offset;
  std::memcpy(&header, at, sizeof header);
  if (g.refine_span == 1) {
    std::memcpy(codes, at + sizeof header, g.dims);
    return true;
  }
  std::size_t done = std::min(g.dims, kBodyBytes - sizeof header);
  std::memcpy(codes, at + sizeof header, done);
  while (done < g.dims) {
    const BlockId next = trailer(page.data()).next;
    page.reset();
    if (next == kNoBlock) throw_corrupted(first_page, "a row's refine pages end too early");
    page = PageRef(store, next, Latch::share);
    if (!belongs(page.data(), PageKind::refine, id)) return false;
    const std::size_t part = std::min(g.dims - done, kBodyBytes);
    std::memcpy(codes + done, page.data() + kBodyOffset, part);
    done += part;
  }
  return true;
}

}  // namespace longbow::tree
