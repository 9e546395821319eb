// What compressing records saves and costs: encodes a set of vectors in records of 100 rows, with and without.
//
//   wal_codec FILE.fbin|normal ROUNDS     `normal`: 20,000 x 128 random normal floats
//
// Prints one line of JSON: bytes a row, CPU time a row to encode and seal, and to decode; medians of interleaved
// rounds.
#include <time.h>

#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "ann_common.hpp"
#include "longbow/wal/record.hpp"

namespace {

namespace wal = longbow::wal;

constexpr std::size_t kRows = 100;

double cpu() {
  timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return double(time.tv_sec) + double(time.tv_nsec) * 1e-9;
}

struct Result {
  double bytes = 0, encode = 0, decode = 0;
};

Result pass(const ann::Matrix<float>& set, bool compress) {
  const std::size_t dims = set.columns;
  std::vector<wal::RowId> rows(kRows);
  std::vector<std::uint64_t> record(wal::RecordWriter::bound(kRows, dims) / 8 + 1), scratch(kRows * dims / 2 + 1);
  std::vector<float> out(kRows * dims);
  auto* const bytes = reinterpret_cast<std::byte*>(record.data());
  auto* const spare = reinterpret_cast<std::byte*>(scratch.data());
  wal::CompressState state{};
  Result result;
  std::size_t done = 0;
  for (std::size_t i = 0; i + kRows <= set.rows; i += kRows, done += kRows) {
    for (std::size_t r = 0; r < kRows; ++r) rows[r] = {std::uint32_t((i + r) / 14), std::uint16_t((i + r) % 14 + 1), 0};
    const double started = cpu();
    const std::size_t length = wal::RecordWriter::encode({{1, 2, 3}, 1, i, rows, set.row(i), std::uint32_t(dims)},
                                                         compress ? &state : nullptr, spare, bytes);
    wal::RecordWriter::seal(bytes, 4096, 1);
    const double encoded = cpu();
    wal::Record decoded;
    if (wal::decode({bytes, length}, 4096, 1, decoded) != wal::Verdict::ok || !decoded.vectors(out.data(), spare) ||
        std::memcmp(out.data(), set.row(i), out.size() * sizeof(float)) != 0)
      ann::die("a record did not come back as it was");
    result.decode += cpu() - encoded;
    result.encode += encoded - started;
    result.bytes += double(length);
  }
  return {result.bytes / double(done), result.encode / double(done), result.decode / double(done)};
}

double median(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + std::ptrdiff_t(values.size() / 2), values.end());
  return values[values.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) ann::die("usage: wal_codec FILE.fbin|normal ROUNDS");
  ann::Matrix<float> set;
  if (std::string(argv[1]) == "normal") {
    std::mt19937_64 random(1);
    std::normal_distribution<float> normal;
    set = {20000, 128, std::vector<float>(20000 * 128)};
    for (float& x : set.data) x = normal(random);
  } else {
    set = ann::read_matrix<float>(argv[1]);
  }
  std::vector<double> encode[2], decode[2];
  double bytes[2] = {};
  for (int round = 0; round < std::atoi(argv[2]); ++round)
    for (const bool compress : {false, true}) {
      const Result result = pass(set, compress);
      bytes[compress] = result.bytes;
      encode[compress].push_back(result.encode * 1e6);
      decode[compress].push_back(result.decode * 1e6);
    }
  std::printf(
      "{\"rows\": %zu, \"dims\": %zu, \"plain_bytes\": %.1f, \"packed_bytes\": %.1f, \"plain_us\": %.3f, "
      "\"packed_us\": %.3f, \"plain_decode_us\": %.3f, \"packed_decode_us\": %.3f}\n",
      set.rows, set.columns, bytes[0], bytes[1], median(encode[0]), median(encode[1]), median(decode[0]),
      median(decode[1]));
}
