// Finds the shared memory segment in /proc/self/maps and spreads it. The outcome is the postmaster's, and its
// children's by fork.
#include "pg/numa.hpp"

#include <cerrno>
#include <cstdio>
#include <cstring>

#include "longbow/base/numa.hpp"
#include "pg/settings.hpp"
#include "pg/shared.hpp"

extern "C" {
#include "postgres.h"

#include "storage/bufmgr.h"
#include "storage/fd.h"
}

namespace longbow::pg {

namespace {

std::size_t interleaved;
int failure;  // errno

}  // namespace

SharedSegment shared_segment() {
  const auto wanted = reinterpret_cast<std::uintptr_t>(BufferBlocks);
  SharedSegment found{};
  FILE* maps = AllocateFile("/proc/self/maps", "r");
  if (maps == nullptr) return found;
  char line[MAXPGPATH + 128];
  while (found.bytes == 0 && fgets(line, sizeof line, maps) != nullptr) {
    unsigned long begin = 0, end = 0;
    if (sscanf(line, "%lx-%lx", &begin, &end) != 2 || wanted < begin || wanted >= end) continue;
    found = {begin, end - begin, strstr(line, "anon_hugepage") != nullptr};
  }
  FreeFile(maps);
  return found;
}

void interleave_shared_memory() {
  interleaved = 0;
  failure = 0;
  if (!settings.numa_interleave) return;
  const base::NodeSet nodes = base::read_nodes(base::kMemoryNodesFile);
  if (nodes.count() < 2) {
    ereport(LOG, (errmsg("longbow.numa_interleave has no effect"),
                  nodes.count() == 1 ? errdetail("This machine has one NUMA node.")
                                     : errdetail("This system lists no NUMA nodes.")));
    return;
  }
  const SharedSegment segment = shared_segment();
  failure =
      segment.bytes == 0 ? ENOENT : base::interleave(reinterpret_cast<void*>(segment.begin), segment.bytes, nodes);
  if (failure != 0) {
    errno = failure;
    ereport(
        WARNING,
        (errmsg("could not spread shared memory over NUMA nodes: %m"),
         failure == EPERM || failure == ENOSYS
             ? errhint("A container may forbid mbind: allow it, or start the server under numactl --interleave=all.")
             : errhint("The server can be started under numactl --interleave=all instead.")));
    return;
  }
  interleaved = segment.bytes;
  ereport(LOG,
          (errmsg("longbow spread %zu MB of shared memory over %u NUMA nodes", segment.bytes >> 20, nodes.count())));
}

NumaState numa_state() {
  NumaState state{base::read_nodes(base::kMemoryNodesFile).count(), interleaved, nullptr};
  if (interleaved > 0)
    state.text = "shared memory is spread over all nodes";
  else if (failure != 0)
    state.text = "shared memory could not be spread over nodes: see the server's log";
  else if (state.nodes == 0)
    state.text = "this system lists no NUMA nodes: nothing to spread";
  else if (state.nodes == 1)
    state.text = "one node: nothing to spread";
  else if (!settings.numa_interleave)
    state.text = "longbow.numa_interleave is off: shared memory lies where processes touched it first";
  else
    state.text = "shared_preload_libraries does not name longbow: nothing was spread";
  return state;
}

}  // namespace longbow::pg
