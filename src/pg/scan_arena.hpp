// The arena of one scan: a bump allocator over a block that the session keeps from scan to scan, so that a query neither
// asks the operating system for memory nor touches new pages. What does not fit goes to the scan's memory context. Both are
// counted; the block itself is not.
#pragma once

#include "pg/context_resource.hpp"

namespace longbow::pg {

class ScanArena final : public std::pmr::memory_resource {
 public:
  // Lies in `context` itself. Takes the session's spare block if no other scan has it; it comes back when `context` is reset or
  // deleted.
  explicit ScanArena(MemoryContext context);

 private:
  void* do_allocate(std::size_t bytes, std::size_t align) override;
  void do_deallocate(void* p, std::size_t bytes, std::size_t align) override;
  [[nodiscard]] bool do_is_equal(const memory_resource& other) const noexcept override { return this == &other; }

  static void give_back(void* arena);

  ContextResource overflow_;
  mem::Meter meter_;
  char* begin_ = nullptr;
  char* at_ = nullptr;
  char* end_ = nullptr;
};

}  // namespace longbow::pg
