// What the SIMD dispatch chose, for the view longbow_stat_simd.
#include <cstddef>

#include "longbow/simd/kernels.hpp"
#include "pg/boundary.hpp"

extern "C" {
#include "access/htup_details.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/tuplestore.h"
}

namespace longbow::types {

// One row: the CPU's features, the best tier it allows, and the tier in force.
LB_FUNCTION(longbow_simd_features) {
  TupleDesc shape;
  if (get_call_result_type(fcinfo, nullptr, &shape) != TYPEFUNC_COMPOSITE)
    elog(ERROR, "return type must be a row type");
  char features[256];
  simd::detected_features(features, sizeof features);
  Datum values[3] = {CStringGetTextDatum(features), CStringGetTextDatum(simd::tier_name(simd::detected_tier())),
                     CStringGetTextDatum(simd::tier_name(simd::active_tier()))};
  bool nulls[3] = {};
  PG_RETURN_DATUM(HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(shape), values, nulls)));
}

// One row a kernel: its name and the implementation in force.
LB_FUNCTION(longbow_simd_kernels) {
  InitMaterializedSRF(fcinfo, 0);
  const ReturnSetInfo* result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
  const simd::KernelChoice* rows;
  const std::size_t count = simd::kernel_choices(&rows);
  for (std::size_t i = 0; i < count; i++) {
    Datum values[2] = {CStringGetTextDatum(rows[i].kernel), CStringGetTextDatum(rows[i].implementation)};
    bool nulls[2] = {};
    tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
  }
  return Datum{0};
}

}  // namespace longbow::types
