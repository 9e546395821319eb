// One ELF file as the profiler reads it, 64-bit: how frames of its code are laid out (.eh_frame), and its functions'
// names.
//
// Addresses are the file's own (those of its program headers). Whatever the file holds, nothing outside of it is read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory_resource>
#include <string>
#include <string_view>
#include <vector>

namespace longbow::prof {

// Registers by DWARF's numbers on x86-64: 6 is the frame pointer, 7 the stack pointer, 16 the address of the code.
inline constexpr int kRegisters = 17, kStackPointer = 7, kCode = 16;

// A thread at one moment: its registers and what lay on its stack from the stack pointer upwards.
struct Moment {
  std::uint64_t reg[kRegisters];
  std::uint64_t stack_at;  // address of stack[0]
  const std::byte* stack;
  std::size_t stack_bytes;
};

class Image {
 public:
  explicit Image(std::pmr::memory_resource* memory) : functions_(memory) {}
  Image(const Image&) = delete;
  Image& operator=(const Image&) = delete;
  ~Image();

  // Maps the file. Returns whether it is one that can be read.
  bool open(const char* path) noexcept;
  // The file's own address of an offset in it; 0 if none.
  [[nodiscard]] std::uint64_t address_of(std::uint64_t offset) const noexcept;
  // Turns a moment in a function into that in its caller; `at` is an address of the function's code, the file's own.
  // Returns whether there is a caller.
  bool step(std::uint64_t at, Moment& moment) const noexcept;
  // The name of the function at an address, as the symbol table has it; empty if it names none.
  std::string_view function_at(std::uint64_t at);

 private:
  struct Function {
    std::uint64_t start, size;
    const char* name;
  };
  void read_functions();
  [[nodiscard]] const std::byte* offset_of(std::uint64_t address, std::size_t& left) const noexcept;

  const std::byte* file_ = nullptr;
  std::size_t bytes_ = 0;
  std::pmr::vector<Function> functions_;
  bool functions_read_ = false;
};

// A mangled name without its arguments and anonymous namespaces: longbow::tree::search. Others come back as they are.
void append_readable(std::string_view name, std::pmr::string& out);

}  // namespace longbow::prof
