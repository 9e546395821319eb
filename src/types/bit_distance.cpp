// Distances between bit strings of equal length. Unused bits of the last byte are zero in every bit string, so whole
// bytes are counted.
#include "longbow/simd/kernels.hpp"
#include "pg/boundary.hpp"
#include "pg/compat.hpp"

extern "C" {
#include "utils/varbit.h"
}

namespace longbow::types {
namespace {

struct Pair {
  const bits8* a;
  const bits8* b;
  std::size_t bytes;
};

// The bytes of the two arguments, which have equal length.
Pair arguments(FunctionCallInfo fcinfo) {
  VarBit* a = PG_GETARG_VARBIT_P(0);
  VarBit* b = PG_GETARG_VARBIT_P(1);
  if (VARBITLEN(a) != VARBITLEN(b))
    ereport(ERROR,
            (errcode(ERRCODE_DATA_EXCEPTION), errmsg("different bit lengths %d and %d", VARBITLEN(a), VARBITLEN(b))));
  return {VARBITS(a), VARBITS(b), static_cast<std::size_t>(VARBITBYTES(a))};
}

}  // namespace

// How many bits differ.
LB_FUNCTION(longbow_hamming_distance) {
  const Pair pair = arguments(fcinfo);
  PG_RETURN_FLOAT8(static_cast<double>(simd::kernels().hamming(pair.a, pair.b, pair.bytes)));
}

// 1 - bits set in both / bits set in either; 1 where no bit is set in both, also for two zero strings.
LB_FUNCTION(longbow_jaccard_distance) {
  const Pair pair = arguments(fcinfo);
  const simd::BitSums sums = simd::kernels().jaccard(pair.a, pair.b, pair.bytes);
  if (sums.both == 0) PG_RETURN_FLOAT8(1);
  PG_RETURN_FLOAT8(1 - static_cast<double>(sums.both) / static_cast<double>(sums.either));
}

}  // namespace longbow::types
