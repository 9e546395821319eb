// DWARF expressions (DWARF 5, 2.5), as far as frames need them.
#include "prof/frame.hpp"

namespace longbow::prof {

namespace {

constexpr std::size_t kDeepest = 16;

struct Machine {
  const Moment& moment;
  std::uint64_t stack[kDeepest] = {};
  std::size_t depth = 0;

  bool push(std::uint64_t value) noexcept {
    if (depth == kDeepest) return false;
    stack[depth++] = value;
    return true;
  }
  // Replaces the two topmost by what an operation makes of them.
  template <class F>
  bool combine(F operation) noexcept {
    if (depth < 2) return false;
    stack[depth - 2] = operation(stack[depth - 2], stack[depth - 1]);
    depth--;
    return true;
  }
  bool run(std::uint8_t op, Cursor& c) noexcept;
};

bool Machine::run(std::uint8_t op, Cursor& c) noexcept {
  using Word = std::uint64_t;
  if (op >= 0x30 && op <= 0x4f) return push(op - 0x30U);  // lit0 ...
  if (op >= 0x70 && op < 0x70 + kRegisters)               // breg0 ...
    return push(moment.reg[op - 0x70] + static_cast<Word>(c.sleb()));
  switch (op) {
    case 0x06:
      return depth > 0 && read_word(moment, stack[depth - 1], stack[depth - 1]);  // deref
    case 0x08:
      return push(c.take<std::uint8_t>());  // const1u
    case 0x09:
      return push(static_cast<Word>(std::int64_t{c.take<std::int8_t>()}));  // const1s
    case 0x0a:
      return push(c.take<std::uint16_t>());  // const2u
    case 0x10:
      return push(c.uleb());  // constu
    case 0x11:
      return push(static_cast<Word>(c.sleb()));  // consts
    case 0x12:
      return depth > 0 && push(stack[depth - 1]);  // dup
    case 0x1a:
      return combine([](Word a, Word b) { return a & b; });
    case 0x1c:
      return combine([](Word a, Word b) { return a - b; });
    case 0x22:
      return combine([](Word a, Word b) { return a + b; });
    case 0x23:
      return push(c.uleb()) && combine([](Word a, Word b) { return a + b; });  // plus_uconst
    case 0x24:
      return combine([](Word a, Word b) { return b < 64 ? a << b : 0; });  // shl
    case 0x2a:
      return combine(
          [](Word a, Word b) { return Word{static_cast<std::int64_t>(a) >= static_cast<std::int64_t>(b)}; });  // ge
    default:
      return false;
  }
}

}  // namespace

bool read_word(const Moment& m, std::uint64_t address, std::uint64_t& out) noexcept {
  const std::uint64_t offset = address - m.stack_at;
  if (offset > m.stack_bytes || m.stack_bytes - offset < sizeof out) return false;
  std::memcpy(&out, m.stack + offset, sizeof out);
  return true;
}

bool evaluate(Expression expression, const Moment& moment, std::uint64_t top, std::uint64_t& out) noexcept {
  Machine machine{moment};
  if (!machine.push(top)) return false;
  Cursor c(expression.code, expression.bytes);
  while (c.left() > 0) {
    const auto op = c.take<std::uint8_t>();
    if (!machine.run(op, c) || !c.good()) return false;
  }
  out = machine.stack[machine.depth - 1];
  return true;
}

}  // namespace longbow::prof
