// libFuzzer target: text and binary input of vector, halfvec and sparsevec. The first byte of an input chooses type and
// format, the rest is the input itself. What is accepted must keep the type's promises and, written out, be read back
// as the same bytes; what is refused must point into the input. `make fuzz` builds and runs it.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "longbow/format/dense.hpp"
#include "longbow/format/sparse.hpp"

namespace {

namespace base = longbow::base;
namespace format = longbow::format;
using format::Problem;

void require(bool holds) {
  if (!holds) std::abort();
}

void check_problem(const Problem& problem, const char* text, std::size_t size) {
  require(std::memchr(problem.detail, 0, sizeof problem.detail) != nullptr);
  if (problem.token != nullptr) {
    require(text != nullptr && problem.token >= text && problem.token_length > 0);
    require(problem.token + problem.token_length <= text + size);
  }
}

float value_of(float x) { return x; }
float value_of(base::Half x) { return base::to_float(x); }

template <class T>
std::string write_text(const std::vector<T>& values) {
  std::string text;
  for (const T x : values) {
    char digits[32];
    std::snprintf(digits, sizeof digits, "%c%.9g", text.empty() ? '[' : ',', static_cast<double>(value_of(x)));
    text += digits;
  }
  return text + "]";
}

template <class T>
void check_values(const std::vector<T>& values) {
  require(!values.empty() && values.size() <= format::kDenseMaxDims);
  for (const T x : values) require(std::isfinite(value_of(x)));
}

template <class T>
std::vector<T> read_text(const std::string& text, int expected, Problem& problem) {
  const char* end = text.c_str() + std::strlen(text.c_str());  // a literal ends at its first zero byte
  std::vector<T> values(static_cast<std::size_t>(format::dense_room(text.c_str(), end)));
  const int dims = format::parse_dense(text.c_str(), end, expected, values.data(), problem);
  check_problem(problem, text.c_str(), text.size());
  if (problem) return {};
  require(static_cast<std::size_t>(dims) == values.size());
  return values;
}

template <class T>
void dense_text(const std::string& text) {
  Problem problem;
  const std::vector<T> values = read_text<T>(text, -1, problem);
  if (problem) return;
  check_values(values);
  Problem again;
  const std::vector<T> back = read_text<T>(write_text(values), static_cast<int>(values.size()), again);
  require(!again && std::memcmp(back.data(), values.data(), values.size() * sizeof(T)) == 0);
  read_text<T>(text, static_cast<int>(values.size()) + 1, again);
  require(again.kind == format::Kind::unexpected_dimensions);
}

template <class T>
void dense_binary(const std::uint8_t* data, std::size_t size) {
  Problem problem;
  const int dims = format::open_dense<T>(data, size, -1, problem);
  check_problem(problem, nullptr, 0);
  if (problem) return;
  std::vector<T> values(static_cast<std::size_t>(dims));
  format::read_dense(data, dims, values.data(), problem);
  check_problem(problem, nullptr, 0);
  if (!problem) check_values(values);
}

void check_sparse(format::SparseShape shape, const std::vector<std::int32_t>& indices,
                  const std::vector<float>& values) {
  require(shape.dims >= 1 && shape.dims <= format::kSparseMaxDims && shape.elements <= format::kSparseMaxElements);
  for (std::size_t i = 0; i < indices.size(); i++) {
    require(indices[i] >= 0 && indices[i] < shape.dims && (i == 0 || indices[i - 1] < indices[i]));
    require(std::isfinite(values[i]) && values[i] != 0);
  }
}

std::vector<format::SparseElement> read_sparse_text(const std::string& text, Problem& problem,
                                                    format::SparseShape& shape) {
  const char* end = text.c_str() + std::strlen(text.c_str());
  const int room = format::sparse_room(text.c_str(), end, problem);
  if (problem) return {};
  std::vector<format::SparseElement> elements(static_cast<std::size_t>(room));
  shape = format::parse_sparse(text.c_str(), end, -1, elements.data(), problem);
  check_problem(problem, text.c_str(), text.size());
  if (problem) return {};
  elements.resize(static_cast<std::size_t>(shape.elements));
  return elements;
}

void sparse_text(const std::string& text) {
  Problem problem;
  format::SparseShape shape{0, 0};
  const auto elements = read_sparse_text(text, problem, shape);
  if (problem) return;
  std::vector<std::int32_t> indices;
  std::vector<float> values;
  std::string written = "{";
  for (const format::SparseElement& element : elements) {
    char digits[64];
    std::snprintf(digits, sizeof digits, "%s%d:%.9g", indices.empty() ? "" : ",", element.index + 1,
                  static_cast<double>(element.value));
    written += digits;
    indices.push_back(element.index), values.push_back(element.value);
  }
  check_sparse(shape, indices, values);
  format::SparseShape shape_again{0, 0};
  const auto back = read_sparse_text(written + "}/" + std::to_string(shape.dims), problem, shape_again);
  require(!problem && shape_again.dims == shape.dims && back.size() == elements.size());
  require(elements.empty() || std::memcmp(back.data(), elements.data(), elements.size() * sizeof elements[0]) == 0);
}

void sparse_binary(const std::uint8_t* data, std::size_t size) {
  Problem problem;
  const format::SparseShape shape = format::open_sparse(data, size, -1, problem);
  check_problem(problem, nullptr, 0);
  if (problem) return;
  std::vector<std::int32_t> indices(static_cast<std::size_t>(shape.elements));
  std::vector<float> values(indices.size());
  format::read_sparse(data, shape, indices.data(), values.data(), problem);
  check_problem(problem, nullptr, 0);
  if (!problem) check_sparse(shape, indices, values);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  // A copy of its own, so that a read past its end is seen.
  const std::vector<std::uint8_t> bytes(data + 1, data + size);
  const std::string text(bytes.begin(), bytes.end());
  switch (data[0] % 6) {
    case 0:
      dense_text<float>(text);
      break;
    case 1:
      dense_text<base::Half>(text);
      break;
    case 2:
      sparse_text(text);
      break;
    case 3:
      dense_binary<float>(bytes.data(), bytes.size());
      break;
    case 4:
      dense_binary<base::Half>(bytes.data(), bytes.size());
      break;
    default:
      sparse_binary(bytes.data(), bytes.size());
      break;
  }
  return 0;
}
