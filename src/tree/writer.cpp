// Fills the pages of new nodes.
#include "writer.hpp"

#include <limits>

namespace longbow::tree {

namespace {

// Puts one slot's codes and factors on a page; `part` is the page of a spanning block.
struct SlotWriter {
  const Geometry& g;

  void codes(std::uint8_t* page, const BlockPlace& place, std::size_t part, std::size_t slot,
             const std::uint8_t* row_codes, bool cells) const {
    const std::size_t from = part * g.page_groups;
    const std::size_t count = g.block_pages == 1 ? g.groups : std::min(g.page_groups, g.groups - from);
    put_scan(g, page + (part == 0 ? place.codes : kBodyOffset), static_cast<unsigned>(slot % 16), row_codes, cells,
             g.block_pages == 1 ? 0 : from, count);
  }
};

// Writes the scan pages and head blocks of a node through fill(page, place, part, slot).
template <class Fill>
void write_blocks(const Geometry& g, std::uint8_t* page, std::size_t first_block, std::size_t blocks, std::size_t part,
                  std::size_t rows, Fill&& fill) {
  for (std::size_t b = first_block; b < first_block + blocks; ++b) {
    const BlockPlace place = place_of_block(g, b);
    for (std::size_t slot = b * 16; slot < std::min(rows, b * 16 + 16); ++slot) fill(page, place, part, slot);
  }
}

struct Directory {
  std::pmr::vector<BlockId> entries;
  std::size_t centroid_pages = 0, scan_pages = 0, refine_pages = 0;
};

void put_centroid(const Geometry& g, const float* centroid, std::uint8_t* out) {
  if (g.packed)
    quant::pack_shares(centroid, g.dims, out);
  else
    std::memcpy(out, centroid, g.centroid_bytes);
}

void write_centroid_pages(PageStore& store, const Geometry& g, const NodeIdentity& identity, BlockId head,
                          Directory& directory) {
  if (g.centroid_span == 0) return;
  std::pmr::vector<std::uint8_t> bytes(g.centroid_bytes, directory.entries.get_allocator());
  put_centroid(g, identity.centroid, bytes.data());
  for (std::size_t p = 0; p < g.centroid_span; ++p) {
    const PageRef page = PageRef::allocate(store);
    Change change(store);
    std::uint8_t* image = change.create(page);
    std::memcpy(image + kBodyOffset, bytes.data() + p * kBodyBytes, std::min(kBodyBytes, g.centroid_bytes - p * kBodyBytes));
    set_trailer(image, PageKind::centroid, identity.node_id, head, p);
    change.commit();
    directory.entries[p] = page.block();
  }
  directory.centroid_pages = g.centroid_span;
}

template <class Fill>
void write_scan_pages(PageStore& store, const Geometry& g, const NodeIdentity& identity, BlockId head,
                      std::size_t rows, Directory& directory, Fill&& fill) {
  const std::size_t pages = g.scan_pages(rows);
  for (std::size_t p = 0; p < pages; ++p) {
    store.tick();
    const PageRef page = PageRef::allocate(store);
    Change change(store);
    std::uint8_t* image = change.create(page);
    if (g.block_pages == 1)
      write_blocks(g, image, g.head_blocks + p * g.page_blocks, g.page_blocks, 0, rows, fill);
    else
      write_blocks(g, image, g.head_blocks + p / g.block_pages, 1, p % g.block_pages, rows, fill);
    set_trailer(image, PageKind::scan, identity.node_id, head, p);
    change.commit();
    directory.entries[g.scan_entry(p)] = page.block();
  }
  directory.scan_pages = pages;
}

void write_refine_pages(PageStore& store, const Geometry& g, const NodeIdentity& identity, BlockId head,
                        std::span<const EncodedRow> rows, Directory& directory) {
  const std::size_t pages = g.refine_pages(rows.size());
  // Pages of a spanning row are chained: written from the last to the first.
  BlockId next = kNoBlock;
  for (std::size_t i = 0; i < pages; ++i) {
    const std::size_t p = g.refine_span > 1 ? i / g.refine_span * g.refine_span + (g.refine_span - 1 - i % g.refine_span) : i;
    store.tick();
    const PageRef page = PageRef::allocate(store);
    Change change(store);
    std::uint8_t* image = change.create(page);
    if (g.refine_span > 1) {
      const EncodedRow& row = rows[p / g.refine_span];
      put_refine(g, image, p / g.refine_span, p % g.refine_span, {row.refine, row.row}, row.refine_codes);
    } else {
      const std::size_t end = std::min(rows.size(), (p + 1) * g.refine_rows);
      for (std::size_t slot = p * g.refine_rows; slot < end; ++slot)
        put_refine(g, image, slot, 0, {rows[slot].refine, rows[slot].row}, rows[slot].refine_codes);
    }
    set_trailer(image, PageKind::refine, identity.node_id, head, p);
    if (g.refine_span > 1 && p % g.refine_span != g.refine_span - 1) trailer(image).next = next;
    change.commit();
    next = page.block();
    directory.entries[g.refine_entry(p)] = page.block();
  }
  directory.refine_pages = pages;
}

template <class Fill>
void write_head(PageStore& store, const Geometry& g, const PageRef& head, const NodeIdentity& identity,
                std::size_t rows, const Directory& directory, Fill&& fill) {
  Change change(store);
  std::uint8_t* image = change.create(head);
  NodeHead& h = node_head(image);
  h.node_id = identity.node_id;
  h.level = identity.level;
  h.rows = static_cast<std::uint32_t>(rows);
  h.centroid_pages = static_cast<std::uint16_t>(directory.centroid_pages);
  h.scan_pages = static_cast<std::uint16_t>(directory.scan_pages);
  h.refine_pages = static_cast<std::uint16_t>(directory.refine_pages);
  h.birth = identity.birth.counter;
  h.sibling = identity.birth.sibling;
  h.forward[0] = h.forward[1] = {kNoBlock, 0};
  std::memcpy(image + kDirectoryOffset, directory.entries.data(), directory.entries.size() * sizeof(BlockId));
  if (g.centroid_span == 0) put_centroid(g, identity.centroid, image + g.centroid_offset);
  write_blocks(g, image, 0, g.head_blocks, 0, rows, fill);
  set_trailer(image, PageKind::head, identity.node_id, head.block(), 0);
  change.commit();
}

Directory empty_directory(const Geometry& g, std::pmr::memory_resource& memory) {
  return {std::pmr::vector<BlockId>(g.refine_entry(g.refine_capacity), kNoBlock, &memory)};
}

}  // namespace

void set_trailer(std::uint8_t* page, PageKind kind, std::uint32_t id, BlockId head, std::size_t ordinal) {
  trailer(page) = {id, head, kNoBlock, kind, static_cast<std::uint16_t>(ordinal), 0, kTrailerMagic, 0};
}

void put_refine(const Geometry& g, std::uint8_t* page, std::size_t slot, std::size_t part, const RefineHeader& header,
                const std::uint8_t* codes) {
  if (g.refine_span == 1) {
    std::uint8_t* at = page + place_of_refine(g, slot).offset;
    std::memcpy(at, &header, sizeof header);
    std::memcpy(at + sizeof header, codes, g.dims);
    return;
  }
  const std::size_t first = kBodyBytes - sizeof header;
  if (part == 0) {
    std::memcpy(page + kBodyOffset, &header, sizeof header);
    std::memcpy(page + kBodyOffset + sizeof header, codes, std::min(first, g.dims));
    return;
  }
  const std::size_t from = first + (part - 1) * kBodyBytes;
  if (from < g.dims) std::memcpy(page + kBodyOffset, codes + from, std::min(kBodyBytes, g.dims - from));
}

void put_scan(const Geometry& g, std::uint8_t* block, unsigned row, const std::uint8_t* codes, bool cells, std::size_t first,
              std::size_t count) {
  if (g.packed || cells)
    quant::put_cells(block, row, codes, first, count);
  else
    quant::put_row(block, row, g.bits, codes, g.dims, first, count);
}

void put_row_factors(const Geometry& g, std::uint8_t* factors, std::size_t row, quant::ScanFactors scan) {
  if (g.packed) {
    reinterpret_cast<BitFactors*>(factors)->set[row] = static_cast<std::uint16_t>(scan.add);
  } else {
    auto& f = *reinterpret_cast<LeafFactors*>(factors);
    f.add[row] = scan.add;
    f.scale[row] = scan.scale;
  }
}

void put_leaf_factors(const Geometry& g, std::uint8_t* factors, std::size_t row, RowId id, quant::ScanFactors scan) {
  put_row_factors(g, factors, row, scan);
  auto& ids = *reinterpret_cast<RowIds*>(factors + g.ids_offset);
  ids.row_block[row] = id.block;
  ids.row_offset[row] = id.offset;
}

void write_leaf(PageStore& store, const Space& space, const PageRef& head, const NodeIdentity& identity,
                std::span<const EncodedRow> rows, std::pmr::memory_resource& memory) {
  const Geometry& g = space.leaf;
  if (rows.size() > g.max_rows) throw base::Error(base::Errc::internal, "a leaf was given too many rows");
  const SlotWriter slots{g};
  const auto fill = [&](std::uint8_t* page, const BlockPlace& place, std::size_t part, std::size_t slot) {
    slots.codes(page, place, part, slot, rows[slot].scan_codes, rows[slot].cells);
    if (part == 0) put_leaf_factors(g, page + place.factors, slot % 16, rows[slot].row, rows[slot].scan);
  };
  Directory directory = empty_directory(g, memory);
  write_centroid_pages(store, g, identity, head.block(), directory);
  write_scan_pages(store, g, identity, head.block(), rows.size(), directory, fill);
  write_refine_pages(store, g, identity, head.block(), rows, directory);
  write_head(store, g, head, identity, rows.size(), directory, fill);
}

namespace {

// |x|^2 - |c|^2 on average, which the mean squared distance from a mean is.
float spread_of_bits(const Space& space, std::span<const EncodedRow> rows, const float* centroid) noexcept {
  double sum = 0;
  for (const EncodedRow& row : rows) sum += space.metric() == base::Metric::cosine ? (row.scan.add > 0 ? 1.0 : 0.0) : static_cast<double>(row.scan.add);
  if (rows.empty()) return 0;
  const double centre = static_cast<double>(simd::kernels().inner_product(centroid, centroid, space.dims()));
  return static_cast<float>(std::max(0.0, sum / static_cast<double>(rows.size()) - centre));
}

}  // namespace

float decoded_square(const std::uint8_t* refine_codes, float step, std::size_t dims) noexcept {
  // In quarters of a squared step, which are whole: a code's value is half of 2 u - 255.
  std::int32_t quarters = 0;
  static_assert(std::int64_t{255 * 255} * kMaxDims < INT32_MAX);
  for (std::size_t i = 0; i < dims; ++i) {
    const auto twice = static_cast<std::int16_t>(2 * refine_codes[i] - 255);
    quarters += twice * twice;
  }
  return 0.25F * static_cast<float>(quarters) * step * step;
}

float mean_square(double sum, std::size_t rows) noexcept {
  const double mean = rows == 0 ? 0.0 : sum / static_cast<double>(rows);
  return mean < static_cast<double>(std::numeric_limits<float>::max()) ? static_cast<float>(mean) : 0.0F;
}

float spread_of(const Space& space, std::span<const EncodedRow> rows, const float* centroid) noexcept {
  if (space.has_bits()) return spread_of_bits(space, rows, centroid);
  double sum = 0;
  for (const EncodedRow& row : rows) sum += static_cast<double>(decoded_square(row.refine_codes, row.refine.step, space.dims()));
  return mean_square(sum, rows.size());
}

quant::ScanFactors encode_child(const Space& space, const float* parent, const float* child, float* residual,
                                std::uint8_t* codes) {
  simd::kernels().subtract(child, parent, residual, space.dims());
  return quant::encode_scan(space.metric(), space.inner.bits, residual, parent, space.dims(), codes);
}

void write_inner(PageStore& store, const Space& space, const PageRef& head, const NodeIdentity& identity,
                 std::span<const Child> children, std::pmr::memory_resource& memory) {
  const Geometry& g = space.inner;
  if (children.size() > g.max_rows) throw base::Error(base::Errc::internal, "an inner node was given too many children");
  const SlotWriter slots{g};
  std::pmr::vector<float> residual(g.dims, &memory);
  std::pmr::vector<std::uint8_t> codes(g.dims, &memory);
  const auto fill = [&](std::uint8_t* page, const BlockPlace& place, std::size_t part, std::size_t slot) {
    const quant::ScanFactors scan =
        encode_child(space, identity.centroid, children[slot].centroid, residual.data(), codes.data());
    slots.codes(page, place, part, slot, codes.data(), false);
    if (part > 0) return;
    auto& f = *reinterpret_cast<InnerFactors*>(page + place.factors);
    f.add[slot % 16] = scan.add;
    f.scale[slot % 16] = scan.scale;
    f.spread[slot % 16] = children[slot].spread;
    f.child[slot % 16] = children[slot].node.head;
    f.child_id[slot % 16] = children[slot].node.node_id;
  };
  Directory directory = empty_directory(g, memory);
  write_centroid_pages(store, g, identity, head.block(), directory);
  write_scan_pages(store, g, identity, head.block(), children.size(), directory, fill);
  write_head(store, g, head, identity, children.size(), directory, fill);
}

BlockId write_chain(PageStore& store, PageKind kind, const std::uint8_t* bytes, std::size_t count) {
  // Written from the end, so that each page knows the one after it.
  BlockId next = kNoBlock;
  const std::size_t pages = (count + kBodyBytes - 1) / kBodyBytes;
  for (std::size_t p = pages; p-- > 0;) {
    const PageRef page = PageRef::allocate(store);
    Change change(store);
    std::uint8_t* image = change.create(page);
    std::memcpy(image + kBodyOffset, bytes + p * kBodyBytes, std::min(kBodyBytes, count - p * kBodyBytes));
    set_trailer(image, kind, 0, kNoBlock, p);
    trailer(image).next = next;
    change.commit();
    next = page.block();
  }
  return next;
}

}  // namespace longbow::tree
