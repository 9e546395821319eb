// What an index scan costs, for the planner. Reads no page of the index: nothing here can fail.
//
// The first wave visits a share of the leaves and refines a few dozen rows: that is the startup cost. From there on each
// further row costs its share of a scan over the whole index, so that LIMIT pays for the rows it needs and a selective filter
// for all the rows it must pass.
#include <cmath>
#include <limits>

#include "am/index.hpp"

extern "C" {
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "utils/float.h"
#include "utils/selfuncs.h"
}

namespace longbow::am {

void cost_estimate(PlannerInfo* root, IndexPath* path, double loops, Cost* startup, Cost* total,
                   Selectivity* selectivity, double* correlation, double* pages) {
  *correlation = 0;
  if (path->indexorderbys == NIL) {
    // Without an order nothing but a forced plan wants this index.
    *startup = *total = std::numeric_limits<double>::infinity();
    *selectivity = 0;
    *pages = 0;
#if PG_VERSION_NUM >= 180000
    path->path.disabled_nodes = 2;
#endif
    return;
  }
  GenericCosts costs;
  memset(&costs, 0, sizeof costs);
  costs.numIndexTuples = path->indexinfo->tuples;
  genericcostestimate(root, path, loops, &costs);
  const double rows = Max(path->indexinfo->tuples, 1.0);
  const double all_pages = Max(static_cast<double>(path->indexinfo->pages), 1.0);
  // A search reads about 2 sqrt(n) of the n leaves of a hundred-odd rows each, and one refine page a row it keeps.
  const double leaves = Max(rows / 128.0, 1.0);
  const double share = Min(1.0, (4.0 + 2.0 * std::sqrt(leaves)) / leaves);
  // Block scans score rows by the dozen an instruction: far below one operator call a row.
  const double scan_row = cpu_operator_cost * 0.05;
  const double first_rows = Min(rows, 40.0);
  *startup = share * (rows * scan_row + all_pages * seq_page_cost * 0.1) + first_rows * cpu_operator_cost;
  *total = *startup + rows * (scan_row + cpu_index_tuple_cost + cpu_operator_cost) + all_pages * seq_page_cost;
  *selectivity = costs.indexSelectivity;
  *pages = all_pages;
}

}  // namespace longbow::am
