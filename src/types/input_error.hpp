// Errors of input functions.
#pragma once

#include "longbow/format/problem.hpp"
#include "pg/boundary.hpp"

extern "C" {
#include "lib/stringinfo.h"
}

namespace longbow::types {

// Reports a problem of an input of a type: softly where the server can and `soft`, an ErrorSaveContext, asks for it;
// the input function then returns what this returns. text is the literal, or NULL for a binary message.
Datum report_problem(fmNodePtr soft, const format::Problem& problem, const char* type, const char* text);

// The length of a message that a receive function got, all of which it must use, and its bytes.
inline std::size_t message_size(StringInfo message) { return static_cast<std::size_t>(message->len - message->cursor); }
inline const std::uint8_t* message_bytes(StringInfo message) {
  return reinterpret_cast<const std::uint8_t*>(message->data + message->cursor);
}

// The one modifier of a type, its number of dimensions, from 1 to most.
int32 dimensions_modifier(Datum modifiers, const char* type, int most);

}  // namespace longbow::types
