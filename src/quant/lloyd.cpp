// Lloyd's iterations: assign, sort by cluster, move.
#include "lloyd.hpp"

#include <algorithm>
#include <cstring>

#include "longbow/quant/bits.hpp"

namespace longbow::quant {
namespace {

constexpr std::size_t kTickWork = std::size_t{1} << 27;  // multiply-adds between ticks: 3 ms (AVX-512) to 60 ms (scalar)
constexpr std::size_t kMoveGrain = 16;                   // clusters at a time

}  // namespace

const float* RowSet::fetch(std::size_t first, std::size_t n, float* tile) const noexcept {
  if (in_place()) return data + first * dims;
  const std::size_t stride = form == PointForm::floats ? dims : bit_cells(dims);
  for (std::size_t i = 0; i < n; ++i) {
    const float* from = data + (order == nullptr ? first + i : order[first + i]) * stride;
    float* to = tile + i * dims;
    if (form != PointForm::floats) {
      const auto* cells = reinterpret_cast<const std::uint8_t*>(from);
      const bool unit = form == PointForm::unit_bits;
      spread_bits(cells, dims, unit ? unit_value(static_cast<float>(count_bits(cells, dims))) : 1.0F, to);
      from = to;
    }
    if (origin != nullptr)
      simd::kernels().subtract(from, origin, to, dims);
    else if (from != to)
      std::memcpy(to, from, dims * sizeof(float));
  }
  return tile;
}

void Progress::add(std::size_t work) {
  done_ += work;
  if (done_ - reported_ < kTickWork) return;
  reported_ = done_;
  watch_.tick(std::min(done_, total_), total_);
}

void Progress::jump(std::size_t done) noexcept { done_ = reported_ = std::max(done_, done); }

Clustering::Clustering(std::size_t rows, std::size_t clusters, base::Crew& crew)
    : nearest_(crew, rows), order_(crew, rows), first_(crew, clusters + 1), next_(crew, clusters) {}

std::size_t Clustering::shared_bytes(std::size_t rows, std::size_t clusters) noexcept {
  return 2 * base::Shared<std::uint32_t>::bytes(rows) + 2 * base::Shared<std::size_t>::bytes(clusters + 1);
}

void Clustering::sort(std::size_t clusters) const noexcept {
  std::fill_n(first_.begin(), clusters + 1, 0);
  for (const std::uint32_t j : nearest_) ++first_[j + 1];
  for (std::size_t j = 0; j < clusters; ++j) first_[j + 1] += first_[j];
  std::copy_n(first_.begin(), clusters, next_.begin());
  for (std::size_t i = 0; i < nearest_.size(); ++i) order_[next_[nearest_[i]]++] = static_cast<std::uint32_t>(i);
}

std::size_t Lloyd::shared_bytes(std::size_t rows, std::size_t clusters, std::size_t dims) noexcept {
  return Clustering::shared_bytes(rows, clusters) + base::Shared<std::size_t>::bytes(clusters) +
         base::Shared<State>::bytes(1) + GroupAssigner::shared_bytes(clusters, dims);
}

Lloyd::Lloyd(const RowSet& rows, float* centroids, std::size_t clusters, base::Crew& crew,
             std::pmr::memory_resource& memory)
    : rows_(rows),
      centroids_(centroids),
      clusters_(clusters),
      crew_(crew),
      memory_(memory),
      clustering_(rows.count, clusters, crew),
      count_(crew, clusters),
      state_(crew, 1),
      tile_(&memory),
      sum_(rows.dims, &memory),
      found_(&memory) {
  crew_.lead([&] {
    std::fill_n(clustering_.nearest(), rows_.count, 0U);
    new (state_.data()) State{};
  });
}

void Lloyd::start(base::SplitMix64& random) {
  crew_.lead([&] {
    std::uint32_t* order = clustering_.order();
    for (std::size_t i = 0; i < rows_.count; i++) order[i] = static_cast<std::uint32_t>(i);
    for (std::size_t j = 0; j < clusters_; j++) {
      std::swap(order[j], order[j + random.below(rows_.count - j)]);
      const float* row = rows_.fetch(order[j], 1, sum_.data());
      std::memcpy(centroid(j), row, rows_.dims * sizeof(float));
    }
  });
}

std::size_t Lloyd::run(int iterations, base::SplitMix64& random, Progress& progress) {
  for (int i = 0; i < iterations; i++) {
    const bool changed = assign(progress) || i == 0;
    move(progress);
    const bool last = i + 1 == iterations || !changed;
    if (last) return drop_empty();
    fill_empty(random);
  }
  return clusters_;
}

// Assigns every row, and sorts them by cluster; says whether any changed its cluster.
bool Lloyd::assign(Progress& progress) {
  GroupAssigner assigner(centroids_, clusters_, rows_.dims, crew_, memory_, progress.watch());
  const std::size_t batch = assigner.batch();
  tile_.resize(rows_.in_place() ? 0 : batch * rows_.dims);
  found_.resize(batch);
  std::uint32_t* nearest = clustering_.nearest();
  crew_.for_each(rows_.count, batch, [&](std::size_t first, std::size_t end) {
    assigner.assign(rows_.fetch(first, end - first, tile_.data()), end - first, found_.data());
    if (std::memcmp(nearest + first, found_.data(), (end - first) * sizeof(std::uint32_t)) != 0)
      state_[0].changed.store(1, std::memory_order_relaxed);
    std::copy_n(found_.begin(), end - first, nearest + first);
    progress.add((end - first) * assigner.row_work() * crew_.members());
  });
  const bool changed = state_[0].changed.load(std::memory_order_relaxed) != 0;
  crew_.barrier();
  crew_.lead([&] {
    state_[0].changed.store(0, std::memory_order_relaxed);
    clustering_.sort(clusters_);
    for (std::size_t j = 0; j < clusters_; j++) count_[j] = clustering_.count(j);
  });
  return changed;
}

// Moves every centroid to the mean of its rows.
void Lloyd::move(Progress& progress) {
  tile_.resize(rows_.dims);
  crew_.for_each(clusters_, kMoveGrain, [&](std::size_t first, std::size_t end) {
    for (std::size_t j = first; j < end; j++) move_one(j);
    progress.add((clustering_.begin(end) - clustering_.begin(first)) * rows_.dims * crew_.members());
  });
}

void Lloyd::move_one(std::size_t j) noexcept {
  if (clustering_.count(j) == 0) return;
  const simd::Kernels& k = simd::kernels();
  const std::size_t n = rows_.dims;
  std::fill(sum_.begin(), sum_.end(), 0.0F);
  for (std::size_t i = clustering_.begin(j); i < clustering_.end(j); i++) {
    const float* row = rows_.fetch(clustering_.order()[i], 1, tile_.data());
    k.subtract(row, centroid(j), tile_.data(), n);
    k.add_to(tile_.data(), sum_.data(), n);
  }
  k.scale(sum_.data(), 1.0F / static_cast<float>(clustering_.count(j)), n);
  k.add_to(sum_.data(), centroid(j), n);
}

// Gives each empty cluster a row of what is the largest cluster at that time, and half of its count.
void Lloyd::fill_empty(base::SplitMix64& random) {
  crew_.lead([&] {
    if (std::find(count_.begin(), count_.begin() + clusters_, 0U) == count_.begin() + clusters_) return;
    std::pmr::vector<std::uint32_t> source(clusters_, &memory_);  // whose rows a cluster has, as nearest() names them
    for (std::size_t j = 0; j < clusters_; j++) source[j] = static_cast<std::uint32_t>(j);
    const std::uint32_t* nearest = clustering_.nearest();
    for (std::size_t j = 0; j < clusters_; j++) {
      if (count_[j] != 0) continue;
      std::size_t* largest = std::max_element(count_.begin(), count_.begin() + clusters_);
      if (*largest < 2) return;
      source[j] = source[static_cast<std::size_t>(largest - count_.begin())];
      std::size_t i = random.below(rows_.count);
      while (nearest[i] != source[j]) i = i + 1 < rows_.count ? i + 1 : 0;
      std::memcpy(centroid(j), rows_.fetch(i, 1, sum_.data()), rows_.dims * sizeof(float));
      count_[j] = *largest / 2;
      *largest -= count_[j];
    }
  });
}

// Closes the gaps that empty clusters leave, in centroids and assignments.
std::size_t Lloyd::drop_empty() {
  crew_.lead([&] {
    std::size_t kept = 0;
    for (std::size_t j = 0; j < clusters_; j++) {
      if (clustering_.count(j) == 0) continue;
      if (kept != j) std::memcpy(centroid(kept), centroid(j), rows_.dims * sizeof(float));
      count_[j] = kept++;  // its new number
    }
    if (kept != clusters_) {
      std::uint32_t* nearest = clustering_.nearest();
      for (std::size_t i = 0; i < rows_.count; i++) nearest[i] = static_cast<std::uint32_t>(count_[nearest[i]]);
      clustering_.sort(kept);
    }
    state_[0].clusters = kept;
  });
  clusters_ = state_[0].clusters;
  // Who is done gives the memory back, for another's next use: not before all have read this.
  crew_.barrier();
  return clusters_;
}

}  // namespace longbow::quant
