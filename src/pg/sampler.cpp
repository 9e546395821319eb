// The handler, its place in shared memory, and who asks.
#include "pg/sampler.hpp"

#include <signal.h>
#include <ucontext.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <new>

#include "pg/compat.hpp"

extern "C" {
#include "libpq/pqsignal.h"

extern void* __libc_stack_end;
}

namespace longbow::pg {

namespace {

constexpr std::size_t kStackBytes = 16384;
enum State : std::uint32_t { idle, asked, filling, filled };

struct SampleSlot {
  std::atomic<std::int32_t> profiler;  // 0: free
  std::atomic<std::int32_t> target;
  std::atomic<std::uint32_t> state;
  std::uint64_t reg[prof::kRegisters];
  std::uint64_t stack_bytes;
  alignas(64) std::byte stack[kStackBytes];
};

SampleSlot* slot;

#if defined(__x86_64__)
// In the target, at any moment: lock-free atomics and plain copies only; errno stays.
void on_signal(int, siginfo_t*, void* context) {
  SampleSlot* s = slot;
  if (s == nullptr || s->target.load(std::memory_order_relaxed) != MyProcPid) return;
  std::uint32_t expected = asked;
  if (!s->state.compare_exchange_strong(expected, filling, std::memory_order_acquire)) return;
  constexpr int kGreg[prof::kRegisters] = {REG_RAX, REG_RDX, REG_RCX, REG_RBX, REG_RSI, REG_RDI,
                                           REG_RBP, REG_RSP, REG_R8,  REG_R9,  REG_R10, REG_R11,
                                           REG_R12, REG_R13, REG_R14, REG_R15, REG_RIP};
  const auto& registers = static_cast<const ucontext_t*>(context)->uc_mcontext.gregs;
  for (int i = 0; i < prof::kRegisters; i++) s->reg[i] = static_cast<std::uint64_t>(registers[kGreg[i]]);
  const auto end = reinterpret_cast<std::uint64_t>(__libc_stack_end), at = s->reg[prof::kStackPointer];
  s->stack_bytes = at < end ? std::min<std::uint64_t>(kStackBytes, end - at) : 0;
  std::memcpy(s->stack, reinterpret_cast<const void*>(at), s->stack_bytes);
  s->state.store(filled, std::memory_order_release);
}

void install_handler() {
  struct sigaction action {};
  action.sa_sigaction = on_signal;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGPROF, &action, nullptr);
}
constexpr bool kPossible = true;
#else
void install_handler() {}
constexpr bool kPossible = false;
#endif

std::int64_t nanoseconds(clockid_t clock) noexcept {
  timespec t{};
  if (clock_gettime(clock, &t) != 0) return 0;  // the process has gone
  return static_cast<std::int64_t>(t.tv_sec) * 1000000000 + t.tv_nsec;
}

}  // namespace

Size sampler_bytes() { return sizeof(SampleSlot); }

void attach_sampler(void* memory, bool fresh) { slot = fresh ? new (memory) SampleSlot{} : static_cast<SampleSlot*>(memory); }

void register_sampler() { install_handler(); }

const char* Sampler::open(int pid, int hz) noexcept {
  if (!kPossible) return "it is implemented for x86-64";
  if (slot == nullptr) return "shared_preload_libraries does not name longbow";
  std::int32_t other = 0;
  // A profiler that was killed leaves its mark.
  while (!slot->profiler.compare_exchange_strong(other, MyProcPid))
    if (kill(other, 0) == 0) return "another session profiles";
  held_ = true;
  if (clock_getcpuclockid(pid, &clock_) != 0) return "the process's clock cannot be read";
  pid_ = pid;
  period_ = 1000000000 / hz;
  due_ = nanoseconds(clock_) + period_;
  slot->state.store(idle);
  slot->target.store(pid);
  return nullptr;
}

unsigned Sampler::next(prof::Moment& out) noexcept {
  const std::int64_t now = nanoseconds(clock_);
  if (now < due_) return 0;
  const auto periods = static_cast<unsigned>((now - due_) / period_ + 1);
  due_ += periods * period_;
  slot->state.store(asked, std::memory_order_release);
  if (kill(pid_, SIGPROF) != 0) return 0;
  for (int i = 0; i < 200 && slot->state.load(std::memory_order_acquire) != filled; i++) pg_usleep(50);
  std::uint32_t expected = asked;
  // What comes later than this finds nobody who asks.
  if (slot->state.compare_exchange_strong(expected, idle) || expected != filled) return 0;
  std::memcpy(out.reg, slot->reg, sizeof out.reg);
  out.stack_at = out.reg[prof::kStackPointer];
  out.stack = slot->stack;
  out.stack_bytes = slot->stack_bytes;
  return periods;
}

Sampler::~Sampler() {
  if (!held_) return;
  slot->target.store(0);
  slot->state.store(idle);
  slot->profiler.store(0);
}

}  // namespace longbow::pg
