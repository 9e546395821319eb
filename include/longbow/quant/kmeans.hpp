// k-means on float vectors, for training the tree and for splitting leaves.
//
// train() and balance() are run by all members of a crew together; points and results lie in memory that all see. The
// result is the same, bit for bit, whatever the number of members.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <span>
#include <vector>

#include "longbow/base/crew.hpp"

namespace longbow::quant {

// Called between steps of bounded length; both may throw to stop (an interrupt).
class Watch {
 public:
  virtual ~Watch() = default;
  // Reports progress too.
  virtual void tick(std::size_t done, std::size_t total) = 0;
  virtual void pause() = 0;
};

// How a row of points lies in memory.
enum class PointForm : std::uint8_t {
  floats,
  bits,       // cells (quant/bits.hpp), a set bit worth 1
  unit_bits,  // the same, scaled to unit length
};

struct Points {
  const float* data;  // row-major: dims floats a row, or bit_cells(dims) cells
  std::size_t rows;
  std::size_t dims;
  PointForm form = PointForm::floats;
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
std::size_t train(const Points& points, const TrainOptions& options, base::Crew& crew,
                  std::pmr::memory_resource& memory, Watch& watch, float* out);

// Evens out trained clusters for leaves of one size: clusters with more than `most` of the rows are divided by 2-means,
// those with fewer than `least` are dropped (their rows go to neighbours), the others move to their mean. Each round
// assigns all rows twice: to divide, and to settle.
struct Balance {
  std::size_t most, least;
  int rounds = 1;
  std::uint64_t seed = 1;
};
// Changes `clusters` centroids, for which there is room up to `room`, and returns how many there are then.
std::size_t balance(const Points& points, const Balance& how, float* centroids, std::size_t clusters, std::size_t room,
                    base::Crew& crew, std::pmr::memory_resource& memory, Watch& watch);

// Bytes of the crew's memory that train() and balance() take at most, beside points and centroids.
std::size_t training_bytes(std::size_t rows, std::size_t dims, std::size_t room) noexcept;

// Splits rows in two: writes 0 or 1 a row and the two centroids (2 x dims). Both sides get at least a quarter of the
// rows (rows >= 2), also if all rows are equal.
void bisect(const Points& points, std::uint64_t seed, std::pmr::memory_resource& memory, std::uint8_t* side,
            float* centroids);

}  // namespace longbow::quant
