// What the parsers of text share: white space, numbers, and what to say where one is missing.
#pragma once

#include "longbow/format/problem.hpp"

namespace longbow::format {

// Space and \t \n \v \f \r, in every locale.
inline bool is_space(char c) noexcept { return c == ' ' || (c >= '\t' && c <= '\r'); }

inline const char* skip_space(const char* at) noexcept {
  while (is_space(*at)) at++;
  return at;
}

struct Number {
  const char* stop;  // where it ends, or where it should have begun
  float value;
  bool overflow, underflow;  // as strtof reports them: infinite, or zero, without having been written so
};

// Reads one number as strtof does; the text ends with a zero byte at `end`.
Number read_number(const char* at, const char* end) noexcept;

// Reads one decimal integer as strtol does, clamped to the range of int. Returns where it ends, or `at`.
const char* read_integer(const char* at, int& value) noexcept;

// What is wrong at a place where a number should be.
const char* describe_no_number(const char* at) noexcept;

// What stands in for an element that is not finite; element counts from 1.
Problem not_finite(float value, int element) noexcept;

}  // namespace longbow::format
