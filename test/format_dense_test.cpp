// Input of vector and halfvec: what literals and messages mean, and what is said of those that mean nothing.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "longbow/format/dense.hpp"

namespace longbow::format {
namespace {

using base::Half;

// Reads a literal into a buffer of exactly its room, which ASan watches.
template <class T>
std::vector<T> parse(const std::string& text, Problem& problem, int expected = -1) {
  const char* end = text.c_str() + text.size();
  std::vector<T> values(static_cast<std::size_t>(dense_room(text.c_str(), end)));
  const int dims = parse_dense(text.c_str(), end, expected, values.data(), problem);
  if (problem) return {};
  EXPECT_EQ(static_cast<std::size_t>(dims), values.size()) << text;
  return values;
}

Kind kind_of(const std::string& text, int expected = -1) {
  Problem problem;
  parse<float>(text, problem, expected);
  return problem.kind;
}

std::string detail_of(const std::string& text) {
  Problem problem;
  parse<float>(text, problem);
  return problem.detail;
}

TEST(FormatDense, NumbersAreThoseOfStrtof) {
  Problem problem;
  const std::vector<float> values = parse<float>(" [ 1, +2 ,\t-.5,1.,1e2,0x10,-0,1e-46,3.4028235e38 ] \n", problem);
  EXPECT_FALSE(problem);
  EXPECT_EQ(values, (std::vector<float>{1, 2, -0.5f, 1, 100, 16, -0.0f, 0, 3.4028235e38f}));
  EXPECT_TRUE(std::signbit(values[6]));
}

TEST(FormatDense, HalvesAreRoundedToNearestEven) {
  Problem problem;
  const std::vector<Half> values = parse<Half>("[1,2049,2051,65519.99,1e-8,6e-8]", problem);
  ASSERT_EQ(values.size(), 6u);
  const std::uint16_t expected[] = {0x3c00, 0x6800, 0x6802, 0x7bff, 0, 1};
  for (std::size_t i = 0; i < 6; i++) EXPECT_EQ(values[i].bits, expected[i]) << i;
}

TEST(FormatDense, OutOfRangeNamesTheNumber) {
  for (const char* text : {"[1,65520]", "[1, -65520 ]", "[1,4e38]", "[1,1e400]"}) {
    Problem problem;
    const std::string literal = text;
    parse<Half>(literal, problem);
    EXPECT_EQ(problem.kind, Kind::out_of_range) << text;
    EXPECT_STREQ(problem.detail, "This is element 2.");
    const std::string token(problem.token, static_cast<std::size_t>(problem.token_length));
    EXPECT_NE(literal.find(token), std::string::npos);
    EXPECT_GE(token.size(), 4u);
  }
  EXPECT_EQ(kind_of("[65520]"), Kind::none);
  EXPECT_EQ(kind_of("[4e38]"), Kind::out_of_range);
}

TEST(FormatDense, MalformedLiterals) {
  for (const char* text : {"", "1,2", "[", "[ ", "[,", "[1", "[1,", "[1,]", "[1,,2]", "[1a]", "[1e]", "[1 2]", "[1]x",
                           "[1]]", "[+]", "[hello]"})
    EXPECT_EQ(kind_of(text), Kind::syntax) << text;
  EXPECT_EQ(kind_of("[]"), Kind::no_dimension);
  EXPECT_EQ(kind_of("[NaN]"), Kind::not_a_number);
  EXPECT_EQ(kind_of("[1,-inf]"), Kind::infinite);
  EXPECT_EQ(kind_of("[1,2]", 3), Kind::unexpected_dimensions);
  EXPECT_EQ(kind_of("[1,2]", 2), Kind::none);
  EXPECT_EQ(detail_of("[1, ,3]"), "At element 2, byte 5, an element is missing.");
  EXPECT_EQ(detail_of("[1,2"), "After element 2, byte 5, \",\" or \"]\" is missing.");
  EXPECT_EQ(detail_of("[1,"), "At element 2, byte 4, the literal ends.");
  EXPECT_EQ(detail_of("[-inf]"), "Element 1 is -Infinity.");
}

TEST(FormatDense, AtMost16000Dimensions) {
  std::string text = "[0";
  for (int i = 1; i < kDenseMaxDims; i++) text += ",0";
  EXPECT_EQ(kind_of(text + "]"), Kind::none);
  EXPECT_EQ(kind_of(text + ",0]"), Kind::too_many_dimensions);
}

template <class T>
Kind receive(const std::vector<std::uint8_t>& bytes, std::vector<T>& values, int expected = -1) {
  Problem problem;
  const int dims = open_dense<T>(bytes.data(), bytes.size(), expected, problem);
  if (problem) return problem.kind;
  values.resize(static_cast<std::size_t>(dims));
  read_dense(bytes.data(), dims, values.data(), problem);
  return problem.kind;
}

TEST(FormatDense, BinaryVector) {
  std::vector<float> values;
  EXPECT_EQ(receive<float>({0, 2, 0, 0, 0x3f, 0x80, 0, 0, 0xc0, 0, 0, 0}, values), Kind::none);
  EXPECT_EQ(values, (std::vector<float>{1, -2}));
  EXPECT_EQ(receive<float>({0, 2, 0, 0, 0x3f, 0x80, 0, 0, 0xc0, 0, 0, 0}, values, 3), Kind::unexpected_dimensions);
  EXPECT_EQ(receive<float>({}, values), Kind::too_short);
  EXPECT_EQ(receive<float>({0, 1, 0}, values), Kind::too_short);
  EXPECT_EQ(receive<float>({0, 0, 0, 0}, values), Kind::no_dimension);
  EXPECT_EQ(receive<float>({0xff, 0xff, 0, 0}, values), Kind::no_dimension);
  EXPECT_EQ(receive<float>({0x3e, 0x81, 0, 0}, values), Kind::too_many_dimensions);
  EXPECT_EQ(receive<float>({0, 1, 0, 7, 0, 0, 0, 0}, values), Kind::reserved_not_zero);
  EXPECT_EQ(receive<float>({0, 1, 0, 0, 0, 0, 0}, values), Kind::too_short);
  EXPECT_EQ(receive<float>({0, 1, 0, 0, 0, 0, 0, 0, 0}, values), Kind::too_long);
  EXPECT_EQ(receive<float>({0, 1, 0, 0, 0x7f, 0xc0, 0, 0}, values), Kind::not_a_number);
  EXPECT_EQ(receive<float>({0, 1, 0, 0, 0xff, 0x80, 0, 0}, values), Kind::infinite);
}

TEST(FormatDense, BinaryHalfvec) {
  std::vector<Half> values;
  EXPECT_EQ(receive<Half>({0, 2, 0, 0, 0x3c, 0, 0xc0, 0}, values), Kind::none);
  EXPECT_TRUE(values[0].bits == 0x3c00 && values[1].bits == 0xc000);
  EXPECT_EQ(receive<Half>({0, 1, 0, 0, 0x7e, 0}, values), Kind::not_a_number);
  EXPECT_EQ(receive<Half>({0, 1, 0, 0, 0x7c, 0}, values), Kind::infinite);
  EXPECT_EQ(receive<Half>({0, 1, 0, 0, 0x7b, 0xff, 0}, values), Kind::too_long);
}

}  // namespace
}  // namespace longbow::format
