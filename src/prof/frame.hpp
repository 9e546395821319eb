// Call frame information of one address (DWARF 5, 6.4; .eh_frame as the System V ABI for x86-64 has it): where the caller's
// registers are.
#pragma once

#include "longbow/prof/image.hpp"
#include "prof/cursor.hpp"

namespace longbow::prof {

struct Rule {
  enum Kind : std::uint8_t { same, undefined, at_offset, in_register, unknown } kind;
  std::int64_t value;
};

struct Frame {
  Rule rule[kRegisters];
  std::uint64_t cfa_register;
  std::int64_t cfa_offset;
  bool cfa_expression;  // not evaluated
};

// An FDE's instructions and what its CIE says of them.
struct FrameCode {
  Cursor initial, own;
  std::uint64_t start, size;  // addresses that it covers
  std::uint64_t code_factor;
  std::int64_t data_factor;
};

// Reads the FDE at `fde`, whose address is `address`, within the file [file, file + bytes).
bool read_frame_code(const std::byte* file, std::size_t bytes, const std::byte* fde, std::uint64_t address, FrameCode& out) noexcept;
// Runs it up to an address.
bool frame_at(FrameCode& code, std::uint64_t at, Frame& out) noexcept;

}  // namespace longbow::prof
