// Samples of another server process without the kernel's help, for where perf_event_open() is forbidden: the profiler
// signals the process each time its processor time has grown by so much, and the handler copies registers and the top
// of the stack to shared memory.
//
// Only with shared memory: the postmaster installs the handler while it preloads the library, and every child inherits
// it. Without it the signal (SIGPROF) would end the process. The handler copies memory and calls nothing. Nothing stays
// behind in the process.
#pragma once

#include <ctime>

#include "longbow/prof/image.hpp"
#include "pg/compat.hpp"

namespace longbow::pg {

// Called by _PG_init while the postmaster preloads libraries: installs the handler.
void register_sampler();
Size sampler_bytes();
// Its place in shared memory, which is laid out if it is fresh.
void attach_sampler(void* memory, bool fresh);

class Sampler {
 public:
  Sampler() = default;
  Sampler(const Sampler&) = delete;
  Sampler& operator=(const Sampler&) = delete;
  ~Sampler();

  // Takes hold of the one place in shared memory. Null, or why not.
  const char* open(int pid, int hz) noexcept;
  // How many periods of processor time have passed since the last sample; if any, takes one. It holds until the next
  // call. 0 too if the process did not answer within 10 ms.
  unsigned next(prof::Moment& out) noexcept;

 private:
  int pid_ = 0;
  clockid_t clock_ = 0;
  std::int64_t period_ = 0, due_ = 0;  // nanoseconds
  bool held_ = false;
};

}  // namespace longbow::pg
