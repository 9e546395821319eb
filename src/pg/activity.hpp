// What this process does in longbow now, for longbow_stat_activity: a slot a backend in shared memory, which its owner writes
// without a lock and others read.
//
// begin_activity() and end_activity() keep what was before as plain data, so that an error may skip the end: where a transaction or
// subtransaction is rolled back the slot goes back to what the process does in general (`settle`). All do nothing without
// shared memory.
#pragma once

#include <atomic>
#include <cstdint>

#include "pg/compat.hpp"

namespace longbow::pg {

enum class Phase : std::uint8_t { none, scan, flush, merge, build, vacuum, check, recall, launcher, worker, server };
inline constexpr int kPhases = 11;
const char* phase_name(Phase phase) noexcept;

// What a process may wait for in longbow.
enum class Wait : std::uint8_t { none, log_room, log_sync, merge_lock, structure_lock, build_write, idle };
inline constexpr int kWaits = 7;
const char* wait_name(Wait wait) noexcept;

struct alignas(64) ActivitySlot {
  std::atomic<std::uint32_t> version;  // odd while its owner writes
  std::atomic<std::int32_t> pid;       // 0: unused
  std::atomic<Oid> role, database, index;
  std::atomic<std::uint32_t> phase;
  std::atomic<std::uint32_t> wait;  // not covered by `version`
  std::atomic<std::int64_t> since;  // TimestampTz
};

// What a process does, as plain data.
struct Doing {
  Phase phase;
  Oid index;
  std::int64_t since;
};

// Notes that this process begins something, and returns what it did before.
Doing begin_activity(Phase phase, Oid index = InvalidOid);
void end_activity(const Doing& before) noexcept;
// The same for searches, of which several may be open and end in any order: the slot shows the latest begun until all have ended.
void begin_search_activity(Oid index);
void end_search_activity() noexcept;
// What the process does when it does nothing else.
void settle(Phase phase);

// Between these the process may wait (an append to the log waits only where it finds no room); PostgreSQL shows a wait event too.
void begin_wait(Wait wait) noexcept;
void end_wait() noexcept;
// The same where PostgreSQL shows a wait event of its own.
void note_wait(Wait wait) noexcept;
// The number of a wait event for WaitLatch() and its kin.
std::uint32_t wait_event(Wait wait) noexcept;

// A slot as it was at one moment; false if it is unused or does nothing.
struct Activity {
  std::int32_t pid;
  Oid role, database, index;
  Phase phase;
  Wait wait;
  std::int64_t since;
};
bool read_activity(int number, Activity& out) noexcept;

Size activity_bytes();
void init_activity(ActivitySlot* slots);
// Called by _PG_init.
void register_activity_callbacks();

}  // namespace longbow::pg
