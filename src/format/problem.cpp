// Making a Problem with its detail.
#include "longbow/format/problem.hpp"

#include <cstdarg>
#include <cstdio>

namespace longbow::format {

Problem problem(Kind kind, const char* format, ...) noexcept {
  Problem result;
  result.kind = kind;
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(result.detail, sizeof result.detail, format, arguments);
  va_end(arguments);
  return result;
}

}  // namespace longbow::format
