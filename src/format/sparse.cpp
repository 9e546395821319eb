// Text and binary input of sparsevec.
#include "longbow/format/sparse.hpp"

#include <algorithm>
#include <bit>
#include <climits>
#include <cmath>

#include "format/bytes.hpp"
#include "format/scan.hpp"

namespace longbow::format {
namespace {

constexpr std::size_t kHeadBytes = 12, kElementBytes = 8;

Problem check_dims(int dims, int expected) noexcept {
  Problem result;
  if (dims < 1) result.kind = Kind::no_dimension;
  if (dims > kSparseMaxDims) result.kind = Kind::too_many_dimensions;
  if (!result && expected != -1 && dims != expected) result.kind = Kind::unexpected_dimensions;
  result.limit = result.kind == Kind::unexpected_dimensions ? expected : kSparseMaxDims;
  result.number = dims;
  return result;
}

// Requires an index below dims, and above the one before; before is -1 for the first.
Problem check_index(int index, int before, int dims) noexcept {
  if (index < 0 || index >= dims)
    return problem(Kind::index_out_of_bounds, "Index %lld is not between 1 and %d.", static_cast<long long>(index) + 1,
                   dims);
  if (index == before) return problem(Kind::duplicate_index, "Index %d occurs more than once.", index + 1);
  if (index < before)
    return problem(Kind::indices_not_ascending, "Index %d comes after index %d.", index + 1, before + 1);
  return {};
}

// The literal while it is read.
struct Reader {
  const char* text;
  const char* at;
  const char* end;
  Problem& problem;

  int byte() const noexcept { return static_cast<int>(at - text) + 1; }

  // Reads index, colon and value of an element, which counts from 1. The index becomes one from 0, clamped.
  SparseElement element(int number_of_element) noexcept {
    SparseElement element{0, 0};
    at = skip_space(at);
    const char* stop = read_integer(at, element.index);
    if (stop == at) {
      problem = format::problem(Kind::syntax, "At element %d, byte %d, %s.", number_of_element, byte(),
                                *at == '\0' ? "the literal ends" : "an index is missing");
      return element;
    }
    element.index -= element.index == INT_MIN ? 0 : 1;
    at = skip_space(stop);
    if (*at != ':') {
      problem = format::problem(Kind::syntax, "After the index of element %d, byte %d, \":\" is missing.",
                                number_of_element, byte());
      return element;
    }
    at = skip_space(at + 1);
    const Number number = read_number(at, end);
    element.value = number.value;
    if (number.stop == at) {
      problem = format::problem(Kind::syntax, "At element %d, byte %d, %s.", number_of_element, byte(),
                                describe_no_number(at));
    } else if (number.overflow || number.underflow) {
      problem = format::problem(Kind::out_of_range, "This is element %d.", number_of_element);
      problem.token = at;
      problem.token_length = static_cast<int>(number.stop - at);
    } else if (!std::isfinite(number.value)) {
      problem = not_finite(number.value, number_of_element);
    }
    at = number.stop;
    return element;
  }

  // Reads the elements up to the closing brace; returns how many are not zero.
  int elements(SparseElement* out) noexcept {
    int stored = 0;
    for (int count = 1;; count++) {
      const SparseElement next = element(count);
      if (problem) return 0;
      if (next.value != 0) out[stored++] = next;
      at = skip_space(at);
      if (*at != ',' && *at != '}') {
        problem = format::problem(Kind::syntax, "After element %d, byte %d, \",\" or \"}\" is missing.", count, byte());
        return 0;
      }
      if (*at++ == '}') return stored;
    }
  }

  // Reads the slash and the number of dimensions.
  int dims() noexcept {
    int result = 0;
    at = skip_space(at);
    if (*at != '/') {
      problem = *at == '\0' ? format::problem(Kind::syntax, "Unexpected end of input.")
                            : format::problem(Kind::syntax, "After the elements, byte %d, \"/\" is missing.", byte());
      return result;
    }
    at = skip_space(at + 1);
    const char* stop = read_integer(at, result);
    if (stop == at)
      problem = format::problem(Kind::syntax, "After \"/\", byte %d, the number of dimensions is missing.", byte());
    else if (*skip_space(stop) != '\0')
      problem = format::problem(Kind::syntax, "Junk after closing.");
    return result;
  }
};

}  // namespace

int sparse_room(const char* text, const char* end, Problem& problem) noexcept {
  const std::ptrdiff_t most = 1 + std::count(text, end, ',');
  if (most <= kSparseMaxElements) return static_cast<int>(most);
  problem.kind = Kind::too_many_elements;
  problem.limit = kSparseMaxElements;
  return 0;
}

SparseShape parse_sparse(const char* text, const char* end, int expected, SparseElement* out,
                         Problem& problem) noexcept {
  SparseShape shape{0, 0};
  Reader reader{text, skip_space(text), end, problem};
  if (*reader.at != '{') {
    problem = format::problem(Kind::syntax, "Vector contents must start with \"{\".");
    return shape;
  }
  reader.at = skip_space(reader.at + 1);
  if (*reader.at == '}')
    reader.at++;
  else
    shape.elements = reader.elements(out);
  if (!problem) shape.dims = reader.dims();
  if (!problem) problem = check_dims(shape.dims, expected);
  if (problem) return shape;
  std::sort(out, out + shape.elements,
            [](const SparseElement& a, const SparseElement& b) { return a.index < b.index; });
  for (int i = 0; i < shape.elements && !problem; i++)
    problem = check_index(out[i].index, i == 0 ? -1 : out[i - 1].index, shape.dims);
  return shape;
}

SparseShape open_sparse(const std::uint8_t* data, std::size_t size, int expected, Problem& problem) noexcept {
  if (size < kHeadBytes) {
    problem = format::problem(Kind::too_short, "A sparsevec takes at least %zu bytes, not %zu.", kHeadBytes, size);
    return {0, 0};
  }
  const auto word = [data](int i) { return static_cast<std::int32_t>(read_u32(data + 4 * i)); };
  const SparseShape shape{word(0), word(1)};
  problem = check_dims(shape.dims, -1);
  if (problem) return {0, 0};
  if (shape.elements < 0) problem.kind = Kind::negative_elements;
  if (shape.elements > shape.dims) problem.kind = Kind::more_elements_than_dimensions;
  if (shape.elements > kSparseMaxElements) problem.kind = Kind::too_many_elements, problem.limit = kSparseMaxElements;
  if (!problem) problem = check_dims(shape.dims, expected);
  if (problem) return {0, 0};
  if (const std::int32_t reserved = word(2); reserved != 0) {
    problem = format::problem(Kind::reserved_not_zero, "Bytes 9 to 12 of a binary sparsevec are zero.");
    problem.number = reserved;
    return {0, 0};
  }
  const std::size_t right = kHeadBytes + kElementBytes * static_cast<std::size_t>(shape.elements);
  if (size != right)
    problem = format::problem(size < right ? Kind::too_short : Kind::too_long,
                              "A sparsevec of %d elements takes %zu bytes, not %zu.", shape.elements, right, size);
  return shape;
}

void read_sparse(const std::uint8_t* data, SparseShape shape, std::int32_t* indices, float* values,
                 Problem& problem) noexcept {
  data += kHeadBytes;
  for (int i = 0; i < shape.elements; i++, data += 4) {
    indices[i] = static_cast<std::int32_t>(read_u32(data));
    problem = check_index(indices[i], i == 0 ? -1 : indices[i - 1], shape.dims);
    if (problem) return;
  }
  for (int i = 0; i < shape.elements; i++, data += 4) {
    values[i] = std::bit_cast<float>(read_u32(data));
    if (!std::isfinite(values[i])) {
      problem = not_finite(values[i], i + 1);
      return;
    }
    if (values[i] == 0) {
      problem = format::problem(Kind::zero_value, "Element %d is zero.", i + 1);
      return;
    }
  }
}

}  // namespace longbow::format
