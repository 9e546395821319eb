// The hooks that end batches: where a statement ends, where a plan that reads a batch's table starts, around utility commands.
#include "am/batch.hpp"

extern "C" {
#include "executor/executor.h"
#include "tcop/utility.h"
}

namespace longbow::am {

namespace {

ExecutorStart_hook_type next_start;
ExecutorFinish_hook_type next_finish;
ProcessUtility_hook_type next_utility;

void on_start(QueryDesc* query, int flags) {
  if (batches_pending() && batch_reads(query->plannedstmt->rtable)) flush_batches();
  if (next_start != nullptr)
    next_start(query, flags);
  else
    standard_ExecutorStart(query, flags);
}

void on_finish(QueryDesc* query) {
  if (next_finish != nullptr)
    next_finish(query);
  else
    standard_ExecutorFinish(query);
  if (batches_pending()) flush_batches();
}

void on_utility(PlannedStmt* statement, const char* text, bool read_only, ProcessUtilityContext context,
                ParamListInfo parameters, QueryEnvironment* environment, DestReceiver* receiver,
                QueryCompletion* completion) {
  if (batches_pending()) flush_batches();
  if (next_utility != nullptr)
    next_utility(statement, text, read_only, context, parameters, environment, receiver, completion);
  else
    standard_ProcessUtility(statement, text, read_only, context, parameters, environment, receiver, completion);
  if (batches_pending()) flush_batches();
}

}  // namespace

void install_batch_hooks() {
  next_start = ExecutorStart_hook;
  ExecutorStart_hook = on_start;
  next_finish = ExecutorFinish_hook;
  ExecutorFinish_hook = on_finish;
  next_utility = ProcessUtility_hook;
  ProcessUtility_hook = on_utility;
  register_batch_callbacks();
}

}  // namespace longbow::am
