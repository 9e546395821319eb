// k-means on float vectors, for training the tree and for splitting leaves.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <span>
#include <vector>

namespace longbow::quant {

// Called between steps of bounded length; may throw to stop (an interrupt), and reports progress.
class Watch {
 public:
  virtual ~Watch() = default;
  virtual void tick(std::size_t done, std::size_t total) = 0;
};

struct Points {
  const float* data;  // rows x dims, row-major
  std::size_t rows;
  std::size_t dims;
};

struct TrainOptions {
  std::size_t clusters;     // >= 1; the result has at most this many (never more than rows)
  int iterations = 8;       // Lloyd iterations of each part
  int polish = 3;           // flat Lloyd iterations over all centroids after a hierarchical start
  std::uint64_t seed = 1;
};

// Trains centroids (written to out: clusters x dims) and returns how many there are. Up to about 512 clusters flat
// Lloyd from a random start; above that in two levels (sqrt k parts, then k-means in each part in proportion to its rows),
// polished by flat iterations. Empty clusters are re-seeded from the largest one's rows. Deterministic for one tier.
std::size_t train(const Points& points, const TrainOptions& options, std::pmr::memory_resource& memory, Watch& watch,
                  float* out);

// Evens out trained clusters for leaves of one size: clusters with more than `most` of the rows are divided by 2-means,
// those with fewer than `least` are dropped (their rows go to neighbours), the others move to their mean. `centroids`
// grows or shrinks. Each round assigns all rows twice: to divide, and to settle.
struct Balance {
  std::size_t most, least;
  int rounds = 1;
  std::uint64_t seed = 1;
};
void balance(const Points& points, const Balance& how, std::pmr::vector<float>& centroids,
             std::pmr::memory_resource& memory, Watch& watch);

// Splits rows in two: writes 0 or 1 a row and the two centroids (2 x dims). Both sides get at least a quarter of the
// rows (rows >= 2), also if all rows are equal.
void bisect(const Points& points, std::uint64_t seed, std::pmr::memory_resource& memory, std::uint8_t* side,
            float* centroids);

// Nearest centroids for many rows: packs once, then assigns batch by batch.
class Assigner {
 public:
  Assigner(const float* centroids, std::size_t clusters, std::size_t dims, std::pmr::memory_resource& memory);
  Assigner(const Assigner&) = delete;
  Assigner& operator=(const Assigner&) = delete;
  ~Assigner();
  // nearest[i] = index of the centroid nearest to row i in L2.
  void assign(const float* rows, std::size_t count, std::uint32_t* nearest) const noexcept;
  [[nodiscard]] std::size_t clusters() const noexcept { return clusters_; }

 private:
  std::pmr::memory_resource& memory_;
  std::size_t clusters_, dims_;
  float* packed_;
  float* offset_;
};

}  // namespace longbow::quant
