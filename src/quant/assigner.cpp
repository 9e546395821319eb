// Assigner: centroids packed into columns once, rows assigned in batches that fit the stack.
#include <algorithm>
#include <limits>

#include "longbow/quant/assign.hpp"
#include "panels.hpp"

namespace longbow::quant {
namespace {

constexpr std::size_t kBatch = 256;

}  // namespace

std::size_t Assigner::shared_bytes(std::size_t clusters, std::size_t dims) noexcept {
  return base::Shared<float>::bytes(simd::packed_floats(clusters, dims)) +
         base::Shared<float>::bytes(padded_columns(clusters));
}

Assigner::Assigner(const float* centroids, std::size_t clusters, std::size_t dims, base::Crew& crew)
    : clusters_(clusters),
      dims_(dims),
      packed_(crew, simd::packed_floats(clusters, dims)),
      offset_(crew, padded_columns(clusters)) {
  crew.lead([&] { pack_centroids(centroids, clusters, dims, packed_.data(), offset_.data()); });
}

void Assigner::assign(const float* rows, std::size_t count, std::uint32_t* nearest) const noexcept {
  const simd::Kernels& k = simd::kernels();
  simd::Nearest found[kBatch];
  for (std::size_t first = 0; first < count; first += kBatch) {
    const std::size_t n = std::min(kBatch, count - first);
    k.nearest_packed(rows + first * dims_, n, packed_.data(), offset_.data(), clusters_, dims_, found);
    // A row whose distances all overflow may find no column at all.
    for (std::size_t i = 0; i < n; i++) nearest[first + i] = found[i].index < clusters_ ? found[i].index : 0;
  }
}

}  // namespace longbow::quant
