// Prepares the data of the nearest-neighbour benchmark.
//
//   ann_data import WIDTH TAKE OUT.fbin < JSON     every innermost array of exactly WIDTH numbers, its first TAKE;
//                                                  arrays of zeros, which have no direction, are left out
//   ann_data split IN.fbin QUERIES DIR             holds out QUERIES random rows (fixed seed); base keeps its order
//   ann_data truth METRIC K DIR                    exact neighbours of the queries, ties by row number
#include <cstring>
#include <numeric>
#include <string_view>

#include "ann_common.hpp"

namespace ann {

// Reads standard input in chunks and gives it out byte by byte.
class Input {
 public:
  int next() {
    if (at_ == end_) {
      end_ = std::fread(buffer_, 1, sizeof buffer_, stdin);
      at_ = 0;
      if (end_ == 0) return EOF;
    }
    return buffer_[at_++];
  }

 private:
  unsigned char buffer_[1 << 16];
  std::size_t at_ = 0, end_ = 0;
};

static void import_json(std::size_t width, std::size_t take, const std::string& out) {
  static Input input;
  Matrix<float> matrix;
  matrix.columns = take;
  std::vector<float> numbers;
  bool in_array = false;
  for (int c = input.next(); c != EOF;) {
    if (c == '"') {
      for (c = input.next(); c != '"' && c != EOF; c = input.next())
        if (c == '\\') input.next();
      in_array = false;
    } else if (c == '[') {
      in_array = true;
      numbers.clear();
    } else if (c == ']') {
      if (in_array && numbers.size() == width &&
          std::any_of(numbers.begin(), numbers.begin() + std::ptrdiff_t(take), [](float x) { return x != 0; }))
        matrix.data.insert(matrix.data.end(), numbers.begin(), numbers.begin() + std::ptrdiff_t(take));
      in_array = false;
    } else if (in_array && (c == '-' || (c >= '0' && c <= '9'))) {
      char text[64];
      std::size_t length = 0;
      for (; c == '-' || c == '+' || c == '.' || c == 'e' || c == 'E' || (c >= '0' && c <= '9'); c = input.next())
        if (length < sizeof text - 1) text[length++] = char(c);
      text[length] = 0;
      numbers.push_back(std::strtof(text, nullptr));
      continue;
    }
    c = input.next();
  }
  matrix.rows = matrix.data.size() / take;
  if (matrix.rows == 0) die("no array of %zu numbers found", width);
  write_matrix(out, matrix);
  std::printf("%zu rows of %zu\n", matrix.rows, take);
}

static std::uint64_t splitmix(std::uint64_t& state) {
  std::uint64_t z = state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

static void split(const std::string& in, std::size_t queries, const std::string& dir) {
  const Matrix<float> all = read_matrix<float>(in);
  if (queries >= all.rows) die("%s has only %zu rows", in.c_str(), all.rows);
  std::vector<std::size_t> order(all.rows);
  std::iota(order.begin(), order.end(), 0);
  std::uint64_t state = 20260101;
  for (std::size_t i = 0; i < queries; i++) std::swap(order[i], order[i + splitmix(state) % (all.rows - i)]);
  std::vector<bool> held(all.rows);
  Matrix<float> query{queries, all.columns, {}}, base{all.rows - queries, all.columns, {}};
  for (std::size_t i = 0; i < queries; i++) {
    held[order[i]] = true;
    query.data.insert(query.data.end(), all.row(order[i]), all.row(order[i]) + all.columns);
  }
  for (std::size_t i = 0; i < all.rows; i++)
    if (!held[i]) base.data.insert(base.data.end(), all.row(i), all.row(i) + all.columns);
  write_matrix(dir + "/query.fbin", query);
  write_matrix(dir + "/base.fbin", base);
}

// Sixteen partial sums, which the compiler keeps in vector registers.
static float dot(const float* a, const float* b, std::size_t n) {
  float sums[16] = {};
  std::size_t i = 0;
  for (; i + 16 <= n; i += 16)
    for (std::size_t j = 0; j < 16; j++) sums[j] += a[i + j] * b[i + j];
  float sum = 0;
  for (; i < n; i++) sum += a[i] * b[i];
  for (const float s : sums) sum += s;
  return sum;
}

// Single precision picks a few more than k candidates a query, double precision orders them.
static void truth(Metric metric, std::size_t k, const std::string& dir) {
  const Matrix<float> base = read_matrix<float>(dir + "/base.fbin");
  const Matrix<float> query = read_matrix<float>(dir + "/query.fbin");
  Matrix<float> near = base, near_query = query;
  if (metric == Metric::cosine) {
    normalise(near);
    normalise(near_query);
  }
  std::vector<float> norms(base.rows, 0);
  if (metric == Metric::l2)
    for (std::size_t i = 0; i < base.rows; i++) norms[i] = dot(near.row(i), near.row(i), base.columns);

  using Candidate = std::pair<double, std::int32_t>;
  const std::size_t keep = k + 50;
  if (keep > base.rows) die("fewer rows than neighbours wanted");
  std::vector<std::vector<Candidate>> best(query.rows);
  constexpr std::size_t kStrip = 256;  // rows that stay in cache while every query passes over them
  for (std::size_t start = 0; start < base.rows; start += kStrip) {
    const std::size_t end = std::min(base.rows, start + kStrip);
    for (std::size_t q = 0; q < query.rows; q++) {
      auto& heap = best[q];
      for (std::size_t i = start; i < end; i++) {
        const double distance = norms[i] - 2.0 * dot(near.row(i), near_query.row(q), base.columns);
        if (heap.size() == keep && distance >= heap.front().first) continue;
        if (heap.size() == keep) {
          std::pop_heap(heap.begin(), heap.end());
          heap.pop_back();
        }
        heap.emplace_back(distance, std::int32_t(i));
        std::push_heap(heap.begin(), heap.end());
      }
    }
  }
  Matrix<std::int32_t> result{query.rows, k, {}};
  for (std::size_t q = 0; q < query.rows; q++) {
    for (auto& [distance, id] : best[q])
      distance = exact_distance(metric, query.row(q), base.row(std::size_t(id)), base.columns);
    std::sort(best[q].begin(), best[q].end());
    for (std::size_t i = 0; i < k; i++) result.data.push_back(best[q][i].second);
  }
  write_matrix(dir + "/truth.ibin", result);
}

}  // namespace ann

int main(int argc, char** argv) {
  const std::string_view verb = argc == 5 ? argv[1] : "";
  if (verb == "import")
    ann::import_json(std::strtoul(argv[2], nullptr, 10), std::strtoul(argv[3], nullptr, 10), argv[4]);
  else if (verb == "split")
    ann::split(argv[2], std::strtoul(argv[3], nullptr, 10), argv[4]);
  else if (verb == "truth")
    ann::truth(ann::metric_from(argv[2]), std::strtoul(argv[3], nullptr, 10), argv[4]);
  else
    ann::die("usage: ann_data import WIDTH TAKE OUT | split IN QUERIES DIR | truth METRIC K DIR");
}
