// New indexes: meta data, encoding of rows, leaves, and the levels above them.
#include "longbow/tree/build.hpp"

#include <cmath>

#include "longbow/quant/assign.hpp"
#include "writer.hpp"

namespace longbow::tree {

Meta new_meta(const NewIndex& what) {
  Meta meta{};
  meta.magic = kMetaMagic;
  meta.version = kFormatVersion;
  meta.metric = what.metric;
  meta.element_type = what.element_type;
  meta.incarnation = what.incarnation;
  meta.rotation_seed = what.incarnation * 0x9E3779B97F4A7C15ULL + 1;
  meta.bits = static_cast<std::uint8_t>(what.bits);
  meta.leaf_size = what.leaf_size;
  meta.centre = meta.root = meta.plain_head = meta.plain_insert = kNoBlock;
  meta.pending_head = meta.pending_tail = meta.merge_plan = kNoBlock;
  meta.pending_from = 1;
  meta.next_node_id = 1;
  if (what.dims > 0) settle(meta, what.dims);
  return meta;
}

void settle(Meta& meta, std::uint32_t dims) {
  meta.dims = dims;
  const bool packed = has_bits(meta);
  if (packed) meta.bits = 1;
  if (meta.bits == 0) meta.bits = static_cast<std::uint8_t>(default_bits(dims));
  if (meta.leaf_size == 0) meta.leaf_size = default_leaf_size(dims, packed);
  meta.leaf_size = fitting_leaf_size(dims, meta.bits, meta.leaf_size, packed);
  meta.fanout = static_cast<std::uint32_t>(target_fanout(dims));
}

void write_empty(PageStore& store, const Meta& meta) {
  const PageRef page = PageRef::allocate(store);
  if (page.block() != kMetaBlock) throw base::Error(base::Errc::internal, "a new index is not empty");
  Change change(store);
  write_meta_image(change.create(page), meta);
  change.commit();
}

void write_meta_image(std::uint8_t* image, const Meta& meta) {
  meta_of(image) = meta;
  set_trailer(image, PageKind::meta, 0, kNoBlock, 0);
}

BlockId write_centre(PageStore& store, const float* centre, std::size_t dims) {
  return write_chain(store, PageKind::centre, reinterpret_cast<const std::uint8_t*>(centre), dims * sizeof(float));
}

RowEncoder::RowEncoder(const Space& space, std::pmr::memory_resource& memory)
    : space_(space),
      residual_(space.has_bits() ? 0 : space.dims(), &memory),
      scan_codes_(space.scan_bytes(), &memory),
      refine_codes_(space.refine_bytes(), &memory) {}

void RowEncoder::encode(const float* vector, const float* centroid, float norm, float raw_norm, float prior_error) {
  const std::size_t n = space_.dims();
  if (space_.has_bits()) {
    quant::gather_bits(vector, n, scan_codes_.data());
    scan_.add = static_cast<float>(quant::count_bits(scan_codes_.data(), n));
    return;
  }
  simd::kernels().subtract(vector, centroid, residual_.data(), n);
  scan_ = quant::encode_scan(space_.metric(), space_.leaf.bits, residual_.data(), centroid, n, scan_codes_.data());
  refine_ = quant::encode_refine(space_.metric(), residual_.data(), n, norm, raw_norm, prior_error,
                                 refine_codes_.data());
}

namespace {

struct PackedHeader {
  RowId row;
  quant::ScanFactors scan;
  quant::RefineFactors refine;
  float squared;
};

}  // namespace

std::size_t PackedRow::bytes(const Space& space) noexcept {
  return sizeof(PackedHeader) + space.refine_bytes() + space.leaf.groups * quant::kCellBytes;
}

// All that a row alone can tell is done here, where workers take part, and not by the leader that writes.
void PackedRow::pack(const Space& space, RowId row, const RowEncoder& encoder, std::uint8_t* out) noexcept {
  PackedHeader header{row, encoder.scan(), encoder.refine(), 0};
  std::uint8_t* refine = out + sizeof header;
  std::uint8_t* cells = refine + space.refine_bytes();
  if (space.has_bits()) {
    std::memcpy(cells, encoder.scan_codes(), space.scan_bytes());
  } else {
    std::memcpy(refine, encoder.refine_codes(), space.dims());
    quant::to_cells(encoder.scan_codes(), space.leaf.bits, space.dims(), cells);
    header.squared = decoded_square(encoder.refine_codes(), header.refine.step, space.dims());
  }
  std::memcpy(out, &header, sizeof header);
}

EncodedRow PackedRow::view(const Space& space, const std::uint8_t* in, float& squared) noexcept {
  PackedHeader header;
  std::memcpy(&header, in, sizeof header);
  squared = header.squared;
  const std::uint8_t* refine = in + sizeof header;
  return {header.row, header.scan, header.refine, refine + space.refine_bytes(), refine, true};
}

TreeBuilder::TreeBuilder(PageStore& store, Space& space, std::pmr::memory_resource& memory)
    : store_(store), space_(space), memory_(memory), leaves_(&memory) {}

void TreeBuilder::add_cluster(const float* centroid, const std::uint8_t* packed, std::size_t rows) {
  const std::size_t most = most_built_rows(space_.meta);
  const std::size_t parts = std::max<std::size_t>(1, (rows + most - 1) / most);
  const std::size_t row_bytes = PackedRow::bytes(space_);
  std::pmr::vector<EncodedRow> encoded(&memory_);
  for (std::size_t part = 0; part < parts; ++part) {
    store_.tick();
    const std::size_t from = rows * part / parts;
    const std::size_t to = rows * (part + 1) / parts;
    encoded.clear();
    double squares = 0;
    for (std::size_t i = from; i < to; ++i) {
      float squared;
      encoded.push_back(PackedRow::view(space_, packed + i * row_bytes, squared));
      squares += static_cast<double>(squared);
    }
    const std::uint32_t id = next_id();
    const PageRef head = PageRef::allocate(store_);
    write_leaf(store_, space_, head, {id, 0, centroid, {}}, encoded, memory_);
    const float spread = space_.has_bits() ? spread_of(space_, encoded, centroid) : mean_square(squares, to - from);
    leaves_.push_back({{head.block(), id}, centroid, spread});
  }
}

NodeRef TreeBuilder::write_group(std::uint16_t level, const float* centroid, std::span<const Entry> members) {
  std::pmr::vector<Child> children(&memory_);
  for (const Entry& e : members) children.push_back({e.node, e.centroid, e.spread});
  const std::uint32_t id = next_id();
  const PageRef head = PageRef::allocate(store_);
  write_inner(store_, space_, head, {id, level, centroid, {}}, children, memory_);
  return {head.block(), id};
}

void TreeBuilder::finish(quant::Watch& watch) {
  const std::size_t n = space_.dims();
  Meta& meta = space_.meta;
  meta.leaves = static_cast<std::uint32_t>(leaves_.size());
  std::pmr::vector<Entry> level(leaves_.begin(), leaves_.end(), &memory_);
  // Centroids of upper levels live until the end: parents are encoded from them.
  std::pmr::vector<std::pmr::vector<float>> kept(&memory_);
  std::uint16_t height = 1;
  while (level.size() > 1) {
    std::pmr::vector<float>& centroids = kept.emplace_back();
    std::pmr::vector<Entry> above(&memory_);
    const std::size_t groups = built_groups(meta, level.size());
    std::pmr::vector<float> points(level.size() * n, &memory_);
    for (std::size_t i = 0; i < level.size(); ++i) std::copy_n(level[i].centroid, n, points.data() + i * n);
    centroids.resize(groups * n);
    base::Alone alone(memory_);
    const std::size_t found = quant::train({points.data(), level.size(), n}, {groups, 12, 0, meta.rotation_seed + height},
                                           alone, memory_, watch, centroids.data());
    const quant::Assigner assigner(centroids.data(), found, n, alone);
    std::pmr::vector<std::uint32_t> nearest(level.size(), &memory_);
    assigner.assign(points.data(), level.size(), nearest.data());
    std::pmr::vector<std::pmr::vector<Entry>> members(found, &memory_);
    for (std::size_t i = 0; i < level.size(); ++i) members[nearest[i]].push_back(level[i]);
    for (std::size_t c = 0; c < found; ++c) {
      // A node half full has room for splits below it.
      const std::size_t most = most_built_children(meta);
      for (std::size_t from = 0; from < members[c].size(); from += most) {
        const std::size_t count = std::min(most, members[c].size() - from);
        const float* centroid = centroids.data() + c * n;
        above.push_back({write_group(height, centroid, {members[c].data() + from, count}), centroid, 0});
      }
    }
    if (above.size() >= level.size()) throw base::Error(base::Errc::internal, "a level of the tree does not shrink");
    level.swap(above);
    ++height;
  }
  if (level.empty()) {
    // No rows: one empty leaf around the origin.
    std::pmr::vector<float> zero(n, 0.0F, &memory_);
    const std::uint32_t id = next_id();
    const PageRef head = PageRef::allocate(store_);
    write_leaf(store_, space_, head, {id, 0, zero.data(), {}}, {}, memory_);
    level.push_back({{head.block(), id}, nullptr, 0});
    meta.leaves = 1;
  }
  meta.root = level[0].node.head;
  meta.root_id = level[0].node.node_id;
  meta.height = height;
}

}  // namespace longbow::tree
