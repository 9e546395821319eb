// longbow_profile_cpu() and longbow_profile_cpu_folded(): where another server process spends its processor time.
//
// By the kernel's samples where it gives them, else by signals to the process (pg/sampler.hpp), and then it says so.
// What is open (a descriptor and its ring, the place in shared memory) is closed by destructors, also when the query is
// cancelled.
#include <cmath>
#include <cstdio>
#include <cstring>

#include "longbow/prof/perf.hpp"
#include "longbow/prof/space.hpp"
#include "pg/compat.hpp"
#include "pg/context_resource.hpp"
#include "pg/sampler.hpp"

extern "C" {
#include "funcapi.h"
#include "storage/fd.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"
}

namespace longbow::am {

namespace {

constexpr double kMostSeconds = 3600;
constexpr int kMostHz = 1000;

struct Request {
  int pid;
  double seconds;
  int hz;
  bool may_perf, may_signal;
};

// An external descriptor that fd.c counts.
class CountedFd {
 public:
  CountedFd() : held_(AcquireExternalFD()) {}
  CountedFd(const CountedFd&) = delete;
  CountedFd& operator=(const CountedFd&) = delete;
  ~CountedFd() {
    if (held_) ReleaseExternalFD();
  }
  [[nodiscard]] bool held() const { return held_; }

 private:
  bool held_;
};

bool is_server_process(int pid) { return BackendPidGetProc(pid) != nullptr || AuxiliaryPidGetProc(pid) != nullptr; }

// Reads and checks the arguments; may ereport, owns nothing.
Request read_request(FunctionCallInfo fcinfo) {
  if (!superuser())
    ereport(ERROR, (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE), errmsg("must be superuser to profile a server process")));
  Request r{PG_GETARG_INT32(0), PG_GETARG_FLOAT8(1), PG_GETARG_INT32(2), true, true};
  if (!(r.seconds > 0 && r.seconds <= kMostSeconds))
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("seconds must be above 0 and at most %g", kMostSeconds)));
  if (r.hz < 1 || r.hz > kMostHz)
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("hz must be between 1 and %d", kMostHz)));
  const char* method = text_to_cstring(PG_GETARG_TEXT_PP(3));
  r.may_perf = strcmp(method, "signal") != 0;
  r.may_signal = strcmp(method, "perf") != 0;
  if (r.may_perf && r.may_signal && strcmp(method, "auto") != 0)
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("unrecognized method of profiling: \"%s\"", method),
             errhint("Methods are \"auto\", \"perf\" and \"signal\".")));
  if (r.pid == MyProcPid)
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("a session cannot profile itself"),
                    errdetail("It would only see itself wait."), errhint("Call the function in another session.")));
  if (!is_server_process(r.pid))
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("PID %d is not a PostgreSQL server process", r.pid)));
  return r;
}

// A profile in the making.
struct Session {
  Session(const Request& r, std::pmr::memory_resource* memory)
      : request(r), space(r.pid, memory), profile(memory), stack(memory) {}

  const Request& request;
  CountedFd fd;
  prof::Perf perf;
  pg::Sampler sampler;
  prof::Space space;
  prof::Profile profile;
  prof::Stack stack;
  bool by_perf = false;

  void take(const prof::Moment& moment, std::uint64_t times) {
    space.unwind(moment, stack);
    profile.add(stack, times);
  }
  void drain() {
    prof::Moment moment;
    if (by_perf) {
      while (perf.next(moment)) take(moment, 1);
    } else if (const unsigned periods = sampler.next(moment); periods > 0) {
      take(moment, periods);
    }
  }
};

[[noreturn]] void refuse(const char* perf, const char* sampler) {
  pg::call([&] {
    ereport(ERROR,
            (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE), errmsg("could not sample the process"),
             perf != nullptr && sampler != nullptr ? errdetail("perf_event_open: %s. Signals: %s.", perf, sampler)
             : perf != nullptr                     ? errdetail("perf_event_open: %s.", perf)
                                                   : errdetail("Signals: %s.", sampler),
             errhint("Set kernel.perf_event_paranoid to 2 or less, and let the container call perf_event_open; or load "
                     "longbow by "
                     "shared_preload_libraries.")));
  });
  pg_unreachable();
}

// Begins to sample, by the first way that works.
void begin(Session& s) {
  char perf_reason[128] = "";
  if (s.request.may_perf) {
    const int error = s.fd.held() ? s.perf.open(s.request.pid, s.request.hz) : EMFILE;
    s.by_perf = error == 0;
    if (error != 0) snprintf(perf_reason, sizeof perf_reason, "%s", strerror(error));
  }
  if (s.by_perf) {
    if (!s.perf.sees_kernel())
      pg::call([&] {
        ereport(NOTICE,
                (errmsg("time within the kernel is not sampled"),
                 errdetail("kernel.perf_event_paranoid is above 1, or the server lacks the right CAP_PERFMON.")));
      });
    return;
  }
  const char* reason = s.request.may_signal ? s.sampler.open(s.request.pid, s.request.hz) : nullptr;
  if (!s.request.may_signal || reason != nullptr) refuse(s.request.may_perf ? perf_reason : nullptr, reason);
  if (s.request.may_perf)
    pg::call([&] {
      ereport(NOTICE, (errmsg("the kernel does not sample for us, so the process is signalled"),
                       errdetail("perf_event_open: %s.", perf_reason)));
    });
}

// Samples until the time is over or the process has gone.
void sample(Session& s) {
  if (!s.space.refresh()) throw base::Error(base::Errc::internal, "could not read /proc/%d/maps", s.request.pid);
  begin(s);
  const TimestampTz start = GetCurrentTimestamp();
  const TimestampTz end = start + static_cast<TimestampTz>(std::ceil(s.request.seconds * USECS_PER_SEC));
  TimestampTz maps_due = start + USECS_PER_SEC;
  const long pause = s.by_perf ? 10 : std::max(1, 1000 / s.request.hz);
  bool alive = true;
  for (TimestampTz now = start; alive && now < end; now = GetCurrentTimestamp()) {
    pg::call([&] {
      (void)WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
                      std::min<long>(pause, static_cast<long>((end - now) / 1000) + 1), PG_WAIT_EXTENSION);
      ResetLatch(MyLatch);
      CHECK_FOR_INTERRUPTS();
      alive = is_server_process(s.request.pid);
    });
    if (alive || s.by_perf) s.drain();
    // Libraries that the process has loaded since: a query's first use of an extension, of JIT.
    if (now >= maps_due) {
      (void)s.space.refresh();
      maps_due = now + USECS_PER_SEC;
    }
  }
  pg::call([&] {
    if (!alive) ereport(NOTICE, (errmsg("PID %d has ended before the time was over", s.request.pid)));
    if (s.perf.lost() > 0)
      ereport(WARNING, (errmsg("%llu samples were lost", static_cast<unsigned long long>(s.perf.lost()))));
    if (s.profile.samples() == 0)
      ereport(NOTICE, (errmsg("PID %d used no processor time while it was sampled", s.request.pid)));
  });
}

bytea* profile_as_pprof(const Request& request) {
  pg::ContextResource memory(CurrentMemoryContext, pg::MemoryKind::other);
  Session s(request, &memory);
  sample(s);
  std::pmr::string text(&memory);
  s.profile.write_pprof(1000000U / static_cast<unsigned>(request.hz), s.space.maps(), text);
  return pg::call([&] {
    const Size bytes = text.size() + VARHDRSZ;
    auto* out = static_cast<bytea*>(palloc(bytes));
    SET_VARSIZE(out, bytes);
    memcpy(VARDATA(out), text.data(), text.size());
    return out;
  });
}

void put_folded(const Request& request, ReturnSetInfo* result) {
  pg::ContextResource memory(CurrentMemoryContext, pg::MemoryKind::other);
  Session s(request, &memory);
  sample(s);
  std::pmr::vector<prof::Folded> lines(&memory);
  prof::fold(s.profile, s.space, lines);
  pg::call([&] {
    for (const auto& [line, times] : lines) {
      Datum values[] = {PointerGetDatum(cstring_to_text_with_len(line.data(), static_cast<int>(line.size()))),
                        Int64GetDatum(static_cast<int64>(times))};
      bool nulls[] = {false, false};
      tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
    }
  });
}

}  // namespace

}  // namespace longbow::am

LB_FUNCTION(longbow_profile_cpu) {
  const longbow::am::Request request = longbow::am::read_request(fcinfo);
  return PointerGetDatum(longbow::am::profile_as_pprof(request));
}

LB_FUNCTION(longbow_profile_cpu_folded) {
  const longbow::am::Request request = longbow::am::read_request(fcinfo);
  InitMaterializedSRF(fcinfo, 0);
  longbow::am::put_folded(request, reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo));
  return static_cast<Datum>(0);
}
