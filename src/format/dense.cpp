// Text and binary input of vector and halfvec.
#include "longbow/format/dense.hpp"

#include <bit>
#include <cmath>

#include "format/bytes.hpp"
#include "format/scan.hpp"

namespace longbow::format {
namespace {

using base::Half;

constexpr std::size_t kHeadBytes = 4;

// Converts a number that strtof has read. Returns whether it is too large for the type without being infinite.
bool convert(float value, float& out) noexcept {
  out = value;
  return false;
}
bool convert(float value, Half& out) noexcept {
  out = base::to_half(value);
  return base::is_infinite(out) && !std::isinf(value);
}

void read_element(const std::uint8_t* at, float& out) noexcept { out = std::bit_cast<float>(read_u32(at)); }
void read_element(const std::uint8_t* at, Half& out) noexcept { out = {read_u16(at)}; }

float value_of(float value) noexcept { return value; }
float value_of(Half value) noexcept { return base::to_float(value); }

// Requires a number of dimensions that the type and the caller allow.
Problem check_dims(int dims, int expected) noexcept {
  Problem result;
  if (dims < 1) result.kind = Kind::no_dimension;
  if (dims > kDenseMaxDims) result.kind = Kind::too_many_dimensions;
  if (!result && expected != -1 && dims != expected) result.kind = Kind::unexpected_dimensions;
  result.limit = result.kind == Kind::unexpected_dimensions ? expected : kDenseMaxDims;
  result.number = dims;
  return result;
}

// Reads one element; returns where its number ends.
template <class T>
const char* parse_element(const char* text, const char* at, const char* end, int element, T& out,
                          Problem& problem) noexcept {
  const Number number = read_number(at, end);
  if (number.stop == at) {
    problem = format::problem(Kind::syntax, "At element %d, byte %d, %s.", element, static_cast<int>(at - text) + 1,
                              describe_no_number(at));
  } else if (convert(number.value, out) || number.overflow) {
    problem = format::problem(Kind::out_of_range, "This is element %d.", element);
    problem.token = at;
    problem.token_length = static_cast<int>(number.stop - at);
  } else if (!std::isfinite(number.value)) {
    problem = not_finite(number.value, element);
  }
  return number.stop;
}

}  // namespace

int dense_room(const char* text, const char* end) noexcept {
  int dims = 1;
  for (const char* at = text; at < end && dims < kDenseMaxDims; at++) dims += *at == ',';
  return dims;
}

template <class T>
int parse_dense(const char* text, const char* end, int expected, T* out, Problem& problem) noexcept {
  const char* at = skip_space(text);
  if (*at != '[') {
    problem = format::problem(Kind::syntax, "Vector contents must start with \"[\".");
    return 0;
  }
  at = skip_space(at + 1);
  if (*at == ']') {
    problem.kind = Kind::no_dimension;
    return 0;
  }
  int dims = 0;
  for (bool more = true; more;) {
    if (dims == kDenseMaxDims) {
      problem.kind = Kind::too_many_dimensions;
      problem.limit = kDenseMaxDims;
      return 0;
    }
    at = parse_element(text, skip_space(at), end, dims + 1, out[dims], problem);
    if (problem) return 0;
    dims++;
    at = skip_space(at);
    if (*at != ',' && *at != ']') {
      problem = format::problem(Kind::syntax, "After element %d, byte %d, \",\" or \"]\" is missing.", dims,
                                static_cast<int>(at - text) + 1);
      return 0;
    }
    more = *at++ == ',';
  }
  if (*skip_space(at) != '\0')
    problem = format::problem(Kind::syntax, "Junk after closing right brace.");
  else
    problem = check_dims(dims, expected);
  return dims;
}

template <class T>
int open_dense(const std::uint8_t* data, std::size_t size, int expected, Problem& problem) noexcept {
  if (size < kHeadBytes) {
    problem = format::problem(Kind::too_short, "A %s takes at least %zu bytes, not %zu.", kDenseName<T>,
                              kHeadBytes + sizeof(T), size);
    return 0;
  }
  const int dims = static_cast<std::int16_t>(read_u16(data)), reserved = static_cast<std::int16_t>(read_u16(data + 2));
  problem = check_dims(dims, expected);
  if (problem) return 0;
  if (reserved != 0) {
    problem = format::problem(Kind::reserved_not_zero, "Bytes 3 and 4 of a binary %s are zero.", kDenseName<T>);
    problem.number = reserved;
    return 0;
  }
  const std::size_t right = kHeadBytes + sizeof(T) * static_cast<std::size_t>(dims);
  if (size != right)
    problem = format::problem(size < right ? Kind::too_short : Kind::too_long,
                              "A %s of %d dimensions takes %zu bytes, not %zu.", kDenseName<T>, dims, right, size);
  return dims;
}

template <class T>
void read_dense(const std::uint8_t* data, int dims, T* out, Problem& problem) noexcept {
  data += kHeadBytes;
  for (int i = 0; i < dims; i++, data += sizeof(T)) {
    read_element(data, out[i]);
    if (const float value = value_of(out[i]); !std::isfinite(value)) {
      problem = not_finite(value, i + 1);
      return;
    }
  }
}

template int parse_dense(const char*, const char*, int, float*, Problem&) noexcept;
template int parse_dense(const char*, const char*, int, Half*, Problem&) noexcept;
template int open_dense<float>(const std::uint8_t*, std::size_t, int, Problem&) noexcept;
template int open_dense<Half>(const std::uint8_t*, std::size_t, int, Problem&) noexcept;
template void read_dense(const std::uint8_t*, int, float*, Problem&) noexcept;
template void read_dense(const std::uint8_t*, int, Half*, Problem&) noexcept;

}  // namespace longbow::format
