// What the benchmarks' clients share that speak to a server: binary values for libpq, answers as JSON.
#pragma once

#include <endian.h>
#include <libpq-fe.h>

#include <cstring>
#include <string_view>

#include "ann_common.hpp"

namespace ann {

inline void put16(std::string& out, std::uint16_t value) {
  value = htobe16(value);
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

inline void put32(std::string& out, std::uint32_t value) {
  value = htobe32(value);
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

// The binary form of a vector: int16 dimensions, int16 zero, then float4 in network order.
inline void put_vector(std::string& out, const float* x, std::size_t n) {
  put16(out, std::uint16_t(n));
  put16(out, 0);
  const std::size_t start = out.size();
  out.resize(start + 4 * n);
  for (std::size_t i = 0; i < n; i++) {
    std::uint32_t bits;
    std::memcpy(&bits, x + i, sizeof bits);
    bits = htobe32(bits);
    std::memcpy(out.data() + start + 4 * i, &bits, sizeof bits);
  }
}

inline void print_json_text(std::string_view text) {
  std::putchar('"');
  for (const char c : text) {
    if (c == '"' || c == '\\')
      std::printf("\\%c", c);
    else if (static_cast<unsigned char>(c) < 0x20)
      std::printf("\\u%04x", c);
    else
      std::putchar(c);
  }
  std::putchar('"');
}

inline void print_error(std::string_view text) {
  std::printf("{\"error\": ");
  print_json_text(text);
  std::printf("}\n");
}

inline void exec(PGconn* conn, const char* sql) {
  const double start = now();
  PGresult* result = PQexec(conn, sql);
  const double seconds = now() - start;
  const ExecStatusType status = PQresultStatus(result);
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) {
    print_error(PQerrorMessage(conn));
  } else {
    std::printf("{\"seconds\": %.6f, \"rows\": [", seconds);
    for (int i = 0; i < PQntuples(result); i++) {
      std::printf("%s[", i ? ", " : "");
      for (int j = 0; j < PQnfields(result); j++) {
        if (j) std::printf(", ");
        if (PQgetisnull(result, i, j))
          std::printf("null");
        else
          print_json_text(PQgetvalue(result, i, j));
      }
      std::printf("]");
    }
    std::printf("]}\n");
  }
  PQclear(result);
}

}  // namespace ann
