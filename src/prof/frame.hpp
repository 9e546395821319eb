// Call frame information of one address (DWARF 5, 6.4; .eh_frame as the System V ABI for x86-64 has it): where the
// caller's registers are.
#pragma once

#include "longbow/prof/image.hpp"
#include "prof/cursor.hpp"

namespace longbow::prof {

// A DWARF expression: instructions of a stack machine.
struct Expression {
  const std::byte* code;
  std::size_t bytes;
};

struct Rule {
  enum Kind : std::uint8_t { same, undefined, at_offset, in_register, at_expression, is_expression } kind;
  std::int64_t value;
  Expression expression;
};

struct Frame {
  Rule rule[kRegisters];
  std::uint64_t cfa_register;
  std::int64_t cfa_offset;
  Expression cfa_expression;  // instead of both, if it has code
};

// An FDE's instructions and what its CIE says of them.
struct FrameCode {
  Cursor initial, own;
  std::uint64_t start, size;  // addresses that it covers
  std::uint64_t code_factor;
  std::int64_t data_factor;
};

// Reads the FDE at `fde`, whose address is `address`, within the file [file, file + bytes).
bool read_frame_code(const std::byte* file, std::size_t bytes, const std::byte* fde, std::uint64_t address,
                     FrameCode& out) noexcept;
// Runs it up to an address.
bool frame_at(FrameCode& code, std::uint64_t at, Frame& out) noexcept;

// Reads a word of a moment's stack.
bool read_word(const Moment& moment, std::uint64_t address, std::uint64_t& out) noexcept;
// Evaluates an expression over a moment, with `top` on the stack first. Operations: those that compilers write for
// realigned frames and linkage stubs.
bool evaluate(Expression expression, const Moment& moment, std::uint64_t top, std::uint64_t& out) noexcept;

}  // namespace longbow::prof
