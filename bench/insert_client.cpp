// Client of bench/insert: a session over libpq, writers in threads of their own, everything in binary.
//
//   insert_client CONNINFO
//
// Rows are numbered: row `id` of a source is its row id % rows; where ids go beyond, every element gets some noise, which
// depends on nothing but the id. Answers commands from standard input, a line of JSON each:
//
//   exec SQL                                      rows as text, and the time
//   source FILE.fbin | source normal ROWS DIMS    where vectors come from; normal: random numbers of a fixed seed
//   queries FILE.fbin
//   copy TABLE FIRST COUNT                        binary COPY of rows FIRST.. into TABLE (id int, v vector)
//   insert TABLE FIRST CLIENTS BATCH SECONDS ROWS SQL  INSERT statements of BATCH rows by CLIENTS sessions, which run SQL
//                                                 first, for SECONDS, or until there are ROWS if that is not 0
//   truth METRIC K ROWS COUNT                     exact neighbours of the first COUNT queries among rows 0..ROWS
//   prepare SQL                                   a query with one vector parameter, whose first column is the id
//   query COUNT                                   runs it for the first COUNT queries; recall where truth is known
#include <atomic>
#include <cstring>
#include <random>
#include <sstream>
#include <string_view>
#include <thread>

#include "pq_common.hpp"

namespace ann {

static std::uint64_t mix(std::uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

class Source {
 public:
  void read(std::istringstream& words) {
    std::string what;
    words >> what;
    if (what == "normal") {
      words >> matrix_.rows >> matrix_.columns;
      matrix_.data.resize(matrix_.rows * matrix_.columns);
      std::mt19937_64 random(20260101);
      std::normal_distribution<float> normal;
      for (float& x : matrix_.data) x = normal(random);
    } else {
      matrix_ = read_matrix<float>(what);
    }
    double sum = 0;
    for (const float x : matrix_.data) sum += double(x) * x;
    noise_ = float(0.5 * std::sqrt(sum / double(matrix_.data.size())));
  }

  std::size_t rows() const { return matrix_.rows; }
  std::size_t dims() const { return matrix_.columns; }

  void row(std::size_t id, float* out) const {
    const std::size_t n = dims();
    std::memcpy(out, matrix_.row(id % rows()), n * sizeof(float));
    if (id < rows()) return;
    const std::uint64_t seed = mix(id + 0x9e3779b97f4a7c15u);
    for (std::size_t i = 0; i < n; i++) {
      const std::uint64_t bits = mix(seed + (i + 1) * 0x9e3779b97f4a7c15u);
      out[i] += noise_ * (float(bits >> 40) * 0x1p-23f - 1.0f);
    }
  }

 private:
  Matrix<float> matrix_;
  float noise_ = 0;
};

struct Session {
  std::string conninfo;
  PGconn* conn = nullptr;
  Source source;
  Matrix<float> queries;
  Metric metric = Metric::l2;
  std::size_t k = 0;
  std::vector<double> limits;  // distance of the k-th neighbour, a query each
};

static void copy(Session& session, std::istringstream& words) {
  std::string table;
  std::size_t first, count;
  words >> table >> first >> count;
  const std::size_t n = session.source.dims();
  // Made before the clock starts.
  std::string out("PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19);
  out.reserve(out.size() + count * (18 + 4 * n) + 2);
  std::vector<float> row(n);
  for (std::size_t i = 0; i < count; i++) {
    session.source.row(first + i, row.data());
    put16(out, 2);
    put32(out, 4);
    put32(out, std::uint32_t(first + i));
    put32(out, std::uint32_t(4 + 4 * n));
    put_vector(out, row.data(), n);
  }
  put16(out, 0xffff);

  PGconn* conn = session.conn;
  const double start = now();
  PGresult* result = PQexec(conn, ("COPY " + table + " (id, v) FROM STDIN BINARY").c_str());
  if (PQresultStatus(result) != PGRES_COPY_IN) return print_error(PQerrorMessage(conn));
  PQclear(result);
  for (std::size_t at = 0; at < out.size(); at += 65536)
    if (PQputCopyData(conn, out.data() + at, int(std::min<std::size_t>(65536, out.size() - at))) != 1)
      return print_error(PQerrorMessage(conn));
  PQputCopyEnd(conn, nullptr);
  result = PQgetResult(conn);
  if (PQresultStatus(result) != PGRES_COMMAND_OK)
    print_error(PQerrorMessage(conn));
  else
    std::printf("{\"seconds\": %.6f}\n", now() - start);
  PQclear(result);
  while ((result = PQgetResult(conn))) PQclear(result);
}

struct Writer {
  PGconn* conn = nullptr;
  std::vector<double> seconds;
  std::string error;
};

static void write(const Source& source, Writer& writer, std::size_t batch, std::size_t last, double end,
                  std::atomic<std::size_t>& next) {
  const std::size_t n = source.dims();
  std::vector<float> row(n);
  std::vector<std::string> values(2 * batch);
  std::vector<const char*> pointers(2 * batch);
  std::vector<int> lengths(2 * batch), formats(2 * batch, 1);
  while (now() < end) {
    const std::size_t first = next.fetch_add(batch, std::memory_order_relaxed);
    if (first + batch > last) break;
    for (std::size_t i = 0; i < batch; i++) {
      source.row(first + i, row.data());
      values[2 * i].clear();
      put32(values[2 * i], std::uint32_t(first + i));
      values[2 * i + 1].clear();
      put_vector(values[2 * i + 1], row.data(), n);
    }
    for (std::size_t i = 0; i < values.size(); i++) {
      pointers[i] = values[i].data();
      lengths[i] = int(values[i].size());
    }
    const double start = now();
    PGresult* result = PQexecPrepared(writer.conn, "put", int(values.size()), pointers.data(), lengths.data(), formats.data(), 1);
    const bool good = PQresultStatus(result) == PGRES_COMMAND_OK;
    PQclear(result);
    if (!good) {
      writer.error = PQerrorMessage(writer.conn);
      break;
    }
    writer.seconds.push_back(now() - start);
  }
}

static void insert(Session& session, std::istringstream& words) {
  std::string table, sql;
  std::size_t first, clients, batch, rows;
  double seconds;
  words >> table >> first >> clients >> batch >> seconds >> rows;
  std::getline(words >> std::ws, sql);
  std::string statement = "INSERT INTO " + table + " (id, v) VALUES ";
  for (std::size_t i = 0; i < batch; i++)
    statement += (i ? ", ($" : "($") + std::to_string(2 * i + 1) + "::int, $" + std::to_string(2 * i + 2) + "::vector)";

  std::vector<Writer> writers(clients);
  std::string error;
  for (Writer& writer : writers) {
    writer.conn = PQconnectdb(session.conninfo.c_str());
    const bool ready = PQstatus(writer.conn) == CONNECTION_OK;
    if (ready && !sql.empty()) PQclear(PQexec(writer.conn, sql.c_str()));
    PGresult* result = ready ? PQprepare(writer.conn, "put", statement.c_str(), 0, nullptr) : nullptr;
    if (PQresultStatus(result) != PGRES_COMMAND_OK) error = PQerrorMessage(writer.conn);
    PQclear(result);
    writer.seconds.reserve(1 << 16);
  }
  double elapsed = 0;
  std::atomic<std::size_t> next{first};
  if (error.empty()) {
    const double start = now();
    const double end = rows ? start + 1e9 : start + seconds;
    const std::size_t last = rows ? first + rows : std::size_t(-1) / 2;
    std::vector<std::thread> threads;
    for (Writer& writer : writers)
      threads.emplace_back([&] { write(session.source, writer, batch, last, end, next); });
    for (std::thread& thread : threads) thread.join();
    elapsed = now() - start;
  }
  std::vector<double> all;
  for (Writer& writer : writers) {
    all.insert(all.end(), writer.seconds.begin(), writer.seconds.end());
    if (!writer.error.empty()) error = writer.error;
    PQfinish(writer.conn);
  }
  if (!error.empty() || all.empty()) return print_error(error.empty() ? "nothing was inserted" : error);
  std::sort(all.begin(), all.end());
  const auto at = [&](double share) { return all[std::min(all.size() - 1, std::size_t(share * double(all.size())))] * 1e6; };
  const std::size_t done = all.size() * batch;
  std::printf("{\"rows\": %zu, \"next\": %zu, \"seconds\": %.6f, \"per_second\": %.2f, \"p50_us\": %.1f, \"p99_us\": %.1f, "
              "\"max_us\": %.1f}\n",
              done, next.load(), elapsed, double(done) / elapsed, at(0.5), at(0.99), all.back() * 1e6);
}

// Single precision picks a few more than k candidates a query, double precision orders them.
static void truth(Session& session, std::istringstream& words) {
  std::string metric;
  std::size_t rows, count;
  words >> metric >> session.k >> rows >> count;
  session.metric = metric_from(metric);
  const Source& source = session.source;
  const std::size_t n = source.dims();
  count = std::min(count, session.queries.rows);
  Matrix<float> query{count, n, {}};
  query.data.assign(session.queries.data.begin(), session.queries.data.begin() + std::ptrdiff_t(count * n));
  if (session.metric == Metric::cosine) normalise(query);

  using Candidate = std::pair<double, std::size_t>;
  const std::size_t keep = std::min(session.k + 50, rows);
  std::vector<std::vector<Candidate>> best(count);
  std::vector<float> row(n);
  for (std::size_t id = 0; id < rows; id++) {
    source.row(id, row.data());
    double square = 0;
    for (const float x : row) square += double(x) * x;
    const double factor = session.metric == Metric::cosine ? 1 / std::sqrt(square) : 1;
    const double base = session.metric == Metric::cosine ? 0 : square;
    for (std::size_t q = 0; q < count; q++) {
      const float* x = query.row(q);
      float sums[16] = {};
      std::size_t i = 0;
      for (; i + 16 <= n; i += 16)
        for (std::size_t j = 0; j < 16; j++) sums[j] += x[i + j] * row[i + j];
      float dot = 0;
      for (; i < n; i++) dot += x[i] * row[i];
      for (const float sum : sums) dot += sum;
      const double distance = base - 2 * factor * dot;
      auto& heap = best[q];
      if (heap.size() == keep && distance >= heap.front().first) continue;
      if (heap.size() == keep) {
        std::pop_heap(heap.begin(), heap.end());
        heap.pop_back();
      }
      heap.emplace_back(distance, id);
      std::push_heap(heap.begin(), heap.end());
    }
  }
  session.limits.clear();
  for (std::size_t q = 0; q < count; q++) {
    for (auto& [distance, id] : best[q]) {
      source.row(id, row.data());
      distance = exact_distance(session.metric, session.queries.row(q), row.data(), n);
    }
    std::sort(best[q].begin(), best[q].end());
    session.limits.push_back(best[q][session.k - 1].first * (1 + 1e-6) + 1e-9);
  }
  std::printf("{}\n");
}

static void prepare(PGconn* conn, const char* sql) {
  PQclear(PQexec(conn, "DEALLOCATE ALL"));
  PGresult* result = PQprepare(conn, "nearest", sql, 1, nullptr);
  if (PQresultStatus(result) != PGRES_COMMAND_OK)
    print_error(PQerrorMessage(conn));
  else
    std::printf("{}\n");
  PQclear(result);
}

static void query(Session& session, std::istringstream& words) {
  std::size_t count;
  words >> count;
  count = std::min(count, session.queries.rows);
  const std::size_t n = session.source.dims();
  std::vector<std::string> parameters(count);
  for (std::size_t q = 0; q < count; q++) put_vector(parameters[q], session.queries.row(q), n);
  std::vector<std::vector<std::uint32_t>> answers(count);
  std::vector<double> seconds(count);
  const int binary = 1;
  const double start = now();
  double last = start;
  for (std::size_t q = 0; q < count; q++) {
    const char* value = parameters[q].data();
    const int length = int(parameters[q].size());
    PGresult* result = PQexecPrepared(session.conn, "nearest", 1, &value, &length, &binary, 1);
    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
      PQclear(result);
      return print_error(PQerrorMessage(session.conn));
    }
    for (int i = 0; i < PQntuples(result); i++) {
      std::uint32_t id;
      std::memcpy(&id, PQgetvalue(result, i, 0), sizeof id);
      answers[q].push_back(be32toh(id));
    }
    PQclear(result);
    const double end = now();
    seconds[q] = end - last;
    last = end;
  }
  std::size_t hits = 0;
  const std::size_t known = std::min(count, session.limits.size());
  std::vector<float> row(n);
  for (std::size_t q = 0; q < known; q++) {
    std::sort(answers[q].begin(), answers[q].end());
    answers[q].erase(std::unique(answers[q].begin(), answers[q].end()), answers[q].end());
    for (const std::uint32_t id : answers[q]) {
      session.source.row(id, row.data());
      hits += exact_distance(session.metric, session.queries.row(q), row.data(), n) <= session.limits[q];
    }
  }
  std::sort(seconds.begin(), seconds.end());
  const auto at = [&](double share) { return seconds[std::min(count - 1, std::size_t(share * double(count)))] * 1e6; };
  std::printf("{\"qps\": %.2f, \"p50_us\": %.1f, \"p99_us\": %.1f, \"recall\": ", double(count) / (last - start), at(0.5), at(0.99));
  if (known)
    std::printf("%.5f}\n", double(hits) / double(known * session.k));
  else
    std::printf("null}\n");
}

}  // namespace ann

int main(int argc, char** argv) {
  if (argc != 2) ann::die("usage: insert_client CONNINFO");
  ann::Session session;
  session.conninfo = argv[1];
  session.conn = PQconnectdb(argv[1]);
  if (PQstatus(session.conn) != CONNECTION_OK) ann::die("%s", PQerrorMessage(session.conn));
  PQsetNoticeProcessor(session.conn, [](void*, const char*) {}, nullptr);

  std::vector<char> line(1 << 20);
  while (std::fgets(line.data(), int(line.size()), stdin)) {
    line[std::strcspn(line.data(), "\n")] = 0;
    std::istringstream words(line.data());
    std::string command;
    words >> command;
    if (command == "exec") {
      ann::exec(session.conn, line.data() + 5);
    } else if (command == "prepare") {
      ann::prepare(session.conn, line.data() + 8);
    } else if (command == "source") {
      session.source.read(words);
      session.limits.clear();
      std::printf("{\"rows\": %zu, \"dims\": %zu}\n", session.source.rows(), session.source.dims());
    } else if (command == "queries") {
      std::string path;
      words >> path;
      session.queries = ann::read_matrix<float>(path);
      session.limits.clear();
      std::printf("{}\n");
    } else if (command == "copy") {
      ann::copy(session, words);
    } else if (command == "insert") {
      ann::insert(session, words);
    } else if (command == "truth") {
      ann::truth(session, words);
    } else if (command == "query") {
      ann::query(session, words);
    } else {
      ann::die("unknown command: %s", line.data());
    }
    std::fflush(stdout);
  }
  PQfinish(session.conn);
}
