// PostgreSQL's side of the nearest-neighbour benchmark: one session over libpq.
//
//   ann_client CONNINFO DIR METRIC K
//
// Answers commands from standard input, a line of JSON each: "exec SQL" gives its rows as text and its time,
// "load TABLE" copies DIR/base.fbin into TABLE (id int, v vector) in binary, "prepare SQL" prepares a query with one
// vector parameter whose first column is the id, and "query" runs it once for every vector of DIR/query.fbin.
#include <cstring>
#include <string_view>

#include "pq_common.hpp"

namespace ann {

static void load(PGconn* conn, const Set& set, const char* table) {
  const double start = now();
  PGresult* result = PQexec(conn, (std::string("COPY ") + table + " (id, v) FROM STDIN BINARY").c_str());
  if (PQresultStatus(result) != PGRES_COPY_IN) return print_error(PQerrorMessage(conn));
  PQclear(result);
  const std::size_t n = set.base.columns;
  std::string out("PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0", 19);
  for (std::size_t i = 0; i <= set.base.rows; i++) {
    if (i < set.base.rows) {
      put16(out, 2);
      put32(out, 4);
      put32(out, std::uint32_t(i));
      put32(out, std::uint32_t(4 + 4 * n));
      put_vector(out, set.base.row(i), n);
    } else {
      put16(out, 0xffff);
    }
    if (out.size() > 65536 || i == set.base.rows) {
      if (PQputCopyData(conn, out.data(), int(out.size())) != 1) return print_error(PQerrorMessage(conn));
      out.clear();
    }
  }
  PQputCopyEnd(conn, nullptr);
  result = PQgetResult(conn);
  if (PQresultStatus(result) != PGRES_COMMAND_OK)
    print_error(PQerrorMessage(conn));
  else
    std::printf("{\"seconds\": %.3f}\n", now() - start);
  PQclear(result);
  while ((result = PQgetResult(conn))) PQclear(result);
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

static void query(PGconn* conn, const Set& set, std::size_t k) {
  const std::size_t count = set.query.rows;
  std::vector<std::string> parameters(count);
  for (std::size_t q = 0; q < count; q++) put_vector(parameters[q], set.query.row(q), set.query.columns);
  std::vector<std::vector<std::int32_t>> answers(count);
  std::vector<double> seconds(count);
  const int binary = 1;
  const double start = now();
  double last = start;
  for (std::size_t q = 0; q < count; q++) {
    const char* value = parameters[q].data();
    const int length = int(parameters[q].size());
    PGresult* result = PQexecPrepared(conn, "nearest", 1, &value, &length, &binary, 1);
    if (PQresultStatus(result) != PGRES_TUPLES_OK) {
      PQclear(result);
      return print_error(PQerrorMessage(conn));
    }
    for (int i = 0; i < PQntuples(result); i++) {
      std::uint32_t id;
      std::memcpy(&id, PQgetvalue(result, i, 0), sizeof id);
      answers[q].push_back(std::int32_t(be32toh(id)));
    }
    PQclear(result);
    const double end = now();
    seconds[q] = end - last;
    last = end;
  }
  report_pass(set, answers, k, seconds, last - start);
}

}  // namespace ann

int main(int argc, char** argv) {
  if (argc != 5) ann::die("usage: ann_client CONNINFO DIR METRIC K");
  const ann::Set set = ann::read_set(argv[2], argv[3]);
  const std::size_t k = std::strtoul(argv[4], nullptr, 10);
  PGconn* conn = PQconnectdb(argv[1]);
  if (PQstatus(conn) != CONNECTION_OK) ann::die("%s", PQerrorMessage(conn));
  PQsetNoticeProcessor(conn, [](void*, const char* text) { std::fputs(text, stderr); }, nullptr);

  std::vector<char> line(1 << 20);
  while (std::fgets(line.data(), int(line.size()), stdin)) {
    line[std::strcspn(line.data(), "\n")] = 0;
    const std::string_view command = line.data();
    if (command.starts_with("exec "))
      ann::exec(conn, line.data() + 5);
    else if (command.starts_with("load "))
      ann::load(conn, set, line.data() + 5);
    else if (command.starts_with("prepare "))
      ann::prepare(conn, line.data() + 8);
    else if (command == "query")
      ann::query(conn, set, k);
    else
      ann::die("unknown command: %s", line.data());
    std::fflush(stdout);
  }
  PQfinish(conn);
}
