// Counts of builds, and the words for them.
#include "pg/build_stats.hpp"

#include <cstdio>
#include <cstring>

#include "pg/shared.hpp"

namespace longbow::pg {

namespace {

BuildStats session;  // all zeros

}  // namespace

BuildStats& build_stats() {
  ServerShared* server = server_shared();
  return server != nullptr ? server->builds : session;
}

void count_build(BuildBackend backend, BuildReason reason, int error, std::uint64_t bytes) noexcept {
  BuildStats& s = build_stats();
  s.builds.add();
  s.bytes.add(bytes);
  s.last.store(static_cast<std::uint32_t>(backend) | static_cast<std::uint32_t>(reason) << 8 |
               static_cast<std::uint32_t>(error) << 16);
}

const char* last_build_backend() noexcept {
  switch (static_cast<BuildBackend>(build_stats().last.load() & 0xFF)) {
    case BuildBackend::standard: return "standard";
    case BuildBackend::io_uring: return "io_uring";
    case BuildBackend::none: break;
  }
  return nullptr;
}

const char* last_build_reason(char* text, std::size_t size) noexcept {
  const std::uint32_t last = build_stats().last.load();
  return build_reason_text(static_cast<BuildReason>(last >> 8 & 0xFF), static_cast<int>(last >> 16), text, size);
}

const char* build_reason_text(BuildReason reason, int error, char* text, std::size_t size) noexcept {
  char why[64];
  const char* cause = strerror_r(error, why, sizeof why);
  switch (reason) {
    case BuildReason::none: return nullptr;
    case BuildReason::no_ring: snprintf(text, size, "io_uring is not to be had: %s", cause); break;
    case BuildReason::no_descriptors: snprintf(text, size, "too many files are open (max_files_per_process)"); break;
    case BuildReason::no_plain_file: snprintf(text, size, "the index does not lie in a plain file"); break;
    case BuildReason::no_file: snprintf(text, size, "the file of the index could not be opened: %s", cause); break;
    case BuildReason::no_direct:
      snprintf(text, size, "the file system has no direct I/O: writes go through the page cache");
      break;
  }
  return text;
}

}  // namespace longbow::pg
