// PostgreSQL's shared memory segment: where it lies, in pages of which size, and its spread over NUMA nodes.
//
// Buffers are first touched by whoever reads a block, so on a machine with several nodes they lie where that process
// happened to run, and fill one node before the others. longbow.numa_interleave spreads the whole segment, before any
// buffer is in use.
#pragma once

#include <cstdint>

#include "pg/boundary.hpp"

namespace longbow::pg {

// The mapping that shared buffers lie in; bytes = 0 where /proc does not tell.
struct SharedSegment {
  std::uintptr_t begin;
  std::size_t bytes;
  bool huge;  // in huge pages
};
SharedSegment shared_segment();

// At the end of the startup of shared memory, in the postmaster: does what longbow.numa_interleave asks for and says in
// the server's log what came of it.
void interleave_shared_memory();

// What came of it, and the nodes with memory that there are; 0 where the kernel does not list them.
struct NumaState {
  unsigned nodes;
  std::size_t interleaved;  // bytes
  const char* text;         // a sentence; of the process
};
NumaState numa_state();

}  // namespace longbow::pg
