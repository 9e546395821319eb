// Input of sparsevec: what literals and messages mean, and what is said of those that mean nothing.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "longbow/format/sparse.hpp"

namespace longbow::format {
namespace {

struct Parsed {
  Problem problem;
  SparseShape shape{0, 0};
  std::vector<SparseElement> elements;
};

Parsed parse(const std::string& text, int expected = -1) {
  Parsed result;
  const char* end = text.c_str() + text.size();
  const int room = sparse_room(text.c_str(), end, result.problem);
  if (result.problem) return result;
  result.elements.resize(static_cast<std::size_t>(room));
  result.shape = parse_sparse(text.c_str(), end, expected, result.elements.data(), result.problem);
  result.elements.resize(static_cast<std::size_t>(result.shape.elements));
  return result;
}

TEST(FormatSparse, ElementsAreSortedAndZerosLeftOut) {
  const Parsed parsed = parse(" { 7 : -2 , 1:0.5,3:0,\t+5:1e2 } / 10 ");
  ASSERT_FALSE(parsed.problem) << parsed.problem.detail;
  EXPECT_EQ(parsed.shape.dims, 10);
  ASSERT_EQ(parsed.elements.size(), 3u);
  const int indices[] = {0, 4, 6};
  const float values[] = {0.5f, 100, -2};
  for (std::size_t i = 0; i < 3; i++) {
    EXPECT_EQ(parsed.elements[i].index, indices[i]);
    EXPECT_EQ(parsed.elements[i].value, values[i]);
  }
  EXPECT_EQ(parse("{}/1000000000").shape.dims, 1000000000);
  EXPECT_EQ(parse("{9:0}/5").problem.kind, Kind::none);
}

TEST(FormatSparse, MalformedLiterals) {
  for (const char* text :
       {"",      "{",      "{ ",     "{:",     "{,",       "{}",       "{}/",      "{}/1a",        "{:}/1",
        "{,}/1", "{1,}/1", "{:1}/1", "{1:}/1", "{1a:1}/1", "{1:1a}/1", "{1:1,}/1", "{1:1,,2:1}/2", "[1]",
        "{1:1",  "{1:1}",  "{}1",    "{1:x}/1"})
    EXPECT_EQ(parse(text).problem.kind, Kind::syntax) << text;
  EXPECT_STREQ(parse("{}").problem.detail, "Unexpected end of input.");
  EXPECT_STREQ(parse("{1:2,x}/1").problem.detail, "At element 2, byte 6, an index is missing.");
}

TEST(FormatSparse, ValuesAndDimensions) {
  EXPECT_EQ(parse("{1:NaN}/1").problem.kind, Kind::not_a_number);
  EXPECT_EQ(parse("{1:inf}/1").problem.kind, Kind::infinite);
  EXPECT_EQ(parse("{1:4e38}/1").problem.kind, Kind::out_of_range);
  EXPECT_EQ(parse("{1:-1e-46}/1").problem.kind, Kind::out_of_range);
  EXPECT_EQ(parse("{1:1e-45}/1").problem.kind, Kind::none);
  for (const char* text : {"{}/0", "{}/-1", "{}/-2147483649", "{}/-9223372036854775809"})
    EXPECT_EQ(parse(text).problem.kind, Kind::no_dimension) << text;
  for (const char* text : {"{}/1000000001", "{}/2147483648", "{}/9223372036854775808"})
    EXPECT_EQ(parse(text).problem.kind, Kind::too_many_dimensions) << text;
  EXPECT_EQ(parse("{}/3", 2).problem.kind, Kind::unexpected_dimensions);
}

TEST(FormatSparse, Indices) {
  for (const char* text : {"{0:1}/1", "{2:1}/1", "{-1:1}/1", "{2147483647:1}/1", "{2147483648:1}/1",
                           "{-2147483648:1}/1", "{-2147483649:1}/1", "{-9223372036854775809:1}/1"})
    EXPECT_EQ(parse(text).problem.kind, Kind::index_out_of_bounds) << text;
  EXPECT_EQ(parse("{1:1,2:1,1:2}/2").problem.kind, Kind::duplicate_index);
}

TEST(FormatSparse, AtMost16000Elements) {
  std::string text = "{1:1";
  for (int i = 2; i <= kSparseMaxElements; i++) text += "," + std::to_string(i) + ":1";
  EXPECT_EQ(parse(text + "}/20000").elements.size(), 16000u);
  EXPECT_EQ(parse(text + ",16001:1}/20000").problem.kind, Kind::too_many_elements);
}

// A message of words in network byte order.
std::vector<std::uint8_t> message(std::initializer_list<std::uint32_t> words) {
  std::vector<std::uint8_t> bytes;
  for (const std::uint32_t word : words)
    for (int shift = 24; shift >= 0; shift -= 8) bytes.push_back(static_cast<std::uint8_t>(word >> shift));
  return bytes;
}

Kind receive(const std::vector<std::uint8_t>& bytes) {
  Problem problem;
  const SparseShape shape = open_sparse(bytes.data(), bytes.size(), -1, problem);
  if (problem) return problem.kind;
  std::vector<std::int32_t> indices(static_cast<std::size_t>(shape.elements));
  std::vector<float> values(indices.size());
  read_sparse(bytes.data(), shape, indices.data(), values.data(), problem);
  return problem.kind;
}

TEST(FormatSparse, Binary) {
  constexpr std::uint32_t kOne = 0x3f800000, kNegative = 0xffffffff;
  EXPECT_EQ(receive(message({5, 0, 0})), Kind::none);
  EXPECT_EQ(receive(message({5, 2, 0, 0, 4, kOne, kOne})), Kind::none);
  EXPECT_EQ(receive({0, 0}), Kind::too_short);
  EXPECT_EQ(receive(message({0, 0, 0})), Kind::no_dimension);
  EXPECT_EQ(receive(message({1000000001, 0, 0})), Kind::too_many_dimensions);
  EXPECT_EQ(receive(message({5, kNegative, 0})), Kind::negative_elements);
  EXPECT_EQ(receive(message({5, 6, 0})), Kind::more_elements_than_dimensions);
  EXPECT_EQ(receive(message({20000, 16001, 0})), Kind::too_many_elements);
  EXPECT_EQ(receive(message({5, 0, 1})), Kind::reserved_not_zero);
  EXPECT_EQ(receive(message({5, 1, 0, 0})), Kind::too_short);
  EXPECT_EQ(receive(message({5, 1, 0, 0, kOne, 0})), Kind::too_long);
  EXPECT_EQ(receive(message({5, 1, 0, 5, kOne})), Kind::index_out_of_bounds);
  EXPECT_EQ(receive(message({5, 1, 0, kNegative, kOne})), Kind::index_out_of_bounds);
  EXPECT_EQ(receive(message({5, 2, 0, 1, 0, kOne, kOne})), Kind::indices_not_ascending);
  EXPECT_EQ(receive(message({5, 2, 0, 1, 1, kOne, kOne})), Kind::duplicate_index);
  EXPECT_EQ(receive(message({5, 1, 0, 0, 0x80000000})), Kind::zero_value);
  EXPECT_EQ(receive(message({5, 1, 0, 0, 0x7fc00000})), Kind::not_a_number);
  EXPECT_EQ(receive(message({5, 1, 0, 0, 0xff800000})), Kind::infinite);
}

}  // namespace
}  // namespace longbow::format
