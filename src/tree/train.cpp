// Training: the mean of a sample, its rows in the index's space, k-means, balance.
#include "longbow/tree/train.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "longbow/base/random.hpp"
#include "longbow/simd/kernels.hpp"

namespace longbow::tree {

namespace {

// Rows of the sample for each leaf. On GloVe, 32 instead of 64 cost 10 % more rows scored for the same recall.
constexpr std::size_t kSampleRowsPerLeaf = 48;
constexpr std::size_t kLeastSample = 8192;
// Beyond (9 million rows of 100 dimensions) leaves have fewer rows of the sample each: k-means on more would take hours.
constexpr std::size_t kMostSample = std::size_t{1} << 22;
constexpr std::size_t kChunks = 64;       // of the sample, summed up one by one: the mean does not depend on the crew
constexpr std::size_t kRowGrain = 256;

std::size_t room_for(double leaves) noexcept { return static_cast<std::size_t>(leaves * 1.25) + 16; }

class Trainer {
 public:
  Trainer(const Meta& meta, float* sample, std::size_t count, base::Crew& crew, std::pmr::memory_resource& memory,
          quant::Watch& watch)
      : meta_(meta),
        n_(meta.dims),
        sample_(sample),
        count_(count),
        crew_(crew),
        memory_(memory),
        watch_(watch),
        usable_(crew, has_bits(meta) ? 1 : count),
        sums_(crew, has_bits(meta) ? 1 : kChunks * n_),
        kept_(crew, 1),
        buffer_(has_bits(meta) ? 0 : space_floats(n_), &memory),
        row_(has_bits(meta) ? 0 : n_, &memory) {}

  // The mean of the rows that can be indexed, in the form that they have before they are centred.
  void find_centre(float* centre) {
    crew_.lead([&] { std::fill_n(centre, n_, 0.0F); });
    if (has_bits(meta_)) return;
    std::pmr::vector<float> zero(n_, 0.0F, &memory_);
    const Space space = make_space(meta_, zero.data(), buffer_.data());
    crew_.for_each(kChunks, 1, [&](std::size_t chunk, std::size_t) { sum_chunk(space, chunk); });
    crew_.lead([&] {
      std::size_t rows = 0;
      for (std::size_t i = 0; i < count_; ++i) rows += usable_[i];
      for (std::size_t d = 0; d < n_ && rows > 0; ++d) {
        double sum = 0;
        for (std::size_t c = 0; c < kChunks; ++c) sum += sums_[c * n_ + d];
        centre[d] = static_cast<float>(sum / static_cast<double>(rows));
      }
    });
  }

  // Brings the rows into the index's space; those that cannot be are left out. Returns how many stay.
  std::size_t prepare(const float* centre) {
    // Bits stay cells, and all can be indexed.
    if (has_bits(meta_)) return count_;
    const Space space = make_space(meta_, centre, buffer_.data());
    crew_.for_each(count_, kRowGrain, [&](std::size_t first, std::size_t end) {
      watch_.pause();
      for (std::size_t i = first; i < end; ++i) {
        float* x = sample_ + i * n_;
        usable_[i] = space.prepare_row(x, row_.data()).kind == RowClass::indexed ? 1 : 0;
        std::copy_n(row_.data(), n_, x);
      }
    });
    crew_.lead([&] {
      std::size_t kept = 0;
      for (std::size_t i = 0; i < count_; ++i) {
        if (usable_[i] == 0) continue;
        if (kept != i) std::copy_n(sample_ + i * n_, n_, sample_ + kept * n_);
        ++kept;
      }
      kept_[0] = kept;
    });
    return kept_[0];
  }

  // Leaves a random choice of `used` rows: each that goes leaves its place to the last one.
  void choose(std::size_t kept, std::size_t used) {
    crew_.lead([&] {
      base::SplitMix64 random(meta_.rotation_seed);
      const std::size_t cells = raw_cells(meta_);
      for (std::size_t last = kept; last > used; --last) {
        const std::size_t goes = random.below(last);
        if (goes != last - 1) std::copy_n(sample_ + (last - 1) * cells, cells, sample_ + goes * cells);
      }
    });
  }

 private:
  void sum_chunk(const Space& uncentred, std::size_t chunk) {
    watch_.pause();
    double* sum = sums_.data() + chunk * n_;
    std::fill_n(sum, n_, 0.0);
    for (std::size_t i = count_ * chunk / kChunks; i < count_ * (chunk + 1) / kChunks; ++i) {
      const float* x = sample_ + i * n_;
      usable_[i] = uncentred.prepare_row(x, row_.data()).kind == RowClass::indexed ? 1 : 0;
      if (usable_[i] == 0) continue;
      float factor = 1;
      if (meta_.metric == base::Metric::cosine) factor = 1.0F / std::sqrt(simd::kernels().inner_product(x, x, n_));
      for (std::size_t d = 0; d < n_; ++d) sum[d] += static_cast<double>(x[d]) * factor;
    }
  }

  const Meta& meta_;
  const std::size_t n_;
  float* sample_;
  const std::size_t count_;
  base::Crew& crew_;
  std::pmr::memory_resource& memory_;
  quant::Watch& watch_;
  base::Shared<std::uint8_t> usable_;
  base::Shared<double> sums_;
  base::Shared<std::size_t> kept_;
  std::pmr::vector<float> buffer_, row_;
};

quant::PointForm point_form(const Meta& meta) noexcept {
  if (!has_bits(meta)) return quant::PointForm::floats;
  return meta.metric == base::Metric::cosine ? quant::PointForm::unit_bits : quant::PointForm::bits;
}

}  // namespace

TrainingPlan plan_training(const Meta& meta, double rows) noexcept {
  const double leaves = std::max(rows, 0.0) / meta.leaf_size + 1;
  // A quarter more than training uses, for rows that turn out not to be usable and members that meet fewer.
  const double useful = std::max<double>(kLeastSample, leaves * kSampleRowsPerLeaf * 1.25);
  TrainingPlan plan{};
  plan.sample_rows = std::min(kMostSample, static_cast<std::size_t>(std::min(useful, 1e12)));
  plan.room = room_for(std::min(leaves, static_cast<double>(plan.sample_rows) / 8));
  const std::size_t n = meta.dims;
  plan.shared_bytes = base::Shared<float>::bytes(n) + base::Shared<float>::bytes(plan.room * n) +
                      base::Shared<float>::bytes(plan.sample_rows * raw_cells(meta)) + base::Shared<std::uint8_t>::bytes(plan.sample_rows) +
                      base::Shared<double>::bytes(kChunks * n) + quant::training_bytes(plan.sample_rows, n, plan.room) + 4096;
  return plan;
}

std::size_t train_leaves(const Meta& meta, float* sample, std::size_t count, double rows, std::size_t room, float* centre,
                         float* centroids, base::Crew& crew, std::pmr::memory_resource& memory, quant::Watch& watch) {
  Trainer trainer(meta, sample, count, crew, memory, watch);
  trainer.find_centre(centre);
  const std::size_t kept = trainer.prepare(centre);
  if (kept == 0) return 0;
  const double leaves = std::ceil(std::max(rows, static_cast<double>(kept)) / meta.leaf_size);
  const std::size_t most = std::max<std::size_t>(1, std::min(kept / 8, (room - 16) * 4 / 5));
  const auto clusters = static_cast<std::size_t>(std::clamp<double>(leaves, 1, static_cast<double>(most)));
  // More of the sample than training can use is only time.
  const std::size_t used = std::min(kept, std::max<std::size_t>(clusters * kSampleRowsPerLeaf, 4096));
  trainer.choose(kept, used);
  const quant::Points points{sample, used, meta.dims, point_form(meta)};
  // Dividing the largest clusters adds a few: as many fewer are trained. Dividing more of them makes leaves even, but
  // needs more rows scored for the same recall.
  const std::size_t first = std::max<std::size_t>(1, clusters * 19 / 20);
  // Polished once: balancing brings all rows to their nearest twice more.
  const std::size_t made = quant::train(points, {first, 8, 1, meta.rotation_seed}, crew, memory, watch, centroids);
  if (clusters == 1) return made;
  const double share = static_cast<double>(used) / static_cast<double>(clusters);
  const quant::Balance how{static_cast<std::size_t>(share * 2) + 1, static_cast<std::size_t>(share / 5), 1,
                           meta.rotation_seed};
  return quant::balance(points, how, centroids, made, room, crew, memory, watch);
}

}  // namespace longbow::tree
