// The only place where C++ exceptions and PostgreSQL errors meet.
//
// enter() runs C++ under a C entry point: exceptions become ereport once every C++ frame is gone.
// call()  runs PostgreSQL code under C++: its ereport becomes PgError, its SQLSTATE and fields kept.
// call() keeps InterruptHoldoffCount: errfinish() zeroes it, while the destructors that run during unwinding still
// release lightweight locks, each of which counts it down.
#pragma once

#include <cstdio>
#include <cstring>
#include <exception>
#include <memory_resource>
#include <new>
#include <string>  // before port.h makes a macro of vsnprintf
#include <type_traits>
#include <utility>

#include "longbow/base/error.hpp"

extern "C" {
#include "postgres.h"

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/memutils.h"
}

namespace longbow::pg {

// A PostgreSQL error travelling through C++ frames; not a std::exception, so that nothing swallows it.
struct PgError {
  ErrorData* edata;
};

// A failure copied out of its exception, as plain data.
struct Fault {
  int sqlstate;
  ErrorData* edata;
  bool outdated;
  char text[256];
};

// Runs body and copies what it throws into fault. Returns whether it came to its end.
template <class F>
bool capture(F&& body, Fault& fault) noexcept {
  try {
    body();
    return true;
  } catch (const PgError& e) {
    fault.edata = e.edata;
  } catch (const base::Error& e) {
    switch (e.code()) {
      case base::Errc::index_corrupted: fault.sqlstate = ERRCODE_INDEX_CORRUPTED; break;
      case base::Errc::outdated: fault.sqlstate = ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE; break;
      case base::Errc::data_exception: fault.sqlstate = ERRCODE_DATA_EXCEPTION; break;
      case base::Errc::limit_exceeded: fault.sqlstate = ERRCODE_PROGRAM_LIMIT_EXCEEDED; break;
      case base::Errc::out_of_memory: fault.sqlstate = ERRCODE_OUT_OF_MEMORY; break;
      case base::Errc::cancelled: fault.sqlstate = ERRCODE_QUERY_CANCELED; break;
      case base::Errc::internal: fault.sqlstate = ERRCODE_INTERNAL_ERROR; break;
    }
    fault.outdated = e.code() == base::Errc::outdated;
    strlcpy(fault.text, e.what(), sizeof fault.text);
  } catch (const std::bad_alloc&) {
    fault.sqlstate = ERRCODE_OUT_OF_MEMORY;
    strlcpy(fault.text, "out of memory", sizeof fault.text);
  } catch (const std::exception& e) {
    fault.sqlstate = ERRCODE_INTERNAL_ERROR;
    strlcpy(fault.text, e.what(), sizeof fault.text);
  } catch (...) {
    fault.sqlstate = ERRCODE_INTERNAL_ERROR;
    strlcpy(fault.text, "unknown C++ exception", sizeof fault.text);
  }
  return false;
}

// C to C++: runs body; any exception becomes an ereport after every C++ frame has been left.
template <class F>
auto enter(F&& body) {
  using R = std::invoke_result_t<F>;
  // The text is written only by a failure: clearing it would cost more than the rest of a distance function's call.
  Fault fault;
  fault.sqlstate = ERRCODE_INTERNAL_ERROR;
  fault.edata = nullptr;
  fault.outdated = false;
  sigjmp_buf* stack = PG_exception_stack;
  ErrorContextCallback* context = error_context_stack;
  if constexpr (std::is_void_v<R>) {
    if (capture(body, fault)) return;
  } else {
    static_assert(std::is_trivially_destructible_v<R>);
    R result{};
    if (capture([&] { result = body(); }, fault)) return result;
  }
  PG_exception_stack = stack;
  error_context_stack = context;
  if (fault.edata != nullptr) ReThrowError(fault.edata);
  ereport(ERROR, (errcode(fault.sqlstate), errmsg_internal("%s", fault.text),
                  fault.outdated ? errhint("Rebuild it with REINDEX INDEX.") : 0));
  pg_unreachable();
}

// C++ to C: runs PostgreSQL code that may ereport; its error arrives as PgError.
template <class F>
auto call(F&& body) {
  using R = std::invoke_result_t<F>;
  sigjmp_buf* stack = PG_exception_stack;
  ErrorContextCallback* context = error_context_stack;
  const MemoryContext memory = CurrentMemoryContext;
  const uint32 interrupts = InterruptHoldoffCount;
  const uint32 cancels = QueryCancelHoldoffCount;
  struct Restore {
    sigjmp_buf* stack;
    ErrorContextCallback* context;
    ~Restore() {
      PG_exception_stack = stack;
      error_context_stack = context;
    }
  } restore{stack, context};
  sigjmp_buf here;
  if (sigsetjmp(here, 0) == 0) {
    PG_exception_stack = &here;
    if constexpr (std::is_void_v<R>) {
      body();
      return;
    } else {
      return body();
    }
  }
  PG_exception_stack = stack;
  error_context_stack = context;
  InterruptHoldoffCount = interrupts;
  QueryCancelHoldoffCount = cancels;
  MemoryContextSwitchTo(memory);
  ErrorData* edata = CopyErrorData();
  FlushErrorState();
  throw PgError{edata};
}

// Wraps a callback with a C signature: guarded<&body> is a pointer to it that enters C++ properly.
template <auto Fn>
struct Guarded;
template <class R, class... A, R (*Fn)(A...)>
struct Guarded<Fn> {
  static R thunk(A... args) {
    return enter([&] { return Fn(args...); });
  }
};
template <auto Fn>
inline constexpr auto guarded = &Guarded<Fn>::thunk;

}  // namespace longbow::pg

// A C++ body under an SQL function: LB_FUNCTION(name) { ... use fcinfo ... }
#define LB_FUNCTION(name)                                                              \
  extern "C" {                                                                         \
  PG_FUNCTION_INFO_V1(name);                                                           \
  __attribute__((visibility("default"))) Datum name(PG_FUNCTION_ARGS);                 \
  }                                                                                    \
  static Datum name##_body([[maybe_unused]] FunctionCallInfo fcinfo);                  \
  extern "C" Datum name(PG_FUNCTION_ARGS) {                                            \
    return longbow::pg::enter([&] { return name##_body(fcinfo); });                    \
  }                                                                                    \
  static Datum name##_body([[maybe_unused]] FunctionCallInfo fcinfo)
