// The hooks that end batches: where a statement ends, where a plan that reads a batch's table starts, around utility commands.
//
// A statement ends its own batches, not those of the statement around it: a function that queries while an INSERT goes on
// must not cut the INSERT's batch into rows. So statements are counted by how deep they lie; an error leaves the
// count to the next frame that ends, or to the transaction's end.
#include "am/batch.hpp"
#include "pg/compat.hpp"

extern "C" {
#include "executor/executor.h"
#include "tcop/utility.h"
}

namespace longbow::am {

namespace {

ExecutorStart_hook_type next_start;
ExecutorRun_hook_type next_run;
ExecutorFinish_hook_type next_finish;
ProcessUtility_hook_type next_utility;

void on_start(QueryDesc* query, int flags) {
  if (batches_pending() && batch_reads(query->plannedstmt->rtable)) flush_batches();
  if (next_start != nullptr)
    next_start(query, flags);
  else
    standard_ExecutorStart(query, flags);
}

void on_run(LB_EXECUTOR_RUN_PARAMETERS) {
  const int depth = statement_depth;
  statement_depth = depth + 1;
  if (next_run != nullptr)
    next_run(LB_EXECUTOR_RUN_ARGUMENTS);
  else
    standard_ExecutorRun(LB_EXECUTOR_RUN_ARGUMENTS);
  statement_depth = depth;
}

void on_finish(QueryDesc* query) {
  const int depth = statement_depth;
  statement_depth = depth + 1;
  if (next_finish != nullptr)
    next_finish(query);
  else
    standard_ExecutorFinish(query);
  statement_depth = depth;
  if (batches_pending()) flush_batches(depth);
}

void on_utility(PlannedStmt* statement, const char* text, bool read_only, ProcessUtilityContext context,
                ParamListInfo parameters, QueryEnvironment* environment, DestReceiver* receiver,
                QueryCompletion* completion) {
  // It may drop, truncate or rebuild what any batch belongs to.
  if (batches_pending()) flush_batches();
  const int depth = statement_depth;
  statement_depth = depth + 1;
  if (next_utility != nullptr)
    next_utility(statement, text, read_only, context, parameters, environment, receiver, completion);
  else
    standard_ProcessUtility(statement, text, read_only, context, parameters, environment, receiver, completion);
  statement_depth = depth;
  if (batches_pending()) flush_batches(depth);
}

}  // namespace

void install_batch_hooks() {
  next_start = ExecutorStart_hook;
  ExecutorStart_hook = on_start;
  next_run = ExecutorRun_hook;
  ExecutorRun_hook = on_run;
  next_finish = ExecutorFinish_hook;
  ExecutorFinish_hook = on_finish;
  next_utility = ProcessUtility_hook;
  ProcessUtility_hook = on_utility;
  register_batch_callbacks();
}

}  // namespace longbow::am
