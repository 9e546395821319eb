// Parses CIE and FDE and runs their instructions.
#include "prof/frame.hpp"

namespace longbow::prof {

namespace {

constexpr int kMostRemembered = 8;

// How pointers are encoded: format in the low four bits, what they are relative to in the next three.
constexpr std::uint8_t kFormat = 0x0f, kRelative = 0x70, kToHere = 0x10;

std::int64_t take_encoded(Cursor& c, std::uint8_t encoding) noexcept {
  switch (encoding & kFormat) {
    case 0x01:
      return static_cast<std::int64_t>(c.uleb());
    case 0x02:
      return c.take<std::uint16_t>();
    case 0x03:
      return c.take<std::uint32_t>();
    case 0x09:
      return c.sleb();
    case 0x0a:
      return c.take<std::int16_t>();
    case 0x0b:
      return c.take<std::int32_t>();
    default:
      return c.take<std::int64_t>();
  }
}

struct Cie {
  std::uint8_t encoding = 0;
  bool augmented = false;
};

bool read_cie(Cursor c, Cie& cie, FrameCode& out) noexcept {
  const auto length = c.take<std::uint32_t>();
  c.cut(length);
  if (c.take<std::uint32_t>() != 0) return false;
  const auto version = c.take<std::uint8_t>();
  char augmentation[8] = {};
  for (char& a : augmentation)
    if ((a = static_cast<char>(c.take<std::uint8_t>())) == 0) break;
  if (augmentation[7] != 0) return false;
  out.code_factor = c.uleb();
  out.data_factor = c.sleb();
  if (version == 1)
    c.skip(1);
  else
    (void)c.uleb();
  if (augmentation[0] == 'z') {
    cie.augmented = true;
    Cursor data = c;
    const std::uint64_t bytes = c.uleb();
    (void)data.uleb();
    c.skip(bytes);
    for (const char* a = augmentation + 1; *a != 0; a++) {
      if (*a == 'R') cie.encoding = data.take<std::uint8_t>();
      if (*a == 'L') data.skip(1);
      if (*a == 'P') (void)take_encoded(data, data.take<std::uint8_t>());
    }
    if (!data.good()) return false;
  } else if (augmentation[0] != 0) {
    return false;
  }
  out.initial = c;
  return c.good();
}

// The state of a run.
struct Run {
  const FrameCode& code;
  Frame& frame;
  const Frame& first;
  Frame remembered[kMostRemembered];
  int depth = 0;
  std::uint64_t place;

  void set(std::uint64_t reg, Rule rule) noexcept {
    if (reg < kRegisters) frame.rule[reg] = rule;
  }
  [[nodiscard]] std::int64_t scaled(std::uint64_t offset) const noexcept {
    return static_cast<std::int64_t>(offset) * code.data_factor;
  }
};

Expression take_expression(Cursor& c) noexcept {
  const std::uint64_t bytes = c.uleb();
  const Expression e{c.at(), static_cast<std::size_t>(bytes)};
  c.skip(bytes);
  return c.good() ? e : Expression{};
}

bool run_stack_instruction(Run& r, std::uint8_t op, Cursor& c) noexcept {
  switch (op) {
    case 0x0a:  // remember_state
      if (r.depth == kMostRemembered) return false;
      r.remembered[r.depth++] = r.frame;
      return true;
    case 0x0b:  // restore_state
      if (r.depth == 0) return false;
      r.frame = r.remembered[--r.depth];
      return true;
    case 0x0c:  // def_cfa
      r.frame.cfa_register = c.uleb();
      r.frame.cfa_offset = static_cast<std::int64_t>(c.uleb());
      r.frame.cfa_expression = {};
      return true;
    case 0x0d:
      r.frame.cfa_register = c.uleb();
      return true;  // def_cfa_register
    case 0x0e:
      r.frame.cfa_offset = static_cast<std::int64_t>(c.uleb());
      return true;  // def_cfa_offset
    case 0x0f:
      r.frame.cfa_expression = take_expression(c);
      return true;  // def_cfa_expression
    case 0x12:      // def_cfa_sf
      r.frame.cfa_register = c.uleb();
      r.frame.cfa_offset = c.sleb() * r.code.data_factor;
      r.frame.cfa_expression = {};
      return true;
    case 0x13:
      r.frame.cfa_offset = c.sleb() * r.code.data_factor;
      return true;  // def_cfa_offset_sf
    case 0x2e:
      (void)c.uleb();
      return true;  // GNU_args_size
    default:
      return false;
  }
}

bool run_instruction(Run& r, std::uint8_t op, Cursor& c) noexcept {
  const std::uint8_t low = op & 0x3f;
  switch (op >> 6) {
    case 1:
      r.place += low * r.code.code_factor;
      return true;  // advance_loc
    case 2:
      r.set(low, {Rule::at_offset, r.scaled(c.uleb()), {}});
      return true;  // offset
    case 3:
      r.set(low, low < kRegisters ? r.first.rule[low] : Rule{});
      return true;  // restore
    default:
      break;
  }
  std::uint64_t reg = 0;
  switch (op) {
    case 0x00:
      return true;  // nop
    case 0x02:
      r.place += c.take<std::uint8_t>() * r.code.code_factor;
      return true;  // advance_loc1
    case 0x03:
      r.place += c.take<std::uint16_t>() * r.code.code_factor;
      return true;  // advance_loc2
    case 0x04:
      r.place += c.take<std::uint32_t>() * r.code.code_factor;
      return true;  // advance_loc4
    case 0x05:
      reg = c.uleb();
      r.set(reg, {Rule::at_offset, r.scaled(c.uleb()), {}});
      return true;  // offset_extended
    case 0x06:
      reg = c.uleb();
      r.set(reg, reg < kRegisters ? r.first.rule[reg] : Rule{});
      return true;  // restore_extended
    case 0x07:
      r.set(c.uleb(), {Rule::undefined, 0, {}});
      return true;
    case 0x08:
      r.set(c.uleb(), {Rule::same, 0, {}});
      return true;
    case 0x09:
      reg = c.uleb();
      r.set(reg, {Rule::in_register, static_cast<std::int64_t>(c.uleb()), {}});
      return true;
    case 0x11:
      reg = c.uleb();
      r.set(reg, {Rule::at_offset, c.sleb() * r.code.data_factor, {}});
      return true;  // offset_extended_sf
    case 0x10:
      reg = c.uleb();
      r.set(reg, {Rule::at_expression, 0, take_expression(c)});
      return true;
    case 0x16:
      reg = c.uleb();
      r.set(reg, {Rule::is_expression, 0, take_expression(c)});
      return true;  // val_expression
    default:
      return run_stack_instruction(r, op, c);
  }
}

bool run(const FrameCode& code, Cursor c, std::uint64_t at, const Frame& first, Frame& frame) noexcept {
  Run r{code, frame, first, {}, 0, code.start};
  while (c.left() > 0) {
    const auto op = c.take<std::uint8_t>();
    if (op == 0x01) return false;  // set_loc: compilers write none
    if (!run_instruction(r, op, c) || !c.good()) return false;
    if (r.place > at) break;
  }
  return true;
}

}  // namespace

bool read_frame_code(const std::byte* file, std::size_t bytes, const std::byte* fde, std::uint64_t address,
                     FrameCode& out) noexcept {
  const auto offset = static_cast<std::size_t>(fde - file);
  if (offset >= bytes) return false;
  Cursor c(fde, bytes - offset);
  const auto length = c.take<std::uint32_t>();
  if (length == 0 || length == 0xffffffff) return false;
  c.cut(length);
  const auto back = c.take<std::uint32_t>();
  if (back == 0 || back > offset + 4) return false;
  const std::size_t cie_offset = offset + 4 - back;
  Cie cie;
  if (!read_cie(Cursor(file + cie_offset, bytes - cie_offset), cie, out)) return false;
  const std::uint64_t here = address + static_cast<std::uint64_t>(c.at() - fde);
  out.start = static_cast<std::uint64_t>(take_encoded(c, cie.encoding));
  if ((cie.encoding & kRelative) == kToHere)
    out.start += here;
  else if ((cie.encoding & kRelative) != 0)
    return false;
  out.size = static_cast<std::uint64_t>(take_encoded(c, cie.encoding & kFormat));
  if (cie.augmented) c.skip(c.uleb());
  out.own = c;
  return c.good();
}

bool frame_at(FrameCode& code, std::uint64_t at, Frame& out) noexcept {
  if (at - code.start >= code.size) return false;
  out = Frame{};
  const Frame none{};
  if (!run(code, code.initial, code.start, none, out)) return false;
  const Frame first = out;
  return run(code, code.own, at, first, out);
}

}  // namespace longbow::prof
