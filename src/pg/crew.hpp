// A crew of a backend and its parallel workers, or of one backend alone, over a region of memory that all of them see.
//
// A member that fails reports its error to the leader, whose next barrier raises it; the transaction's abort then ends the
// workers wherever they wait.
#pragma once

#include "longbow/base/crew.hpp"
#include "pg/boundary.hpp"

extern "C" {
#include "postgres.h"

#include "port/atomics.h"
#include "storage/barrier.h"
#include "storage/condition_variable.h"
}

namespace longbow::pg {

// The crew's part of shared memory.
struct CrewShared {
  pg_atomic_uint32 members;  // 0 until the leader knows how many have come
  ConditionVariable known;
  Barrier barrier;
  pg_atomic_uint64 counter[2];  // taken from in turn: the one is set back while the other is in use
};
void init_crew(CrewShared* shared);
// The leader tells how many there are; nobody passes attend_crew() before.
void publish_crew(CrewShared* shared, unsigned members);
// Waits until the leader has told; returns the number of members.
unsigned attend_crew(CrewShared* shared);

class RegionCrew final : public base::Crew {
 public:
  // `region` is aligned to 64 bytes.
  RegionCrew(CrewShared* shared, unsigned me, unsigned members, char* region, std::size_t size)
      : shared_(shared), me_(me), members_(members), region_(region), size_(size) {}
  [[nodiscard]] unsigned members() const noexcept override { return members_; }
  [[nodiscard]] unsigned me() const noexcept override { return me_; }
  void* borrow(std::size_t bytes) override;
  void give_back(void* p, std::size_t bytes) noexcept override;
  void barrier() override;
  std::uint64_t take(std::uint64_t count) noexcept override;
  void share_out() override;

 private:
  CrewShared* shared_;
  unsigned me_, members_;
  char* region_;
  std::size_t size_, used_ = 0;
  unsigned turn_ = 0;
};

}  // namespace longbow::pg
