// Errors of the pure floors.
//
// Pure code throws Error; the PostgreSQL boundary (src/pg/boundary.hpp) turns it into ereport with the
// SQLSTATE named beside each kind. The message lives in the object itself, so that throwing never allocates
// from an arena that is about to be reset.
#pragma once

#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <exception>

namespace longbow::base {

enum class Errc : std::uint8_t {
  internal,         // XX000: a broken invariant of ours
  index_corrupted,  // XX002: bytes on a page contradict the format
  outdated,         // 55000: an index of a format that is not read any more; REINDEX helps
  data_exception,   // 22000: a value does not fit the index (wrong dimension, NaN, ...)
  limit_exceeded,   // 54000: a documented limit is passed
  out_of_memory,    // 53200
  cancelled,        // the caller's interrupt check asked to stop; never reported by itself
};

class Error final : public std::exception {
 public:
  [[gnu::format(printf, 3, 4)]] Error(Errc code, const char* format, ...) noexcept : code_(code) {
    va_list args;
    va_start(args, format);
    std::vsnprintf(text_, sizeof text_, format, args);
    va_end(args);
  }
  [[nodiscard]] Errc code() const noexcept { return code_; }
  [[nodiscard]] const char* what() const noexcept override { return text_; }

 private:
  Errc code_;
  char text_[240];
};

}  // namespace longbow::base
