// The lower bounds of refine codes: never above what the SQL operator computes from the original vectors, whatever the
// scale, offset or dimension, and close to the estimate on ordinary data.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "longbow/quant/code.hpp"
#include "longbow/quant/rotation.hpp"
#include "longbow/simd/kernels.hpp"

namespace longbow::quant {
namespace {

using base::Metric;
using Vector = std::vector<float>;

constexpr Metric kMetrics[] = {Metric::l2, Metric::ip, Metric::cosine, Metric::l1};

float norm_of(const Vector& x) {
  double sum = 0;
  for (const float v : x) sum += static_cast<double>(v) * static_cast<double>(v);
  return static_cast<float>(std::sqrt(sum));
}

// The operator as the SQL function computes it.
double operator_distance(Metric metric, const Vector& a, const Vector& b) {
  const simd::Kernels& k = simd::kernels();
  switch (metric) {
    case Metric::l2:
      return std::sqrt(static_cast<double>(k.l2_squared(a.data(), b.data(), a.size())));
    case Metric::ip:
      return -static_cast<double>(k.inner_product(a.data(), b.data(), a.size()));
    case Metric::l1:
      return static_cast<double>(k.l1(a.data(), b.data(), a.size()));
    case Metric::cosine:
      break;
  }
  const simd::CosineSums sums = k.cosine(a.data(), b.data(), a.size());
  const double product = static_cast<double>(sums.a_squared) * static_cast<double>(sums.b_squared);
  return 1.0 - std::clamp(static_cast<double>(sums.dot) / std::sqrt(product), -1.0, 1.0);
}

// The same with sums of float terms one after the other, as operators of others compute it on a CPU without SIMD.
double distance_in_order(Metric metric, const Vector& a, const Vector& b) {
  float sum = 0, a_squared = 0, b_squared = 0;
  for (std::size_t i = 0; i < a.size(); i++) {
    const float difference = a[i] - b[i];
    sum += metric == Metric::l2 ? difference * difference : metric == Metric::l1 ? std::fabs(difference) : a[i] * b[i];
    a_squared += a[i] * a[i];
    b_squared += b[i] * b[i];
  }
  const auto total = static_cast<double>(sum);
  switch (metric) {
    case Metric::l2: return std::sqrt(total);
    case Metric::ip: return -total;
    case Metric::l1: return total;
    case Metric::cosine: break;
  }
  return 1.0 - std::clamp(total / std::sqrt(static_cast<double>(a_squared) * static_cast<double>(b_squared)), -1.0, 1.0);
}

// What an index does with vectors before and after coding.
class Pipeline {
 public:
  Pipeline(Metric metric, Vector centre, std::uint64_t seed)
      : metric_(metric), dims_(centre.size()), centre_(std::move(centre)), signs_(rotation_floats(dims_)) {
    make_rotation(seed, dims_, signs_.data());
  }

  struct Row {
    Vector x;  // centred and rotated
    float norm, raw_norm;
  };
  struct Code {
    std::vector<std::uint8_t> codes;
    RefineFactors factors;
  };

  [[nodiscard]] Vector normalized(Vector x) const {
    if (metric_ != Metric::cosine) return x;
    const float inverse = 1.0F / norm_of(x);
    for (float& v : x) v *= inverse;
    return x;
  }
  [[nodiscard]] Row prepare(const Vector& original) const {
    Vector x = normalized(original);
    const float raw = norm_of(original);
    k_.subtract(x.data(), centre_.data(), x.data(), dims_);
    const float norm = norm_of(x);
    if (metric_ != Metric::l1) rotate(signs_.data(), x.data(), dims_);
    return {std::move(x), norm, raw};
  }
  [[nodiscard]] Code encode(const Row& row, const Vector& centroid, float prior = 0) const {
    Vector residual(dims_);
    k_.subtract(row.x.data(), centroid.data(), residual.data(), dims_);
    Code code{std::vector<std::uint8_t>(dims_), {}};
    code.factors = encode_refine(metric_, residual.data(), dims_, row.norm, row.raw_norm, prior, code.codes.data());
    return code;
  }
  struct PreparedQuery {
    RefineQuery query;
    Vector x;
  };
  [[nodiscard]] PreparedQuery prepare_query(const Vector& query) const {
    Vector q = normalized(query);
    RefineQuery prepared{metric_, dims_, nullptr, 0, 0, norm_of(query)};
    if (metric_ == Metric::ip) prepared.centre_product = k_.inner_product(q.data(), centre_.data(), dims_);
    if (metric_ != Metric::ip) k_.subtract(q.data(), centre_.data(), q.data(), dims_);
    prepared.norm = metric_ == Metric::cosine ? 1.0F : norm_of(q);
    if (metric_ != Metric::l1) rotate(signs_.data(), q.data(), dims_);
    return {prepared, std::move(q)};
  }
  [[nodiscard]] Refined distance(const PreparedQuery& prepared, const Code& code, const Vector& centroid) const {
    RefineQuery query = prepared.query;
    query.query = prepared.x.data();
    Vector t = prepared.x;
    float centroid_product = 0;
    if (metric_ == Metric::ip)
      centroid_product = k_.inner_product(t.data(), centroid.data(), dims_);
    else
      k_.subtract(t.data(), centroid.data(), t.data(), dims_);
    return refine(query, t.data(), centroid_product, code.codes.data(), code.factors);
  }
  [[nodiscard]] Refined distance(const Vector& query, const Code& code, const Vector& centroid) const {
    return distance(prepare_query(query), code, centroid);
  }

 private:
  const simd::Kernels& k_ = simd::kernels();
  Metric metric_;
  std::size_t dims_;
  Vector centre_, signs_;
};

Vector mean_of(const std::vector<Vector>& rows) {
  Vector mean(rows[0].size());
  for (std::size_t x = 0; x < mean.size(); x++) {
    double sum = 0;
    for (const Vector& row : rows) sum += static_cast<double>(row[x]);
    mean[x] = static_cast<float>(sum / static_cast<double>(rows.size()));
  }
  return mean;
}

enum class Shape { normal, offset_1e4, offset_1e6, duplicates, clusters, sparse, positive, count };

// Rows and queries of one shape; the queries include rows themselves and their near neighbours.
struct Sample {
  std::vector<Vector> rows, queries;
};

Sample make_sample(Shape shape, std::size_t dims, float scale, std::mt19937& random) {
  std::normal_distribution<float> normal;
  std::uniform_real_distribution<float> uniform;
  const auto fresh = [&] {
    Vector x(dims);
    for (float& v : x) v = normal(random);
    return x;
  };
  const Vector base = fresh(), other = fresh();
  const auto draw = [&] {
    Vector x = fresh();
    const bool far = uniform(random) < 0.5F;
    for (std::size_t i = 0; i < dims; i++) {
      switch (shape) {
        case Shape::offset_1e4:
          x[i] += 1e4F;
          break;
        case Shape::offset_1e6:
          x[i] += 1e6F;
          break;
        case Shape::duplicates:
          x[i] = base[i] + 1e-5F * x[i];
          break;
        case Shape::clusters:
          x[i] = 1e5F * (far ? base[i] : other[i]) + x[i];
          break;
        case Shape::sparse:
          x[i] = uniform(random) < 0.9F ? 0.0F : x[i];
          break;
        case Shape::positive:
          x[i] = std::fabs(x[i]);
          break;
        default:
          break;
      }
      x[i] *= scale;
    }
    if (shape == Shape::sparse) x[0] += scale;  // never all zero
    return x;
  };
  Sample sample;
  for (int i = 0; i < 6; i++) sample.rows.push_back(draw());
  sample.queries = {draw(), draw(), sample.rows[0]};
  Vector near = sample.rows[1];
  near[dims / 2] = std::nextafter(near[dims / 2], 1e30F);
  sample.queries.push_back(near);
  for (float& v : near) v *= 1.0F + 1e-6F * normal(random);
  sample.queries.push_back(near);
  for (float& v : near) v *= -3.0F;
  sample.queries.push_back(near);
  return sample;
}

bool sound(const Refined& refined, double exact) {
  if (std::isnan(refined.estimate) || std::isnan(refined.lower_bound)) return false;
  return std::isnan(exact) ? true : static_cast<double>(refined.lower_bound) <= exact;
}

void check_sample(Metric metric, const Sample& sample, std::uint64_t seed, const char* what) {
  std::vector<Vector> unit;
  const std::size_t dims = sample.rows[0].size();
  const Pipeline scaler(metric, Vector(dims), seed);
  for (const Vector& row : sample.rows) unit.push_back(scaler.normalized(row));
  const Pipeline pipeline(metric, mean_of(unit), seed);

  std::vector<Pipeline::Row> rows;
  std::vector<Vector> rotated;
  for (const Vector& row : sample.rows) rows.push_back(pipeline.prepare(row));
  for (const Pipeline::Row& row : rows) rotated.push_back(row.x);
  std::vector<Pipeline::PreparedQuery> queries;
  for (const Vector& query : sample.queries) queries.push_back(pipeline.prepare_query(query));
  // Centroids: the mean of the rows, a row itself (residual zero), and something far away.
  Vector far = rotated[2];
  for (float& v : far) v *= -7.5F;
  const std::vector<Vector> centroids = {mean_of(rotated), rotated[0], far};
  for (std::size_t c = 0; c < centroids.size(); c++) {
    for (std::size_t i = 0; i < (dims > 1000 ? 2 : rows.size()); i++) {
      const Pipeline::Code code = pipeline.encode(rows[i], centroids[c]);
      ASSERT_FALSE(std::isnan(code.factors.error));
      // A second generation, as a split makes it: decoded, then coded against another centroid.
      Pipeline::Row again = rows[i];
      decode_refine(code.codes.data(), code.factors.step, centroids[c].data(), dims, again.x.data());
      const Vector& next = centroids[(c + 1) % centroids.size()];
      const Pipeline::Code second = pipeline.encode(again, next, code.factors.error);
      for (std::size_t j = 0; j < sample.queries.size(); j++) {
        // fmin: where squares overflow one may be NaN.
        const double exact = std::fmin(operator_distance(metric, sample.queries[j], sample.rows[i]),
                                       distance_in_order(metric, sample.queries[j], sample.rows[i]));
        const Refined first = pipeline.distance(queries[j], code, centroids[c]);
        const Refined later = pipeline.distance(queries[j], second, next);
        ASSERT_TRUE(sound(first, exact) && sound(later, exact))
            << what << " metric " << static_cast<int>(metric) << " dims " << dims << " row " << i << " query " << j
            << " centroid " << c << ": bounds " << first.lower_bound << " and " << later.lower_bound << ", exact "
            << exact << ", estimates " << first.estimate << " and " << later.estimate;
      }
    }
  }
}

// Restores the tier that the CPU allows.
struct TierLimit {
  explicit TierLimit(simd::Tier tier) { simd::set_tier_limit(tier); }
  ~TierLimit() { simd::set_tier_limit(simd::Tier::avx512); }
};

// Tiers round differently: without fused multiply-add a product is rounded on its own.
TEST(Refine, LowerBoundIsSound) {
  for (const simd::Tier tier : {simd::Tier::avx512, simd::Tier::avx2, simd::Tier::sse42, simd::Tier::scalar}) {
    if (tier > simd::detected_tier()) continue;
    const TierLimit limit(tier);
    std::mt19937 random(20240607 + static_cast<unsigned>(tier));
    std::uniform_real_distribution<float> exponent(-18, 15);
    for (const std::size_t dims : {1, 2, 3, 7, 64, 100, 384, 784, 1536, 4000, 16000}) {
      const int rounds = dims <= 7 ? 12 : dims <= 100 ? 4 : 1;
      for (int round = 0; round < rounds; round++) {
        for (int shape = 0; shape < static_cast<int>(Shape::count); shape++) {
          if (dims > 1000 && (static_cast<std::size_t>(shape) + dims / 100 + static_cast<std::size_t>(tier)) % 3 != 0)
            continue;
          const float scale = random() % 4 == 0 ? 1.0F : std::pow(10.0F, exponent(random));
          const Sample sample = make_sample(static_cast<Shape>(shape), dims, scale, random);
          for (const Metric metric : kMetrics) {
            const std::string what = "shape " + std::to_string(shape) + " scale " + std::to_string(std::log10(scale));
            check_sample(metric, sample, random(), what.c_str());
            if (HasFatalFailure()) return;
          }
        }
      }
    }
  }
}

// Beyond the range where squares are floats: bounds may be useless there, but neither NaN nor above the operator.
TEST(Refine, ExtremeScalesAreSound) {
  std::mt19937 random(99);
  for (const std::size_t dims : {1, 3, 64, 100, 784}) {
    for (const float scale :
         {1e-44F, 1e-38F, 1e-33F, 1e-28F, 1e-24F, 1e-22F, 1e-20F, 1e17F, 1e19F, 1e21F, 1e30F, 1e37F}) {
      const Sample sample = make_sample(Shape::normal, dims, scale, random);
      for (const Metric metric : kMetrics)
        check_sample(metric, sample, random(), std::to_string(std::log10(scale)).c_str());
      if (HasFatalFailure()) return;
    }
  }
}

// Rows and queries of very different length: inner products whose float terms cancel.
TEST(Refine, MixedScalesAreSound) {
  std::mt19937 random(7);
  std::uniform_real_distribution<float> exponent(-12, 12);
  for (int round = 0; round < 60; round++) {
    Sample sample = make_sample(static_cast<Shape>(round % static_cast<int>(Shape::count)), 50, 1.0F, random);
    for (Vector& query : sample.queries) {
      const float factor = std::pow(10.0F, exponent(random));
      for (float& v : query) v *= factor;
    }
    for (const Metric metric : kMetrics) check_sample(metric, sample, random(), "mixed");
    if (HasFatalFailure()) return;
  }
}

// One large term and many that a float sum loses one by one, where it takes them in order.
TEST(Refine, LostTermsAreSound) {
  std::mt19937 random(11);
  std::uniform_real_distribution<float> uniform(1.0F, 1.9F);
  for (const std::size_t dims : {100, 1536, 16000}) {
    for (const float small : {0x1p-25F, 0x1p-13F}) {  // lost beside 1 to 2, and their squares
      const auto draw = [&](float sign) {
        Vector x(dims, sign * small);
        x[0] = sign * uniform(random);
        return x;
      };
      Sample sample;
      for (int i = 0; i < 6; i++) sample.rows.push_back(draw(1));
      for (int i = 0; i < 6; i++) sample.queries.push_back(draw(i % 2 == 0 ? -1.0F : 1.0F));
      for (const Metric metric : kMetrics) check_sample(metric, sample, random(), "lost terms");
      if (HasFatalFailure()) return;
    }
  }
}

TEST(Refine, BoundIsCloseOnOrdinaryData) {
  std::mt19937 random(5);
  std::normal_distribution<float> normal;
  for (const std::size_t dims : {100, 784}) {
    const auto draw = [&] {
      Vector x(dims);
      for (float& v : x) v = normal(random);
      return x;
    };
    std::vector<Vector> rows;
    for (int i = 0; i < 50; i++) rows.push_back(draw());
    for (const Metric metric : {Metric::l2, Metric::cosine, Metric::l1}) {
      const Pipeline pipeline(metric, Vector(dims), 3);
      Vector centroid = pipeline.prepare(draw()).x;
      for (float& v : centroid) v *= 0.3F;
      for (const Vector& row : rows) {
        const Vector query = draw();
        const Refined refined = pipeline.distance(query, pipeline.encode(pipeline.prepare(row), centroid), centroid);
        const double exact = operator_distance(metric, query, row);
        EXPECT_NEAR(refined.estimate, exact, 0.005 * exact);
        EXPECT_LT(refined.estimate - refined.lower_bound, 0.02 * exact) << static_cast<int>(metric) << " " << dims;
      }
    }
    const Pipeline pipeline(Metric::ip, Vector(dims), 3);
    const Vector centroid(dims);
    for (const Vector& row : rows) {
      const Vector query = draw();
      const Refined refined = pipeline.distance(query, pipeline.encode(pipeline.prepare(row), centroid), centroid);
      EXPECT_LT(refined.estimate - refined.lower_bound, 0.02F * norm_of(query) * norm_of(row));
    }
  }
}

// A large common offset must not widen the bound: centring takes it out before anything is rounded relative to it.
TEST(Refine, BoundIsCloseWithAnOffset) {
  std::mt19937 random(6);
  const Sample sample = make_sample(Shape::offset_1e6, 100, 1.0F, random);
  const Pipeline pipeline(Metric::l2, mean_of(sample.rows), 3);
  const Vector centroid(100);
  for (const Vector& row : sample.rows) {
    const Refined refined =
        pipeline.distance(sample.queries[0], pipeline.encode(pipeline.prepare(row), centroid), centroid);
    EXPECT_LT(refined.estimate - refined.lower_bound, 0.02F * refined.estimate);
  }
}

TEST(Refine, NonFiniteInputIsSound) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const float bad : {kInfinity, -kInfinity, nan, 3e38F}) {
    for (const Metric metric : kMetrics) {
      const Vector residual = {1, bad, -bad, 2};
      std::uint8_t codes[4];
      const RefineFactors factors = encode_refine(metric, residual.data(), 4, bad, bad, 0, codes);
      EXPECT_FALSE(std::isnan(factors.error));
      const float t[4] = {1, 2, bad, 3};
      const RefineQuery query{metric, 4, t, 3, 0, 3};
      const Refined refined = refine(query, t, 0, codes, factors);
      EXPECT_FALSE(std::isnan(refined.estimate));
      EXPECT_EQ(refined.lower_bound, metric == Metric::ip ? -kInfinity : 0.0F);
    }
  }
}

TEST(Refine, DecodesWithinHalfAStep) {
  std::mt19937 random(8);
  std::normal_distribution<float> normal;
  for (const std::size_t dims : {1, 5, 100, 1000}) {
    Vector centroid(dims), residual(dims), row(dims);
    for (std::size_t i = 0; i < dims; i++) {
      centroid[i] = normal(random);
      residual[i] = normal(random);
    }
    std::vector<std::uint8_t> codes(dims);
    const RefineFactors factors = encode_refine(Metric::l2, residual.data(), dims, 0, 0, 0, codes.data());
    decode_refine(codes.data(), factors.step, centroid.data(), dims, row.data());
    for (std::size_t i = 0; i < dims; i++)
      EXPECT_NEAR(row[i], centroid[i] + residual[i], 0.501F * factors.step + 1e-6F);
  }
}

}  // namespace
}  // namespace longbow::quant
