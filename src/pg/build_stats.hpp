// How new indexes were written: which backend, why not the one asked for, how much. In shared memory where there is some,
// else of this session alone.
#pragma once

#include <cstddef>

#include "longbow/stats/counter.hpp"

namespace longbow::pg {

enum class BuildBackend : std::uint8_t { none, standard, io_uring };

// Why a build is not written by io_uring past the page cache, though it was asked for.
enum class BuildReason : std::uint8_t {
  none,
  no_ring,         // with an errno
  no_descriptors,  // max_files_per_process
  no_plain_file,   // the storage manager keeps the relation elsewhere
  no_file,         // the file could not be opened; with an errno
  no_direct,       // the file system has no direct I/O
};

struct BuildStats {
  stats::Counter builds, bytes;
  std::atomic<std::uint32_t> last;  // backend, reason and errno of the last build
  std::atomic<bool> said;           // that io_uring could not be had
};

BuildStats& build_stats();

// Counts a build that wrote so many bytes. Bytes of temporary indexes and of indexes without rows are not counted.
void count_build(BuildBackend backend, BuildReason reason, int error, std::uint64_t bytes) noexcept;

// Name of the last build's backend, and why it was not the one asked for (written into `text`); nullptr where there is none.
const char* last_build_backend() noexcept;
const char* last_build_reason(char* text, std::size_t size) noexcept;
// The same of a reason by itself.
const char* build_reason_text(BuildReason reason, int error, char* text, std::size_t size) noexcept;

}  // namespace longbow::pg
