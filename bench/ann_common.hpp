// What the programs of the nearest-neighbour benchmark share: vector files, recall, latencies.
//
// Vector files hold two little-endian int32, rows and columns, then the elements row by row; elements are float32 in
// *.fbin and int32 in *.ibin. Failures print one line and end the process: these are tools, not a library.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdarg>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

namespace ann {

[[noreturn, gnu::format(printf, 1, 2)]] inline void die(const char* format, ...) {
  va_list args;
  va_start(args, format);
  std::vfprintf(stderr, format, args);
  va_end(args);
  std::fputc('\n', stderr);
  std::exit(1);
}

inline double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

template <class T>
struct Matrix {
  std::size_t rows = 0;
  std::size_t columns = 0;
  std::vector<T> data;

  T* row(std::size_t i) { return data.data() + i * columns; }
  const T* row(std::size_t i) const { return data.data() + i * columns; }
};

template <class T>
Matrix<T> read_matrix(const std::string& path) {
  static_assert(sizeof(T) == 4);
  std::FILE* file = std::fopen(path.c_str(), "rb");
  if (!file) die("cannot open %s", path.c_str());
  std::int32_t shape[2];
  if (std::fread(shape, sizeof shape, 1, file) != 1) die("cannot read %s", path.c_str());
  Matrix<T> matrix{std::size_t(shape[0]), std::size_t(shape[1]), {}};
  matrix.data.resize(matrix.rows * matrix.columns);
  if (std::fread(matrix.data.data(), sizeof(T), matrix.data.size(), file) != matrix.data.size())
    die("%s is cut short", path.c_str());
  std::fclose(file);
  return matrix;
}

template <class T>
void write_matrix(const std::string& path, const Matrix<T>& matrix) {
  std::FILE* file = std::fopen(path.c_str(), "wb");
  if (!file) die("cannot create %s", path.c_str());
  const std::int32_t shape[2] = {std::int32_t(matrix.rows), std::int32_t(matrix.columns)};
  if (std::fwrite(shape, sizeof shape, 1, file) != 1 ||
      std::fwrite(matrix.data.data(), sizeof(T), matrix.data.size(), file) != matrix.data.size() ||
      std::fclose(file) != 0)
    die("cannot write %s", path.c_str());
}

enum class Metric { l2, cosine };

inline Metric metric_from(const std::string& name) {
  if (name == "l2") return Metric::l2;
  if (name == "cosine") return Metric::cosine;
  die("unknown metric %s", name.c_str());
}

// Distance in double precision: squared L2, or 1 - cosine.
inline double exact_distance(Metric metric, const float* a, const float* b, std::size_t n) {
  if (metric == Metric::l2) {
    double sum = 0;
    for (std::size_t i = 0; i < n; i++) sum += (double(a[i]) - b[i]) * (double(a[i]) - b[i]);
    return sum;
  }
  double dot = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < n; i++) {
    dot += double(a[i]) * b[i];
    aa += double(a[i]) * a[i];
    bb += double(b[i]) * b[i];
  }
  return 1 - dot / std::sqrt(aa * bb);
}

inline void normalise(Matrix<float>& matrix) {
  for (std::size_t i = 0; i < matrix.rows; i++) {
    float* row = matrix.row(i);
    double sum = 0;
    for (std::size_t j = 0; j < matrix.columns; j++) sum += double(row[j]) * row[j];
    const double factor = sum > 0 ? 1 / std::sqrt(sum) : 0;
    for (std::size_t j = 0; j < matrix.columns; j++) row[j] = float(row[j] * factor);
  }
}

// A set prepared by ann_data: DIR/base.fbin, DIR/query.fbin and the exact neighbours DIR/truth.ibin.
struct Set {
  Metric metric;
  Matrix<float> base, query;
  Matrix<std::int32_t> truth;
};

inline Set read_set(const std::string& dir, const std::string& metric) {
  return {metric_from(metric), read_matrix<float>(dir + "/base.fbin"), read_matrix<float>(dir + "/query.fbin"),
          read_matrix<std::int32_t>(dir + "/truth.ibin")};
}

// Share of the k nearest rows that the answers hold. An answer counts if it is as near as the k-th true neighbour
// (so that ties are no errors) and was not given twice.
inline double recall(const Set& set, const std::vector<std::vector<std::int32_t>>& answers, std::size_t k) {
  std::size_t hits = 0;
  const std::size_t n = set.base.columns;
  for (std::size_t q = 0; q < set.query.rows; q++) {
    const std::int32_t* truth = set.truth.row(q);
    const float* query = set.query.row(q);
    const double limit = exact_distance(set.metric, query, set.base.row(truth[k - 1]), n) * (1 + 1e-6) + 1e-9;
    std::vector<std::int32_t> ids = answers[q];
    if (ids.size() > k) ids.resize(k);
    std::sort(ids.begin(), ids.end());
    ids.erase(std::unique(ids.begin(), ids.end()), ids.end());
    for (const std::int32_t id : ids) {
      if (id < 0 || std::size_t(id) >= set.base.rows) die("an answer names row %d, which does not exist", id);
      hits += exact_distance(set.metric, query, set.base.row(id), n) <= limit;
    }
  }
  return double(hits) / double(set.query.rows * k);
}

// Prints one pass as a line of JSON: queries a second, recall, and latencies in microseconds.
inline void report_pass(const Set& set, const std::vector<std::vector<std::int32_t>>& answers, std::size_t k,
                        std::vector<double> seconds, double elapsed) {
  std::sort(seconds.begin(), seconds.end());
  const auto at = [&](double share) {
    return seconds[std::min(seconds.size() - 1, std::size_t(share * double(seconds.size())))] * 1e6;
  };
  std::printf("{\"qps\": %.2f, \"recall\": %.5f, \"p50_us\": %.1f, \"p99_us\": %.1f}\n",
              double(seconds.size()) / elapsed, recall(set, answers, k), at(0.5), at(0.99));
  std::fflush(stdout);
}

}  // namespace ann
