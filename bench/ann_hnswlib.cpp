// hnswlib's side of the nearest-neighbour benchmark: one thread, the library as Debian ships it.
//
//   ann_hnswlib DIR METRIC K INDEX-FILE [build]
//
// With "build", or if INDEX-FILE is missing, builds the index (M = 16, ef_construction = 100) and saves it. Prints a
// line of JSON about the index, then answers commands from standard input, a line of JSON each: "query EF" runs all
// queries once. Cosine is the inner product of normalised vectors; normalising the queries is not timed.
#include <hnswlib/hnswlib.h>
#include <unistd.h>

#include <memory>
#include <string_view>

#include "ann_common.hpp"

int main(int argc, char** argv) {
  if (argc < 5) ann::die("usage: ann_hnswlib DIR METRIC K INDEX-FILE [build]");
  const std::size_t k = std::strtoul(argv[3], nullptr, 10);
  const std::string index_file = argv[4];
  const bool build = (argc > 5 && std::string_view(argv[5]) == "build") || access(index_file.c_str(), R_OK) != 0;
  const ann::Set set = ann::read_set(argv[1], argv[2]);
  const std::size_t dims = set.base.columns;
  ann::Matrix<float> query = set.query;

  std::unique_ptr<hnswlib::SpaceInterface<float>> space;
  if (set.metric == ann::Metric::cosine) {
    space = std::make_unique<hnswlib::InnerProductSpace>(dims);
    ann::normalise(query);
  } else {
    space = std::make_unique<hnswlib::L2Space>(dims);
  }

  std::unique_ptr<hnswlib::HierarchicalNSW<float>> index;
  if (build) {
    ann::Matrix<float> base = set.base;
    const double start = ann::now();
    if (set.metric == ann::Metric::cosine) ann::normalise(base);
    index = std::make_unique<hnswlib::HierarchicalNSW<float>>(space.get(), base.rows, 16, 100);
    for (std::size_t i = 0; i < base.rows; i++) index->addPoint(base.row(i), i);
    const double seconds = ann::now() - start;
    index->saveIndex(index_file);
    std::printf("{\"built\": true, \"build_seconds\": %.2f}\n", seconds);
  } else {
    index = std::make_unique<hnswlib::HierarchicalNSW<float>>(space.get(), index_file);
    std::printf("{\"built\": false}\n");
  }
  std::fflush(stdout);

  char line[256];
  while (std::fgets(line, sizeof line, stdin)) {
    std::size_t ef;
    if (std::sscanf(line, "query %zu", &ef) != 1) ann::die("unknown command: %s", line);
    index->setEf(ef);
    std::vector<std::vector<std::int32_t>> answers(query.rows);
    std::vector<double> seconds(query.rows);
    const double start = ann::now();
    double last = start;
    for (std::size_t q = 0; q < query.rows; q++) {
      auto found = index->searchKnn(query.row(q), k);
      for (; !found.empty(); found.pop()) answers[q].push_back(std::int32_t(found.top().second));
      const double end = ann::now();
      seconds[q] = end - last;
      last = end;
    }
    ann::report_pass(set, answers, k, seconds, last - start);
  }
}
