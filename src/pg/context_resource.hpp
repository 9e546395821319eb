// C++ memory from a PostgreSQL memory context: std::pmr over palloc. Out of memory is std::bad_alloc, never a longjmp.
#pragma once

#include <memory_resource>
#include <new>

extern "C" {
#include "postgres.h"

#include "utils/memutils.h"
}

namespace longbow::pg {

class ContextResource final : public std::pmr::memory_resource {
 public:
  explicit ContextResource(MemoryContext context) : context_(context) {}

 private:
  void* do_allocate(std::size_t bytes, std::size_t align) override {
    if (align > MAXIMUM_ALIGNOF || bytes > MaxAllocHugeSize) throw std::bad_alloc();
    void* p =
        MemoryContextAllocExtended(context_, bytes > 0 ? bytes : 1, MCXT_ALLOC_HUGE | MCXT_ALLOC_NO_OOM);
    if (p == nullptr) throw std::bad_alloc();
    return p;
  }
  void do_deallocate(void* p, std::size_t, std::size_t) override { pfree(p); }
  [[nodiscard]] bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }

  MemoryContext context_;
};

}  // namespace longbow::pg
