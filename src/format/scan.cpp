// Numbers in literals.
#include "format/scan.hpp"

#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>

namespace longbow::format {
namespace {

// Whether a number may end before c.
bool ends_number(char c) noexcept { return c == ',' || c == ']' || c == '}' || is_space(c); }

}  // namespace

// from_chars is several times faster than strtof but knows no plus sign, hexadecimal or underflow, which are left to
// it.
Number read_number(const char* at, const char* end) noexcept {
  Number number{at, 0, false, false};
  const std::from_chars_result quick = std::from_chars(at, end, number.value);
  if (quick.ec == std::errc() && quick.ptr != end && ends_number(*quick.ptr)) {
    number.stop = quick.ptr;
    return number;
  }
  char* stop;
  errno = 0;
  number.value = std::strtof(at, &stop);
  number.stop = stop;
  number.overflow = errno == ERANGE && std::isinf(number.value);
  number.underflow = errno == ERANGE && number.value == 0;
  return number;
}

const char* read_integer(const char* at, int& value) noexcept {
  char* stop;
  const long wide = std::strtol(at, &stop, 10);
  constexpr long kLeast = std::numeric_limits<int>::min(), kMost = std::numeric_limits<int>::max();
  value = static_cast<int>(wide < kLeast ? kLeast : wide > kMost ? kMost : wide);
  return stop;
}

const char* describe_no_number(const char* at) noexcept {
  if (*at == '\0') return "the literal ends";
  if (*at == ',' || *at == ']' || *at == '}') return "an element is missing";
  return "there is no number";
}

Problem not_finite(float value, int element) noexcept {
  if (std::isnan(value)) return problem(Kind::not_a_number, "Element %d is NaN.", element);
  return problem(Kind::infinite, "Element %d is %sInfinity.", element, value < 0 ? "-" : "");
}

}  // namespace longbow::format
