// Barriers, the common counter, and memory handed out from a region in the same order by every member.
#include "pg/crew.hpp"

#include "longbow/base/error.hpp"
#include "pg/compat.hpp"

extern "C" {
#include "pgstat.h"
}

namespace longbow::pg {

void init_crew(CrewShared* shared) {
  pg_atomic_init_u32(&shared->members, 0);
  ConditionVariableInit(&shared->known);
  pg_atomic_init_u64(&shared->counter[0], 0);
  pg_atomic_init_u64(&shared->counter[1], 0);
}

void publish_crew(CrewShared* shared, unsigned members) {
  BarrierInit(&shared->barrier, static_cast<int>(members));
  pg_write_barrier();
  pg_atomic_write_u32(&shared->members, members);
  ConditionVariableBroadcast(&shared->known);
}

unsigned attend_crew(CrewShared* shared) {
  ConditionVariablePrepareToSleep(&shared->known);
  while (pg_atomic_read_u32(&shared->members) == 0)
    ConditionVariableSleep(&shared->known, WAIT_EVENT_PARALLEL_CREATE_INDEX_SCAN);
  ConditionVariableCancelSleep();
  pg_read_barrier();
  return pg_atomic_read_u32(&shared->members);
}

void* RegionCrew::borrow(std::size_t bytes) {
  bytes = (bytes + 63) / 64 * 64;
  if (bytes > size_ - used_) throw base::Error(base::Errc::internal, "the memory planned for an index build is too small");
  void* p = region_ + used_;
  used_ += bytes;
  return p;
}

void RegionCrew::give_back(void* p, std::size_t) noexcept { used_ = static_cast<std::size_t>(static_cast<char*>(p) - region_); }

void RegionCrew::barrier() {
  if (members_ > 1) call([&] { BarrierArriveAndWait(&shared_->barrier, WAIT_EVENT_PARALLEL_CREATE_INDEX_SCAN); });
}

std::uint64_t RegionCrew::take(std::uint64_t count) noexcept {
  return pg_atomic_fetch_add_u64(&shared_->counter[turn_ % 2], static_cast<int64>(count));
}

void RegionCrew::share_out() {
  // Nobody uses the other counter until all are here.
  if (me_ == 0) pg_atomic_write_u64(&shared_->counter[(turn_ + 1) % 2], 0);
  barrier();
  ++turn_;
}

}  // namespace longbow::pg
