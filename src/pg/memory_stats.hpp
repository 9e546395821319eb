// How much memory C++ code takes: what every memory resource of this process counts, and the server's sums in shared memory.
//
// A process counts in plain numbers and adds them to shared memory where a transaction ends, where a build enters its next
// phase and where it reads the sums. Its live bytes leave the sums when it exits.
#pragma once

#include "longbow/mem/tally.hpp"
#include "longbow/stats/counter.hpp"

namespace longbow::pg {

// The work that memory is for.
enum class MemoryKind : std::uint8_t { scan, insert, merge, build, vacuum, fill, other };
inline constexpr std::size_t kMemoryKinds = 7;
const char* memory_kind_name(MemoryKind kind) noexcept;

// This process' own; a meter of a resource raises them.
extern mem::Tallies memory_tallies[kMemoryKinds];
inline mem::Tallies& tallies_of(MemoryKind kind) noexcept { return memory_tallies[static_cast<std::size_t>(kind)]; }

// Sums of all processes; all zeros is a fresh one. `peak` is the most that one process had at a time.
struct MemoryTotal {
  stats::Counter allocations, bytes, live, peak, resets;
};
struct alignas(64) MemoryTotals {
  MemoryTotal of[mem::kSizeClasses];
};

// Called by _PG_init.
void register_memory_callbacks();

// Adds to the server's sums what this process has counted since it did so last; nothing without shared memory.
void flush_memory_stats() noexcept;
// Starts sums and this process' own anew, but for what is live and for peaks.
void reset_memory_stats() noexcept;
// The server's sums, with this process' own up to now; without shared memory this process' alone.
mem::Tally memory_stats(MemoryKind kind, mem::SizeClass size) noexcept;

}  // namespace longbow::pg
