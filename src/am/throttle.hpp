// Cost-based delay of merges: what a round costs by VACUUM's reckoning is paid by a sleep after it, where nothing is held.
//
// VACUUM's own merges sleep at its delay points instead (pg/relation_store.cpp), by its settings and its balance.
#pragma once

#include "pg/compat.hpp"

namespace longbow::am {

// Milliseconds of sleep for each `limit` of cost.
struct MergePace {
  double delay_ms;  // 0: none
  int limit;
};
// vacuum_cost_delay and vacuum_cost_limit: for longbow_merge().
MergePace session_pace() noexcept;
// autovacuum's two, where -1 stands for the above: for workers.
MergePace worker_pace() noexcept;

// Lets the buffer manager reckon what goes on in a scope: pages read and dirtied, at VACUUM's prices.
class CostClock {
 public:
  CostClock() noexcept;
  CostClock(const CostClock&) = delete;
  CostClock& operator=(const CostClock&) = delete;
  ~CostClock();
  [[nodiscard]] static int cost() noexcept { return VacuumCostBalance; }

 private:
  bool was_active_;
  int before_;
};

// Sleeps for a cost, by the pace as it is at any time (the configuration is read again when that is asked for, if `reloads`),
// until half the delta is in use or `stop` says so, which is asked every second. Handles interrupts; shows as VacuumDelay.
void pay(int cost, MergePace (*pace)() noexcept, bool reloads, bool (*stop)(Oid), Oid argument);

}  // namespace longbow::am
