// Assigner: centroids packed into columns once, rows assigned in batches that fit the stack.
#include <algorithm>
#include <limits>

#include "longbow/quant/kmeans.hpp"
#include "longbow/simd/kernels.hpp"

namespace longbow::quant {
namespace {

constexpr std::size_t kBatch = 256;
constexpr std::size_t kAlignment = 64;

constexpr std::size_t packed_bytes(std::size_t clusters, std::size_t dims) noexcept {
  return simd::packed_floats(clusters, dims) * sizeof(float);
}
// Offsets are padded to whole panels, as the columns are.
constexpr std::size_t offset_bytes(std::size_t clusters) noexcept { return packed_bytes(clusters, 1); }

}  // namespace

Assigner::Assigner(const float* centroids, std::size_t clusters, std::size_t dims, std::pmr::memory_resource& memory)
    : memory_(memory), clusters_(clusters), dims_(dims), packed_(nullptr), offset_(nullptr) {
  // One allocation for both, so that none can be lost between them.
  packed_ = static_cast<float*>(memory_.allocate(packed_bytes(clusters, dims) + offset_bytes(clusters), kAlignment));
  offset_ = packed_ + packed_bytes(clusters, dims) / sizeof(float);
  simd::pack_columns(centroids, clusters, dims, packed_);
  const simd::Kernels& k = simd::kernels();
  for (std::size_t j = 0; j < clusters; j++)
    offset_[j] = k.inner_product(centroids + j * dims, centroids + j * dims, dims);
  std::fill(offset_ + clusters, offset_ + offset_bytes(clusters) / sizeof(float),
            std::numeric_limits<float>::infinity());
}

Assigner::~Assigner() {
  memory_.deallocate(packed_, packed_bytes(clusters_, dims_) + offset_bytes(clusters_), kAlignment);
}

void Assigner::assign(const float* rows, std::size_t count, std::uint32_t* nearest) const noexcept {
  const simd::Kernels& k = simd::kernels();
  simd::Nearest found[kBatch];
  for (std::size_t first = 0; first < count; first += kBatch) {
    const std::size_t n = std::min(kBatch, count - first);
    k.nearest_packed(rows + first * dims_, n, packed_, offset_, clusters_, dims_, found);
    // A row whose distances all overflow may find no column at all.
    for (std::size_t i = 0; i < n; i++) nearest[first + i] = found[i].index < clusters_ ? found[i].index : 0;
  }
}

}  // namespace longbow::quant
