// EXPLAIN (ANALYZE, VERBOSE) shows what an index scan of ours did: PostgreSQL 18 and later have hooks for it; earlier ones have
// longbow.explain and longbow_last_scan().
#include "am/explain.hpp"

#include "am/scan.hpp"

#if PG_VERSION_NUM >= 180000
extern "C" {
#include "commands/explain.h"
#include "commands/explain_format.h"
#include "commands/explain_state.h"
#include "nodes/execnodes.h"
}
#endif

namespace longbow::am {

#if PG_VERSION_NUM >= 180000

namespace {

explain_per_node_hook_type next_node;

void show(const ScanReport& r, ExplainState* es) {
  const auto count = [es](const char* label, std::uint64_t n) { ExplainPropertyUInteger(label, nullptr, n, es); };
  ExplainPropertyText("Longbow Effort", effort_name(r.effort), es);
  if (r.effort == Effort::target || r.effort == Effort::uncalibrated) ExplainPropertyFloat("Longbow Target Recall", nullptr, r.target_recall, 3, es);
  count("Longbow Leaves", r.leaves_there);
  count("Longbow Leaves Planned", r.planned);
  count("Longbow Leaves Probed", r.leaves);
  count("Longbow Rows Scanned", r.scanned);
  count("Longbow Rows Refined", r.refined);
  count("Longbow Rows Rechecked", r.rechecked);
  count("Longbow Pending Rows Scanned", r.pending);
  ExplainPropertyBool("Longbow Stopped Early", r.stopped > 0, es);
}

void on_node(PlanState* state, List* ancestors, const char* relationship, const char* plan_name, ExplainState* es) {
  if (next_node != nullptr) next_node(state, ancestors, relationship, plan_name, es);
  if (!es->analyze || !es->verbose || !IsA(state, IndexScanState)) return;
  const IndexScanDesc scan = reinterpret_cast<IndexScanState*>(state)->iss_ScanDesc;
  if (scan == nullptr || !is_our_scan(scan)) return;
  const ScanReport report = scan_report(scan);
  if (report.searches > 0) show(report, es);
}

}  // namespace

void install_explain_hook() {
  next_node = explain_per_node_hook;
  explain_per_node_hook = on_node;
}

#else

void install_explain_hook() {}

#endif

}  // namespace longbow::am
