// The sums of memory counters.
#include "pg/memory_stats.hpp"

#include "pg/shared.hpp"

extern "C" {
#include "access/xact.h"
#include "storage/ipc.h"
}

namespace longbow::pg {

mem::Tallies memory_tallies[kMemoryKinds];

namespace {

mem::Tallies flushed[kMemoryKinds];  // what of them is in shared memory
bool will_leave;

// Takes the live bytes of an ending process out of the sums. Its last transaction has been aborted by then.
void leave(int, Datum) {
  for (std::size_t k = 0; k < kMemoryKinds; k++)
    for (std::size_t c = 0; c < mem::kSizeClasses; c++) {
      server_shared()->memory[k].of[c].live.add(-flushed[k].of[c].live);
      flushed[k].of[c].live = 0;
    }
}

void flush_one(const mem::Tally& now, mem::Tally& before, MemoryTotal& sum) noexcept {
  if (now.allocations != before.allocations) {
    sum.allocations.add(now.allocations - before.allocations);
    sum.bytes.add(now.bytes - before.bytes);
  }
  // Falling counts wrap around, and so does the sum.
  if (now.live != before.live) sum.live.add(now.live - before.live);
  if (now.peak != before.peak) sum.peak.raise_to(now.peak);
  if (now.resets != before.resets) sum.resets.add(now.resets - before.resets);
  before = now;
}

// After an abort a failed query's memory may still be there: it goes with the next transaction's counts.
void at_end(XactEvent event, void*) {
  switch (event) {
    case XACT_EVENT_COMMIT:
    case XACT_EVENT_PARALLEL_COMMIT:
    case XACT_EVENT_ABORT:
    case XACT_EVENT_PARALLEL_ABORT:
    case XACT_EVENT_PREPARE: flush_memory_stats(); break;
    default: break;
  }
}

}  // namespace

void register_memory_callbacks() { RegisterXactCallback(at_end, nullptr); }

const char* memory_kind_name(MemoryKind kind) noexcept {
  switch (kind) {
    case MemoryKind::scan: return "scan";
    case MemoryKind::insert: return "insert";
    case MemoryKind::merge: return "merge";
    case MemoryKind::build: return "build";
    case MemoryKind::vacuum: return "vacuum";
    case MemoryKind::fill: return "fill";
    case MemoryKind::other: return "other";
  }
  return "unknown";
}

void flush_memory_stats() noexcept {
  ServerShared* server = server_shared();
  if (server == nullptr) return;
  for (std::size_t k = 0; k < kMemoryKinds; k++) {
    mem::Tallies& now = memory_tallies[k];
    if (!now.touched) continue;
    if (!will_leave) on_shmem_exit(leave, 0);
    will_leave = true;
    for (std::size_t c = 0; c < mem::kSizeClasses; c++) flush_one(now.of[c], flushed[k].of[c], server->memory[k].of[c]);
    now.touched = false;
  }
}

void reset_memory_stats() noexcept {
  flush_memory_stats();
  for (std::size_t k = 0; k < kMemoryKinds; k++)
    for (std::size_t c = 0; c < mem::kSizeClasses; c++) {
      if (server_shared() != nullptr) {
        MemoryTotal& sum = server_shared()->memory[k].of[c];
        sum.allocations.reset();
        sum.bytes.reset();
        sum.resets.reset();
      } else {
        mem::Tally& own = memory_tallies[k].of[c];
        own.allocations = own.bytes = own.resets = 0;
      }
    }
}

mem::Tally memory_stats(MemoryKind kind, mem::SizeClass size) noexcept {
  const auto k = static_cast<std::size_t>(kind), c = static_cast<std::size_t>(size);
  ServerShared* server = server_shared();
  if (server == nullptr) return memory_tallies[k].of[c];
  const MemoryTotal& sum = server->memory[k].of[c];
  return {sum.allocations.value(), sum.bytes.value(), sum.live.value(), sum.peak.value(), sum.resets.value()};
}

}  // namespace longbow::pg
