// GroupAssigner: centroids in groups by k-means, a batch's rows sorted by the groups that each looks into.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "longbow/quant/assign.hpp"
#include "longbow/quant/kmeans.hpp"
#include "panels.hpp"

namespace longbow::quant {
namespace {

constexpr std::size_t kFlatClusters = 256;   // up to here one product with all is as fast
constexpr std::size_t kGroupClusters = 48;   // one to two panels
constexpr std::size_t kMostProbes = 8, kLeastProbes = 4;
constexpr int kIterations = 6;
constexpr std::size_t kBatchRows = 1024;
constexpr std::size_t kBatchBytes = 4 << 20;

// Groups by number of clusters: of two panels each, or of more once the centres would cost more than the groups.
std::size_t group_count(std::size_t clusters) noexcept {
  if (clusters <= kFlatClusters) return 1;
  const auto balanced = static_cast<std::size_t>(std::sqrt(static_cast<double>(clusters * kMostProbes)));
  return std::min(clusters / kGroupClusters, balanced);
}

// A quarter of few groups.
std::size_t probe_count(std::size_t groups) noexcept {
  return std::min(groups, std::clamp(groups / 4, kLeastProbes, kMostProbes));
}

// Panels of all groups together, at most: each pads its last.
std::size_t most_columns(std::size_t clusters, std::size_t groups) noexcept {
  return padded_columns(clusters) + groups * simd::kPanelColumns;
}

std::size_t batch_rows(std::size_t dims) noexcept {
  return std::clamp<std::size_t>(kBatchBytes / (dims * sizeof(float)), 64, kBatchRows);
}

// Stops where another watch stops, but reports nothing: work within a step.
class Quiet final : public Watch {
 public:
  explicit Quiet(Watch& outer) noexcept : outer_(outer) {}
  void tick(std::size_t, std::size_t) override { outer_.pause(); }
  void pause() override { outer_.pause(); }

 private:
  Watch& outer_;
};

}  // namespace

std::size_t GroupAssigner::shared_bytes(std::size_t clusters, std::size_t dims) noexcept {
  const std::size_t groups = group_count(clusters);
  if (groups == 1) return Assigner::shared_bytes(clusters, dims);
  const std::size_t columns = most_columns(clusters, groups);
  return base::Shared<Group>::bytes(groups) + base::Shared<std::uint32_t>::bytes(columns) +
         base::Shared<float>::bytes(columns * dims) + base::Shared<float>::bytes(columns) +
         Assigner::shared_bytes(groups, dims);
}

std::size_t GroupAssigner::row_work(std::size_t clusters, std::size_t dims) noexcept {
  const std::size_t groups = group_count(clusters);
  return dims * (groups == 1 ? clusters : groups + probe_count(groups) * clusters / groups);
}

GroupAssigner::GroupAssigner(const float* centroids, std::size_t clusters, std::size_t dims, base::Crew& crew,
                             std::pmr::memory_resource& memory, Watch& watch)
    : clusters_(clusters),
      dims_(dims),
      groups_(group_count(clusters)),
      probes_(probe_count(groups_)),
      batch_(batch_rows(dims)),
      top_(&memory),
      tile_(&memory),
      best_(&memory),
      best_column_(&memory),
      picks_(&memory),
      sorted_(&memory),
      at_(&memory),
      found_(&memory) {
  if (groups_ == 1) {
    flat_.emplace(centroids, clusters, dims, crew);
    return;
  }
  const std::size_t columns = most_columns(clusters, groups_);
  group_.emplace(crew, groups_);
  member_.emplace(crew, columns);
  packed_.emplace(crew, columns * dims);
  offset_.emplace(crew, columns);
  top_packed_.emplace(crew, simd::packed_floats(groups_, dims));
  top_offset_.emplace(crew, padded_columns(groups_));
  crew.lead([&] { form_groups(centroids, memory, watch); });
  top_.resize(batch_ * padded_columns(groups_));
  tile_.resize(batch_ * dims);
  best_.resize(batch_);
  best_column_.resize(batch_);
  picks_.resize(batch_ * probes_);
  sorted_.resize(batch_ * probes_);
  at_.resize(groups_ + 1);
  found_.resize(batch_);
}

void GroupAssigner::form_groups(const float* centroids, std::pmr::memory_resource& memory, Watch& watch) {
  base::Alone alone(memory);
  Quiet quiet(watch);
  const Points points{centroids, clusters_, dims_};
  std::pmr::vector<float> tops(groups_ * dims_, &memory);
  const std::size_t made = train(points, {groups_, kIterations, 0, clusters_}, alone, memory, quiet, tops.data());
  std::pmr::vector<std::uint32_t> nearest(clusters_, &memory);
  {
    const Assigner assigner(tops.data(), made, dims_, alone);
    assigner.assign(centroids, clusters_, nearest.data());
  }
  std::pmr::vector<float> members(&memory);
  std::size_t column = 0;
  for (std::size_t g = 0; g < groups_; ++g) {
    members.clear();
    std::uint32_t count = 0;
    for (std::size_t j = 0; g < made && j < clusters_; ++j) {
      if (nearest[j] != g) continue;
      members.insert(members.end(), centroids + j * dims_, centroids + (j + 1) * dims_);
      (*member_)[column + count++] = static_cast<std::uint32_t>(j);
    }
    (*group_)[g] = {column * dims_, static_cast<std::uint32_t>(column), count};
    pack_centroids(members.data(), count, dims_, packed_->data() + column * dims_, offset_->data() + column);
    column += padded_columns(count);
  }
  std::fill(top_packed_->begin(), top_packed_->end(), 0.0F);
  pack_centroids(tops.data(), made, dims_, top_packed_->data(), top_offset_->data());
  std::fill(top_offset_->begin() + made, top_offset_->end(), std::numeric_limits<float>::infinity());
}

// The groups whose centres are nearest to each row, sorted by group into sorted_.
void GroupAssigner::pick_groups(const float* rows, std::size_t count) {
  const std::size_t stride = padded_columns(groups_);
  simd::kernels().dot_packed(rows, count, top_packed_->data(), groups_, dims_, top_.data(), stride);
  std::fill(at_.begin(), at_.end(), 0);
  const float* offset = top_offset_->data();
  for (std::size_t i = 0; i < count; ++i) {
    float value[kMostProbes];
    std::uint32_t group[kMostProbes];
    std::size_t kept = 0;
    const float* dot = top_.data() + i * stride;
    for (std::uint32_t g = 0; g < groups_; ++g) {
      const float d = offset[g] - 2.0F * dot[g];
      if (kept == probes_ && !(d < value[kept - 1])) continue;
      std::size_t at = kept < probes_ ? kept++ : kept - 1;
      for (; at > 0 && !(value[at - 1] <= d); --at) value[at] = value[at - 1], group[at] = group[at - 1];
      value[at] = d, group[at] = g;
    }
    for (std::size_t p = 0; p < probes_; ++p) {
      picks_[i * probes_ + p] = {static_cast<std::uint32_t>(i), group[p]};
      ++at_[group[p] + 1];
    }
  }
  for (std::size_t g = 0; g < groups_; ++g) at_[g + 1] += at_[g];
  for (std::size_t i = 0; i < count * probes_; ++i) sorted_[at_[picks_[i].group]++] = picks_[i];
}

void GroupAssigner::search_group(const float* rows, std::size_t group, const Pick* picks, std::size_t count) {
  const Group& g = (*group_)[group];
  if (g.count == 0) return;
  for (std::size_t i = 0; i < count; ++i)
    std::memcpy(tile_.data() + i * dims_, rows + picks[i].row * dims_, dims_ * sizeof(float));
  simd::kernels().nearest_packed(tile_.data(), count, packed_->data() + g.packed, offset_->data() + g.first, g.count,
                                 dims_, found_.data());
  for (std::size_t i = 0; i < count; ++i) {
    const simd::Nearest& f = found_[i];
    if (f.index >= g.count || !(f.value < best_[picks[i].row])) continue;
    best_[picks[i].row] = f.value;
    best_column_[picks[i].row] = g.first + f.index;
  }
}

void GroupAssigner::assign(const float* rows, std::size_t count, std::uint32_t* nearest) {
  if (flat_) {
    flat_->assign(rows, count, nearest);
    return;
  }
  for (; count > 0;) {
    const std::size_t n = std::min(batch_, count);
    pick_groups(rows, n);
    std::fill_n(best_.begin(), n, std::numeric_limits<float>::infinity());
    std::fill_n(best_column_.begin(), n, 0U);  // some centroid, for rows whose distances all overflow
    // at_ has moved on to where each group ends.
    for (std::size_t g = 0, from = 0; g < groups_; from = at_[g++])
      for (std::size_t at = from; at < at_[g]; at += batch_)
        search_group(rows, g, sorted_.data() + at, std::min(batch_, at_[g] - at));
    for (std::size_t i = 0; i < n; ++i) nearest[i] = (*member_)[best_column_[i]];
    rows += n * dims_, nearest += n, count -= n;
  }
}

}  // namespace longbow::quant
