// The clock of costs and the sleep that pays for them.
#include "am/throttle.hpp"

#include <algorithm>

#include "pg/delta.hpp"

extern "C" {
#include "pgstat.h"
#include "postmaster/autovacuum.h"
#include "postmaster/interrupt.h"
#include "storage/latch.h"
#include "utils/timestamp.h"
}

namespace longbow::am {

namespace {

// A sleep looks at the delta this often, and asks `stop` after so many looks.
constexpr double kLook_ms = 100;
constexpr int kLooksToStop = 10;

double delay_of(int cost, const MergePace& pace) {
  return pace.delay_ms > 0 && cost > 0 ? pace.delay_ms * cost / pace.limit : 0;
}

double elapsed_ms(TimestampTz since) { return static_cast<double>(GetCurrentTimestamp() - since) / 1000; }

}  // namespace

MergePace session_pace() noexcept { return {VacuumCostDelay, VacuumCostLimit}; }

MergePace worker_pace() noexcept {
  return {autovacuum_vac_cost_delay >= 0 ? autovacuum_vac_cost_delay : VacuumCostDelay,
          autovacuum_vac_cost_limit > 0 ? autovacuum_vac_cost_limit : VacuumCostLimit};
}

CostClock::CostClock() noexcept : was_active_(VacuumCostActive), before_(VacuumCostBalance) {
  VacuumCostActive = true;
  VacuumCostBalance = 0;
}

CostClock::~CostClock() {
  VacuumCostActive = was_active_;
  VacuumCostBalance = before_;
}

void pay(int cost, MergePace (*pace)() noexcept, bool reloads, bool (*stop)(Oid), Oid argument) {
  const TimestampTz start = GetCurrentTimestamp();
  for (int looks = 1;; looks++) {
    // The delta is to be empty before it is full: then a merge goes as fast as it can.
    const double left = delay_of(cost, pace()) - elapsed_ms(start);
    if (left <= 0 || (pg::have_shared_memory() && pg::delta_half_full())) return;
    if (stop != nullptr && looks % kLooksToStop == 0 && stop(argument)) return;
    (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, static_cast<long>(std::clamp(left, 1.0, kLook_ms)),
                    WAIT_EVENT_VACUUM_DELAY);
    ResetLatch(MyLatch);
    CHECK_FOR_INTERRUPTS();
    if (reloads && ConfigReloadPending) {
      ConfigReloadPending = false;
      ProcessConfigFile(PGC_SIGHUP);
    }
  }
}

}  // namespace longbow::am
