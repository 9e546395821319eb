// Scan codes: the block layout, the integer estimate against the float formula, and how well estimates rank.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <random>
#include <vector>

#include "longbow/quant/code.hpp"
#include "longbow/quant/rotation.hpp"
#include "longbow/simd/kernels.hpp"

namespace longbow::quant {
namespace {

using base::Metric;
using Vector = std::vector<float>;

constexpr unsigned kWidths[] = {1, 2, 4, 8};

Vector normal_vector(std::mt19937& random, std::size_t dims, float scale = 1) {
  std::normal_distribution<float> normal;
  Vector x(dims);
  for (float& v : x) v = scale * normal(random);
  return x;
}

double dot(const Vector& a, const Vector& b) { return std::inner_product(a.begin(), a.end(), b.begin(), 0.0); }

TEST(Block, RowsComeBackFromAnyRangeOfGroups) {
  std::mt19937 random(1);
  for (const unsigned bits : kWidths) {
    for (const std::size_t dims : {1, 3, 31, 32, 33, 100, 784}) {
      const std::size_t all = groups(dims, bits);
      std::vector<std::uint8_t> block(all * simd::kGroupBytes, 0xFF), codes(simd::kBlockRows * dims), back(dims);
      for (std::uint8_t& c : codes) c = static_cast<std::uint8_t>(random() & ((1U << bits) - 1));
      const std::size_t cut = all / 3;  // the second part lies on another page
      std::vector<std::uint8_t> rest((all - cut) * simd::kGroupBytes, 0xFF);
      for (unsigned row = 0; row < simd::kBlockRows; row++) {
        put_row(block.data(), row, bits, codes.data() + row * dims, dims, 0, all);
        put_row(rest.data(), row, bits, codes.data() + row * dims, dims, cut, all - cut);
      }
      EXPECT_EQ(std::memcmp(rest.data(), block.data() + cut * simd::kGroupBytes, rest.size()), 0);
      for (unsigned row = 0; row < simd::kBlockRows; row++) {
        get_row(block.data(), row, bits, dims, back.data());
        EXPECT_EQ(std::memcmp(back.data(), codes.data() + row * dims, dims), 0) << bits << " bits, " << dims;
      }
      const std::vector<std::int8_t> ones(padded_dims(dims, bits), 1);  // padding holds zero codes
      std::int32_t acc[simd::kBlockRows] = {};
      simd::kernels().block_dot[simd::width_index(bits)](block.data(), all, ones.data(), acc);
      for (unsigned row = 0; row < simd::kBlockRows; row++)
        EXPECT_EQ(acc[row], std::accumulate(codes.data() + row * dims, codes.data() + (row + 1) * dims, 0));
    }
  }
}

TEST(QuantizedQuery, IsSymmetricAndWithinHalfAStep) {
  std::mt19937 random(2);
  for (const std::size_t dims : {1, 7, 100, 784}) {
    const Vector query = normal_vector(random, dims, 3.5F);
    std::vector<std::int8_t> q8(dims + 32, 99);
    const QuantizedQuery q = quantize_query(query.data(), dims, dims + 32, q8.data());
    std::int32_t sum = 0;
    for (std::size_t i = 0; i < dims; i++) {
      EXPECT_NEAR(static_cast<float>(q8[i]) * q.step, query[i], 0.501F * q.step);
      EXPECT_GE(q8[i], -127);
      sum += q8[i];
    }
    EXPECT_EQ(q.sum, sum);
    for (std::size_t i = dims; i < q8.size(); i++) EXPECT_EQ(q8[i], 0);
  }
  const float zero[3] = {}, infinite[3] = {1, std::numeric_limits<float>::infinity(), 2};
  std::int8_t q8[4] = {1, 1, 1, 1};
  EXPECT_EQ(quantize_query(zero, 3, 4, q8).step, 0.0F);
  EXPECT_EQ(q8[0] | q8[1] | q8[2] | q8[3], 0);
  EXPECT_EQ(quantize_query(infinite, 3, 4, q8).step, 0.0F);
}

// The rows of one leaf with their codes, in blocks and one by one.
struct Leaf {
  Leaf(Metric m, unsigned b, const std::vector<Vector>& r, Vector c)
      : metric(m), bits(b), dims(c.size()), rows(r), centroid(std::move(c)) {
    const std::size_t block_bytes = groups(dims, bits) * simd::kGroupBytes;
    blocks.resize((rows.size() + 15) / 16 * block_bytes);
    for (std::size_t i = 0; i < rows.size(); i++) {
      Vector residual(dims);
      for (std::size_t x = 0; x < dims; x++) residual[x] = rows[i][x] - centroid[x];
      codes.emplace_back(dims);
      factors.push_back(encode_scan(metric, bits, residual.data(), centroid.data(), dims, codes[i].data()));
      put_row(blocks.data() + i / 16 * block_bytes, i % 16, bits, codes[i].data(), dims, 0, groups(dims, bits));
    }
  }

  // Estimates by the integer kernel; what precedes `add` is the caller's distance to the centroid.
  [[nodiscard]] Vector estimates(const Vector& query) const {
    const std::size_t padded = padded_dims(dims, bits);
    std::vector<std::int8_t> q8(padded);
    const QuantizedQuery q = quantize_query(query.data(), dims, padded, q8.data());
    Vector out;
    for (std::size_t i = 0; i < rows.size(); i += 16) {
      std::int32_t acc[simd::kBlockRows] = {};
      simd::kernels().block_dot[simd::width_index(bits)](blocks.data() + i * groups(dims, bits) * 4, groups(dims, bits),
                                                         q8.data(), acc);
      for (std::size_t row = 0; row < 16 && i + row < rows.size(); row++)
        out.push_back(
            finish(i + row, q.step * (static_cast<float>(acc[row]) - half() * static_cast<float>(q.sum)), query));
    }
    return out;
  }
  // The same by the formula in code.hpp, in double and with the query unrounded.
  [[nodiscard]] double formula(std::size_t i, const Vector& query) const {
    double qv = 0;
    for (std::size_t x = 0; x < dims; x++) qv += static_cast<double>(query[x]) * (codes[i][x] - half());
    return finish(i, static_cast<float>(qv), query);
  }
  [[nodiscard]] float finish(std::size_t i, float qv, const Vector& query) const {
    if (metric == Metric::ip) return static_cast<float>(-dot(query, centroid)) + factors[i].scale / 2 * qv;
    const float base = simd::kernels().l2_squared(query.data(), centroid.data(), dims);
    return base + factors[i].add + factors[i].scale * qv;
  }
  [[nodiscard]] double exact(std::size_t i, const Vector& query) const {
    if (metric == Metric::ip) return -dot(query, rows[i]);
    return simd::kernels().l2_squared(query.data(), rows[i].data(), dims);
  }
  [[nodiscard]] float half() const { return static_cast<float>((1U << bits) - 1) / 2; }

  Metric metric;
  unsigned bits;
  std::size_t dims;
  const std::vector<Vector>& rows;
  Vector centroid;
  std::vector<std::uint8_t> blocks;
  std::vector<std::vector<std::uint8_t>> codes;
  std::vector<ScanFactors> factors;
};

struct Data {
  std::vector<Vector> rows, queries;
  Vector centroid;
};

// Rotated rows around a centroid, with queries nearby. Clustered rows lie in few directions and close together.
Data make_data(std::size_t dims, bool clustered, std::size_t count, std::mt19937& random) {
  Vector signs(rotation_floats(dims));
  make_rotation(17, dims, signs.data());
  std::vector<Vector> tops;
  for (int i = 0; i < 40; i++) tops.push_back(normal_vector(random, dims));
  const auto draw = [&] {
    Vector x = normal_vector(random, dims, clustered ? 0.35F : 1.0F);
    if (clustered) {
      const Vector& top = tops[random() % tops.size()];
      for (std::size_t i = 0; i < dims; i++) x[i] += top[i];
    }
    rotate(signs.data(), x.data(), dims);
    return x;
  };
  Data data;
  for (std::size_t i = 0; i < count; i++) data.rows.push_back(draw());
  for (int i = 0; i < 60; i++) data.queries.push_back(draw());
  data.centroid = Vector(dims);
  for (const Vector& row : data.rows)
    for (std::size_t i = 0; i < dims; i++) data.centroid[i] += row[i] / static_cast<float>(count);
  return data;
}

TEST(ScanCode, IntegerEstimateIsTheFormula) {
  std::mt19937 random(3);
  for (const std::size_t dims : {100, 784}) {
    const Data data = make_data(dims, false, 64, random);
    for (const Metric metric : {Metric::l2, Metric::ip}) {
      for (const unsigned bits : kWidths) {
        const Leaf leaf(metric, bits, data.rows, data.centroid);
        const Vector estimates = leaf.estimates(data.queries[0]);
        const double scale = dot(data.queries[0], data.queries[0]);
        for (std::size_t i = 0; i < data.rows.size(); i++)
          EXPECT_NEAR(estimates[i], leaf.formula(i, data.queries[0]), 0.006 * scale) << bits;
      }
    }
  }
}

TEST(ScanCode, EstimateIsUnbiased) {
  std::mt19937 random(4);
  for (const std::size_t dims : {100, 784}) {
    for (const bool clustered : {false, true}) {
      const Data data = make_data(dims, clustered, 160, random);
      for (const Metric metric : {Metric::l2, Metric::ip}) {
        for (const unsigned bits : kWidths) {
          const Leaf leaf(metric, bits, data.rows, data.centroid);
          double bias = 0, squares = 0;
          std::size_t n = 0;
          for (const Vector& query : data.queries) {
            const Vector estimates = leaf.estimates(query);
            for (std::size_t i = 0; i < estimates.size(); i++, n++) {
              const double error = estimates[i] - leaf.exact(i, query);
              bias += error;
              squares += error * error;
            }
          }
          const double count = static_cast<double>(n), spread = std::sqrt(squares / count);
          const double size = 2 * dot(data.rows[0], data.rows[0]);
          EXPECT_LT(std::fabs(bias / count), 0.1 * spread + 1e-4 * size) << dims << " " << bits;
          // RaBitQ: the error of <q, x> shrinks with the root of the dimension and by half a bit.
          const double bound[] = {2.0, 1.0, 0.3, 0.08};
          EXPECT_LT(spread, bound[simd::width_index(bits)] * size / std::sqrt(static_cast<double>(dims))) << bits;
        }
      }
    }
  }
}

double recall(const Leaf& leaf, const std::vector<Vector>& queries, std::size_t k, std::size_t taken) {
  std::size_t hits = 0;
  for (const Vector& query : queries) {
    const Vector estimates = leaf.estimates(query);
    std::vector<std::size_t> by_estimate(estimates.size()), by_distance(estimates.size());
    std::iota(by_estimate.begin(), by_estimate.end(), 0U);
    by_distance = by_estimate;
    std::sort(by_estimate.begin(), by_estimate.end(), [&](auto a, auto b) { return estimates[a] < estimates[b]; });
    Vector exact;
    for (std::size_t i = 0; i < estimates.size(); i++) exact.push_back(static_cast<float>(leaf.exact(i, query)));
    std::sort(by_distance.begin(), by_distance.end(), [&](auto a, auto b) { return exact[a] < exact[b]; });
    for (std::size_t i = 0; i < k; i++)
      hits += std::find(by_estimate.begin(), by_estimate.begin() + static_cast<std::ptrdiff_t>(taken),
                        by_distance[i]) != by_estimate.begin() + static_cast<std::ptrdiff_t>(taken);
  }
  return static_cast<double>(hits) / static_cast<double>(k * queries.size());
}

TEST(ScanCode, EstimatesRank) {
  std::mt19937 random(5);
  const Data clustered = make_data(100, true, 800, random), normal = make_data(100, false, 800, random);
  const Data wide = make_data(784, true, 400, random);
  const auto leaf = [](unsigned bits, const Data& data) { return Leaf(Metric::l2, bits, data.rows, data.centroid); };
  EXPECT_GE(recall(leaf(4, clustered), clustered.queries, 10, 20), 0.99);
  EXPECT_GE(recall(leaf(4, normal), normal.queries, 10, 20), 0.99);
  EXPECT_GE(recall(leaf(8, clustered), clustered.queries, 10, 12), 0.99);
  EXPECT_GE(recall(leaf(2, wide), wide.queries, 10, 40), 0.99);
  EXPECT_GE(recall(leaf(1, wide), wide.queries, 10, 80), 0.97);
}

// For L1 the sum over dimensions of |t - s v| follows the distance.
TEST(ScanCode, TaxicabFollowsTheDistance) {
  std::mt19937 random(6);
  for (const unsigned bits : kWidths) {
    constexpr std::size_t kDims = 200;
    const Vector centroid = normal_vector(random, kDims, 10), query = normal_vector(random, kDims);
    std::vector<std::uint8_t> block(groups(kDims, bits) * simd::kGroupBytes), codes(kDims);
    Vector exact(16), t(kDims), scale(16), acc(16);
    for (std::size_t x = 0; x < kDims; x++) t[x] = query[x];
    for (unsigned row = 0; row < 16; row++) {
      const Vector residual = normal_vector(random, kDims, 1.0F + 0.1F * static_cast<float>(row));
      const ScanFactors factors = encode_scan(Metric::l1, bits, residual.data(), centroid.data(), kDims, codes.data());
      EXPECT_EQ(factors.add, 0.0F);
      scale[row] = factors.scale;
      exact[row] = simd::kernels().l1(query.data(), residual.data(), kDims);
      put_row(block.data(), row, bits, codes.data(), kDims, 0, groups(kDims, bits));
    }
    simd::kernels().block_l1[simd::width_index(bits)](block.data(), kDims, t.data(), scale.data(), acc.data());
    const float tolerance[] = {0.2F, 0.08F, 0.02F, 0.002F};
    for (unsigned row = 0; row < 16; row++)
      EXPECT_NEAR(acc[row], exact[row], tolerance[simd::width_index(bits)] * exact[row]) << bits;
  }
}

TEST(ScanCode, ZeroTinyAndHugeResiduals) {
  const Vector centroid = {1, -2, 3, 4, 5};
  std::uint8_t codes[5];
  for (const Metric metric : {Metric::l2, Metric::ip, Metric::cosine, Metric::l1}) {
    for (const unsigned bits : kWidths) {
      for (const float size :
           {0.0F, 1e-40F, 1e-30F, 1.0F, 1e18F, 1e30F, 3e38F, std::numeric_limits<float>::infinity()}) {
        const Vector residual = {size, -size, size / 2, 0, size / 4};
        const ScanFactors factors = encode_scan(metric, bits, residual.data(), centroid.data(), 5, codes);
        EXPECT_TRUE(std::isfinite(factors.add) && std::isfinite(factors.scale)) << bits << " " << size;
        for (const std::uint8_t code : codes) EXPECT_LT(code, 1U << bits);
        if (size == 0) {
          EXPECT_TRUE(factors.add == 0 && factors.scale == 0);
        }
      }
    }
  }
  for (const unsigned bits : kWidths) {  // one dimension is represented exactly
    const float residual = -3.25F, at = 10;
    const ScanFactors factors = encode_scan(Metric::l2, bits, &residual, &at, 1, codes);
    const float v = static_cast<float>(codes[0]) - static_cast<float>((1U << bits) - 1) / 2;
    EXPECT_NEAR(factors.scale * v, -2 * residual, 1e-5F);
    EXPECT_NEAR(factors.add, residual * residual + 2 * residual * at, 1e-3F);
  }
}

}  // namespace
}  // namespace longbow::quant
