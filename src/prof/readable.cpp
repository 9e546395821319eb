// Names of C++ functions without what makes them long. (The runtime's demangler allocates by malloc.)
#include "longbow/prof/image.hpp"

namespace longbow::prof {

namespace {

// Takes one <length><name>; empty if there is none.
std::string_view take_name(std::string_view& rest) {
  std::size_t length = 0, digits = 0;
  while (digits < 6 && digits < rest.size() && rest[digits] >= '0' && rest[digits] <= '9')
    length = length * 10 + static_cast<std::size_t>(rest[digits++] - '0');
  if (digits == 0 || length > rest.size() - digits) return {};
  const std::string_view name = rest.substr(digits, length);
  rest.remove_prefix(digits + length);
  return name;
}

bool drop(std::string_view& rest, std::string_view prefix) {
  if (!rest.starts_with(prefix)) return false;
  rest.remove_prefix(prefix.size());
  return true;
}

}  // namespace

void append_readable(std::string_view name, std::pmr::string& out) {
  const std::size_t before = out.size();
  std::string_view rest = name;
  if (drop(rest, "_Z")) {
    while (drop(rest, "Z")) {
    }
    const bool nested = drop(rest, "N");
    if (nested) (void)drop(rest, "K");
    if (drop(rest, "St")) out.append("std");
    do {
      (void)drop(rest, "L");
      const std::string_view part = take_name(rest);
      if (part.empty()) break;
      if (part.starts_with("_GLOBAL__N")) continue;
      if (out.size() > before) out.append("::");
      out.append(part);
    } while (nested);
  }
  if (out.size() == before) out.append(name);
}

}  // namespace longbow::prof
