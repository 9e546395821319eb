// Opens the event, maps its ring and takes records out of it.
#include "longbow/prof/perf.hpp"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>

#include "prof/cursor.hpp"

#if defined(__x86_64__)
#include <asm/perf_regs.h>
#include <linux/perf_event.h>
#endif

namespace longbow::prof {

#if defined(__x86_64__)

namespace {

// The kernel's numbers of registers, by DWARF's.
constexpr int kKernels[kRegisters] = {
    PERF_REG_X86_AX,  PERF_REG_X86_DX,  PERF_REG_X86_CX,  PERF_REG_X86_BX,  PERF_REG_X86_SI,  PERF_REG_X86_DI,
    PERF_REG_X86_BP,  PERF_REG_X86_SP,  PERF_REG_X86_R8,  PERF_REG_X86_R9,  PERF_REG_X86_R10, PERF_REG_X86_R11,
    PERF_REG_X86_R12, PERF_REG_X86_R13, PERF_REG_X86_R14, PERF_REG_X86_R15, PERF_REG_X86_IP};

constexpr std::uint64_t mask() {
  std::uint64_t m = 0;
  for (const int k : kKernels) m |= std::uint64_t{1} << k;
  return m;
}

}  // namespace

int Perf::open(int pid, int hz) noexcept {
  perf_event_attr a{};
  a.size = sizeof a;
  a.type = PERF_TYPE_SOFTWARE;
  a.config = PERF_COUNT_SW_CPU_CLOCK;
  a.sample_period = 1000000000U / static_cast<unsigned>(hz);
  a.sample_type = PERF_SAMPLE_REGS_USER | PERF_SAMPLE_STACK_USER;
  a.sample_regs_user = mask();
  a.sample_stack_user = kStackBytes;
  a.exclude_hv = 1;
  const auto try_open = [&] {
    return static_cast<int>(syscall(SYS_perf_event_open, &a, pid, -1, -1, PERF_FLAG_FD_CLOEXEC));
  };
  fd_ = try_open();
  kernel_ = fd_ >= 0;
  if (fd_ < 0 && (errno == EACCES || errno == EPERM)) {
    a.exclude_kernel = 1;
    fd_ = try_open();
  }
  if (fd_ < 0) return errno;
  page_ = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  void* at = mmap(nullptr, page_ + kRingBytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd_, 0);
  if (at == MAP_FAILED) return errno;
  ring_ = static_cast<std::byte*>(at);
  return 0;
}

void Perf::copy(std::uint64_t from, void* out, std::size_t bytes) const noexcept {
  const std::size_t at = from % kRingBytes, first = std::min(bytes, kRingBytes - at);
  std::memcpy(out, ring_ + page_ + at, first);
  std::memcpy(static_cast<std::byte*>(out) + first, ring_ + page_, bytes - first);
}

// record_ holds what follows a sample's header.
bool Perf::take_record(Moment& out) noexcept {
  Cursor c(record_, sizeof record_);
  if (c.take<std::uint64_t>() == PERF_SAMPLE_REGS_ABI_NONE) return false;  // a thread of the kernel's
  out = Moment{};
  // Registers come in the order of the kernel's numbers.
  for (int bit = 0; bit < 64; bit++)
    for (int r = 0; r < kRegisters; r++)
      if (kKernels[r] == bit) out.reg[r] = c.take<std::uint64_t>();
  const auto room = c.take<std::uint64_t>();
  out.stack = c.at();
  c.skip(room);
  out.stack_bytes = room > 0 ? c.take<std::uint64_t>() : 0;  // what of it was there
  if (out.stack_bytes > room) return false;
  out.stack_at = out.reg[kStackPointer];
  return c.good();
}

bool Perf::next(Moment& out) noexcept {
  auto* control = reinterpret_cast<perf_event_mmap_page*>(ring_);
  const std::uint64_t head = std::atomic_ref(control->data_head).load(std::memory_order_acquire);
  bool taken = false;
  while (!taken && tail_ < head) {
    perf_event_header header{};
    copy(tail_, &header, sizeof header);
    if (header.size < sizeof header) break;
    const std::size_t bytes = header.size - sizeof header;
    if (header.type == PERF_RECORD_LOST) {
      std::uint64_t words[2] = {};
      copy(tail_ + sizeof header, words, std::min(bytes, sizeof words));
      lost_ += words[1];
    } else if (header.type == PERF_RECORD_SAMPLE && bytes <= sizeof record_) {
      copy(tail_ + sizeof header, record_, bytes);
      taken = take_record(out);
    }
    tail_ += header.size;
  }
  std::atomic_ref(control->data_tail).store(tail_, std::memory_order_release);
  return taken;
}

#else

int Perf::open(int, int) noexcept { return ENOSYS; }
bool Perf::next(Moment&) noexcept { return false; }

#endif

Perf::~Perf() {
  if (ring_ != nullptr) munmap(ring_, page_ + kRingBytes);
  if (fd_ >= 0) close(fd_);
}

}  // namespace longbow::prof
