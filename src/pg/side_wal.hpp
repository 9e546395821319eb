// The side WAL inside PostgreSQL: this process's handle, and what a transaction owes to the log.
//
// Nothing here is needed for correctness: what the log lacks is read from the heap. A transaction's records are written
// at its commit: begun before PostgreSQL syncs its own WAL, waited for after it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "longbow/wal/log.hpp"
#include "longbow/wal/reader.hpp"
#include "pg/compat.hpp"

namespace longbow::pg {

// Where the segments lie, relative to the data directory.
inline constexpr const char* kSideWalDirectory = "longbow/wal";
inline constexpr Size kSideWalRing = 8 << 20;

// Shared memory of the log, laid out by the postmaster. Makes the directory; a log that cannot be made starts as failed.
Size side_wal_bytes();
void init_side_wal(void* memory);

// This process's handle with the backend that the settings ask for; nullptr without shared memory.
wal::Log* side_wal();
// Makes the folder of the segments if it is missing; says in the log why it cannot.
bool make_side_wal_directory();

// Logs a batch; returns its position, or 0 if it was not logged. Large batches do not fit: see side_wal_rows().
std::uint64_t log_batch(Relation index, std::uint64_t incarnation, std::span<const wal::RowId> rows, const float* vectors,
                        std::uint32_t dims);
// Rows of that many dimensions that one record may hold; 0 if a single one is too long.
std::size_t side_wal_rows(std::size_t dims);

// Reports once that the log has failed.
void report_log_failure();

// What transaction callbacks call.
void side_wal_before_commit();
void side_wal_after_commit() noexcept;
void side_wal_at_end() noexcept;  // abort, prepare

}  // namespace longbow::pg
