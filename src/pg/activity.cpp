// Slots of activity: written by their owners, read by anybody.
#include "pg/activity.hpp"

#include <new>

#include "pg/shared.hpp"

extern "C" {
#include "access/xact.h"
#include "storage/ipc.h"
#include "utils/timestamp.h"
}

namespace longbow::pg {

namespace {

ActivitySlot* mine;  // this process's slot, once it has one
Doing current, settled;
int searches;           // that are open
Doing before_searches;  // what the process did when the first of them began
std::uint32_t wait_events[kWaits];  // 0: not asked for yet

void publish() noexcept {
  if (mine == nullptr) return;
  const std::uint32_t version = mine->version.load(std::memory_order_relaxed);
  mine->version.store(version + 1, std::memory_order_relaxed);
  std::atomic_thread_fence(std::memory_order_release);
  mine->role.store(MyProc != nullptr ? MyProc->roleId : InvalidOid, std::memory_order_relaxed);
  mine->database.store(MyDatabaseId, std::memory_order_relaxed);
  mine->index.store(current.index, std::memory_order_relaxed);
  mine->phase.store(static_cast<std::uint32_t>(current.phase), std::memory_order_relaxed);
  mine->since.store(current.since, std::memory_order_relaxed);
  mine->version.store(version + 2, std::memory_order_release);
}

void leave(int, Datum) {
  if (mine != nullptr) mine->pid.store(0);
  mine = nullptr;
}

void attach() {
  if (mine != nullptr || shared_parts.activity == nullptr || MyProc == nullptr) return;
  const int number = lb_proc_number();
  if (number < 0 || number >= MaxBackends) return;
  for (int i = 1; i < kWaits; i++)
    if (wait_events[i] == 0) wait_events[i] = lb_new_wait_event(wait_name(static_cast<Wait>(i)));
  before_shmem_exit(leave, static_cast<Datum>(0));
  mine = &shared_parts.activity[number];
  mine->wait.store(0);
  publish();
  mine->pid.store(MyProcPid, std::memory_order_release);
}

void return_to_settled() noexcept {
  searches = 0;
  if (mine == nullptr) return;
  mine->wait.store(0, std::memory_order_relaxed);
  if (current.phase == settled.phase) return;
  current = settled;
  publish();
}

void at_end(XactEvent event, void*) {
  if (event != XACT_EVENT_PRE_COMMIT && event != XACT_EVENT_PARALLEL_PRE_COMMIT && event != XACT_EVENT_PRE_PREPARE) return_to_settled();
}

void at_subtransaction_end(SubXactEvent event, SubTransactionId, SubTransactionId, void*) {
  if (event == SUBXACT_EVENT_ABORT_SUB) return_to_settled();
}

}  // namespace

const char* phase_name(Phase phase) noexcept {
  constexpr const char* kNames[kPhases] = {"none",  "scan",  "flush",  "merge",    "build", "vacuum",
                                           "check", "recall", "launcher", "worker", "metrics server"};
  return kNames[static_cast<int>(phase)];
}

const char* wait_name(Wait wait) noexcept {
  constexpr const char* kNames[kWaits] = {"none",           "LongbowWalRoom",       "LongbowWalSync",
                                          "LongbowMergeLock", "LongbowStructureLock", "LongbowBuildWrite", "LongbowIdle"};
  return kNames[static_cast<int>(wait)];
}

Doing begin_activity(Phase phase, Oid index) {
  const Doing before = current;
  if (shared_parts.activity == nullptr) return before;
  attach();
  current = {phase, index, GetCurrentTimestamp()};
  publish();
  return before;
}

void end_activity(const Doing& before) noexcept {
  if (mine == nullptr) return;
  current = before;
  publish();
}

void begin_search_activity(Oid index) {
  const Doing before = begin_activity(Phase::scan, index);
  if (searches++ == 0) before_searches = before;
}

void end_search_activity() noexcept {
  if (searches > 0 && --searches == 0) end_activity(before_searches);
}

void settle(Phase phase) {
  begin_activity(phase);
  settled = current;
}

void note_wait(Wait wait) noexcept {
  if (mine != nullptr) mine->wait.store(static_cast<std::uint32_t>(wait), std::memory_order_relaxed);
}

std::uint32_t wait_event(Wait wait) noexcept {
  const std::uint32_t event = wait_events[static_cast<int>(wait)];
  return event != 0 ? event : PG_WAIT_EXTENSION;
}

void begin_wait(Wait wait) noexcept {
  note_wait(wait);
  pgstat_report_wait_start(wait_event(wait));
}

void end_wait() noexcept {
  pgstat_report_wait_end();
  note_wait(Wait::none);
}

bool read_activity(int number, Activity& out) noexcept {
  const ActivitySlot& s = shared_parts.activity[number];
  for (int attempt = 0; attempt < 1000; attempt++) {
    const std::uint32_t before = s.version.load(std::memory_order_acquire);
    if (before % 2 != 0) continue;
    out = {s.pid.load(std::memory_order_relaxed),
           s.role.load(std::memory_order_relaxed),
           s.database.load(std::memory_order_relaxed),
           s.index.load(std::memory_order_relaxed),
           static_cast<Phase>(s.phase.load(std::memory_order_relaxed)),
           static_cast<Wait>(s.wait.load(std::memory_order_relaxed)),
           s.since.load(std::memory_order_relaxed)};
    std::atomic_thread_fence(std::memory_order_acquire);
    if (s.version.load(std::memory_order_relaxed) == before) return out.pid != 0 && out.phase != Phase::none;
  }
  return false;
}

Size activity_bytes() { return static_cast<Size>(MaxBackends) * sizeof(ActivitySlot) + 64; }

void init_activity(ActivitySlot* slots) {
  for (int i = 0; i < MaxBackends; i++) new (&slots[i]) ActivitySlot{};
}

void register_activity_callbacks() {
  RegisterXactCallback(at_end, nullptr);
  RegisterSubXactCallback(at_subtransaction_end, nullptr);
}

}  // namespace longbow::pg
