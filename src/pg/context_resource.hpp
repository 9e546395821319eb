// C++ memory from a PostgreSQL memory context: std::pmr over palloc, counted by kind and size class. Out of memory is
// std::bad_alloc, never a longjmp.
#pragma once

#include <cstdint>
#include <cstring>
#include <memory_resource>
#include <new>
#include <string>  // before port.h makes a macro of vsnprintf

#include "longbow/base/error.hpp"
#include "pg/memory_stats.hpp"

extern "C" {
#include "postgres.h"

#include "utils/memutils.h"
}

namespace longbow::pg {

class ContextResource final : public std::pmr::memory_resource {
 public:
  ContextResource(MemoryContext context, MemoryKind kind) : context_(context), meter_(tallies_of(kind)) {}
  // For an owner without a destructor: the context is being reset, and all memory with it.
  void lost() noexcept { meter_.reset(); }

 private:
  void* do_allocate(std::size_t bytes, std::size_t align) override {
    if (align <= MAXIMUM_ALIGNOF) {
      void* out = take(bytes > 0 ? bytes : 1);
      meter_.took(bytes);
      return out;
    }
    // Wider alignment than palloc's: the chunk's own address is kept just before what is handed out.
    auto* chunk = static_cast<char*>(take(bytes + align + sizeof(void*)));
    auto* out = reinterpret_cast<char*>(TYPEALIGN(align, reinterpret_cast<std::uintptr_t>(chunk) + sizeof(void*)));
    std::memcpy(out - sizeof(void*), &chunk, sizeof(void*));
    meter_.took(bytes);
    return out;
  }
  void do_deallocate(void* p, std::size_t bytes, std::size_t align) override {
    if (align > MAXIMUM_ALIGNOF) std::memcpy(&p, static_cast<char*>(p) - sizeof(void*), sizeof(void*));
    pfree(p);
    meter_.gave(bytes);
  }
  [[nodiscard]] bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }

  void* take(std::size_t bytes) {
    if (bytes > MaxAllocHugeSize) throw std::bad_alloc();
    void* p = MemoryContextAllocExtended(context_, bytes, MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM);
    if (p == nullptr) throw std::bad_alloc();
    return p;
  }

  MemoryContext context_;
  mem::Meter meter_;
};

}  // namespace longbow::pg
