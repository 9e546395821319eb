// Rows of low intrinsic dimension, as PostgreSQL's binary COPY of (id bigint, v vector(DIMS)) to standard output.
//
//   million_data FIRST ROWS DIMS
//
// Row i is W (c + z) + e: W has DIMS x 24 fixed normal numbers over sqrt(24), c is one of 1,000 fixed points with normal
// coordinates of deviation 2 (chosen by i), z has 24 normal numbers, e uniform noise of deviation 0.05 a dimension. All of it
// depends on i alone, so that any part of the set can be made again.
#include <arpa/inet.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

namespace {

constexpr std::size_t kIntrinsic = 24, kCentres = 1000;

struct Random {
  std::uint64_t state;
  std::uint64_t next() {
    std::uint64_t z = state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  float uniform() { return static_cast<float>(next() >> 40) * 0x1p-24F; }
  // Box and Muller's.
  float normal() { return std::sqrt(-2 * std::log(uniform() + 0x1p-25F)) * std::cos(6.2831853F * uniform()); }
};

void put(std::vector<char>& out, const void* bytes, std::size_t count) {
  const char* p = static_cast<const char*>(bytes);
  out.insert(out.end(), p, p + count);
}
void put32(std::vector<char>& out, std::uint32_t v) {
  v = htonl(v);
  put(out, &v, 4);
}
void put16(std::vector<char>& out, std::uint16_t v) {
  v = htons(v);
  put(out, &v, 2);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    std::fprintf(stderr, "usage: million_data FIRST ROWS DIMS\n");
    return 2;
  }
  const std::uint64_t first = std::strtoull(argv[1], nullptr, 10), rows = std::strtoull(argv[2], nullptr, 10);
  const std::size_t dims = std::strtoul(argv[3], nullptr, 10);
  Random fixed{20261123};
  std::vector<float> spread(kIntrinsic * dims), centres(kCentres * kIntrinsic);
  for (float& w : spread) w = fixed.normal() / std::sqrt(static_cast<float>(kIntrinsic));
  for (float& c : centres) c = 2 * fixed.normal();
  std::vector<char> out;
  std::vector<float> row(dims);
  put(out, "PGCOPY\n\xff\r\n\0", 11);
  put32(out, 0);
  put32(out, 0);
  for (std::uint64_t i = first; i < first + rows; ++i) {
    Random random{i * 0x2545F4914F6CDD1Du + 1};
    const float* centre = centres.data() + random.next() % kCentres * kIntrinsic;
    for (float& x : row) x = 0.0866F * (2 * random.uniform() - 1);
    for (std::size_t k = 0; k < kIntrinsic; ++k) {
      const float z = centre[k] + random.normal();
      const float* w = spread.data() + k * dims;
      for (std::size_t d = 0; d < dims; ++d) row[d] += z * w[d];
    }
    put16(out, 2);
    put32(out, 8);
    put32(out, static_cast<std::uint32_t>(i >> 32));
    put32(out, static_cast<std::uint32_t>(i));
    put32(out, static_cast<std::uint32_t>(4 + 4 * dims));
    put16(out, static_cast<std::uint16_t>(dims));
    put16(out, 0);
    for (const float x : row) {
      std::uint32_t bits;
      std::memcpy(&bits, &x, 4);
      put32(out, bits);
    }
    if (out.size() > (1 << 20)) {
      if (std::fwrite(out.data(), 1, out.size(), stdout) != out.size()) return 1;
      out.clear();
    }
  }
  put16(out, 0xFFFF);
  return std::fwrite(out.data(), 1, out.size(), stdout) == out.size() && std::fflush(stdout) == 0 ? 0 : 1;
}
