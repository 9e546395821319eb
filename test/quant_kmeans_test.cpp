// Training, splitting and assignment.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <random>
#include <vector>

#include "crew_of_threads.hpp"
#include "longbow/quant/assign.hpp"
#include "longbow/quant/bits.hpp"
#include "longbow/quant/kmeans.hpp"
#include "longbow/simd/kernels.hpp"

namespace longbow::quant {
namespace {

using Vector = std::vector<float>;

// Counts what is taken and given back, and refuses beyond a limit.
class CountingResource final : public std::pmr::memory_resource {
 public:
  std::size_t in_use = 0, calls = 0, limit = SIZE_MAX;

 private:
  void* do_allocate(std::size_t bytes, std::size_t alignment) override {
    if (in_use + bytes > limit) throw std::bad_alloc();
    in_use += bytes;
    calls++;
    return std::pmr::new_delete_resource()->allocate(bytes, alignment);
  }
  void do_deallocate(void* p, std::size_t bytes, std::size_t alignment) override {
    in_use -= bytes;
    std::pmr::new_delete_resource()->deallocate(p, bytes, alignment);
  }
  [[nodiscard]] bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }
};

class RecordingWatch final : public Watch {
 public:
  std::size_t last = 0, total = 0, ticks = 0, stop_after = SIZE_MAX;
  bool ordered = true;
  void tick(std::size_t done, std::size_t of) override {
    ordered = ordered && done >= last && done <= of && (ticks == 0 || of == total);
    last = done;
    total = of;
    if (++ticks > stop_after) throw 42;
  }
  void pause() override {}
};

Vector clusters(std::size_t rows, std::size_t dims, std::size_t centres, float spread, unsigned seed,
                float offset = 0) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  Vector tops(centres * dims), data(rows * dims);
  for (float& v : tops) v = 10 * normal(random);
  for (std::size_t i = 0; i < rows; i++) {
    const std::size_t top = i % centres;
    for (std::size_t x = 0; x < dims; x++) data[i * dims + x] = offset + tops[top * dims + x] + spread * normal(random);
  }
  return data;
}

// Mean squared distance to the nearest centroid.
double distortion(const Vector& data, std::size_t dims, const float* centroids, std::size_t count) {
  const std::size_t rows = data.size() / dims;
  base::Alone alone(*std::pmr::new_delete_resource());
  const Assigner assigner(centroids, count, dims, alone);
  std::vector<std::uint32_t> nearest(rows);
  assigner.assign(data.data(), rows, nearest.data());
  double sum = 0;
  for (std::size_t i = 0; i < rows; i++)
    sum += simd::kernels().l2_squared(data.data() + i * dims, centroids + nearest[i] * dims, dims);
  return sum / static_cast<double>(rows);
}

std::size_t train_alone(const Points& points, const TrainOptions& options, std::pmr::memory_resource& memory,
                        Watch& watch, float* out) {
  base::Alone alone(memory);
  return train(points, options, alone, memory, watch, out);
}

TEST(Assigner, FindsTheNearest) {
  constexpr std::size_t kDims = 17;
  const Vector data = clusters(700, kDims, 50, 3, 1);
  for (const std::size_t count : {1, 5, 31, 32, 33, 70}) {
    CountingResource memory;
    {
      base::Alone alone(memory);
      const Assigner assigner(data.data(), count, kDims, alone);
      EXPECT_EQ(assigner.clusters(), count);
      std::vector<std::uint32_t> nearest(700);
      assigner.assign(data.data(), 700, nearest.data());
      for (std::size_t i = 0; i < 700; i++) {
        float best = INFINITY, found = 0;
        for (std::size_t j = 0; j < count; j++) {
          const float d = simd::kernels().l2_squared(data.data() + i * kDims, data.data() + j * kDims, kDims);
          best = std::min(best, d);
          if (j == nearest[i]) found = d;
        }
        EXPECT_NEAR(found, best, 1e-2F);
      }
    }
    EXPECT_EQ(memory.in_use, 0U);
  }
}

TEST(Assigner, GivesMemoryBackWhenItRunsOut) {
  const Vector data(64 * 8, 1.0F);
  CountingResource memory;
  memory.limit = simd::packed_floats(64, 8) * sizeof(float) + 1;
  base::Alone alone(memory);
  EXPECT_THROW(Assigner(data.data(), 64, 8, alone), std::bad_alloc);
  EXPECT_EQ(memory.in_use, 0U);
}

TEST(Train, FindsSeparatedClusters) {
  constexpr std::size_t kDims = 20, kCentres = 12;
  const Vector data = clusters(2400, kDims, kCentres, 0.1F, 2);
  Vector out(4 * kCentres * kDims);
  CountingResource memory;
  RecordingWatch watch;
  const std::size_t made = train_alone({data.data(), 2400, kDims}, {4 * kCentres}, memory, watch, out.data());
  EXPECT_LE(made, 4 * kCentres);
  EXPECT_GE(made, 3 * kCentres);
  EXPECT_LT(distortion(data, kDims, out.data(), made), 2 * kDims * 0.01);
  EXPECT_EQ(memory.in_use, 0U);
  EXPECT_TRUE(watch.ordered);
  EXPECT_EQ(watch.last, watch.total);
}

TEST(Train, IsDeterministic) {
  const Vector data = clusters(3000, 9, 30, 2, 3);
  for (const std::size_t count : {40, 600}) {
    Vector a(count * 9), b(count * 9), c(count * 9);
    CountingResource memory;
    RecordingWatch watch, watch2, watch3;
    const std::size_t made = train_alone({data.data(), 3000, 9}, {count, 8, 3, 5}, memory, watch, a.data());
    EXPECT_EQ(train_alone({data.data(), 3000, 9}, {count, 8, 3, 5}, memory, watch2, b.data()), made);
    EXPECT_EQ(a, b);
    train_alone({data.data(), 3000, 9}, {count, 8, 3, 6}, memory, watch3, c.data());
    EXPECT_NE(a, c);
  }
}

// The two-level start costs little: its distortion stays near that of flat Lloyd with the same number of clusters.
TEST(Train, TwoLevelsAreAsGoodAsFlat) {
  constexpr std::size_t kRows = 8000, kDims = 12, kCount = 600;
  const Vector data = clusters(kRows, kDims, 300, 4, 4);
  Vector two(kCount * kDims), flat(kCount * kDims);
  CountingResource memory;
  RecordingWatch watch;
  const std::size_t made = train_alone({data.data(), kRows, kDims}, {kCount}, memory, watch, two.data());
  EXPECT_GE(made, kCount * 95 / 100);
  std::vector<std::size_t> order(kRows);
  std::iota(order.begin(), order.end(), 0U);
  std::shuffle(order.begin(), order.end(), std::mt19937(4));
  for (std::size_t j = 0; j < kCount; j++)
    std::memcpy(flat.data() + j * kDims, data.data() + order[j] * kDims, kDims * sizeof(float));
  for (int iteration = 0; iteration < 10; iteration++) {
    base::Alone alone(memory);
    const Assigner assigner(flat.data(), kCount, kDims, alone);
    std::vector<std::uint32_t> nearest(kRows);
    assigner.assign(data.data(), kRows, nearest.data());
    Vector sums(flat.size());
    std::vector<float> counts(kCount);
    for (std::size_t i = 0; i < kRows; i++) {
      counts[nearest[i]]++;
      for (std::size_t x = 0; x < kDims; x++) sums[nearest[i] * kDims + x] += data[i * kDims + x];
    }
    for (std::size_t j = 0; j < kCount; j++)
      for (std::size_t x = 0; x < kDims && counts[j] > 0; x++) flat[j * kDims + x] = sums[j * kDims + x] / counts[j];
  }
  EXPECT_LT(distortion(data, kDims, two.data(), made), 1.02 * distortion(data, kDims, flat.data(), kCount));
}

// Any number of members gives the same centroids, within the memory that training_bytes() promises.
TEST(Train, ACrewTrainsTheSame) {
  constexpr std::size_t kRows = 9000, kDims = 13, kCount = 700;
  const Vector data = clusters(kRows, kDims, 300, 4, 11);
  const Points points{data.data(), kRows, kDims};
  const std::size_t room = kCount + kCount / 4;
  const std::size_t promised = training_bytes(kRows, kDims, room);
  const auto trained_by = [&](unsigned members) {
    Vector out(room * kDims);
    std::vector<std::size_t> found(members);
    testing::run_crew(members, promised, [&](base::Crew& crew) {
      CountingResource memory;
      RecordingWatch watch, second;
      std::size_t made = train(points, {kCount, 8, 2, 5}, crew, memory, watch, out.data());
      made = balance(points, {20, 4, 2, 1}, out.data(), made, room, crew, memory, second);
      found[crew.me()] = made;
      EXPECT_EQ(memory.in_use, 0U);
    });
    for (const std::size_t f : found) EXPECT_EQ(f, found[0]);
    out.resize(found[0] * kDims);
    return out;
  };
  const Vector alone = trained_by(1);
  EXPECT_GT(alone.size(), kCount * kDims * 9 / 10);
  EXPECT_EQ(trained_by(2), alone);
  EXPECT_EQ(trained_by(3), alone);
}

// Bits are trained as the floats that they stand for, by any number of members, in the memory of an eighth of a byte each.
TEST(Train, BitsAreTheFloatsThatTheyStandFor) {
  constexpr std::size_t kRows = 3000, kDims = 45, kCount = 530;
  const Vector data = clusters(kRows, kDims, 300, 4, 13);
  const std::size_t cells = bit_cells(kDims);
  Vector bits(kRows * cells);
  for (const bool unit : {false, true}) {
    Vector floats(kRows * kDims);
    for (std::size_t i = 0; i < kRows; i++) {
      auto* row = reinterpret_cast<std::uint8_t*>(bits.data() + i * cells);
      gather_bits(data.data() + i * kDims, kDims, row);
      spread_bits(row, kDims, unit ? unit_value(static_cast<float>(count_bits(row, kDims))) : 1.0F, floats.data() + i * kDims);
    }
    const std::size_t room = kCount + kCount / 4, promised = training_bytes(kRows, kDims, room);
    const auto trained = [&](const Points& points, unsigned members) {
      Vector out(room * kDims);
      std::size_t made = 0;
      testing::run_crew(members, promised, [&](base::Crew& crew) {
        CountingResource memory;
        RecordingWatch watch, second;
        std::size_t found = train(points, {kCount, 6, 2, 5}, crew, memory, watch, out.data());
        found = balance(points, {20, 4, 2, 1}, out.data(), found, room, crew, memory, second);
        if (crew.leads()) made = found;
        EXPECT_EQ(memory.in_use, 0U);
      });
      out.resize(made * kDims);
      return out;
    };
    const Vector expected = trained({floats.data(), kRows, kDims}, 1);
    EXPECT_GT(expected.size(), kCount * kDims / 2);
    const Points points{bits.data(), kRows, kDims, unit ? PointForm::unit_bits : PointForm::bits};
    EXPECT_EQ(trained(points, 1), expected);
    EXPECT_EQ(trained(points, 3), expected);
  }
}

// Looking into a few groups only costs next to nothing.
TEST(GroupAssigner, FindsNearlyTheNearest) {
  constexpr std::size_t kRows = 6000, kDims = 24, kCount = 1500;
  const Vector data = clusters(kRows, kDims, 400, 4, 12);
  CountingResource memory;
  base::Alone alone(memory);
  RecordingWatch watch;
  const Assigner exact(data.data(), kCount, kDims, alone);
  GroupAssigner grouped(data.data(), kCount, kDims, alone, memory, watch);
  std::vector<std::uint32_t> best(kRows), found(kRows);
  exact.assign(data.data(), kRows, best.data());
  grouped.assign(data.data(), kRows, found.data());
  std::size_t same = 0;
  double nearest = 0, chosen = 0;
  for (std::size_t i = 0; i < kRows; i++) {
    ASSERT_LT(found[i], kCount);
    same += best[i] == found[i] ? 1U : 0U;
    nearest += simd::kernels().l2_squared(&data[i * kDims], &data[best[i] * kDims], kDims);
    chosen += simd::kernels().l2_squared(&data[i * kDims], &data[found[i] * kDims], kDims);
  }
  EXPECT_GT(same, kRows * 97 / 100);
  EXPECT_LT(chosen, nearest * 1.01);
}

TEST(GroupAssigner, TakesRowsBeyondFloats) {
  Vector data(600 * 4, 1e30F);
  for (std::size_t i = 0; i < data.size(); i++) data[i] *= static_cast<float>(i % 7);
  CountingResource memory;
  base::Alone alone(memory);
  RecordingWatch watch;
  GroupAssigner grouped(data.data(), 600, 4, alone, memory, watch);
  std::vector<std::uint32_t> found(600, 12345);
  grouped.assign(data.data(), 600, found.data());
  for (const std::uint32_t f : found) EXPECT_LT(f, 600U);
}

TEST(Train, HandlesFewAndEqualRows) {
  CountingResource memory;
  RecordingWatch watch;
  Vector out(2000 * 3);
  EXPECT_EQ(train_alone({out.data(), 0, 3}, {5}, memory, watch, out.data()), 0U);
  const Vector one = {1, 2, 3};
  EXPECT_EQ(train_alone({one.data(), 1, 3}, {2000}, memory, watch, out.data()), 1U);
  EXPECT_EQ(Vector(out.begin(), out.begin() + 3), one);
  Vector equal;
  for (int i = 0; i < 3000; i++) equal.insert(equal.end(), one.begin(), one.end());
  for (const std::size_t count : {1, 7, 1000, 2000}) {
    const std::size_t made = train_alone({equal.data(), 3000, 3}, {count}, memory, watch, out.data());
    ASSERT_GE(made, 1U);
    for (std::size_t j = 0; j < made; j++) EXPECT_EQ(Vector(out.data() + j * 3, out.data() + j * 3 + 3), one);
  }
  const Vector few = clusters(5, 3, 5, 1, 6);
  EXPECT_EQ(train_alone({few.data(), 5, 3}, {9}, memory, watch, out.data()), 5U);
  EXPECT_NEAR(distortion(few, 3, out.data(), 5), 0, 1e-4);
  Vector huge = clusters(1500, 3, 5, 1, 7);
  for (float& v : huge) v *= 1e30F;
  EXPECT_GE(train_alone({huge.data(), 1500, 3}, {700}, memory, watch, out.data()), 1U);  // squares overflow: any answer
}

TEST(Train, WatchMayStopIt) {
  constexpr std::size_t kRows = 40000, kDims = 64;
  const Vector data = clusters(kRows, kDims, 10, 5, 8);
  Vector out(600 * kDims);
  CountingResource memory;
  RecordingWatch watch;
  watch.stop_after = 0;
  EXPECT_THROW(train_alone({data.data(), kRows, kDims}, {600}, memory, watch, out.data()), int);
  EXPECT_EQ(memory.in_use, 0U);
}

// Both sides hold a quarter, and the centroids are the means of their sides.
void check_split(const Vector& data, std::size_t dims, const std::vector<std::uint8_t>& side, const Vector& centroids) {
  const std::size_t rows = data.size() / dims;
  std::size_t count[2] = {};
  std::vector<double> mean(2 * dims);
  double size = 0;
  for (std::size_t i = 0; i < rows; i++) {
    ASSERT_LE(side[i], 1);
    count[side[i]]++;
    for (std::size_t x = 0; x < dims; x++) {
      mean[side[i] * dims + x] += static_cast<double>(data[i * dims + x]);
      size = std::max(size, std::fabs(static_cast<double>(data[i * dims + x])));
    }
  }
  EXPECT_GE(std::min(count[0], count[1]) * 4, rows);
  for (std::size_t i = 0; i < mean.size(); i++)
    EXPECT_NEAR(centroids[i], mean[i] / static_cast<double>(count[i / dims]), 1e-5 * size);
}

TEST(Bisect, SeparatesTwoClusters) {
  for (const float offset : {0.0F, 1e5F}) {
    constexpr std::size_t kRows = 300, kDims = 24;
    const Vector data = clusters(kRows, kDims, 2, 0.5F, 9, offset);
    std::vector<std::uint8_t> side(kRows);
    Vector centroids(2 * kDims);
    CountingResource memory;
    bisect({data.data(), kRows, kDims}, 1, memory, side.data(), centroids.data());
    check_split(data, kDims, side, centroids);
    for (std::size_t i = 2; i < kRows; i++) EXPECT_EQ(side[i], side[i % 2]);
    EXPECT_NE(side[0], side[1]);
    EXPECT_EQ(memory.in_use, 0U);
  }
}

TEST(Bisect, IsBalancedWhateverTheRows) {
  CountingResource memory;
  for (std::size_t rows = 2; rows < 200; rows += rows < 20 ? 1 : 37) {
    for (const int shape : {0, 1, 2, 3, 4, 5, 6}) {
      constexpr std::size_t kDims = 5;
      Vector data = clusters(rows, kDims, 3, 1, static_cast<unsigned>(rows));
      for (std::size_t i = 0; i < data.size(); i++) {
        if (shape == 1) data[i] = 7;                                    // all equal
        if (shape == 2) data[i] = i / kDims == rows / 2 ? 1e4F : 1.0F;  // one outlier among equals
        if (shape == 3 && i / kDims == 0) data[i] = 1e6F;               // an outlier
        if (shape == 4) data[i] *= 1e-25F;
        if (shape == 5) data[i] *= 1e25F;
        if (shape == 6) data[i] = i / kDims < rows / 10 ? 5.0F : -5.0F;  // a small group far from equals
      }
      std::vector<std::uint8_t> side(rows, 9), again(rows);
      Vector centroids(2 * kDims), same(2 * kDims);
      bisect({data.data(), rows, kDims}, rows, memory, side.data(), centroids.data());
      check_split(data, kDims, side, centroids);
      bisect({data.data(), rows, kDims}, rows, memory, again.data(), same.data());
      EXPECT_TRUE(side == again && centroids == same);
      if (shape == 1) {
        EXPECT_EQ(std::count(side.begin(), side.end(), 0), static_cast<std::ptrdiff_t>(rows / 2));
      }
      if (HasFatalFailure()) return;
    }
  }
}

TEST(Bisect, OneRowAndNonFiniteRows) {
  CountingResource memory;
  const Vector one = {1, 2, 3};
  Vector centroids(6);
  std::uint8_t side[40] = {9};
  bisect({one.data(), 1, 3}, 1, memory, side, centroids.data());
  EXPECT_EQ(side[0], 0);
  EXPECT_EQ(Vector(centroids.begin() + 3, centroids.end()), one);
  Vector wild = clusters(40, 3, 2, 1, 11);
  for (std::size_t i = 0; i < wild.size(); i += 4) wild[i] = i % 8 == 0 ? 3e38F : -3e38F;
  bisect({wild.data(), 40, 3}, 1, memory, side, centroids.data());
  const auto ones = std::count(side, side + 40, 1);
  EXPECT_TRUE(ones >= 10 && ones <= 30);
}

// A split lowers the distortion about as much as unconstrained 2-means would.
TEST(Bisect, LowersDistortion) {
  constexpr std::size_t kRows = 400, kDims = 30;
  const Vector data = clusters(kRows, kDims, 4, 2, 12);
  std::vector<std::uint8_t> side(kRows);
  Vector centroids(2 * kDims);
  CountingResource memory;
  bisect({data.data(), kRows, kDims}, 1, memory, side.data(), centroids.data());
  RecordingWatch watch;
  Vector whole(kDims), best(2 * kDims);
  train_alone({data.data(), kRows, kDims}, {1}, memory, watch, whole.data());
  double lowest = INFINITY;
  for (std::uint64_t seed = 0; seed < 10; seed++) {
    train_alone({data.data(), kRows, kDims}, {2, 20, 0, seed}, memory, watch, best.data());
    lowest = std::min(lowest, distortion(data, kDims, best.data(), 2));
  }
  const double before = distortion(data, kDims, whole.data(), 1);
  EXPECT_GT(before - distortion(data, kDims, centroids.data(), 2), 0.7 * (before - lowest));
}

}  // namespace
}  // namespace longbow::quant
