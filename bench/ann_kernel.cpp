// The time the distance kernels themselves take over a whole set, without PostgreSQL: what a sequential scan's cost
// above that of count(*) is measured against.
//
//   ann_kernel DIR METRIC     prints {"kernel": ..., "tier": ..., "seconds": best of 9 passes over the base}
#include "ann_common.hpp"
#include "longbow/simd/kernels.hpp"

int main(int argc, char** argv) {
  if (argc != 3) ann::die("usage: ann_kernel DIR METRIC");
  const ann::Metric metric = ann::metric_from(argv[2]);
  const auto base = ann::read_matrix<float>(std::string(argv[1]) + "/base.fbin");
  const auto query = ann::read_matrix<float>(std::string(argv[1]) + "/query.fbin");
  const auto& kernels = longbow::simd::kernels();
  double best = INFINITY;
  volatile float sink = 0;
  for (int pass = 0; pass < 9; pass++) {
    const double start = ann::now();
    float sum = 0;
    for (std::size_t i = 0; i < base.rows; i++)
      sum += metric == ann::Metric::l2 ? kernels.l2_squared(base.row(i), query.row(0), base.columns)
                                       : kernels.cosine(base.row(i), query.row(0), base.columns).dot;
    sink = sum;
    best = std::min(best, ann::now() - start);
  }
  (void)sink;
  std::printf("{\"kernel\": \"%s\", \"tier\": \"%s\", \"seconds\": %.6f}\n",
              metric == ann::Metric::l2 ? "l2_squared" : "cosine",
              longbow::simd::tier_name(longbow::simd::active_tier()), best);
}
