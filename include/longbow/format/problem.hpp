// What is wrong with an input of a vector type, as plain data that the caller turns into an error of its own.
#pragma once

#include <cstdint>

namespace longbow::format {

enum class Kind : std::uint8_t {
  none,
  syntax,                         // 22P02
  no_dimension,                   // 22000
  too_many_dimensions,            // 54000; limit
  unexpected_dimensions,          // 22000; limit is what was asked for, number what there is
  out_of_range,                   // 22003; token
  not_a_number,                   // 22000
  infinite,                       // 22000
  too_many_elements,              // 54000; limit
  negative_elements,              // 22000
  more_elements_than_dimensions,  // 54000
  index_out_of_bounds,            // 22000
  indices_not_ascending,          // 22000
  duplicate_index,                // 22000
  zero_value,                     // 22000, binary only
  reserved_not_zero,              // 22000, binary only; number
  too_short,                      // 08P01, binary only
  too_long,                       // 22P03, binary only
};

struct Problem {
  Kind kind = Kind::none;
  int limit = 0;
  int number = 0;
  const char* token = nullptr;  // into the input: the number that is out of range, token_length bytes
  int token_length = 0;
  char detail[160] = "";  // a sentence on where and what, or nothing

  explicit operator bool() const { return kind != Kind::none; }
};

// A problem with its detail, formatted as by printf; an empty format leaves the detail empty.
[[gnu::format(printf, 2, 3)]] Problem problem(Kind kind, const char* format, ...) noexcept;

}  // namespace longbow::format
