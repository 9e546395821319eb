// The kernels on packed columns of every tier: odd numbers of rows, columns and dimensions against plain loops, ties,
// non-numbers, and rows at the edge of readable memory.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "simd_testing.hpp"

namespace longbow::simd::testing {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

struct Shape {
  std::size_t rows, columns, dims;
};

constexpr Shape kShapes[] = {{1, 1, 1},   {1, 33, 7},    {2, 5, 3},     {3, 32, 16},  {5, 31, 100}, {6, 64, 9},
                             {7, 65, 33}, {11, 97, 100}, {12, 130, 17}, {13, 9, 784}, {95, 40, 5},  {96, 33, 8},
                             {97, 17, 8}, {205, 70, 13}, {12, 0, 4},    {0, 7, 4},    {4, 7, 0},    {23, 250, 64},
                             {4, 16, 3},  {8, 16, 3},   {9, 48, 3},    {10, 17, 4},  {14, 16, 9},  {15, 48, 9},
                             {16, 16, 5}, {17, 49, 5},  {18, 48, 5},   {19, 16, 5},  {20, 33, 5},  {21, 16, 5}, {22, 8, 5}};

class SimdPacked : public ::testing::TestWithParam<NamedTable> {
 protected:
  // Rows, columns and their offsets in memory that ends where the arrays do.
  struct Data {
    Guarded<float> x_memory, packed_memory, offset_memory;
    std::vector<float> columns;
    float *x, *packed, *offset;
    Shape shape;
    explicit Data(Shape s, unsigned seed = 1)
        : x_memory(s.rows * s.dims + 1),
          packed_memory(packed_floats(s.columns, s.dims) + 1),
          offset_memory(s.columns + 1),
          columns(s.columns * s.dims),
          x(x_memory.last(s.rows * s.dims)),
          packed(packed_memory.last(packed_floats(s.columns, s.dims))),
          offset(offset_memory.last(s.columns)),
          shape(s) {
      Numbers numbers(seed);
      numbers.fill(x, s.rows * s.dims);
      numbers.fill(columns.data(), columns.size());
      numbers.fill(offset, s.columns, 0, 2);
      pack_columns(columns.data(), s.columns, s.dims, packed);
    }
    double dot(std::size_t i, std::size_t j, double* size = nullptr) const {
      double sum = 0;
      for (std::size_t d = 0; d < shape.dims; ++d) {
        const double term = double(x[i * shape.dims + d]) * columns[j * shape.dims + d];
        sum += term;
        if (size != nullptr) *size += std::fabs(term);
      }
      return sum;
    }
  };
  const Kernels& k = *GetParam().kernels;
};

TEST(SimdPack, PanelsAreDimensionMajorAndZeroFilled) {
  const std::size_t columns = 40, dims = 3;
  std::vector<float> source(columns * dims), packed(packed_floats(columns, dims), -1);
  for (std::size_t i = 0; i < source.size(); ++i) source[i] = static_cast<float>(i + 1);
  ASSERT_EQ(packed.size(), 64 * dims);
  pack_columns(source.data(), columns, dims, packed.data());
  for (std::size_t j = 0; j < 64; ++j)
    for (std::size_t d = 0; d < dims; ++d)
      EXPECT_EQ(packed[j / 32 * 32 * dims + d * 32 + j % 32], j < columns ? source[j * dims + d] : 0);
}

TEST_P(SimdPacked, DotsOfManyShapes) {
  for (const Shape& shape : kShapes) {
    const Data data(shape);
    const std::size_t stride = shape.columns + 3;
    std::vector<float> out(shape.rows * stride + 1, 77);
    k.dot_packed(data.x, shape.rows, data.packed, shape.columns, shape.dims, out.data(), stride);
    for (std::size_t i = 0; i < shape.rows; ++i)
      for (std::size_t j = 0; j < stride; ++j) {
        const float actual = out[i * stride + j];
        if (j >= shape.columns) {
          ASSERT_EQ(actual, 77) << "wrote past the columns";
          continue;
        }
        double size = 0;
        const double expected = data.dot(i, j, &size);
        ASSERT_NEAR(actual, expected, (static_cast<double>(shape.dims) + 1) * 0x1p-24 * size)
            << shape.rows << " x " << shape.columns << " x " << shape.dims << " at " << i << ", " << j;
      }
  }
}

TEST_P(SimdPacked, DotsEndWithTheOutput) {
  const Data data({7, 37, 20});
  Guarded<float> out(7 * 37);
  k.dot_packed(data.x, 7, data.packed, 37, 20, out.last(7 * 37), 37);
  EXPECT_NEAR(out.last(1)[0], data.dot(6, 36), 1e-5);
}

// Tiles overlap at the end: training promises the same bits however rows are shared out.
TEST_P(SimdPacked, ARowIsTheSameAmongAnyOthers) {
  constexpr std::size_t kRows = 30, kColumns = 48, kDims = 33;
  const Data data({kRows, kColumns, kDims});
  std::vector<float> alone(kRows * kColumns), out(kRows * kColumns);
  for (std::size_t i = 0; i < kRows; ++i)
    k.dot_packed(data.x + i * kDims, 1, data.packed, kColumns, kDims, alone.data() + i * kColumns, kColumns);
  for (std::size_t rows = 1; rows <= kRows; ++rows) {
    k.dot_packed(data.x, rows, data.packed, kColumns, kDims, out.data(), kColumns);
    EXPECT_EQ(std::memcmp(out.data(), alone.data(), rows * kColumns * sizeof(float)), 0) << rows;
  }
}

TEST_P(SimdPacked, NearestOfManyShapes) {
  for (const Shape& shape : kShapes) {
    const Data data(shape, 2);
    std::vector<Nearest> nearest(shape.rows + 1, Nearest{12345, 1});
    k.nearest_packed(data.x, shape.rows, data.packed, data.offset, shape.columns, shape.dims, nearest.data());
    EXPECT_EQ(nearest[shape.rows].index, 12345u);
    for (std::size_t i = 0; i < shape.rows; ++i) {
      if (shape.columns == 0) {
        EXPECT_EQ(nearest[i].index, 0u);
        continue;
      }
      double least = std::numeric_limits<double>::infinity();
      for (std::size_t j = 0; j < shape.columns; ++j) least = std::min(least, data.offset[j] - 2 * data.dot(i, j));
      const std::uint32_t found = nearest[i].index;
      ASSERT_LT(found, shape.columns);
      const double tolerance = 1e-6 * (static_cast<double>(shape.dims) + 4);
      EXPECT_NEAR(nearest[i].value, least, tolerance);
      EXPECT_NEAR(data.offset[found] - 2 * data.dot(i, found), least, tolerance);
    }
  }
}

TEST_P(SimdPacked, NearestTakesTheLowestColumnOfATie) {
  for (const std::size_t columns : {2u, 33u, 70u, 200u}) {
    Data data({14, columns, 5}, 3);
    std::fill(data.columns.begin(), data.columns.end(), 0.25f);
    pack_columns(data.columns.data(), columns, 5, data.packed);
    for (std::size_t first = 0; first < columns; first += 7) {
      std::fill_n(data.offset, columns, 1.0f);
      std::fill(data.offset + first, data.offset + columns, 0.5f);
      Nearest nearest[14];
      k.nearest_packed(data.x, 14, data.packed, data.offset, columns, 5, nearest);
      for (const Nearest& found : nearest) ASSERT_EQ(found.index, first) << columns;
    }
  }
}

TEST_P(SimdPacked, NearestNeverTakesPaddingOrNan) {
  for (const std::size_t columns : {1u, 15u, 31u, 33u, 50u}) {
    Data data({8, columns, 6}, 4);
    std::fill_n(data.offset, columns, 1e30f);
    Nearest nearest[8];
    k.nearest_packed(data.x, 8, data.packed, data.offset, columns, 6, nearest);
    for (const Nearest& found : nearest) EXPECT_LT(found.index, columns);
    std::fill_n(data.offset, columns, kNan);
    data.offset[columns / 2] = 5;
    data.x[6] = kNan;
    k.nearest_packed(data.x, 8, data.packed, data.offset, columns, 6, nearest);
    for (std::size_t i = 0; i < 8; ++i) EXPECT_EQ(nearest[i].index, i == 1 ? 0 : columns / 2);
    std::fill_n(data.offset, columns, -kInfinity);
    data.offset[0] = kNan;
    k.nearest_packed(data.x, 8, data.packed, data.offset, columns, 6, nearest);
    EXPECT_EQ(nearest[0].index, columns > 1 ? 1u : 0u);
  }
}

TEST_P(SimdPacked, IntegersAgreeWithScalarExactly) {
  const Shape shape{101, 77, 40};
  Data data(shape);
  Numbers numbers(6);
  const auto whole = [&numbers](float* to, std::size_t n) {
    for (std::size_t i = 0; i < n; ++i) to[i] = static_cast<float>(numbers.integer(-3, 3));
  };
  whole(data.x, shape.rows * shape.dims), whole(data.columns.data(), data.columns.size());
  whole(data.offset, shape.columns);
  pack_columns(data.columns.data(), shape.columns, shape.dims, data.packed);
  std::vector<Nearest> actual(shape.rows), expected(shape.rows);
  k.nearest_packed(data.x, shape.rows, data.packed, data.offset, shape.columns, shape.dims, actual.data());
  kScalarKernels.nearest_packed(data.x, shape.rows, data.packed, data.offset, shape.columns, shape.dims,
                                expected.data());
  for (std::size_t i = 0; i < shape.rows; ++i) {
    EXPECT_EQ(actual[i].index, expected[i].index);
    EXPECT_EQ(actual[i].value, expected[i].value);
  }
}

INSTANTIATE_TEST_SUITE_P(Tiers, SimdPacked, ::testing::ValuesIn(tables()), table_label);

}  // namespace
}  // namespace longbow::simd::testing
