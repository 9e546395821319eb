// The processes of an index build: the leader and its parallel workers, or one process alone, and the memory that they share.
//
// The leader makes a team before anything is in memory; the workers start at once and do what the leader does (build_member).
// Parallel mode lasts as long as the team. Nothing here takes locks of its own but the heap's and the index's relation locks
// in the workers, which the leader holds already.
#pragma once

#include <memory_resource>

#include "longbow/tree/format.hpp"
#include "pg/crew.hpp"

extern "C" {
#include "postgres.h"

#include "access/parallel.h"
#include "access/tableam.h"
#include "nodes/execnodes.h"
#include "storage/sharedfileset.h"
#include "utils/rel.h"
#include "utils/tuplesort.h"
}

namespace longbow::am {

// What all members of a build see; in dynamic shared memory where there are workers.
struct BuildShared {
  Oid heap, index;
  bool concurrent;
  tree::Meta meta;            // its shape, dimensions settled
  double expected_rows;       // that have a vector, by the leader's survey
  BlockNumber heap_blocks;    // as the leader has seen it: it grows beside a concurrent build, and members must not differ
  BlockNumber sample_blocks;  // to visit
  Size sample_rows;           // to keep
  Size room;                  // for centroids
  int sort_memory;            // kB, of each member
  // Counted by each member at the end of what it did.
  pg_atomic_uint64 sampled, seen, visited, heap_tuples, index_tuples;
  pg_atomic_uint32 broken_hot_chain;
  Size region_bytes;
  bool region_in_file;
  SharedFileSet files;
  pg::CrewShared crew;
};

// The leader's handle; POD but for the crew, freed with its context.
class BuildTeam {
 public:
  // Starts up to `workers` workers. `shared` is copied; afterwards shared() is the one that counts. Falls back to none,
  // with a NOTICE, where shared memory lacks.
  BuildTeam(Relation heap, const BuildShared& shared, int workers, MemoryContext context,
            std::pmr::memory_resource& memory);
  BuildTeam(const BuildTeam&) = delete;
  BuildTeam& operator=(const BuildTeam&) = delete;
  // Waits for the workers' end and leaves parallel mode. Not called when an error passes: the transaction's abort does it.
  void finish();

  [[nodiscard]] base::Crew& crew() noexcept { return *crew_; }
  [[nodiscard]] BuildShared& shared() noexcept { return *shared_; }
  // Null without workers.
  [[nodiscard]] Sharedsort* sort() noexcept { return sort_; }
  [[nodiscard]] ParallelTableScanDesc scan() noexcept { return scan_; }

 private:
  bool start(Relation heap, const BuildShared& shared, int workers, MemoryContext context);
  void work_alone(const BuildShared& shared, MemoryContext context);

  std::pmr::memory_resource& memory_;
  BuildShared own_{};
  BuildShared* shared_ = nullptr;
  ParallelContext* context_ = nullptr;
  Sharedsort* sort_ = nullptr;
  ParallelTableScanDesc scan_ = nullptr;
  Snapshot snapshot_ = nullptr;
  char* region_ = nullptr;
  base::Crew* crew_ = nullptr;
  alignas(pg::RegionCrew) std::byte crew_memory_[sizeof(pg::RegionCrew)];
};

}  // namespace longbow::am
